"""Models as data: the shape a family needs to write down its operations, and nothing about hardware."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from assay.model.pictures import ConvLayer, ConvShape, DiffusionShape, TokenStage
from assay.model.recommender import DlrmShape
from assay.model.recurrent import Joint, LstmLayer, RecurrentShape
from assay.model.tokens import Attention, Block, FeedForward, TransformerShape
from assay.model.traced import Line, TracedOp, TracedShape

__all__ = [
    "Attention", "Block", "ConvLayer", "ConvShape", "DiffusionShape", "DlrmShape", "Family", "FeedForward", "Joint",
    "Line", "LstmLayer", "Model", "RecurrentShape", "Shape", "TokenStage", "TracedOp", "TracedShape",
    "TransformerShape",
]  # fmt: skip

Family: TypeAlias = Literal["transformer", "convnet", "dlrm", "diffusion", "swin", "recurrent", "traced"]
Shape: TypeAlias = TransformerShape | ConvShape | DlrmShape | DiffusionShape | RecurrentShape | TracedShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model by name: its family and that family's shape."""

    name: str
    family: Family
    shape: Shape
    kind: str = "dense"  # dense | moe | encoder | encoder-decoder | vit | hybrid …, for people
    aliases: tuple[str, ...] = ()
    source: str = ""
    confidence: Literal["high", "medium", "low"] = "high"  # low: read by structure from an unknown config
    unread: tuple[str, ...] = field(default=())  # config keys that were not understood
    published_params: int | None = None  # what its maker says, to check our count against
    stored_as: str = ""  # the number format its weights are published in: bf16, fp8, mxfp4 … "" = not said

    @property
    def has_tokens(self) -> bool:
        """Whether its samples are sequences of tokens; else they are pictures, clicks, sounds, or what was traced."""
        return isinstance(self.shape, TransformerShape)
