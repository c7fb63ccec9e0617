"""Recommenders as data."""

from __future__ import annotations

from dataclasses import dataclass

from assay.model.sizes import above_zero, within


@dataclass(frozen=True, slots=True, kw_only=True)
class DlrmShape:
    """A recommender: embedding tables, a bottom and a top MLP, and pairwise interaction (DLRM)."""

    tables_rows: tuple[int, ...]
    embedding_dim: int
    dense_features: int
    bottom_mlp: tuple[int, ...]
    top_mlp: tuple[int, ...]
    lookups_per_table: tuple[int, ...] = ()
    cross_layers: int = 0  # DCNv2: low-rank cross layers in place of the dot products
    cross_rank: int = 0

    def __post_init__(self) -> None:
        above_zero(self, "embedding_dim", "dense_features")
        within(self, 1_000, "cross_layers")
        within(self, 1_000_000, "cross_rank")
        if not self.bottom_mlp or not self.top_mlp:
            raise ValueError("bottom_mlp: a DLRM has a bottom and a top MLP; write their widths")
        if self.lookups_per_table and len(self.lookups_per_table) != len(self.tables_rows):
            raise ValueError(f"lookups_per_table: {len(self.tables_rows)} numbers wanted, one a table")
