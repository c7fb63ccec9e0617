"""A machine as MLPerf describes one, in each of the shapes that are in use. What is unknown stays empty, and is listed.

The fields are those of the system descriptions that MLCommons' submission checkers ask for: flat text for inference and
training, counts too; and for the endpoint harness kinds of nodes, each with its accelerators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, get_args

from assay.errors import InputError, did_you_mean
from assay.machine import Machine
from assay.measure.inventory.capture import hardware
from assay.measure.inventory.wording import ACCELERATOR, wording

Shape = Literal["inference", "inference-power", "training", "endpoints"]

HOST = (
    "host_processor_model_name", "host_processors_per_node", "host_processor_core_count", "host_processor_frequency",
    "host_processor_caches", "host_processor_interconnect", "host_memory_capacity", "host_memory_configuration",
    "host_storage_type", "host_storage_capacity", "host_networking", "host_networking_topology",
)  # fmt: skip
TAIL = ("cooling", "hw_notes", "framework", "operating_system", "other_software_stack", "sw_notes")
POWER = (
    "power_management", "filesystem", "boot_firmware_version", "management_firmware_version", "other_hardware",
    "number_of_type_nics_installed", "nics_enabled_firmware", "nics_enabled_os", "nics_enabled_connected",
    "network_speed_mbit", "power_supply_quantity_and_rating_watts", "power_supply_details", "disk_drives",
    "disk_controllers",
)  # fmt: skip
CARDS = ("host_network_card_count", "host_networking_card_count")  # both spellings are in use
_HEAD = ("submitter", "division", "status", "system_name")
_INFERENCE = (*_HEAD, "system_type", "system_type_detail", "number_of_nodes", *HOST, *CARDS, *ACCELERATOR, *TAIL)
FLAT: dict[str, tuple[str, ...]] = {
    "inference": _INFERENCE,
    "inference-power": (*_INFERENCE, *POWER),
    "training": (
        *_HEAD, "number_of_nodes", *HOST, "host_processor_vcpu_count", *CARDS, *ACCELERATOR, *TAIL, "framework_name",
    ),
}  # fmt: skip

# Of the endpoints' shape: fields of the whole, of a kind of node, of its accelerators, and of how the model was laid
# over them. A name that ends in one of COUNTS holds a number, or null where it is unknown; all others hold text.
WHOLE = (
    "division", "system_name", "system_availability_status", "system_category", "system_size",
    "system_node_ensemble_count", "system_node_ensemble_total", "endpoint_url", "serving_framework",
)  # fmt: skip
NODE = (
    "system_node_ensemble_id", "number_of_nodes", *HOST, "host_network_card_count", "inference_backend", "driver",
    "operating_system", "filesystem", "container_link", "cooling", "hw_notes", "sw_notes", "other_software_stack",
)  # fmt: skip
INFO = (
    "accelerator_model_name", "accelerators_per_node", "accelerator_memory_capacity", "accelerator_memory_type",
    "accelerator_interconnect", "accelerator_host_interconnect",
)  # fmt: skip
RUN = (
    "node_config", "disaggregated", "expert_parallel", "tensor_parallel", "pipeline_parallel", "data_parallel", "batch",
    "config_summary", "config_summary_notes", "link_config",
)  # fmt: skip
COUNTS = ("_parallel", "_count", "_total", "_per_node", "number_of_nodes")


class Description(NamedTuple):
    """A system description, and what of it nobody could say."""

    fields: dict[str, object]
    unknown: tuple[str, ...]  # names of the fields that are empty; "node_types[0].cooling" of those within


def system(
    machine: Machine | None, environment: Mapping[str, object], *, shape: Shape = "inference",
    told: Mapping[str, str] | None = None,
) -> Description:  # fmt: skip
    """This machine in one of MLPerf's shapes: from what was captured, and from `told` what only people know.

    `environment` is that of a capture or of a stored run; of a run's, `machine` may be None. InputError where the shape
    is none, or `told` names a field that it does not have.
    """
    if shape not in get_args(Shape):
        raise InputError(f'"{shape}" is not a shape', hint=f"shapes: {', '.join(get_args(Shape))}")
    facts = {**(hardware(machine) if machine else {}), **environment}
    known = wording(facts)
    nested = shape == "endpoints"
    fields = _endpoints(known) if nested else dict[str, object]({name: known.get(name, "") for name in FLAT[shape]})
    places = list(_places(fields))
    given = dict(told or {})
    _check(given, {name for name, _, _ in places}, counts=nested)
    for name, table, _ in places:
        if name in given:
            table[name] = _typed(name, given[name]) if nested else given[name]
    return Description(fields, tuple(path for name, table, path in places if table[name] in ("", None)))


def _check(given: Mapping[str, str], names: set[str], *, counts: bool) -> None:
    for name, value in given.items():
        if name not in names:
            hint = did_you_mean(name, names) or f"fields: {', '.join(sorted(names))}"
            raise InputError(f'"{name}" is not a field of this shape', hint=hint)
        if counts and name.endswith(COUNTS) and not value.isdecimal():
            raise InputError(f'{name} is a count, and "{value}" is none', hint=f"write a whole number: {name}=8")


def _places(fields: dict[str, object], path: str = "") -> Iterable[tuple[str, dict[str, object], str]]:
    """Every field, with the table that holds it and the whole way to it."""
    for name, value in fields.items():
        inner = value if isinstance(value, list) else [value]
        tables = [item for item in inner if isinstance(item, dict)]
        for i, item in enumerate(tables):
            yield from _places(item, f"{path}{name}[{i}]." if isinstance(value, list) else f"{path}{name}.")
        if not tables and value != []:
            yield name, fields, path + name


def _endpoints(known: Mapping[str, str]) -> dict[str, object]:
    def filled(names: Iterable[str]) -> dict[str, object]:
        return {name: _typed(name, known.get(name, "")) for name in names}

    node = filled(NODE)
    node["accelerator_info"] = [filled(INFO)] if known["accelerators_per_node"] != "0" else []
    return {**filled(WHOLE), "node_types": [node], "run": filled(RUN)}


def _typed(name: str, text: str) -> object:
    if not name.endswith(COUNTS):
        return text
    return int(text) if text.isdecimal() else None
