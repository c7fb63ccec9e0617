"""A result that others measured and made public: one row of the input format of `assay validate`.

An empty cell is None: "not stated", never 0 or "no".
"""

from __future__ import annotations

from dataclasses import dataclass

# More than any model or machine has: beyond it a cell is a slip of the pen, and no formula is asked.
_MOST = {
    "params_b": 1e6, "layers": 10_000, "hidden": 10**7, "heads": 10**5, "kv_heads": 10**5,
    "ffn_hidden": 10**8, "vocab": 10**8, "seq_len": 10**8, "experts": 10**5, "topk": 10**5, "n_accel": 10**6,
    "accel_per_node": 10**5, "dp": 10**6, "zero_stage": 3, "tp": 10**5, "pp": 10**5, "vp": 10**5, "cp": 10**5,
    "ep": 10**5, "micro_batch": 10**6, "global_batch": 10**8,
}  # fmt: skip
_MAY_BE_0 = ("zero_stage", "experts", "topk")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """What was run, on what, how fast, as its source states it; column names are the file's."""

    id: str
    source: str
    accelerator: str
    metric_name: str
    metric_value: float
    model: str = ""
    family: str = ""
    provenance: str = ""
    date: str = ""
    params_b: float | None = None
    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    ffn_hidden: int | None = None
    vocab: int | None = None
    seq_len: int | None = None
    experts: int | None = None
    topk: int | None = None
    n_accel: int | None = None
    accel_per_node: int | None = None
    interconnect_note: str = ""
    precision: str = ""
    dp: int | None = None
    zero_stage: int | None = None
    tp: int | None = None
    sp: str = ""
    pp: int | None = None
    vp: int | None = None
    cp: int | None = None
    ep: int | None = None
    micro_batch: int | None = None
    global_batch: int | None = None
    recompute: str = ""
    flash_attention: str = ""
    row_flag: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            if value is not None and not (0 < value <= most or (value == 0 and name in _MAY_BE_0)):
                raise ValueError(f"{name}: {value} cannot be; leave the cell empty where nothing is stated")


REQUIRED = ("id", "source", "accelerator", "metric_name", "metric_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A published row beside our prediction of it; `skipped` says why there is none."""

    row: PublishedRow
    predicted: float | None = None
    low: float | None = None
    high: float | None = None
    evidence: str | None = None
    skipped: str | None = None
    plan: str = ""
    assumed: tuple[str, ...] = ()  # what the row does not state and how it was filled
    system: str = ""

    @property
    def measured(self) -> float:
        """The published figure."""
        return self.row.metric_value
