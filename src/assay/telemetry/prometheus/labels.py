"""Which device a Prometheus series is of: what the many exporters call a device, its host and its parts, as data.

Exporters agree on nothing but that labels say it. For each question the first label that is there answers; upper and
lower case do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from assay.machine import Device

# An identity that lasts: dcgm-exporter's and the Gaudi exporter's, AMD's, GKE's.
IDENTITY = ("uuid", "gpu_uuid", "serial_number", "serial", "accelerator_id")
# OpenTelemetry's and our own, which is one of its kind on its host (semantic conventions, hw.id).
LOCAL = ("hw_id",)
# A place in its host, for exporters that know no identity: neuron-monitor, rocm_smi, and others.
PLACE = ("neuroncore", "neuron_device", "gpu", "gpu_id", "card", "index", "device", "dev_file", "module_id")
HOST = ("host_name", "hostname", "node", "nodename", "kubernetes_node", "instance_id", "instance_name", "instance")
NAME = ("hw_name", "modelname", "card_model", "dev_name", "gpu_name", "model", "card_series", "product_name")
VENDOR = ("hw_vendor", "vendor", "card_vendor")
ADDRESS = ("pci_bus_id", "pci_bdf", "pci_addr", "bus_id")
DRIVER = ("dcgm_fi_driver_version", "driver_version")
PARENT = ("hw_parent",)
# Parts of a device: the label that numbers them, and the one that says of what kind they are.
PARTS = (("gpu_i_id", "gpu_i_profile"), ("gpu_partition_id", "gpu_compute_partition_type"))
_UNDIVIDED = ("", "spx")  # what AMD calls a GPU that is not cut into parts


def host(labels: Mapping[str, str]) -> Device:
    """The host that a series is of.

    >>> host({"instance": "node-7:9100"}).id
    'node-7'
    """
    name = _host({key.lower(): value for key, value in labels.items() if value})
    return Device(name=name, vendor="host", id=name, found_by="prometheus", detail=name)


def device(labels: Mapping[str, str], vendor: str, *, whole: bool = False, prefix: bool = False) -> Device:
    """The device that a series is of; the whole card if only that can have it; `prefix` puts the host before the id.

    >>> device({"UUID": "GPU-1", "GPU_I_ID": "7", "GPU_I_PROFILE": "1g.10gb", "Hostname": "n1"}, "NVIDIA").id
    'GPU-1/7'
    """
    told = {key.lower(): value for key, value in labels.items() if value}
    on = _host(told)
    before = f"{on}/" if prefix else ""
    place = next((f"{on}/{key}{told[key]}" for key in PLACE if key in told), on)
    local = _first(told, LOCAL)
    identity = _first(told, IDENTITY) or (before + local if local else place)
    number, kind = next(((told[n], told.get(k, "")) for n, k in PARTS if n in told), ("", ""))
    is_part = not whole and kind.lower() not in _UNDIVIDED
    parent = _first(told, PARENT)
    return Device(
        name=_first(told, NAME) or vendor,
        vendor=_first(told, VENDOR) or vendor,
        id=f"{identity}/{number}" if is_part else identity,
        parent=identity if is_part else before + parent if parent else "",
        partition=kind if is_part else told.get("partition", ""),
        driver=_first(told, DRIVER) or None,
        address=_first(told, ADDRESS),
        found_by="prometheus",
        detail=on,
    )


def _host(told: Mapping[str, str]) -> str:
    return re.sub(r":\d+$", "", _first(told, HOST)) or "unknown host"


def _first(told: Mapping[str, str], keys: Sequence[str]) -> str:
    return next((told[key] for key in keys if key in told), "")
