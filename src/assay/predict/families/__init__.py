"""Model families as operations: one file each, found by the shape that a model has."""

from __future__ import annotations

from typing import Any, Protocol

from assay.errors import InputError
from assay.model import ConvShape, DiffusionShape, DlrmShape, Model, RecurrentShape, TracedShape, TransformerShape
from assay.predict.families import convnet, diffusion, recommender, recurrent, traced, transformer
from assay.predict.ops import Layer, Layout, Limits, Sizes
from assay.workload import Workload


class Family(Protocol):
    """What a family's file holds; `shape` is the one it is for."""

    def limits(self, shape: Any, job: Workload) -> Limits:
        """What parallel sizes must divide."""

    def layers(self, shape: Any, job: Workload, layout: Layout) -> list[Layer]:
        """The layers that a pipeline cuts, in runs of equal ones."""

    def ends(self, shape: Any, job: Workload, layout: Layout) -> Layer:
        """What only the first and the last stage do, once for every micro-batch."""

    def sizes(self, shape: Any) -> Sizes:
        """Parameters by where they lie."""

    def model_flop(self, shape: Any, job: Workload) -> float:
        """FLOP that one sample needs, forward and backward."""

    def handed_on(self, shape: Any, job: Workload) -> float:
        """Numbers that one sample takes from one pipeline stage to the next."""


_FAMILIES: dict[type, Any] = {
    TransformerShape: transformer, ConvShape: convnet, DlrmShape: recommender, DiffusionShape: diffusion,
    RecurrentShape: recurrent, TracedShape: traced,
}  # fmt: skip


def family(model: Model) -> Family:
    """The file that writes this model down."""
    found: Family | None = _FAMILIES.get(type(model.shape))
    if found is None:
        raise InputError(f"{model.name}: {model.family} models cannot be priced", hint="assay catalog --models")
    return found
