"""Facts of a capture in the words that MLPerf's fields want: free text, as submitters write it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

NONE = "N/A"  # there is none, which is known

ACCELERATOR = (
    "accelerators_per_node", "accelerator_model_name", "accelerator_memory_capacity",
    "accelerator_memory_configuration", "accelerator_interconnect", "accelerator_interconnect_topology",
    "accelerator_host_interconnect", "accelerator_frequency", "accelerator_on-chip_memories",
)  # fmt: skip


class _Facts:
    """Facts read as text, numbers or lists, whatever a stored record holds."""

    def __init__(self, facts: Mapping[str, object]) -> None:
        self.facts = facts

    def text(self, name: str) -> str:
        value = self.facts.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        value = self.facts.get(name)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def list(self, name: str) -> list[object]:
        value = self.facts.get(name)
        return list(value) if isinstance(value, (list, tuple)) else []


def wording(captured: Mapping[str, object]) -> dict[str, str]:
    """Everything that captured facts can say, by MLPerf's names; what they cannot say is empty, or not there."""
    facts = _Facts(captured)
    return {**_host(facts), **_accelerators(facts), **_software(facts), **_notes(facts), **_apparatus(facts)}


def _host(facts: _Facts) -> dict[str, str]:
    sockets, cores, threads = (facts.number(name) for name in ("sockets", "cores", "threads"))
    clock = facts.number("cpu_max_hz")
    disks, cards = facts.list("disks"), [*facts.list("infiniband"), *facts.list("networks")]
    return {
        "system_name": facts.text("board"),
        "number_of_nodes": _nodes(facts),
        "system_node_ensemble_count": "1",
        "system_node_ensemble_total": "1",
        "system_node_ensemble_id": "0",
        "host_processor_model_name": facts.text("cpu"),
        "host_processors_per_node": _count(sockets),
        "host_processor_core_count": _count(cores / sockets if cores and sockets else None),  # of one processor
        "host_processor_vcpu_count": _count(threads),
        "host_processor_frequency": _mhz(clock),
        "host_processor_caches": ", ".join(map(str, facts.list("caches"))),
        "host_processor_interconnect": NONE if sockets == 1 else "",
        "host_memory_capacity": _gib(facts.number("memory_bytes")),
        "host_memory_configuration": ", ".join(map(str, facts.list("memory_modules"))),
        "host_storage_type": _media(disks),
        "host_storage_capacity": _joined(disks, _SIZE),
        "host_networking": "; ".join(map(str, cards)),
        "host_network_card_count": _count(len(cards) or None),
        "host_networking_card_count": _count(len(cards) or None),
    }


def _nodes(facts: _Facts) -> str:
    """One, unless the batch job it was captured in has more of the same."""
    job = facts.facts.get("job")
    told = job.get("SLURM_JOB_NUM_NODES") if isinstance(job, Mapping) else None
    return told if isinstance(told, str) and told.isdecimal() else "1"


def _accelerators(facts: _Facts) -> dict[str, str]:
    names = [str(name) for name in facts.list("device_names")]
    if not names:  # a record of before has only their number: none is none
        absent = facts.facts.get("devices") == []
        return {"accelerators_per_node": "0", **dict.fromkeys(ACCELERATOR[1:], NONE)} if absent else {
            "accelerators_per_node": _count(len(facts.list("devices")) or None)
        }  # fmt: skip
    links = [word for row in facts.list("device_topology") for word in str(row).split()[1:]]
    fabric, shape = _fabric(links, len(names))
    return {
        "accelerators_per_node": _count(len(names)),
        "accelerator_model_name": _several(names),
        "accelerator_memory_capacity": _several(facts.list("device_memory_bytes"), _gib),
        "accelerator_interconnect": fabric if len(names) > 1 else NONE,
        "accelerator_interconnect_topology": shape if len(names) > 1 else NONE,
        "accelerator_host_interconnect": _several(facts.list("device_pcie")),
        "accelerator_frequency": _several(facts.list("device_max_hz"), _mhz),
    }


def _fabric(words: list[str], devices: int) -> tuple[str, str]:
    """What joins the accelerators, and whether it joins each with each; network cards may stand in the same rows."""
    direct = Counter("NVLink" if word.startswith("NV") else "xGMI" for word in words if re.match(r"NV\d|XGMI", word))
    if direct:
        name, count = direct.most_common(1)[0]
        links = sorted({word for word in words if re.fullmatch(r"NV\d+", word)})
        told = f"{name} ({', '.join(links)})" if links else name
        return told, "all to all" if count >= devices * (devices - 1) else ""
    seen = any(word in ("PIX", "PXB", "PHB", "NODE", "SYS") for word in words)
    return ("PCIe", "") if seen else ("", "")


_FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow"}
_SERVING = {"vllm": "vLLM", "sglang": "SGLang", "tensorrt-llm": "TensorRT-LLM"}
_STACK = ("cuda", "nccl", "cudnn", "cublas", "transformer-engine", "flash-attn", "triton", "deepspeed", "megatron-core",
          "transformers", "habana-torch", "neuronx-cc", "libtpu", "numpy", "python", "libc")  # fmt: skip


def _software(facts: _Facts) -> dict[str, str]:
    frameworks = _versions(facts, _FRAMEWORKS)
    serving = _versions(facts, _SERVING)
    stack = [*map(str, facts.list("toolkits")), *map(str, facts.list("drivers"))]
    stack += [f"{name} {facts.text(name)}" for name in _STACK if facts.text(name)]
    return {
        "framework": ", ".join([*serving, *frameworks]),
        "framework_name": ", ".join(title for name, title in _FRAMEWORKS.items() if facts.text(name)),
        "serving_framework": ", ".join(serving),
        "inference_backend": ", ".join(serving),
        "driver": ", ".join(map(str, facts.list("drivers"))),
        "operating_system": ", ".join(filter(None, (facts.text("system"), facts.text("kernel")))),
        "other_software_stack": ", ".join(stack),
        "container_link": facts.text("image"),
        "filesystem": facts.text("filesystem").partition(" ")[0],
    }


def _versions(facts: _Facts, names: Mapping[str, str]) -> list[str]:
    return [f"{title} {facts.text(name)}" for name, title in names.items() if facts.text(name)]


def _notes(facts: _Facts) -> dict[str, str]:
    """What no field is for; and that a capture is partial, in the description itself, so that it cannot get lost."""
    virtual = f"virtualized: {facts.text('hypervisor')}" if facts.text("hypervisor") else ""
    caps = [v for v in facts.list("device_power_cap_w") if isinstance(v, (int, float))]
    capped = f"accelerator power cap: {', '.join(f'{v:g} W' for v in sorted(set(caps)))}" if caps else ""
    missing = facts.list("not_captured")
    partial = f"partial capture, not seen: {'; '.join(map(str, missing))}" if missing else ""
    contained = f"container: {facts.text('container')}" if facts.text("container") else ""
    return {
        "hw_notes": ". ".join(filter(None, (virtual, capped, partial))),
        "sw_notes": contained,
    }


def _apparatus(facts: _Facts) -> dict[str, str]:
    """What submissions with power add."""
    cards = [str(card) for card in facts.list("networks")]
    up = [card for card in cards if ", up," in card]
    speeds = [float(match[1]) * 1000 for card in up if (match := re.search(r"([\d.]+) Gb/s", card))]
    governor = facts.text("governor")
    return {
        "power_management": f"CPU governor {governor}" if governor else "",
        "boot_firmware_version": facts.text("firmware"),
        "number_of_type_nics_installed": f"{len(cards)}" if cards else "",
        "nics_enabled_os": f"{len(cards)}" if cards else "",
        "nics_enabled_connected": f"{len(up)}" if cards else "",
        "network_speed_mbit": f"{max(speeds):.0f}" if speeds else "",
        "disk_drives": "; ".join(map(str, facts.list("disks"))),
    }


_SIZE = re.compile(r"[\d.]+ [kMGTP]?B\b")


def _joined(disks: list[object], pattern: re.Pattern[str]) -> str:
    sizes = Counter(match[0] for disk in disks if (match := pattern.search(str(disk))))
    return " + ".join(f"{count}x {size}" if count > 1 else size for size, count in sizes.items())


def _media(disks: list[object]) -> str:
    signs = {"NVMe SSD": r"nvme.*", "SSD": r"(?!nvme).*solid state", "HDD": r".*rotational"}
    return ", ".join(kind for kind, sign in signs.items() if any(re.fullmatch(sign, str(disk)) for disk in disks))


def _several(values: Iterable[object], word: Callable[[object], str] = str) -> str:
    """One text for what all devices have, and how many of each where they differ; empty where one is unknown."""
    counted = Counter(None if value is None else word(value) for value in values)
    if None in counted:
        return ""
    return "".join(map(str, counted)) if len(counted) == 1 else ", ".join(f"{n}x {text}" for text, n in counted.items())


def _gib(size: object) -> str:
    return f"{size / 2**30:.4g} GiB" if isinstance(size, (int, float)) else ""


def _mhz(clock: object) -> str:
    return f"{clock / 1e6:.0f} MHz" if isinstance(clock, (int, float)) else ""


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
