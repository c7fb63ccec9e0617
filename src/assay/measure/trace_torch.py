"""Traces a module in the interpreter that it belongs to: `python trace_torch.py REQUEST ANSWER`, both JSON files.

The module is built without memory, run forward and backward at three batches, and every operation is written down with
its FLOP and bytes. It needs no accelerator and no data. Nothing here imports assay or names a framework at the top: the
files beside this one are loaded by their paths, and PyTorch is the user's own.
"""

from __future__ import annotations

import os
import sys

# This folder is off the search path before anything else is imported: its files must not hide Python's own.
if __name__ == "__main__" and sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):  # noqa: PTH100, PTH120
    del sys.path[0]

import importlib
import importlib.util
import json
import random
import warnings
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent


def load(name: str) -> Any:
    """A file beside this one as a module, by its path."""
    full = f"assay_{name}"
    if full in sys.modules:
        return sys.modules[full]
    spec = importlib.util.spec_from_file_location(full, _HERE / f"{name}.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"there is no {name}.py in {_HERE}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module  # before it runs: dataclasses look their module up
    spec.loader.exec_module(module)
    return module


words: Any = load("trace_words")


def framework() -> Any:
    """PyTorch, or why there is none."""
    if importlib.util.find_spec("torch") is None:
        raise words.Refused("has no PyTorch", where=sys.executable, kind="torch")
    try:
        torch = importlib.import_module("torch")
        for part in ("torch.utils.flop_counter", "torch.utils._python_dispatch", "torch.utils.checkpoint"):
            importlib.import_module(part)
    except Exception as error:  # a broken install breaks in any way it likes
        what = f"its PyTorch does not import: {words.quoted(error, _HERE)[0]}"
        raise words.Refused(what, where=sys.executable, kind="torch") from None
    return torch


def traced(request: dict[str, Any]) -> dict[str, Any]:
    """All that is found of one module."""
    torch = framework()
    sys.path.insert(0, str(Path.cwd()))  # where the user's module lies
    load("trace_fused").fused(torch)  # before the user's module takes these functions for its own
    net = load("trace_net").Net(torch, words, request["factory"], request["inputs"])
    batch = int(request["batch"])
    batches = (batch, 2 * batch, 3 * batch)
    counter = by_torch(torch, net, batch)  # first: what a module sets up when it is first called is no part of a step
    passes = [watched(torch, net, size) for size in batches]
    lines = load("trace_lines")
    ops, flagged = lines.joined(batches, [one["ops"] for one in passes])
    flagged += [f"{op} (in {place or 'the module'}) is not known: its bytes are counted, its FLOP are not"
                for op, place in passes[0]["unknown"].items()]  # fmt: skip
    if strange := {op: place for one in passes for op, place in one["strange"].items()}:
        raise words.uncounted(strange)
    sizes = {
        key: lines.table(batches, [one[key] for one in passes]) for key in ("kept_bytes", "input_bytes", "output_bytes")
    }
    flagged += [f"{key.replace('_', ' ')} are no line in the batch, and right at {batch} samples only" for key in sizes
                if not lines.line(batches, [one[key] for one in passes])[2]]  # fmt: skip
    if passes[0]["loss"].startswith("none"):
        flagged.append("no output has a gradient, so there is no backward pass")
    return {
        "shape": {**held(torch, net.module), "batch": batch, **sizes, "flagged": flagged, "ops": ops},
        "torch": str(torch.__version__), "module": type(net.module).__name__, "loss": passes[0]["loss"],
        "notes": net.notes, "counter": counter, "why": load("trace_count").WHY,
    }  # fmt: skip


def held(torch: Any, module: Any) -> dict[str, Any]:
    """What a module holds; a parameter that is used in several places counts once."""
    parameters, buffers = list(module.parameters()), list(module.buffers())
    each: dict[str, int] = {}
    for tensor in parameters or buffers:
        each[str(tensor.dtype)] = each.get(str(tensor.dtype), 0) + tensor.numel()
    return {
        "parameters": sum(p.numel() for p in parameters),
        "trained_parameters": sum(p.numel() for p in parameters if p.requires_grad),
        "parameter_bytes": sum(p.numel() * p.element_size() for p in parameters),
        "buffers": sum(b.numel() for b in buffers),
        "buffer_bytes": sum(b.numel() * b.element_size() for b in buffers),
        "dtype": max(each, key=lambda name: each[name], default=str(torch.get_default_dtype())).removeprefix("torch."),
    }


def by_torch(torch: Any, net: Any, batch: int) -> dict[str, Any]:
    """What torch's own counter makes of the same passes, by operation; or why it fails where the passes do not."""
    mode = torch.utils.flop_counter.FlopCounterMode
    found: dict[str, Any] = {}
    try:
        args, kwargs = net.inputs(batch)
        with torch.device("meta"), mode(display=False) as forward, run_as_fused(torch):
            _, roots, _ = net.results(net.module(*args, **kwargs))
        with torch.device("meta"), mode(display=False) as backward, run_as_fused(torch):
            if roots:
                torch.autograd.backward(roots, [torch.ones_like(t) for t in roots])
        for phase, one in (("forward", forward), ("backward", backward)):
            by = one.get_flop_counts().get("Global", {})
            found[phase] = {str(op).rpartition(".")[2]: flop for op, flop in by.items()}
    except words.Refused:
        raise
    except (Exception, SystemExit) as error:  # the watched pass raises it again, and says where, if it is the module's
        found = {"problem": words.quoted(error, _HERE)[0]}
    finally:
        net.module.zero_grad(set_to_none=True)
    return found


def run_as_fused(torch: Any) -> Any:
    """A context in which operations run as they do where they are watched."""
    fused, count = load("trace_fused"), load("trace_count")
    return load("trace_watch").mode(torch, lambda *call: fused.done(torch, count, *call)[2])


def watched(torch: Any, net: Any, batch: int) -> dict[str, Any]:
    """One forward and backward pass."""
    count, module = load("trace_count"), net.module
    watch = load("trace_watch").Watch(torch, count, load("trace_fused"), module)
    random.seed(0)  # what a module draws in Python, it draws alike at every batch
    args, kwargs = net.inputs(batch)
    given = count.tensors([args, kwargs])
    try:
        with watch.over(module, given), torch.device("meta"):
            outs, roots, loss = net.results(module(*args, **kwargs))
            watch.paused = True
            grads = [torch.ones_like(t) for t in roots]
            watch.paused, watch.phase = False, "backward"
            if roots:
                torch.autograd.backward(roots, grads)
    except (Exception, SystemExit) as error:
        if watch.strange:
            raise words.uncounted(watch.strange) from None
        raise words.running(error, watch.phase, watch.where(), watch.doing, module, _HERE) from None
    finally:
        module.zero_grad(set_to_none=True)
    return {
        "ops": watch.ops, "unknown": watch.unknown, "strange": watch.strange, "loss": loss,
        "kept_bytes": sum(watch.kept.values()), "input_bytes": sum(map(count.nbytes, given)),
        "output_bytes": sum(map(count.nbytes, outs)),
    }  # fmt: skip


def main(request: str, answer: str) -> int:
    """Read a request, write its answer, and never end in a traceback of ours."""
    warnings.simplefilter("ignore")  # the user's module has its own place to warn
    try:
        found = traced(json.loads(Path(request).read_text(encoding="utf-8")))
    except words.Refused as refused:
        found = {"refused": refused.said}
    Path(answer).write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
