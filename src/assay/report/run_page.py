"""The pages of one run: verdict first, then where its time went, what was read, what went wrong, and everything."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from assay.observed import NOTHING
from assay.report.cards import Card
from assay.report.clock import clock, digits_for
from assay.report.html import asset, drawn, hashed, template
from assay.report.palette import LIGHT, style
from assay.report.run_cards import NEVER, run_cards
from assay.report.run_data import run_payload
from assay.report.run_sections import run_sections
from assay.report.run_study import RunStudy
from assay.report.run_tables import BAD, written
from assay.report.study import clean
from assay.report.text import EVIDENCE, capital, moment, sentence
from assay.units import show

_LONGEST = 600  # letters of a command on the first page; it is in full among the figures as JSON
_WARNINGS = 8  # that stand at the top


def render_run(study: RunStudy) -> str:
    """The pages of a run as one HTML text; write it where you like."""
    cards = run_cards(study)
    script, sheet = asset("report.js"), style() + asset("report.css") + asset("run.css")
    html: str = template("run.html.j2").render(
        study=study,
        created=moment(study.created),
        title=clean(study.title),
        verdict=verdict(study, cards),
        partial=partial(study),
        command=command(study),
        cards=cards,
        facts=list(_facts(study)),
        warnings=_warnings(study),
        notes=[sentence(note) for note in study.observation.notes],
        sections=[drawn(s) for s in run_sections(study)],
        evidence=EVIDENCE,
        colors=LIGHT,
        data=run_payload(study),
        script=script,
        sheet=sheet,
        script_hash=hashed(script),
    )
    return html


def verdict(study: RunStudy, found: Sequence[Card]) -> str:
    """The sentence a page opens with; where nothing stands out, what was measured comes first."""
    text = study.observation.verdict.strip()
    if text and text != NOTHING:
        return sentence(text)
    first = _first(found)
    if study.run.partial:
        return sentence(f"Cut short. {first} until then" if first else "Cut short before anything was measured")
    rest = NOTHING if not study.blind else f"{NOTHING}, but no device sensor was read"
    return f"{sentence(first)} {sentence(rest)}".strip()


def _first(found: Sequence[Card]) -> str:
    """The first key figure in words."""
    if not found:
        return ""
    doubt = f" ({NEVER})" if found[0].note.startswith(NEVER) else ""
    return f"{found[0].title} {found[0].value}{doubt}"


def partial(study: RunStudy) -> str:
    """Why a run is not all that was asked; empty where it is."""
    run = study.run
    if not run.partial:
        return ""
    why = capital(run.stopped.strip().rstrip(".")) or "Its end was not seen"
    return f"{why}, after {show(run.duration_s, 's')}. What is here is true, but it is not all that was asked."


def command(study: RunStudy) -> str:
    """What was run, as it would be typed."""
    words = study.typed or study.run.command
    text = clean(shlex.join(words)) if words else clean(study.run.name)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _warnings(study: RunStudy) -> list[str]:
    """What happened that nobody wants, then what the run warns of."""
    bad = [f"{e.text} ({e.kind}, {clock(e.at_s, digits_for(e.at_s))})" for e in study.run.events if e.kind in BAD]
    found = list(dict.fromkeys([*bad, *study.run.warnings]))
    more = len(found) - _WARNINGS
    return found if more <= 0 else [*found[:_WARNINGS], f"And {more} more; all are among the figures as JSON."]


def _facts(study: RunStudy) -> Iterator[tuple[str, str]]:
    """When, where and on what it ran, as the run itself says."""
    run, told = study.run, study.run.environment
    yield "started", moment(run.started) or "unknown"
    yield "took", f"{clock(run.duration_s, digits_for(run.duration_s))} (h:min:s)"
    yield "ended", {None: "not seen", 0: "well (exit code 0)"}.get(run.exit_code, f"with exit code {run.exit_code}")
    yield (
        "machine",
        _listed(told.get("host"), told.get("cpu"), _threads(told.get("threads")), _memory(told.get("memory_bytes"))),
    )
    names = [clean(about.name) if about else study.devices[of] for of in study.devices for about in [study.about(of)]]
    kinds = {name: names.count(name) for name in names}
    yield (
        "devices",
        ", ".join(f"{n} × {name}" if n > 1 else name for name, n in kinds.items()) or "no sensor of any was read",
    )
    software = _listed(*(f"{k} {told[k]}" for k in ("torch", "numpy", "python") if told.get(k)), told.get("system"))
    yield "software", software or "unknown"
    if told.get("git_commit"):
        changed = ", with changes that are in no commit" if told.get("git_dirty") else ""
        yield "code", f"{str(told['git_commit'])[:12]}{changed}"
    yield "run", run.id or "not kept"


def _listed(*words: object) -> str:
    return ", ".join(str(w) for w in words if w) or ""


def _threads(count: object) -> str:
    return f"{count} threads" if count else ""


def _memory(size: object) -> str:
    return written("memory_bytes", size) if size else ""
