"""What a team wants done: a model, a task and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from assay.feed import Checkpoint, Feed
from assay.model import Model

Task = Literal["train", "finetune", "serve"]
Optimizer = Literal["adam", "adam-8bit", "adafactor", "sgd", "muon"]
# How weights and their state are stored: 16 bits with a master copy in 32, all in 32 bits, all in 16, frozen ones in 4.
Storage = Literal["mixed", "single", "half", "nf4"]
OPTIMIZERS, STORAGES = get_args(Optimizer), get_args(Storage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One job: train `model` on `target_tokens` tokens, `global_batch` sequences of `seq_len` at a time.

    Where a model has no tokens its samples stand for them: `seq_len` is 1, and the target is a number of samples.
    """

    name: str
    model: Model
    task: Task = "train"
    seq_len: int
    global_batch: int  # sequences (or samples) per optimizer step
    target_tokens: float | None = None  # None: the answer is a rate, not a duration
    precision: str = "bf16"  # of the matrix multiplications
    mean_len: float | None = None  # tokens of a sequence that are no padding, where padding is left out
    target_len: int | None = None  # tokens a decoder writes of each sequence that its encoder reads
    optimizer: Optimizer = "adam"
    storage: Storage | None = None  # None: "single" for a job in fp32 or tf32, else "mixed"
    gradient_bytes: float | None = None  # each gradient takes on the wire; None: 4
    adapter_rank: int | None = None  # LoRA: only low-rank adapters of this rank learn
    # Of a fused attention kernel that was written for its device, what the one in use reaches.
    attention_pace: float = 1.0
    expert_imbalance: float = 1.0  # tokens of the fullest expert-parallel device over the mean
    expert_capacity: float | None = None  # tokens beyond this many times the mean are dropped
    feed: Feed | None = None  # None: nothing is said of where its data come from, and nothing is claimed
    checkpoint: Checkpoint | None = None  # None: its time is that of its steps, as if nothing ever stopped

    def __post_init__(self) -> None:
        if self.seq_len < 1 or self.global_batch < 1:
            raise ValueError("seq_len and global_batch must be 1 or more")
        if self.mean_len is not None and not 0 < self.mean_len <= self.seq_len:
            raise ValueError("mean_len must be above 0 and at most seq_len")
        if self.adapter_rank is not None and self.adapter_rank < 1:
            raise ValueError("adapter_rank must be 1 or more")
        if self.storage == "nf4" and self.adapter_rank is None:
            raise ValueError("storage nf4 is for frozen weights: it needs an adapter_rank")
        if not 0 < self.attention_pace <= 1:
            raise ValueError("attention_pace must be above 0 and at most 1")
        if self.expert_imbalance < 1.0 or (self.expert_capacity is not None and self.expert_capacity < 1.0):
            raise ValueError("expert_imbalance and expert_capacity are 1 or more")
        if self.target_tokens is not None and not self.target_tokens > 0:
            raise ValueError("target_tokens must be above 0")

    @property
    def real_len(self) -> float:
        """Tokens of a sequence that are worked on: all, or those that are no padding."""
        return float(self.seq_len if self.mean_len is None else self.mean_len)

    @property
    def stored(self) -> Storage:
        """How the weights are stored where nothing is said: as the field does for this precision."""
        return self.storage or ("single" if self.precision in ("fp32", "tf32", "fp64") else "mixed")

    @property
    def tokens_per_step(self) -> int:
        """Tokens (or samples, see `counted`) that one optimizer step learns from."""
        return self.seq_len * self.global_batch if self.model.has_tokens else self.global_batch

    @property
    def counted(self) -> Literal["tokens", "samples"]:
        """What its amount is counted in."""
        return "tokens" if self.model.has_tokens else "samples"

    @property
    def rate(self) -> str:
        """The metric that says how fast it goes."""
        return f"{self.counted}_per_s"
