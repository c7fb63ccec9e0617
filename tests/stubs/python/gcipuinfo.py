# ruff: noqa: N801, N802 - the names are Graphcore's
"""A stand-in for Graphcore's binding: all values are texts."""

import json

DiscoverActivePartitionIPUs = 1

IPU = {
    "average board temp": "17.8 C", "average die temp": "20.0 C", "board type": "M2000", "clock": "1850MHz",
    "driver version": "1.0.57", "ipu architecture": "ipu2", "ipu error state": "no errors", "ipu power": "N/A",
    "ipu utilisation": "0.00%", "ipu utilisation (session)": "0.00%", "link correctable error count": "0",
    "link speed": "16.0 GT/s", "link width": "8", "parity error count": "0", "user process id": "",
}  # fmt: skip


class gcipuinfo:
    def __init__(self, discover=None):
        self.count = 0

    def setUpdateMode(self, on):
        assert on

    def getDevicesAsJSON(self):
        self.count += 1
        at_work = {
            "average die temp": "41.5 C", "ipu power": "87.32W", "ipu utilisation": "78.31%", "user process id": "4242",
            "link correctable error count": str(3 * self.count),
        }  # fmt: skip
        return json.dumps(
            [{"id": "0", "pci id": "0000:b1:00.0", **IPU, **at_work}, {"id": "1", "pci id": "0000:b2:00.0", **IPU}]
        )
