"""`assay trace`: any PyTorch module as a model file, from its code alone: no accelerator, no weights, no data."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.output import Row, emit, format_option, say

if TYPE_CHECKING:
    from assay.api.tracing import Traced
    from assay.model import TracedOp


@click.command()
@click.argument("factory", metavar="MODULE:FACTORY")
@click.option("--inputs", required=True, metavar="SPEC",
              help='"x=float32[8,3,224,224]", several with commas; or MODULE:FUNCTION of a batch size.')  # fmt: skip
@click.option("--batch", type=click.IntRange(1, 1_000_000), metavar="N",
              help="Samples in these inputs.  [default: the batch of the first; of a function 4]")  # fmt: skip
@click.option("--python", help="Interpreter that has the module and its PyTorch; default: this one.")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Model file to write, .toml or .json.  [default: FACTORY.toml]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@format_option
def trace(
    factory: str, inputs: str, batch: int | None, python: str | None, out: Path | None, as_json: bool, fmt: str
) -> None:  # fmt: skip
    """Count what a PyTorch module does: parameters, FLOP, bytes and kept activations, forward and backward.

    FACTORY is a function without arguments, importable from this folder, that returns an nn.Module (a class will do).
    It is built without memory and run without data, so a module of any size is traced on a laptop.

    \b
    SPEC names what forward takes, each with its number format and shape; the first number is the batch.
      x=float32[8,3,224,224]            one tensor, by name; without a name by position
      ids=int64[4,128],mask=bool[4,128] several
      x=float32[100,*8,40]              * stands before the batch where it is not the first
      freqs=fixed float32[128,64]       a tensor that has no batch
      scale=0.5,train=true              numbers and switches
      nets:batch                        a function of the batch size: a tuple, a dict, or both as (args, kwargs)

    \b
    assay trace nets:resnet50 --inputs "x=float32[8,3,224,224]"
    assay trace nets:gpt --inputs "ids=int64[4,1024],labels=int64[4,1024]" --python ~/venv/bin/python
    """
    from assay.api.tracing import trace as run_it

    found = run_it(factory, inputs, python=python, out=out, batch=batch)
    fmt = "json" if as_json else fmt
    if fmt == "json":
        emit([], fmt, data=_data(found))
    else:
        _print(found, fmt)
    _close(found)


def _print(found: Traced, fmt: str) -> None:
    from assay.cli.stacked import section

    title = f"{found.model.name}, traced at a batch of {found.shape.batch}; loss: {found.loss}"
    emit(_rows(found), fmt, title=title)
    if fmt != "csv":
        section("Heaviest operations", _heaviest(found), ["operation"], fmt)


def _rows(found: Traced) -> list[Row]:
    from assay.units import show

    shape, b = found.shape, found.shape.batch
    frozen = shape.parameters - shape.trained_parameters
    rows: list[Row] = [
        {"what": "parameters", "found": f"{shape.parameters:,}", "torch's counter": ""},
        {"what": "trained", "found": f"{shape.trained_parameters:,}" if frozen else "all of them"},
        {"what": "buffers", "found": f"{shape.buffers:,} numbers, {show(shape.buffer_bytes, 'bytes')}"},
    ]
    rows += [
        {"what": f"{phase} per sample", "found": show(found.flop(phase) / b, "flop"),
         "torch's counter": _beside(found, phase)}
        for phase in ("forward", "backward")
    ]  # fmt: skip
    moved = " + ".join(show(found.moved_bytes(phase) / b, "bytes") for phase in ("forward", "backward"))
    rows += [
        {"what": "bytes moved per sample", "found": f"{moved} (forward + backward, nothing fused)"},
        {"what": "kept for backward per sample", "found": show(shape.kept_bytes.at(b) / b, "bytes")},
        {"what": "input and output per sample", "found": " and ".join(
            show(line.at(b) / b, "bytes") for line in (shape.input_bytes, shape.output_bytes))},
    ]  # fmt: skip
    return rows


def _beside(found: Traced, phase: str) -> str:
    from assay.units import show

    theirs = found.torch_flop.get(phase)
    if theirs is None:
        return "fails on this module"
    ours, shown = found.flop(phase), show(theirs / found.shape.batch, "flop")
    if ours == theirs or not theirs:
        return f"{shown}, the same" if ours == theirs else shown
    return (
        f"{shown}; here {ours / theirs - 1:+.2%}" if ours < 2 * theirs else f"{shown}; here {ours / theirs:.3g} times"
    )


def _heaviest(found: Traced) -> list[Row]:
    from assay.api.tracing import total
    from assay.units import show

    b = found.shape.batch
    whole = found.flop("forward") + found.flop("backward")
    return [
        {"operation": op.name, "phase": op.phase, "kind": op.kind, "count": f"{op.count.at(b):,.6g}",
         "FLOP per sample": show(total(op, "flop", b) / b, "flop"),
         "share": f"{total(op, 'flop', b) / whole:.1%}" if whole else "",
         "m × n × k": _size(op, b), "groups": f"{op.groups.at(b):,.6g}",
         "bytes per sample": show(total(op, "moved_bytes", b) / b, "bytes")}
        for op in found.heaviest()
    ]  # fmt: skip


def _size(op: TracedOp, samples: int) -> str:
    """The product inside an operation; nothing of one that is none."""
    sizes = [line.at(samples) for line in (op.m, op.n, op.k)]
    return " × ".join(f"{size:,.6g}" for size in sizes) if all(sizes) else ""


def _data(found: Traced) -> dict[str, object]:
    from assay.codec import encode

    b = found.shape.batch
    sums = {
        f"{phase}_{size}_per_sample": getattr(found, size)(phase) / b
        for phase in ("forward", "backward") for size in ("flop", "moved_bytes")
    }  # fmt: skip
    return {
        "model": found.model.name, "file": str(found.path), "batch": b, "loss": found.loss,
        "parameters": found.shape.parameters, "trained_parameters": found.shape.trained_parameters, **sums,
        "kept_bytes_per_sample": found.shape.kept_bytes.at(b) / b,
        "torch_flop_per_sample": {phase: flop / b for phase, flop in found.torch_flop.items()},
        "differs": list(found.differs), "notes": list(found.notes), "shape": encode(found.shape),
    }  # fmt: skip


def _close(found: Traced) -> None:
    say()
    for text in found.differs:
        say(f"Differs: {text}")
    for text in found.notes:
        say(f"Note: {text}.")
    for text in found.shape.flagged:
        say(f"Flagged: {text}.")
    say(f"Written: {found.path}")
    say("Next: " + shlex.join(["assay", "predict", str(found.path), "--on", "hgx-h100"]))
