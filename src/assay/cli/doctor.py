"""`assay doctor`: what this machine offers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.output import Row, emit, format_option, say

if TYPE_CHECKING:
    from assay.machine import Cpu, Framework, Interpreter, Machine


@click.command()
@click.option("--python", help="Interpreter to look into; default: this one and the python3 on the path.")
@click.option("--mlperf", "shape", type=click.Choice(["inference", "inference-power", "training", "endpoints"]),
              help="Describe it as MLPerf's submissions do, as JSON.")  # fmt: skip
@click.option("--run", metavar="RUN", help="… the machine of a run that is kept, instead of this one.")
@click.option(
    "--set", "told", multiple=True, metavar="FIELD=TEXT", help="… with a field that cannot be detected; repeatable."
)
@click.option("--redact", is_flag=True, help="… without names of people, machines and folders.")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="… into this file.")
@format_option
def doctor(
    python: str | None, shape: str | None, run: str | None, told: tuple[str, ...], redact: bool, out: Path | None,
    fmt: str,
) -> None:  # fmt: skip
    """What this machine offers: processor, memory, accelerators, frameworks.

    Everything is looked up here; nothing is asked, nothing is sent. A framework that hangs or crashes is reported.
    """
    from assay.codec import encode
    from assay.measure.inventory.detect import machine

    if shape:
        return _mlperf(python, shape, run, told, redact, out)
    if run or told or redact or out:
        raise click.UsageError("--run, --set, --redact and -o belong to --mlperf")
    found = machine(python)
    emit(list(_rows(found)), fmt, title="This machine", data={**encode(found), "network_used": "none"})
    say("Next: assay measure gemm, or assay watch")
    return None


def _mlperf(
    python: str | None, shape: str, run: str | None, told: tuple[str, ...], redact: bool, out: Path | None
) -> None:  # fmt: skip
    """The description as JSON, and what nobody could tell beside it."""
    import json

    from assay.api.describing import described
    from assay.cli.measure import settings_of
    from assay.files import write_text

    found = described(shape, python=python, run=run, told=settings_of(told), redact=redact)
    text = json.dumps(found.fields, indent=2, ensure_ascii=False) + "\n"
    if out:
        write_text(out, text)
        say(f"Written: {out}")
    else:
        click.echo(text, nl=False)
    if found.unknown:
        say(f"Unknown, and left empty: {', '.join(found.unknown)}")


def _rows(m: Machine) -> list[Row]:
    from assay.units import show

    limit = f", limited to {show(m.memory_limit_bytes, 'bytes')}" if m.memory_limit_bytes else ""
    pairs = [
        *_cpu(m.cpu),
        ("memory", f"{show(m.memory_bytes, 'bytes')}{limit}, {show(m.available_bytes, 'bytes')} available"),
        ("NUMA", ", ".join(f"{node} {show(size, 'bytes')}" for node, size in m.numa_bytes.items()) or "unknown"),
        ("system", f"{m.system}, {m.kernel}"),
        ("virtual machine", m.hypervisor or "none seen"),
        ("container", m.container or "none seen"),
        *(("accelerator", _device(d.name, show(d.memory_bytes, "bytes"), d.driver, d.address)) for d in m.devices),
        *([] if m.devices else [("accelerator", "none found")]),
        *(pair for interpreter in m.interpreters for pair in _interpreter(interpreter)),
        ("network used", "none"),
    ]
    return [{"what": what, "found": found} for what, found in pairs]


def _cpu(c: Cpu) -> list[tuple[str, str]]:
    usable = "" if c.usable_threads == c.threads else f", {c.usable_threads} usable here"
    caches = (f"{k.count} × {_binary(k.size_bytes)} L{k.level} {k.kind}" for k in c.caches)
    cores = f"{c.sockets or '?'} socket(s), {c.cores or '?'} core(s), {c.threads} thread(s){usable}"
    clock = [("max clock", f"{c.max_hz / 1e9:.2f} GHz")] if c.max_hz else []
    return [
        ("processor", f"{c.model} ({c.architecture})"),
        ("cores", cores),
        *clock,
        ("governor", c.governor or "not shown"),
        ("instructions", ", ".join(c.isa) or "no vector extension known here"),
        ("caches", ", ".join(caches) or "not shown"),
    ]


def _binary(size: float) -> str:
    return f"{size / 2**20:g} MiB" if size >= 2**20 else f"{size / 2**10:g} KiB"


def _device(name: str, memory: str, driver: str | None, address: str) -> str:
    return f"{name}, memory {memory}, driver {driver or 'not seen'}" + (f", {address}" if address else "")


def _interpreter(i: Interpreter) -> list[tuple[str, str]]:
    if i.problem:
        return [("interpreter", f"{i.path}: {i.problem}")]
    numpy = f"NumPy {i.numpy}, BLAS {i.blas or 'unknown'}" if i.numpy else "no NumPy"
    return [
        ("interpreter", f"{i.path}: Python {i.version}, {numpy}"),
        *((f"  {f.name}", _framework(f)) for f in i.frameworks),
    ]


def _framework(f: Framework) -> str:
    if f.status == "absent":
        return "absent"
    if f.status != "works":
        return f"{f.version or 'unknown version'} {f.status}: {f.detail}"
    return f"{f.version} for {f.build or 'unknown'}, sees {', '.join(f.devices) or 'no device'}"
