"""What train-step was asked to train, read from its options and checked, and what it says of it before it begins."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import Any

FAULTS = ("learning-rate", "dropped", "unscaled", "unreduced", "nan")  # planted, to see that the check finds them


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training job as this rank sees it."""

    model: str
    family: str
    net: Any
    seq_len: int | None  # None: not a net of sequences
    micro_batch: int
    accumulation: int
    rank: int  # among those that train together
    world: int  # how many do
    precision: str
    optimizer: str
    learning_rate: float
    compile: bool
    eager: bool
    recompute: bool
    parallel: str
    data: str
    workers: int
    steps: int | None
    checkpoint_every: int
    check_steps: int
    operators: bool
    seed: int
    profile: bool
    fault: str
    flop_per_sample: float

    @property
    def name(self) -> str:
        """The case: what is trained, in which format, and how much of it in one step of one rank."""
        return f"{self.model} {self.precision} {self.micro_batch}x{self.accumulation}"

    @property
    def samples(self) -> int:
        """Of one step, on this rank."""
        return self.micro_batch * self.accumulation

    @property
    def global_batch(self) -> int:
        """Samples that one step learns from."""
        return self.samples * self.world

    @property
    def flop(self) -> float:
        """Model FLOP of one step, of all ranks."""
        return self.flop_per_sample * self.global_batch


def read(kit: Any) -> Job:
    """The job that the options say; SystemExit with what to write where they cannot be used."""
    shapes, presets = kit.beside("train_shapes"), kit.beside("train_presets")
    ask = _Ask(kit.options)
    model = ask.one_of("model", presets.PRESETS)
    preset = presets.PRESETS[model]
    said = {name: ask.number(name, 0, least=name != "gated") for name in shapes.FIELDS if kit.options.get(name)}
    net = shapes.resized(shapes.FAMILIES[preset["family"]](**preset["net"]), said)
    if kit.options.get("seq_len") and "seq_len" not in preset:
        raise SystemExit(f"seq_len: {model} has no sequences of a length of their own; leave it out")
    seq_len = ask.number("seq_len", preset["seq_len"]) if "seq_len" in preset else None
    fault = str(kit.settings.get("fault") or "")
    if fault and fault not in FAULTS:
        raise SystemExit(f"fault: {fault} is none; write {', '.join(FAULTS)}")
    optimizer = ask.one_of("optimizer", presets.RATES, preset["optimizer"])
    same = optimizer.startswith(preset["optimizer"])
    rate = ask.real("learning_rate", preset["learning_rate"] if same else presets.RATES[optimizer])
    parallel = _parallel(kit, ask)
    alone = parallel == "none"
    return _legal(kit, Job(
        model=model, family=preset["family"], net=net, seq_len=seq_len,
        micro_batch=ask.number("micro_batch", preset["micro_batch"]), accumulation=ask.number("accumulation", 1),
        rank=0 if alone else kit.rank, world=1 if alone else kit.ranks,
        precision=ask.one_of("precision", ("fp32", "tf32", "bf16", "fp16"), "fp32" if kit.place == "cpu" else "bf16"),
        optimizer=optimizer, learning_rate=rate,
        compile=ask.one_of("compile", ("off", "on")) == "on",
        eager=ask.one_of("attention", ("sdpa", "eager")) == "eager",
        recompute=ask.one_of("recompute", ("none", "full")) == "full", parallel=parallel,
        data=ask.one_of("data", ("synthetic", "real")), workers=ask.number("workers", 2, least=0),
        steps=ask.number("steps", 0) if kit.options.get("steps") else None,
        checkpoint_every=ask.number("checkpoint_every", 0, least=0), check_steps=ask.number("check_steps", 8, least=0),
        operators=ask.one_of("operators", ("off", "on")) == "on",
        seed=ask.number("seed", 0, least=0), profile=ask.one_of("profile", ("off", "on")) == "on", fault=fault,
        flop_per_sample=shapes.flop_per_sample(net, seq_len),
    ))  # fmt: skip


@dataclass(frozen=True)
class _Ask:
    """Options as text, read one at a time."""

    options: dict[str, str]

    def one_of(self, name: str, allowed: Any, default: str = "") -> str:
        word = self.options.get(name) or default
        if word not in allowed:
            raise SystemExit(f"{name}: {word} is not known; write {', '.join(allowed)}")
        return word

    def number(self, name: str, default: int, least: int = 1) -> int:
        word = self.options.get(name)
        if word and (not word.isascii() or not word.isdigit() or int(word) < least):
            raise SystemExit(f"{name}: {word} is not possible; write a whole number, {least} or more")
        return int(word) if word else default

    def real(self, name: str, default: float) -> float:
        word = self.options.get(name)
        try:
            value = float(word) if word else default
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise SystemExit(f"{name}: {word} is not possible; write a number, 0 or more")
        return value


def _parallel(kit: Any, ask: _Ask) -> str:
    kind = ask.one_of("parallel", ("none", "ddp", "zero1", "fsdp"), "ddp" if kit.ranks > 1 else "none")
    if kind != "none" and kit.ranks < 2:
        several = "python -m torch.distributed.run --nproc-per-node 2 …"
        raise SystemExit(f"parallel: {kind} needs several processes; start them with {several}, or write none")
    return kind


def _legal(kit: Any, job: Job) -> Job:
    """Refuse what cannot go together, in words."""
    transformer = job.family in {"decoder", "vit", "dit"}
    if job.precision == "tf32" and kit.place.partition(":")[0] not in {"cuda", "xpu"}:
        raise SystemExit("precision: tf32 is a format of matrix units that this device has not; write fp32 or bf16")
    if job.precision == "fp16" and job.parallel == "fsdp":
        raise SystemExit("precision: the loss scaler of fp16 does not know sharded gradients; write bf16")
    if job.eager and not transformer:
        raise SystemExit(f"attention: a {job.family} has none; leave it out")
    if job.recompute and job.family == "dlrm":
        raise SystemExit("recompute: a dlrm has no layers to compute again; write none")
    if job.data == "real" and job.family not in {"decoder", "vit", "resnet"}:
        raise SystemExit(f"data: there is nothing to read for a {job.family}; write synthetic")
    if job.data == "real" and job.family == "decoder" and job.net.vocab < 1024:
        raise SystemExit(f"vocab: the text has 1024 tokens; write 1024 or more, not {job.net.vocab}")
    if job.fault in {"unreduced"} and job.parallel not in {"ddp", "zero1"}:
        raise SystemExit("fault: gradients that are not reduced need parallel=ddp")
    return job


def announce(kit: Any, job: Job, parameters: int) -> None:
    """Begin the case, and say what is effectively used: what a prediction needs, and what two runs must have alike."""
    shapes = kit.beside("train_shapes")
    case = {"name": job.name, "kind": "step", "dtype": job.precision, "flop": job.flop / job.world,
            "library": "torch", "device": kit.place, "threads": threads(kit)}  # fmt: skip
    if kit.rank:
        return
    kit.emit(event="begin", case=case, number=1, of=1)
    sizes = {key: value for key, value in _sizes(job.net).items() if value is not None}
    ways = {
        "model": job.model, **sizes, "parameters": parameters, "micro_batch": job.micro_batch,
        "accumulation": job.accumulation, "global_batch": job.global_batch, "ranks": kit.ranks,
        "precision": job.precision, "optimizer": job.optimizer, "learning_rate": job.learning_rate,
        "compile": _word(job.compile), "attention": "eager" if job.eager else "sdpa",
        "recompute": "full" if job.recompute else "none", "parallel": job.parallel, "data": job.data,
        "workers": job.workers if job.data == "real" else 0, "checkpoint_every": job.checkpoint_every, "seed": job.seed,
        "device": kit.place.partition(":")[0], "threads": threads(kit),
    }  # fmt: skip
    length = shapes.tokens(job.net, job.seq_len)
    for name, value in {**ways, **({"seq_len": length} if length else {})}.items():
        kit.emit(event="setting", name=name, value=value)
    facts = {"torch": kit.torch.__version__, "device_name": _device_name(kit), "flop_per_step": job.flop,
             "family": shapes.family(job.net), "shape": shapes.table(job.net, job.seq_len)}  # fmt: skip
    for name, value in facts.items():
        kit.emit(event="fact", name=name, value=value)


def _sizes(net: Any) -> dict[str, Any]:
    """The net's sizes by name, as a reader and a comparison of settings want them."""
    sizes = {name: getattr(net, name) for name in net.__slots__}
    return {name: ",".join(map(str, size)) if isinstance(size, tuple) else size for name, size in sizes.items()}


def _word(on: bool) -> str:
    return "on" if on else "off"


def threads(kit: Any) -> int:
    """Threads that this rank may keep busy on the host: those there are, shared among the ranks of this host."""
    return max(1, int(kit.threads) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _device_name(kit: Any) -> str:
    module = getattr(kit.torch, kit.place.partition(":")[0], None)
    named = getattr(module, "get_device_name", None)
    return str(named()) if named is not None else platform.processor() or platform.machine()
