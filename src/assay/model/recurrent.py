"""Models that read a sequence step by step, as data."""

from __future__ import annotations

from dataclasses import dataclass

from assay.model.sizes import above_zero


@dataclass(frozen=True, slots=True, kw_only=True)
class LstmLayer:
    """`count` equal LSTM layers that read a sequence step by step."""

    count: int
    inputs: int
    hidden: int
    steps: int  # of its sequence, after what reduces time
    projection: int = 0  # width its state is projected to; 0: it is not
    directions: int = 1  # 2: a second one reads from the end
    reads_data: bool = False  # its input needs no gradient

    def __post_init__(self) -> None:
        above_zero(self, "count", "inputs", "hidden", "steps", "directions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Every step of an encoder paired with every label so far (RNN-T): a plane of vectors, scored over all outputs."""

    encoder: int  # width of what the encoder hands it, and the prediction network
    prediction: int
    hidden: int
    steps: int
    labels: int  # of a sequence, the blank before the first included

    def __post_init__(self) -> None:
        above_zero(self, "encoder", "prediction", "hidden", "steps", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentShape:
    """Stacks of LSTM layers, what they read from a table, and what scores their outputs (LSTM models, RNN-T)."""

    layers: tuple[LstmLayer, ...]
    outputs: int  # that are scored: vocabulary or classes
    embedding_rows: int = 0
    embedding_dim: int = 0
    embedding_steps: int = 0  # rows that one sample looks up
    joint: Joint | None = None  # None: the last layer's every step is scored

    def __post_init__(self) -> None:
        above_zero(self, "outputs")
        if not self.layers:
            raise ValueError("layers: a recurrent model has layers; write them")
