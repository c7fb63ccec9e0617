"""What a published row says in words: its notes, its network, its precision, and the names its model goes by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from assay.hardware import Accelerator, System
from assay.plan import Offload, Recompute
from assay.published import PublishedRow
from assay.workload import Optimizer, Storage

# Of a pack's length, what one of its sequences takes where the source does not say: BERT's second phase fills half of
# its 512 tokens, its first nearly all of its 128 (Krell et al. 2021, arXiv 2107.02027).
_SHORT_SHARE = 0.85
# BERT's second phase on Wikipedia has sequences of 250 tokens on average (MLPerf's logs); these pre-train in bins of
# equal length (LDDL), so that padding is not worked on.
_BINNED, _WIKIPEDIA_MEAN = re.compile(r"DeepLearningExamples BERT"), 250.0
_LADDER = ("packed", "compile", "chunked CE", "activation ckpt", "opt in bwd", "act offload", "8bit AdamW")
_ADAPTED = 3  # of them, the last that adapters have too
_PIECES = 8
_OFF = r"(?:(?:false|no|off|none|disabled|n)\b)"
_HOPPER, _HOPPER_KERNELS, _OLDER_KERNEL = ("h100", "h200", "gh200", "h800", "h20-"), "2024-07", 0.6
_RANK = 16  # of adapters where a row names none: what MLPerf's fine-tuning and most recipes use


def names(model: str) -> Iterator[str]:
    """A model's name as a row writes it, then without what says how it was run.

    >>> list(names("Qwen3_30B_a3B (tokendrop)")), list(names("llama-7b run_lora_clm"))
    (['Qwen3_30B_a3B (tokendrop)', 'Qwen3_30B_a3B'], ['llama-7b run_lora_clm', 'llama-7b'])
    """
    yield model
    bare = re.sub(r"\s*[([].*?[)\]]|\s+run_\w+|\s+FT\b.*|\s+(fine|pre)-?tun?r?aining.*", "", model)
    bare = re.sub(r"^(HuggingFace|MLPerf)\s+|\s+(fine-tuning|pre-training|packed)\b.*|\s+(SL|MSL|Ph)\d+.*", "", bare)
    if bare and bare != model:
        yield bare


def adapter_rank(row: PublishedRow) -> int | None:
    """The rank of a row's adapters; None where all weights learn."""
    text = f"{row.model} {row.row_flag} {row.family}".lower()
    return _RANK if re.search(r"lora|peft", text) or re.match(r"Q?LoRA\b", row.notes) else None


def rungs(row: PublishedRow) -> str:
    """What a row's notes name, with all that came before it where they are a rung of torchtune's ladder.

    Its optimisations add up, and adapters stand on all those that are left of them.
    """
    if "cumulative ladder" not in row.notes:
        return row.notes
    named = [i for i, rung in enumerate(_LADDER) if rung in row.notes]
    told = max(named) if named else _ADAPTED if adapter_rank(row) is not None else -1
    return ", ".join((row.notes, *_LADDER[: told + 1]))


def _says(text: str, pattern: str) -> bool:
    """Whether words say that something is so, and not that it is not: "no act offload", "act offload=False"."""
    found = re.search(
        rf"(?P<no>\b(?:no|not|without|un)[\s-]*)?(?:{pattern})(?P<off>\s*[=:]?\s*{_OFF})?", text, re.IGNORECASE
    )
    return found is not None and not (found["no"] or found["off"])


def loss_chunks(row: PublishedRow) -> int:
    """Pieces that the loss is worked on in: 8 where a row says that it is, as torchtune has it."""
    return _PIECES if _says(rungs(row), r"chunked (?:CE|cross|loss)[\w-]*") else 1


def offload_activations(row: PublishedRow) -> Offload:
    """Where activations go between passes, where a row says that they go."""
    return Offload.HOST if _says(rungs(row), r"\bact(?:ivation)?s? offload(?:ing)?\b") else Offload.NONE


def fused(row: PublishedRow) -> bool:
    """Whether pointwise operations are fused: not on the rungs below the one that compiles."""
    return "cumulative ladder" not in row.notes or "compile" in rungs(row)


def tensors_only(row: PublishedRow) -> bool:
    """Whether a row's memory is what its allocator had handed out, without what it and the driver keep."""
    return bool(re.search(r"memory (active|allocated)", row.notes, re.IGNORECASE))


def storage(row: PublishedRow) -> Storage | None:
    """How a row's weights and their state are stored, where its words say that they have 16 bits, or 4."""
    if re.match(r"QLoRA\b", row.notes) or "qlora" in row.model.lower():
        return "nf4"
    return "half" if "pure" in row.precision.lower() or row.source.startswith("torchtune") else None


def optimizer(row: PublishedRow, samples: bool) -> Optimizer:
    """The optimizer a row names; else momentum for pictures and clicks, Adam for tokens."""
    if _says(rungs(row), "8-?bit Adam"):
        return "adam-8bit"
    return "sgd" if samples else "adam"


def mean_len(row: PublishedRow, seq_len: int) -> float | None:
    """Tokens of a sequence that are no padding, where the row says that padding is left out."""
    stated = re.search(r"mean real length ~?\s*(\d+)", row.notes)
    if stated:
        return min(float(stated[1]), float(seq_len))
    if _BINNED.search(row.source) and seq_len == 512 and "FT" not in row.model:
        return _WIKIPEDIA_MEAN
    if re.search(r"\bpacked\b", row.model):
        return _WIKIPEDIA_MEAN * seq_len / 512 if seq_len >= 512 else _SHORT_SHARE * seq_len
    return None


def shard(row: PublishedRow) -> int:
    """Devices that state is sharded over, where the row names such a group; 0 = all replicas."""
    stated = re.search(r"(?:zero1 (?:shard )?group|FSDP group)\s*=\s*(\d+)", row.notes)
    if stated:
        return int(stated[1])
    return (row.accel_per_node or 8) if re.search(r"\bHSDP\b", row.notes) else 0


def per_process(row: PublishedRow) -> bool:
    """Whether a row's samples a second are those of one process, though it says they are the job's.

    MLPerf's RetinaNet logs: 284 a second on eight H100, for the 37 minutes that run took, are half an epoch of
    OpenImages' 1.17 million pictures, and no run reaches the target before four. Times eight they are four.
    """
    return row.source.startswith("MLPerf") and "RetinaNet" in row.model and row.metric_name == "samples/s"


def network_of(row: PublishedRow, system: System) -> System:
    """The row's own words on its network ("8x200Gb/s HDR per node", "EFA 800 Gb/s") over the catalog's default."""
    text = row.interconnect_note.lower()
    many = re.findall(r"(\d+)\s*x\s*(?:connectx-?\d+\s*)?(?:ib\s*)?(?:ndr|hdr)?\s*(\d+)\s*gb(?:/s|it|ps|e|\b)", text)
    one = re.search(r"(?:efa\s*(\d+)\s*gb/s|(\d{3,4})\s*gb/s per node|(\d{3,4}) gb/s between nodes)", text)
    total = max((int(a) * int(b) for a, b in many), default=0)
    total = total or (int(next(filter(None, one.groups()))) if one else 0)
    if not total or len(system.links) < 2:
        return system
    rate = total / 8 * 1e9 / system.count_per_node
    return replace(system, links=(*system.links[:-1], replace(system.links[-1], bandwidth_bytes_per_s=rate)))


def precision_of(row: PublishedRow, system: System) -> tuple[str, tuple[str, ...]]:
    """The compute precision a row means by its words; 16 bits where it says nothing."""
    text = row.precision.lower()
    for dtype in ("fp4", "fp8", "bf16", "fp16", "tf32", "fp32"):
        if dtype in text:
            return dtype, () if "not in log" not in text else (f"precision {dtype}",)
    default = "bf16" if "bf16" in system.accelerator.peak_flop_per_s else "fp16"
    return default, (f"precision {default}",)


def recompute_of(text: str) -> tuple[int, ...]:
    """Levels of recomputation that a row's word allows."""
    word = text.lower().split("(")[0].strip()
    known = {"none": Recompute.NONE, "selective": Recompute.SELECTIVE, "full": Recompute.FULL}
    if "per-op" in text.lower():
        return (Recompute.PER_OP,)
    if word == "selective" and layers_again(text) < 1.0:
        return (Recompute.FULL,)
    return (known[word],) if word in known else (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL)


def layers_again(text: str) -> float:
    """Share of the layers that are recomputed as a whole: every second where a row says "selective(block)".

    >>> layers_again("selective(every 2nd layer)"), layers_again("full")
    (0.5, 1.0)
    """
    some = re.search(r"every (\d+)|block", text.lower())
    return 1.0 / int(some[1] or 2) if some else 1.0


def sequence_parallel_of(row: PublishedRow, tensor: int | None) -> tuple[bool, ...]:
    """As stated; without tensor parallelism there is nothing to spread, whatever is stated."""
    stated = {"y": (True,), "n": (False,)}.get(row.sp[:1].lower(), (False, True))
    return (False,) if tensor == 1 else stated


def attention_pace(row: PublishedRow, chip: Accelerator) -> float:
    """What a row's fused attention kernel reaches of one that was written for its device.

    FlashAttention-2 was written for devices without asynchronous units; on an H100 the next version is 1.5 to 2.0
    times as fast forward and 1.5 to 1.75 backward (Shah et al. 2024, arXiv 2407.08608, §4.1). A device's maker had
    kernels of its own before that, which MLPerf's submitters use.
    """
    makers = re.match(rf"{re.escape(chip.vendor)}|MLPerf", row.source, re.IGNORECASE)
    older = chip.name.startswith(_HOPPER) and row.date[:1].isdecimal() and row.date[:7] < _HOPPER_KERNELS
    return _OLDER_KERNEL if older and not makers else 1.0


def flash_attention(row: PublishedRow) -> bool:
    """Stated, or by its time: fused attention became the default in 2023."""
    if row.flash_attention:
        return row.flash_attention[0].lower() == "y"
    return not (row.date and row.date[:4].isdecimal() and int(row.date[:4]) < 2023)
