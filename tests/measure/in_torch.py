"""Runs workloads one after the other in one interpreter with PyTorch, for the tests: to start one costs seconds.

The workload "operators" has operators of its own beside PyTorch's, each wrong in another way.

Jobs come in as JSON, {name: [workload, settings]}; {name: [lines, exit code]} goes to the file that is named, with the
rank behind its name. The workload "count" builds a model without memory and counts its parameters and operations.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

WORKLOADS = Path(__file__).parents[2] / "src" / "assay" / "measure" / "workloads"


def by_path(path):
    name = f"assay_workload_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def done(kit, workload, settings):
    lines = []
    module = by_path(WORKLOADS / f"{workload}.py")
    kit.emit = lambda **said: lines.append(said)
    kit.options = {key: default for key, (default, _) in module.OPTIONS.items()} | settings.pop("options", {})
    kit.settings = {"budget_s": 60, "threads": 1, "device": "cpu", **settings}
    try:
        module.run(kit)
    except SystemExit as end:
        return lines, end.code
    return lines, 0


def count(kit, _, settings):
    """Parameters, and operations of a forward and of both passes over two samples."""
    from torch.utils.flop_counter import FlopCounterMode

    torch, models = kit.torch, kit.beside("train_model")
    kit.options = {
        key: default for key, (default, _) in by_path(WORKLOADS / "train_step.py").OPTIONS.items()
    } | settings
    job = kit.beside("train_job").read(kit)
    with torch.device("meta"):
        model = models.build(kit, job, eager=True, recompute=False)
    batch = kit.beside("train_data").Synthetic(kit, job).batch(0, 0, 0)
    with FlopCounterMode(display=False) as forward:
        loss = model(*(one.to("meta") for one in batch))
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    counted = [forward.get_total_flops(), backward.get_total_flops()]
    return {"parameters": sum(one.numel() for one in model.parameters()), "flop": counted}, 0


def operators(kit, _, settings):
    """What is found of planted operators: right, wrong, wrong in place, no number, and one that the host does."""
    import warnings

    torch, listening = kit.torch, by_path(WORKLOADS / "train_operators.py")
    exact = lambda x: x.dtype == torch.float64  # noqa: E731 — as the reference is computed

    def fallen(x):
        if not exact(x):
            warnings.warn("toy::fallen is not supported and will fall back to run on the CPU", stacklevel=1)
        return x * 2

    def placed(x):
        x.mul_(2 if exact(x) else 3)

    def only_fp32(x):
        if exact(x):
            raise NotImplementedError("not in fp64")
        return x * 2

    ways = {
        "right": lambda x: x * 2, "wrong": lambda x: x * (2 if exact(x) else 2.1), "fallen": fallen,
        "broken": lambda x: x * 2 if exact(x) else x * float("nan"),
        "shaped": lambda x: x * 2 if exact(x) else x[:1] * 2,
    }  # fmt: skip
    library = torch.library.Library("toy", "DEF")
    for name, way in ways.items():
        library.define(f"{name}(Tensor x) -> Tensor")
        library.impl(name, way, "CPU")
    library.define("placed(Tensor(a!) x) -> ()")
    library.impl("placed", placed, "CPU")
    library.define("only_fp32(Tensor x) -> Tensor")
    library.impl("only_fp32", only_fp32, "CPU")
    listener = listening.Listener(torch, reduced=False)
    for name in (*ways, "placed", "only_fp32"):
        listener.call(getattr(torch.ops.toy, name).default, (torch.ones(4, 4),), {})
    for size in (2**12, 8):  # the first call is too large to be done again, the second is not
        listener.call(torch.ops.aten.mm.default, (torch.ones(size, size), torch.ones(size, 2)), {})
    listener.call(torch.ops.aten.rand.default, ([4],), {})
    return {name: [one.passed, one.text("toy")] for name, one in listener.seen.items()}, 0


def main(out):
    kit = by_path(WORKLOADS / "kit.py").Kit({"device": "cpu", "threads": 1}, {}, by_path)
    jobs, answers = json.loads(Path(out).with_suffix(".jobs").read_text(encoding="utf-8")), {}
    for name, (workload, settings) in jobs.items():
        way = {"count": count, "operators": operators}.get(workload, done)
        answers[name] = way(kit, workload, settings)
    Path(f"{out}.{os.environ.get('RANK', '0')}").write_text(json.dumps(answers), encoding="utf-8")
    kit.leave()


if __name__ == "__main__":
    main(sys.argv[1])
