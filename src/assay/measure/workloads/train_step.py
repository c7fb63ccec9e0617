"""A training step of a real model, timed in its parts and checked against a plain reference.

Decoder transformers, ViT, DiT, ResNet and DLRM of any size, in plain PyTorch: forward, backward, gradients cut to norm
1, update. One line a step: `step_s` with the parts it is made of, tokens and samples of this rank, model FLOP, loss,
gradient norm, memory (train_loop.py says what each is). Weights are kept in fp32, and products are computed in the
format that was asked for (autocast). The first steps are then done again in fp32 without any trick, and have to come to
the same (train_check.py).

Several ranks: `python -m torch.distributed.run --nproc-per-node 2 engine.py train-step '{}'`. Every rank tells of its
own steps, rank 0 also of the settings. The fact `flop_per_step` counts the whole job, `flop` of a line one rank's part.

Memory that runs out is said (`happened`, kind oom) and ends the process with exit code 77, so that whoever tries
settings one after the other knows this end from a fault.
"""

from __future__ import annotations

from typing import Any

BUDGET_S = (30.0, 5.0)
OOM_EXIT = 77
OPTIONS = {
    "model": (
        "gpt-tiny",
        "gpt-tiny, -125m, -350m, -1b; llama-tiny, -1b; {vit,dit}-{tiny,s,b}; resnet-tiny, -18, -50; dlrm-…",
    ),
    "layers": ("", "instead of the model's own; likewise:"),
    "hidden": ("", "width; the MLP keeps its ratio to it"),
    "heads": ("", "query heads"),
    "kv_heads": ("", "key/value heads of a decoder"),
    "mlp": ("", "width of the MLP"),
    "vocab": ("", "tokens a decoder knows"),
    "gated": ("", "1: a decoder's MLP with a gate, 0: without"),
    "image_px": ("", "edge of a picture, or of a DiT's latent"),
    "classes": ("", "of a ViT, DiT or ResNet"),
    "seq_len": ("", "tokens of a sequence; empty: the model's"),
    "micro_batch": ("", "samples of one forward pass; empty: the model's"),
    "accumulation": ("1", "micro-batches of one step"),
    "precision": ("", "fp32, tf32, bf16, or fp16 with a loss scaler; empty: bf16, on a processor fp32"),
    "optimizer": ("", "adamw, adamw-fused or sgd (with momentum); empty: the model's"),
    "learning_rate": ("", "constant; empty: the model's"),
    "compile": ("off", "on: torch.compile"),
    "attention": ("sdpa", "sdpa: PyTorch's fused attention; eager: scores in memory"),
    "recompute": ("none", "full: each layer's activations are computed again in the backward pass"),
    "parallel": ("", "none, ddp, zero1 or fsdp; empty: ddp where there are several ranks"),
    "data": (
        "synthetic",
        "synthetic: on the device; real: text cut into tokens, or JPEGs decoded, by worker processes",
    ),
    "workers": ("2", "worker processes of real data"),
    "steps": ("", "empty: as many as the budget allows"),
    "checkpoint_every": ("0", "steps between checkpoints; 0: none"),
    "check_steps": ("8", "first steps that are done again and compared; 0: none"),
    "operators": ("off", "on: each operator of a step is tried against the host, after the run"),
    "seed": ("0", "of weights and data"),
    "profile": ("off", "on: two more steps under PyTorch's profiler; the trace goes to the folder"),
}


def run(kit: Any) -> None:
    """Train, then check."""
    kit.device()  # refuses where there is no PyTorch
    job = kit.beside("train_job").read(kit)
    if not kit.wanted(job.name):
        return
    kit.torch.set_num_threads(kit.beside("train_job").threads(kit))
    try:
        trace = kit.beside("train_loop").train(kit, job)
    except Exception as error:
        text = (str(error).strip() or "memory ran out").splitlines()[0]
        if kit.oom(error):
            kit.emit(event="happened", kind="oom", text=text, of=job.name)
            raise SystemExit(OOM_EXIT) from error
        if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            raise SystemExit(f"compile: {text}; install what it misses, or write off") from error
        kit.beside("train_operators").missing(kit, error)
        raise
    together = kit.beside("train_parallel").together(kit, job)
    if kit.rank == 0 and job.check_steps:
        kit.beside("train_check").check(kit, job, trace)
    if kit.rank == 0 and job.operators:
        kit.beside("train_operators").check(kit, job)
    together()
    if kit.rank == 0:
        kit.emit(event="end", case=job.name)
