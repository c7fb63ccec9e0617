"""Model families: shapes in, operations out. Nothing here knows a machine."""
