"""One file a vendor, each with `probe`, `read` and `normalise`; what differs between them is mostly tables.

    NAME                        what the plug-in is called
    FIELDS                      where a canonical metric stands in a raw reading, its scale and its quality
    PROMETHEUS                  how the vendor's own exporter calls it, for imports
    probe(root, environment)    the devices that are there, by device nodes and variables alone: no SDK is touched
    read(devices)               opens the SDK or tool and yields one raw reading after the other, as plain JSON
    normalise(raw)              a raw reading as canonical readings; what a device does not have is not there

A raw reading is a table with `devices`, a row for each. It may also hold `about` (what only the SDK knows of a device:
its name, serial number, partitions), `warnings` (why something cannot be read, said once) and `events` (an Xid, a
retired page), as `assay.telemetry.reading` takes them.

`read` is the only part that needs the hardware. What it yields is what `assay watch --record` writes down, so a
recording from any machine is a test of `normalise`, and `replay` plays it.
"""
