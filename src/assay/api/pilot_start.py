"""A new pilot: its file, filled with what was said, what can be found out, and a template for the rest."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.api.pilot_dates import day
from assay.api.pilot_file import FILE
from assay.api.pilot_schema import NAME, SHIPPED
from assay.api.predicting import system
from assay.catalog.models import model as find_model
from assay.errors import InputError, did_you_mean, inert
from assay.files import read_text, write_text
from assay.hardware import System
from assay.measure.inventory import detect
from assay.predict.cost import purchase_offer, rent_offer
from assay.units import parse

_YEAR = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-\d{2})?)?(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What a kind of pilot begins with, where nothing else is said."""

    question: str
    task: str
    model: str
    work: Mapping[str, object]  # of the workload
    trial: Mapping[str, object]
    gates: tuple[tuple[str, int, str, str, str], ...]  # name, stage, metric, at_least or at_most, limit
    serves: bool = False  # whether what was trained is served, too


_RUNS = ("runs to its end", 1, "completed", "at_least", "1")
_NUMBERS = ("same numbers as the reference", 1, "checks_passed", "at_least", "1")
_LASTS = (("stays as fast", 3, "slowdown", "at_most", '"5 %"'), ("no errors", 3, "errors", "at_most", "0"))
_SERVED = (
    ("first token in time", 2, "ttft_s", "at_most", '"2 s"'), ("tokens in time", 2, "tpot_s", "at_most", '"100 ms"'),
    _LASTS[1],
)  # fmt: skip
_TRAIN = {"workload": "train-step", "settings": {"model": "llama-tiny", "micro_batch": "8"}}

TEMPLATES: Mapping[str, Template] = {
    "llm-pretraining": Template(
        question="What do we pre-train our next models on, and do we buy it or rent it?", task="train",
        model="llama-3.1-8b", trial=_TRAIN,
        work={"seq_len": 8192, "batch_tokens": "4M", "tokens": "1 T tokens", "jobs_per_year": 4},
        gates=(_RUNS, _NUMBERS, ("scales", 2, "scaling_efficiency", "at_least", '"80 %"'), *_LASTS),
    ),
    "fine-tune-serve": Template(
        question="What do we tune and serve our model on, and do we buy it or rent it?", task="finetune",
        model="llama-3.1-8b", trial={"workload": "train-step", "settings": {"model": "gpt-tiny", "micro_batch": "4"}},
        work={"seq_len": 8192, "global_batch": 8, "tokens": "40 M tokens", "jobs_per_year": 24},
        gates=(_RUNS, _NUMBERS, ("batch does not matter", 2, "batch_fall", "at_most", '"50 %"'), *_LASTS), serves=True,
    ),
    "vision": Template(
        question="Which machines keep our image training fed?", task="train", model="resnet-50",
        trial={"workload": "train-step", "settings": {"model": "resnet-tiny", "data": "real"}},
        work={"global_batch": 2048, "samples": 46_000_000, "jobs_per_year": 500, "precision": "fp16"},
        gates=(_RUNS, _NUMBERS, ("is kept fed", 2, "goodput_share", "at_least", '"90 %"'), *_LASTS),
    ),
}  # fmt: skip


def start(
    folder: Path | str, *, today: str, owner: str = "", template: str = "llm-pretraining", question: str = "",
    model: str = "", task: str = "", systems: Sequence[str] = (), budget: str = "", days: int = 45,
    folders: Sequence[Path] = (),
) -> Path:  # fmt: skip
    """Begin a pilot: write pilot.toml and its schema into a folder. InputError where there is one already."""
    path = Path(folder) / FILE
    if path.exists():
        raise InputError("there is a pilot here already", where=str(path), hint="name another folder; nothing is lost")
    chosen = TEMPLATES.get(template)
    if chosen is None:
        hint = did_you_mean(template, TEMPLATES) or f"there are {', '.join(TEMPLATES)}"
        raise InputError(f'there is no template "{template}"', where="--template", hint=hint)
    _sayable({"--question": question, "--model": model, "--budget": budget, "FOLDER": str(folder)})
    if budget and parse(budget, "usd") < 0:
        raise InputError(f"a budget of {budget} is below 0", where="--budget", hint="leave out what is unknown")
    if model:
        _known(model, Path(folder), folders)
    named = {name: found for name, *found in (_candidate(one, folders) for one in systems)}
    tasks = [task] if task else [chosen.task, "serve"] if chosen.serves else [chosen.task]
    text = "\n".join([
        *_head(inert(Path(folder).resolve().name), question or chosen.question, today, owner, budget, days),
        *(line for one in tasks for line in _work(chosen, model or chosen.model, one, today)),
        *(line for found in named.values() for line in found), *([] if named else _EXAMPLE), *_here(),
        *_PLACES,
        *(line for one in tasks for line in _gates(chosen, one, several=len(tasks) > 1)),
    ])  # fmt: skip
    write_text(path, text + "\n")
    schema = path.with_name(NAME)
    if not schema.exists():
        write_text(schema, read_text(SHIPPED))
    return path


def _sayable(told: Mapping[str, str]) -> None:
    """What was typed is text: bytes that are none cannot be written down."""
    for where, word in told.items():
        try:
            word.encode()
        except UnicodeEncodeError:
            raise InputError("this is not UTF-8 text", where=where, hint="type it again, as text") from None


def _known(model: str, beside: Path, folders: Sequence[Path]) -> None:
    """InputError with near misses for a model that nobody knows: neither the catalog, nor a file there or here."""
    path = beside / model
    find_model(path if os.path.exists(path) else model, folders)  # noqa: PTH110 — no error on names too long


def _head(name: str, question: str, today: str, owner: str, budget: str, days: int) -> Iterator[str]:
    yield f"#:schema ./{NAME}"
    yield '# Every amount can be a number, or { is = …, low = …, high = …, from = "who says so", date = "2026-11" }.'
    yield "# assay pilot check explains what is missing; what is unknown stays out, and shows as unknown."
    yield ""
    yield f"name = {_quoted(name)}"
    yield f"question = {_quoted(question)}"
    yield 'objective = "cost of the work"  # or "cost per used hour", "time to train", "energy"'
    yield f"starts = {today}"
    yield f"days = {days}"
    yield f"budget = {_quoted(budget)}" if budget else '# budget = "50 k USD"'
    yield f"owners = {{ decision = {_quoted(owner)} }}" if owner else '# owners = { decision = "a person" }'
    yield ""


def _work(template: Template, model: str, task: str, today: str) -> Iterator[str]:
    yield "[[workloads]]"
    yield f"name = {_quoted(task)}"
    yield f"task = {_quoted(task)}"
    yield f"model = {_quoted(model)}"
    work = dict(template.work)
    if task == "serve":
        work = {"tokens_per_s": "5 k tokens/s", "peak_to_mean": 3, "ttft": "2 s", "tpot": "100 ms"}
    for key, value in work.items():
        guess = key in ("tokens", "samples", "jobs_per_year", "tokens_per_s", "peak_to_mean")
        told = f'{{ is = {_quoted(value)}, from = "template: put in your own", date = "{today}" }}'
        yield f"{key} = {told if guess else _quoted(value)}"
    yield ""
    yield "[workloads.trial]  # runs anywhere in a minute: proves that it runs, not how fast the work is"
    trial = (
        {"workload": "serve", "settings": {"url": "http://127.0.0.1:8000/v1"}} if task == "serve" else template.trial
    )
    yield from (f"{key} = {_quoted(value)}" for key, value in trial.items())
    yield ""


def _candidate(written: str, folders: Sequence[Path]) -> tuple[str, ...]:
    """A system as rented, or after `buy:` as bought, at the middle of the prices that are known; its name is first."""
    via, _, name = written.strip().rpartition(":")
    if via not in ("", "rent", "buy"):
        raise InputError(f'"{written}" is no candidate', where="--systems", hint="write hgx-h100, or buy:hgx-h100")
    found = system(name, 1, folders)
    buy = via == "buy"
    called = ("buy-" if buy else "rent-") + found.name
    return (
        called, "[[candidates]]", f"name = {_quoted(called)}", f"system = {_quoted(found.name)}",
        f"via = {_quoted('buy' if buy else 'rent')}", f"site = {_quoted('our-site' if buy else 'cloud')}",
        _price(found, buy), "",
    )  # fmt: skip


def _price(found: System, buy: bool) -> str:
    offer = purchase_offer(found) if buy else rent_offer(found)
    key = "price" if buy else "rent"
    amount = None if offer is None else offer.price_usd if buy else offer.price_usd_per_s
    if offer is None or amount is None:
        return f'# {key} = {{ is = …, from = "an offer", date = "…" }}  # the catalog knows none'
    price = f"{amount:.0f} USD" if buy else f"{3600 * amount:.4g} USD/h"
    date = _YEAR.match(offer.date)
    source = f"{offer.provider}, {offer.term}, {offer.date}: {offer.source}"
    dated = f', date = "{date[0]}"' if date and day(date[0]) else ""
    return f'{key} = {{ is = {_quoted(price)}, from = {_quoted(source)}{dated}, confidence = "low" }}'


def _here() -> Iterator[str]:
    """The computer at hand is a candidate, too: what has been tried on it is proven."""
    machine = detect.host()
    devices = [one.name for one in machine.devices if not one.parent]
    yield "[[candidates]]"
    yield 'name = "here"'
    yield 'system = "this machine"'
    yield 'via = "own"'
    if devices:
        yield f"accelerators = {len(devices)}"
    yield f"note = {_quoted(', '.join(dict.fromkeys(devices)) or machine.cpu.model)}"
    yield ""


_PLACES = """\
[[sites]]
name = "our-site"
kind = "colo"  # or "own"
# region = "US-Virginia"  # for tariffs, weather and the grid
# power = [{ date = 2027-01-01, power = "100 kW" }]

[[sites]]
name = "cloud"
kind = "cloud"

[demand]
horizon = "3 years"
# needed_by = 2027-06-01

""".splitlines()

_EXAMPLE = """\
# [[candidates]]  # what is to be compared: buy, rent or own; assay catalog lists the systems
# name = "buy-h100"
# system = "hgx-h100"
# nodes = 4
# via = "buy"  # or "rent", with rent = "2.50 USD/h" of one accelerator
# site = "our-site"
# price = { is = "285 k USD", low = "250 k USD", high = "320 k USD", from = "an offer", date = "2026-11" }
""".splitlines()


def _gates(template: Template, task: str, several: bool) -> Iterator[str]:
    for name, stage, metric, side, limit in _SERVED if task == "serve" else template.gates:
        yield "[[gates]]"
        yield f"name = {_quoted(f'{name} ({task})' if several else name)}"
        yield from (f"stage = {stage}", f"metric = {_quoted(metric)}", f"{side} = {limit}")
        if stage > 1 and metric != "errors":
            yield f"quantile = {_quoted('p99' if task == 'serve' else 'typical')}"
        if several:
            yield f"workload = {_quoted(task)}"
        yield from ('least = "1 h"', "") if metric == "slowdown" else ("",)


def _quoted(value: object) -> str:
    """A value as TOML writes it.

    >>> _quoted({"model": "a", "layers": 2})
    '{ model = "a", layers = 2 }'
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_quoted(one)}" for key, one in value.items()) + " }"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text.replace("\x7f", "\\u007f")  # a control character to TOML, and none to JSON
