"""Why a prediction is what it is: terms, memory, levers, prices, constants, and where each formula is from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from assay.cli.answers import EVIDENCE, fits
from assay.cli.explain_flow import flow_sections
from assay.cli.output import Row
from assay.predict.flow import WAITING
from assay.result import Result
from assay.units import show, suffix

if TYPE_CHECKING:
    from assay.hardware import Offer

# Part of a step -> how it is counted, and who showed it.
FORMULAS: Mapping[str, str] = {
    "matrix multiply": "max(FLOP / peak·efficiency, bytes / bandwidth): roofline (Williams et al. 2009)",
    "attention": "fused kernel, backward 2.5 × forward (Dao 2023, §3.1)",
    "embedding and logits": "one matrix multiply over the vocabulary, and the loss's bytes",
    "memory-bound ops": "bytes / bandwidth (Korthikanti et al. 2022, §4)",
    "optimizer": "34 bytes a parameter for Adam, over memory bandwidth",
    "weight streaming": "weights twice, gradients once, over the store's bandwidth (Lie, Hot Chips 2022)",
    "tensor-parallel comms": "two all-reduces a layer each way (Shoeybi et al. 2019)",
    "context-parallel comms": "keys and values around the ring (Liu et al. 2023)",
    "pipeline transfers": "one activation between two stages, each way",
    "data-parallel comms": "reduce-scatter and all-gather, less what computing hides (Rajbhandari et al. 2020, §7)",
    "stragglers": "step time grows with each doubling of nodes",
    "pipeline bubble": "(p − 1) / (m · v) of the work (Narayanan et al. 2021, §2.2)",
    "kernel launches": "host time a kernel, where computing does not hide it",
    "host": "a fixed time a step: data, logging, synchronisation",
    "expert-parallel comms": "tokens to their experts and back, each way (Lepikhin et al. 2020, GShard)",
    "offload": "what goes to the host and back, where computing does not hide it (Ren et al. 2021, ZeRO-Offload)",
    WAITING: "max(computing, samples / rate of the narrowest part) (Mohan et al. 2021, data stalls)",
}
MEMORY: Mapping[str, str] = {
    "weights": "2 bytes a parameter (Rajbhandari et al. 2020, §3.1)",
    "gradients": "4 bytes a parameter, summed in fp32",
    "optimizer": "12 bytes a parameter: fp32 copy and Adam's two moments",
    "activations": "kept for the backward pass (Korthikanti et al. 2022, §4)",
    "logits": "one row of the vocabulary a token, for the loss",
}
# The same of models whose samples are not made of tokens.
WITHOUT_TOKENS: Mapping[str, str] = {
    "embedding and logits": "the model's input and output, and the loss's bytes",
    "expert-parallel comms": "rows that were looked up to the devices of their samples, gradients back (Naumov 2019)",
    "logits": "what the output scores, for the loss",
}
CONSTANTS: Mapping[str, str] = {
    "matmul": "best share of peak of a large matrix multiply",
    "matmul_half_k": "depth at which half of that is reached",
    "matmul_wide": "what is left of that share with 32-bit operands",
    "matmul_8bit": "what is left of it with 8-bit operands, of the 8-bit peak",
    "matmul_4bit": "what is left of it with 4-bit operands, of the 4-bit peak",
    "grouped": "what is left of it with many small products side by side: experts",
    "conv": "what is left of it in convolutions",
    "tile": "edge of the tile computed at once",
    "attention": "share of peak of a fused attention kernel that is long, with heads 128 wide",
    "attention_half_len": "length at which half of that is reached, where a mask hides what is to come",
    "attention_half_head": "width of a head that is worth as much as each score's exponential",
    "memory": "share of memory bandwidth that streaming reaches",
    "lookup": "share of memory bandwidth that reading rows of a table reaches",
    "launch_s": "of one operation, host and device",
    "routing_s": "host and device wait for each other where experts are chosen, a layer and pass",
    "inner_link": "share of link bandwidth inside a node",
    "outer_link": "share of link bandwidth between nodes",
    "inner_latency_s": "a collective step inside a node, beside the link's own",
    "outer_latency_s": "the same between nodes",
    "overlap_data": "share of data-parallel communication hidden",
    "overlap_tensor": "share of tensor-parallel communication hidden",
    "overlap_expert": "share of expert-parallel communication hidden",
    "contention": "of hidden communication, what it costs the computing it hides behind",
    "speed": "of what all of this says, what this site's own runs reach",
    "step_overhead_s": "a step: logging, data, synchronisation",
    "straggler": "growth of step time with each doubling of nodes",
    "reserve_bytes": "context and communication buffers",
    "fragmentation": "share of activation memory lost between blocks",
}
_LEAST = 5e-4  # of the step: a lever that moves less is not worth a line


def sections(result: Result, folders: Sequence[Path] = ()) -> dict[str, list[Row]]:
    """Tables that explain one result, in the order a reader asks."""
    return {
        "Where the step's time goes": list(_terms(result)),
        "Memory of the fullest device": list(_memory(result)),
        **{title: rows for title, rows in flow_sections(result).items() if rows},
        "What would change it": list(_levers(result)),
        "Prices used": list(_prices(result)),
        "How we know": list(_grounds(result, folders)),
    }


def _terms(result: Result) -> Iterator[Row]:
    step = result.step.mean
    for part in result.parts:
        yield {
            "term": part.name, "time": show(part.time_s, "s"), "share": f"{100 * part.time_s / step:.1f} %",
            "waits on": part.bound, "formula": _words(FORMULAS, part.name, result),
        }  # fmt: skip
    yield {"term": "step", "time": show(step, "s"), "share": "100 %", "waits on": result.bound, "formula": ""}


def _memory(result: Result) -> Iterator[Row]:
    room = result.system.accelerator.memory_bytes
    for part in result.memory:
        yield {
            "part": part.name, "size": show(part.size_bytes, "bytes"), "share": f"{100 * part.size_bytes / room:.1f} %",
            "formula": _words(MEMORY, part.name, result),
        }  # fmt: skip
    left = result.values["headroom_bytes"].mean
    yield {
        "part": "left" if fits(result) else "short by", "size": show(abs(left), "bytes"),
        "share": f"{100 * abs(left) / room:.1f} %", "formula": f"of {show(room, 'bytes')}",
    }  # fmt: skip


def _words(of: Mapping[str, str], part: str, result: Result) -> str:
    usual = of.get(part, "")
    return usual if result.workload.model.has_tokens else WITHOUT_TOKENS.get(part, usual)


def _levers(result: Result) -> Iterator[Row]:
    for lever, slope in sorted(result.sensitivity.items(), key=lambda pair: pair[1]):
        change = 1.1**slope - 1
        if abs(change) >= _LEAST:
            yield {"lever": f"+10 % {lever}", "step time": f"{100 * change:+.1f} %".replace("-", "−")}
    still = [lever for lever, slope in result.sensitivity.items() if abs(1.1**slope - 1) < _LEAST]
    if still:
        yield {"lever": f"+10 % {', '.join(still)}", "step time": "no change"}


def _prices(result: Result) -> Iterator[Row]:
    from assay.predict.cost import DEFAULT_TARIFF, purchase_offer, rent_offer

    rent, buy = rent_offer(result.system), purchase_offer(result.system)
    yield _price("rent, per accelerator", rent, rent.price_usd_per_s if rent else None, "usd_per_s")
    yield _price("purchase, per node", buy, buy.price_usd if buy else None, "usd")
    t = DEFAULT_TARIFF
    told = {
        "electricity": (show(t.electricity_usd_per_j, "usd_per_j"), "EIA, industrial, Virginia 2023"),
        "PUE": (f"{t.pue:g}", "air-cooled colocation: 1.3 to 1.6 (Uptime Institute 2024)"),
        "life of a purchase": (f"{show(t.life_s / 365.25 / 86400)} years", "operators write off over 5 to 6 years"),
        "busy share of that life": (f"{100 * t.utilization:.0f} %", "clusters are busy 60 to 90 %"),
    }
    yield from ({"price": name, "value": value, "source": source, "date": ""} for name, (value, source) in told.items())


def _price(what: str, offer: Offer | None, asked: float | None, unit: str) -> Row:
    if offer is None:
        return {"price": what, "value": "unknown", "source": "nobody's price is in the catalog", "date": ""}
    said = ", ".join(filter(None, (offer.provider, offer.term, offer.source, f"confidence {offer.confidence}")))
    return {"price": what, "value": show(asked, unit), "source": said, "date": offer.date}


def _grounds(result: Result, folders: Sequence[Path]) -> Iterator[Row]:
    from assay.api import calibrated
    from assay.calibration import Constants

    known = calibrated(result.system, folders=folders)
    step = result.step
    yield {"what": "evidence", "value": result.evidence, "meaning": f"rests on {EVIDENCE[result.evidence]}"}
    span = f"×{step.low / step.mean:.2f} – ×{step.high / step.mean:.2f}"
    yield {"what": "90 % interval", "value": span, "meaning": "of the step time"}
    yield {"what": "calibrations", "value": str(len(known.sources)), "meaning": ", ".join(known.sources)}
    usual, constants = Constants(), known.constants_for(result.workload)
    for f in fields(Constants):
        value = getattr(constants, f.name)
        own = ", calibrated" if value != getattr(usual, f.name) else ""
        yield {"what": f.name, "value": show(value, suffix(f.name)), "meaning": CONSTANTS[f.name] + own}
    yield from ({"what": "note", "value": "", "meaning": note} for note in result.notes)
