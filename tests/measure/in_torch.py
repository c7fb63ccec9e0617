"""Runs workloads one after the other in one interpreter with PyTorch, for the tests: to start one costs seconds.

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


def main(out):
    kit = by_path(WORKLOADS / "kit.py").Kit({"device": "cpu", "threads": 1}, {}, by_path)
    jobs, answers = json.loads(Path(out).with_suffix(".jobs").read_text(encoding="utf-8")), {}
    for name, (workload, settings) in jobs.items():
        answers[name] = (count if workload == "count" else done)(kit, workload, settings)
    Path(f"{out}.{os.environ.get('RANK', '0')}").write_text(json.dumps(answers), encoding="utf-8")
    kit.leave()


if __name__ == "__main__":
    main(sys.argv[1])
