"""Watching devices: what their sensors say, under one set of names whatever the vendor, and what that means."""
