"""Placing: a published row in our own terms, so that rows of different sources can be told alike or apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from assay.api.checking import Shelves
from assay.counting import parameters
from assay.errors import InputError
from assay.model import Model, TransformerShape
from assay.plan import parse_plan
from assay.predict import estimate
from assay.predict import validate as filling
from assay.predict.device import peak_flop_per_s
from assay.predict.families import family
from assay.predict.figures import STEADY, Case
from assay.predict.regime import regime_of
from assay.published import Checked, PublishedRow

# Who stands behind a source whose first word does not say it: releases of one publisher share machines and habits.
_PUBLISHERS: Mapping[str, str] = {
    "Narayanan": "NVIDIA", "Korthikanti": "NVIDIA", "MT-NLG": "NVIDIA", "Habana": "Intel", "HF": "Intel",
    "LLaMA": "Meta", "Llama": "Meta", "OPT-175B": "Meta", "torchtitan": "PyTorch", "torchtune": "PyTorch",
    "MaxText": "Google", "Databricks": "MosaicML",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a row is of: the machine and the job, as they are priced."""

    architecture: str
    device: str
    regime: str
    publisher: str
    model: str  # rows of one model have the same, whatever their source calls it
    setting: str  # rows with the same state the same of everything that is priced
    parameters: int
    devices: int
    seq_len: int
    ideal_s: float  # a step at the device's peak, by what the model needs: MFU is this over the step
    speed: bool  # of a whole step; else memory, or a part of a step


def facts_of(row: PublishedRow, known: Shelves) -> Facts:
    """A row in our own terms; raises InputError where it states too little."""
    machine, _, _ = known.machine(row.accelerator, row.accel_per_node)
    case = filling.case_of(row, machine, known.model(row.model))
    chip, model = case.system.accelerator, case.job.model
    return Facts(
        architecture=chip.architecture, device=chip.name, regime=regime_of(case.job), publisher=publisher(row.source),
        model=_same(model), setting=_setting(row, case), parameters=parameters(model.shape),
        devices=case.system.accelerators, seq_len=case.job.seq_len, ideal_s=_ideal_s(case),
        speed=row.metric_name in STEADY,
    )  # fmt: skip


def terms_of(row: PublishedRow, checked: Checked, known: Shelves) -> Mapping[str, float]:
    """Seconds of the predicted step by term, largest first; none for memory and what no step is predicted of."""
    if row.metric_name not in STEADY or not checked.plan:
        return {}
    machine, constants, _ = known.machine(row.accelerator, row.accel_per_node)
    try:
        case = filling.case_of(row, machine, known.model(row.model))
        terms = estimate.terms_of(
            case.job, case.system, parse_plan(checked.plan), constants.constants_for(case.job)
        )  # fmt: skip
    except InputError:
        return {}
    found = {name: float(np.ravel(seconds)[0]) for name, seconds in terms.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def publisher(source: str) -> str:
    """Who published a source.

    >>> publisher("Databricks/MosaicML MI250 multi-node"), publisher("Narayanan et al. 2021"), publisher("MLPerf v4.0")
    ('MosaicML', 'NVIDIA', 'MLPerf')
    """
    first = re.split(r"[ /]", source, maxsplit=1)[0]
    return _PUBLISHERS.get(first, first)


def _same(model: Model) -> str:
    """A name for the model by its shape where it is a transformer's; else its own."""
    shape = model.shape
    if not isinstance(shape, TransformerShape):
        return model.name
    return f"{shape.layers} layers of {shape.hidden}"


def _setting(row: PublishedRow, case: Case) -> str:
    """Everything that is priced and stated, as one short word; figures in one unit only are compared."""
    variant = "".join(re.findall(r"[([].*?[)\]]|run_\w+", row.model)).lower()
    job, on = case.job, case.system
    stated = (
        job.model.shape, job.seq_len, job.global_batch, job.precision, job.mean_len, job.adapter_rank, on.name,
        on.accelerator.name, on.count_per_node, on.nodes, case.options, case.data, row.metric_name, variant,
    )  # fmt: skip
    return sha256(repr(stated).encode()).hexdigest()[:16]


def _ideal_s(case: Case) -> float:
    peak = peak_flop_per_s(case.system.accelerator, case.job.precision)
    flop = family(case.job.model).model_flop(case.job.model.shape, case.job) * case.job.global_batch
    return flop / case.system.accelerators / peak[0] if peak else float("nan")
