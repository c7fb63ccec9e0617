"""What a team wants done: a model, a task and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.model import Model

Task = Literal["train", "finetune", "serve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One job: train `model` on `target_tokens` tokens, `global_batch` sequences of `seq_len` at a time."""

    name: str
    model: Model
    task: Task = "train"
    seq_len: int
    global_batch: int  # sequences (or samples) per optimizer step
    target_tokens: float | None = None  # None: the answer is a rate, not a duration
    precision: str = "bf16"  # of the matrix multiplications

    def __post_init__(self) -> None:
        if self.seq_len < 1 or self.global_batch < 1:
            raise ValueError("seq_len and global_batch must be 1 or more")
        if self.target_tokens is not None and not self.target_tokens > 0:
            raise ValueError("target_tokens must be above 0")

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one optimizer step learns from."""
        return self.seq_len * self.global_batch
