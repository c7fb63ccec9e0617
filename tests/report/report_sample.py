"""A study as a real question makes it: sixteen systems, a laptop measured, public results beside ours."""

from __future__ import annotations

import math
from dataclasses import replace

from assay.codec import Fact, Source
from assay.hardware import Accelerator, Link, Offer, System
from assay.model import Attention, Block, FeedForward, Model, TransformerShape
from assay.plan import Plan
from assay.published import Checked, PublishedRow
from assay.report import Measured, ParityPoint, Refusal, Study
from assay.result import Evidence, MemoryPart, Part, Point, Result, Value
from assay.run import Case, Run
from assay.series import Sample, gathered
from assay.summary import summarise
from assay.workload import Workload

HOSTILE = '<script>alert("1")</script>&</svg>'

MODEL = Model(
    name="llama-3.1-8b",
    family="transformer",
    shape=TransformerShape(
        hidden=4096,
        vocab=128256,
        blocks=(
            Block(count=32, attention=Attention(heads=32, kv_heads=8, head_dim=128), ffn=FeedForward(hidden=14336)),
        ),
    ),
)
JOB = Workload(name="pretrain-8b", model=MODEL, seq_len=8192, global_batch=512, target_tokens=1e12)
FLOP_PER_TOKEN = 6 * 8.03e9

# name, vendor, accelerator, bf16 peak, memory, bandwidth, watts, devices per node, rent $/device/h, efficiency, class
MACHINES: tuple[tuple[str, str, str, float, float, float, float, int, float | None, float, Evidence], ...] = (
    ("hgx-b200", "NVIDIA", "b200", 2.25e15, 180e9, 8.0e12, 1000, 8, 4.60, 0.42, "B"),
    ("mi355x-platform", "AMD", "mi355x", 2.3e15, 288e9, 8.0e12, 1400, 8, 4.10, 0.36, "B"),
    ("trn2-48xlarge", "AWS", "trainium2", 667e12, 96e9, 2.9e12, 500, 16, 1.45, 0.38, "C"),
    ("hgx-h200", "NVIDIA", "h200-sxm", 989e12, 141e9, 4.8e12, 700, 8, 2.90, 0.44, "B"),
    ("tpu-v6e-8", "Google", "tpu-v6e", 918e12, 32e9, 1.64e12, 380, 8, 2.70, 0.45, "B"),
    ("mi300x-platform", "AMD", "mi300x", 1307e12, 192e9, 5.3e12, 750, 8, 2.60, 0.30, "B"),
    ("hgx-h100", "NVIDIA", "h100-sxm", 989e12, 80e9, 3.35e12, 700, 8, 2.49, 0.43, "A"),
    ("gaudi3-hlb", "Intel", "gaudi3", 1835e12, 128e9, 3.7e12, 900, 8, 2.10, 0.24, "C"),
    ("tpu-v5p-8", "Google", "tpu-v5p", 459e12, 95e9, 2.76e12, 450, 4, 2.20, 0.52, "B"),
    ("dgx-a100-80", "NVIDIA", "a100-sxm-80", 312e12, 80e9, 2.04e12, 400, 8, 1.39, 0.50, "A"),
    ("wse3-node", "Cerebras", "wse-3", 12.5e15, 1.2e12, 21e15, 23000, 1, None, 0.22, "D"),
    ("gb200-nvl72", "NVIDIA", "b200-nvl", 2.5e15, 186e9, 8.0e12, 1200, 72, None, 0.41, "D"),
    ("ascend-910c-node", "Huawei", "ascend-910c", 780e12, 128e9, 3.2e12, 600, 8, None, 0.32, "D"),
    ("max-1550-node", "Intel", "max-1550", 420e12, 128e9, 3.2e12, 600, 8, 1.90, 0.28, "C"),
    ("bow-pod16", "Graphcore", "bow-ipu", 87e12, 260e9, 20e9, 300, 16, 0.60, 0.30, "D"),
    ("xeon-6980p-2s", "Intel", "xeon-6980p", 38e12, 1.5e12, 0.84e12, 500, 2, 1.10, 0.45, "C"),
)
LEVERS = {
    "peak FLOP/s": -0.61,
    "memory bandwidth": -0.14,
    "inner link bandwidth": -0.11,
    "outer link bandwidth": -0.08,
    "launch overhead": 0.03,
}
SPREAD = {"A": 0.06, "B": 0.13, "C": 0.24, "D": 0.42}


def system(row: tuple[object, ...], nodes: int = 4) -> System:
    name, vendor, acc, peak, memory, bandwidth, watts, count, price, _, _ = MACHINES[MACHINES.index(row)]  # type: ignore[arg-type]
    offers = (
        () if price is None else (Offer(kind="rent", provider="market", date="2026-10", price_usd_per_s=price / 3600),)
    )
    return System(
        name=name,
        vendor=vendor,
        accelerator=Accelerator(
            name=acc,
            vendor=vendor,
            architecture="gpu",
            peak_flop_per_s={"bf16": peak, "fp8": 2 * peak},
            memory_bytes=memory,
            bandwidth_bytes_per_s=bandwidth,
            power_w=watts,
        ),
        count_per_node=count,
        nodes=nodes,
        links=(Link(name="inner", bandwidth_bytes_per_s=450e9, latency_s=1e-6, domain=count),),
        offers=offers,
    )


def around(mean: float, evidence: Evidence, factor: float = 1.0) -> Value:
    spread = SPREAD[evidence] * factor
    return Value(mean=mean, low=mean * math.exp(-spread), high=mean * math.exp(spread), evidence=evidence)


def result(row: tuple[object, ...], nodes: int = 4) -> Result:
    _, _, _, peak, memory, bandwidth, watts, _, price, share, evidence = MACHINES[MACHINES.index(row)]  # type: ignore[arg-type]
    machine = system(row, nodes)
    devices = machine.accelerators
    step = JOB.tokens_per_step * FLOP_PER_TOKEN / (devices * peak * share)
    steps = JOB.target_tokens / JOB.tokens_per_step if JOB.target_tokens else 1.0
    time = step * steps
    values = {
        "step_s": around(step, evidence),
        "tokens_per_s": around(JOB.tokens_per_step / step, evidence),
        "device_tokens_per_s": around(JOB.tokens_per_step / step / devices, evidence),
        "time_to_train_s": around(time, evidence),
        "mfu": around(share, evidence),
        "power_w": around(devices * watts * 1.25, evidence, 0.4),
        "energy_j": around(devices * watts * 1.25 * time, evidence),
    }
    if price is not None:
        values["rent_usd"] = around(price / 3600 * devices * time, evidence)
    used = memory_parts(memory, devices)
    total = sum(p.size_bytes for p in used)
    values["peak_memory_bytes"] = around(total, evidence, 0.3)
    values["headroom_bytes"] = Value(
        mean=memory - total, low=memory - 1.1 * total, high=memory - 0.92 * total, evidence=evidence
    )
    return Result(
        workload=JOB,
        system=machine,
        plan=Plan(data=max(1, devices // 8), tensor=min(8, devices), micro_batch=1, zero_stage=1),
        origin="predicted",
        values=values,
        parts=time_parts(step, share),
        memory=used,
        roofline=points(peak, bandwidth, step),
        bound="compute (matrix multiply)",
        evidence=evidence,
        sensitivity=LEVERS,
        sources=("published/mlperf-training-v5.csv",),
        notes=("communication overlap is assumed, not measured",),
    )


def memory_parts(memory: float, devices: int) -> tuple[MemoryPart, ...]:
    parameters, shard = 8.03e9, max(1, devices)
    rest = memory * 0.35 if memory < 300e9 else 60e9
    return (
        MemoryPart(name="weights", size_bytes=2 * parameters / 8),
        MemoryPart(name="gradients", size_bytes=4 * parameters / 8),
        MemoryPart(name="optimizer", size_bytes=12 * parameters / shard),
        MemoryPart(name="activations", size_bytes=rest),
        MemoryPart(name="logits", size_bytes=2.1e9),
        MemoryPart(name="reserve", size_bytes=2.5e9),
    )


def time_parts(step: float, share: float) -> tuple[Part, ...]:
    rest = 1 - share - 0.12
    return (
        Part(name="matrix multiply", time_s=step * (share + 0.02), bound="compute", detail="bf16, all layers"),
        Part(name="attention", time_s=step * 0.10, bound="compute"),
        Part(name="memory-bound ops", time_s=step * rest * 0.34, bound="memory"),
        Part(name="optimizer", time_s=step * rest * 0.06, bound="memory"),
        Part(name="tensor-parallel comms", time_s=step * rest * 0.30, bound="network"),
        Part(name="data-parallel comms", time_s=step * rest * 0.13, bound="network"),
        Part(name="pipeline bubble", time_s=step * rest * 0.13, bound="bubble"),
        Part(name="host", time_s=step * rest * 0.04, bound="host"),
    )


def points(peak: float, bandwidth: float, step: float) -> tuple[Point, ...]:
    ridge = peak / bandwidth
    rows = (
        ("MLP", 9.0, 0.72, 0.40),
        ("attention projections", 4.4, 0.68, 0.14),
        ("attention core", 1.5, 0.50, 0.10),
        ("logits", 6.0, 0.66, 0.05),
        ("norms", 0.006, 0.82, 0.08),
        ("SwiGLU", 0.004, 0.80, 0.06),
        ("optimizer", 0.0022, 0.75, 0.02),
    )
    found = []
    for name, times_ridge, share, part in rows:
        intensity = times_ridge * ridge
        rate = min(peak, intensity * bandwidth) * share
        flop = rate * part * step
        found.append(Point(name=name, flop=flop, bytes=flop / intensity, time_s=part * step))
    return (*found, Point(name="all-reduce", flop=0.0, bytes=3e9, time_s=0.1 * step))


def probe() -> Run:
    """A run whose samples scatter by a few per cent, the same ones each time."""
    matmuls = ((256, 31e9), (512, 58e9), (1024, 88e9), (2048, 101e9), (4096, 104e9))
    moves = (("copy", 64, 11.2e9), ("copy", 512, 10.4e9), ("triad", 64, 12.9e9), ("triad", 512, 12.1e9))
    timed = [
        (Case(name=f"numpy fp32 {n}×{n}×{n}", kind="matmul", dtype="fp32", flop=2.0 * n**3), 2 * n**3 / r)
        for n, r in matmuls
    ]
    timed += [(Case(name=f"{k} {n} MiB", kind=k, size_bytes=n * 2.0**20), n * 2**20 / r) for k, n, r in moves]
    timed.append((Case(name="empty call", kind="dispatch"), 2.1e-6))
    samples = [
        Sample(case.name, "time_s", typical * _scatter(i) * (1 + i / 14 * ("512×" in case.name)), i, 0.1 * i, i < 4)
        for case, typical in timed
        for i in range(28)
    ]
    return Run(
        id="", name="gemm", command=("assay", "measure"), started="2026-11-24T09:00:00Z", duration_s=12.0,
        environment={}, cases=tuple(case for case, _ in timed), series=gathered(samples),
    )  # fmt: skip


def _scatter(i: int) -> float:
    return 1 + 0.05 * math.sin(i * i)


def machine() -> Measured:
    return Measured(
        name="2-core cloud host",
        facts=(
            ("processor", "2 × x86-64, AVX2"),
            ("memory", "8.3 GB"),
            ("system", "Debian 12, Linux 6.1"),
            ("accelerator", "none found"),
        ),
        cases=summarise(probe()),
        warnings=("numpy fp32 512×512×512 never settled: its figure is shown but not used",),
    )


def parity() -> tuple[ParityPoint, ...]:
    found = []
    groups = ("H100", "A100", "MI300X", "TPU v5p")
    for i in range(20):
        measured = 900 * 1.55**i
        error = 0.17 * math.sin(2.1 * i + 0.4) + (0.31 if i == 13 else 0)
        predicted = measured * (1 + error)
        spread = 0.12 if i % 4 < 2 else 0.22
        found.append(
            ParityPoint(
                label=f"run {i + 1}, {8 * 2 ** (i % 5)} devices",
                group=groups[i % 4],
                measured=measured,
                predicted=predicted,
                low=predicted * (1 - spread),
                high=predicted * (1 + spread),
                held_out=i % 3 != 0,
                unit="tokens_per_s",
            )
        )
    return tuple(found)


def facts() -> dict[str, dict[str, Fact]]:
    sheet = Source(
        kind="vendor", title="Data sheet", url="https://example.org/sheet.pdf", date="2026-09-01", confidence="high"
    )
    guess = Source(kind="assumed", title="", url="javascript:alert(1)", confidence="low", note="no public figure")
    found: dict[str, dict[str, Fact]] = {}
    for row in MACHINES:
        found[row[2]] = {
            "peak_flop_per_s.bf16": Fact(key="peak_flop_per_s.bf16", value=row[3], source=sheet, note="dense"),
            "memory_bytes": Fact(key="memory_bytes", value=row[4], source=sheet),
            "bandwidth_bytes_per_s": Fact(key="bandwidth_bytes_per_s", value=row[5], source=sheet),
            "power_w": Fact(key="power_w", value=row[6], source=sheet),
            "idle_w": Fact(key="idle_w", value=row[6] * 0.1, low=row[6] * 0.07, high=row[6] * 0.16, source=guess),
        }
    found["llama-3.1-8b"] = {
        "shape.hidden": Fact(key="shape.hidden", value=4096, source=replace(sheet, kind="repository"))
    }
    return found


def validation() -> tuple[Checked, ...]:
    rows = [
        Checked(
            row=published(f"v{i}", "MLPerf Training v5.0", p.group, "tokens_per_s", p.measured),
            predicted=p.predicted,
            low=p.low,
            high=p.high,
            evidence="B",
        )
        for i, p in enumerate(parity())
    ]
    stray = published("v99", "a paper", "unknown-chip", "step_s", 1.2)
    return (*rows, Checked(row=stray, skipped="this accelerator is not in the catalog"))


def published(row: str, source: str, accelerator: str, metric: str, value: float) -> PublishedRow:
    return PublishedRow(id=row, source=source, accelerator=accelerator, metric_name=metric, metric_value=value)


def study(copies: int = 1) -> Study:
    """The study; with `copies` each system also stands there as larger clusters (16 systems a copy)."""
    results = [result(row, 4 * 2**i) for i in range(copies) for row in MACHINES]
    results.sort(key=lambda r: r.values["rent_usd"].mean if "rent_usd" in r.values else math.inf)
    return Study(
        title="Where to pretrain an 8B model",
        created="2026-11-24T09:30:00Z",
        question="Which machine trains llama-3.1-8b on 1 T tokens at the lowest rent?",
        reasons=(
            "Matrix multiplication is 40 to 50 % of every step: peak FLOP/s and the share of it reached decide.",
            "A price 15 % lower on hgx-h200 would put it first.",
        ),
        next_steps=("assay measure matmul --dtype bf16 on trn2-48xlarge (about 10 minutes) would split the tie.",),
        rank_by="rent_usd",
        results=tuple(results),
        ties=((0, 1, 2),),
        refused=(
            Refusal(system="l4-node", vendor="NVIDIA", reason="short by 12.4 GB on the fullest device"),
            Refusal(system="groq-rack", vendor="Groq", reason="it runs models, it does not train them"),
            Refusal(system=HOSTILE, vendor="<b>x", reason="short by 3 GB on <i>the</i> fullest device"),
        ),
        machine=machine(),
        parity=parity(),
        validation=validation(),
        facts=facts(),
        notes=("Prices are what was asked in October 2026; nobody has offered you one.",),
        tool="assay 0.1.0",
    )


def hostile() -> Study:
    """The same study with a hostile name wherever a name can stand."""
    base = study()
    first = base.results[0]
    bad = replace(
        first,
        system=replace(first.system, name=HOSTILE, vendor=HOSTILE),
        workload=replace(first.workload, name=HOSTILE, model=replace(MODEL, name=HOSTILE)),
        parts=tuple(replace(p, name=HOSTILE + p.name) for p in first.parts),
        memory=tuple(replace(p, name=HOSTILE + p.name) for p in first.memory),
        roofline=tuple(replace(p, name=HOSTILE + p.name) for p in first.roofline),
        bound=HOSTILE,
        notes=(HOSTILE,),
    )
    return replace(
        base,
        title=HOSTILE,
        question=HOSTILE,
        reasons=(HOSTILE,),
        next_steps=(HOSTILE,),
        notes=(HOSTILE,),
        tool=HOSTILE,
        created=HOSTILE,
        results=(bad, *base.results[1:]),
        ties=((0, 1),),
        parity=tuple(replace(p, label=HOSTILE, group=HOSTILE) for p in base.parity),
        machine=replace(machine(), name=HOSTILE, warnings=(HOSTILE,), facts=((HOSTILE, HOSTILE),)),
        facts={HOSTILE: facts()["b200"]},
    )
