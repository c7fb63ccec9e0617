"""The page: how accurate predictions are, in the order in which somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from textwrap import fill

from benchmarks.accuracy import tables, yard
from benchmarks.accuracy.goals import Goal, goals, goals_table
from benchmarks.accuracy.worst import MOST, impossible, worst_table

from assay.api.accuracy import Accuracy

_PARTS = ("parameters", "devices", "length", "host", "assumed")


def page(found: Accuracy, today: date, minutes: float) -> str:
    """docs/how-accurate.md."""
    told = goals(found)
    parts = [_opening(found, today, minutes, told), _goals(told), _yardstick(found), _sources(found), _plots()]
    return "\n\n".join([*parts, _worst(found), _noise(found), _out(found), _reading()]) + "\n"


def _opening(found: Accuracy, today: date, minutes: float, told: Sequence[Goal]) -> str:
    judged = [goal for goal in told if goal.met is not None]
    rows, taught = len(found.held) + len(found.skipped), sum(found.taught.values())
    by_class = ", ".join(f"{name} {n:,}" for name, n in sorted(found.taught.items(), key=lambda item: -item[1]))
    made = (
        f"Made on {today:%Y-%m-%d} by Assay {version('assay')} in {minutes:.0f} minutes: {found.files} files, {rows:,} "
        f"rows, of which {len(found.held):,} are predicted and {len(found.skipped):,} are not "
        f"([why](#what-is-not-predicted)). {taught:,} rows teach constants ({by_class}). Of {len(judged)} goals "
        f"{sum(bool(goal.met) for goal in judged)} are met."
    )
    return f"""\
# How accurate is it?

`make accuracy` makes this page, its plots and its tables again; no figure on it is typed in by hand but those of other
tools. It reads the published results in `$ASSAY_PUBLISHED` (a folder of CSV files in the [published
format](published-format.md)), or in `../shared/published/training` where that is not set, and takes some minutes of one
core. Without those files it changes nothing.

{fill(made, 118, break_long_words=False, break_on_hyphens=False)}

Errors are |ln(predicted/measured)|: 0.10 is 10 % too much or too little. **Held out** means that constants and
intervals are those that would have shipped had the row's source (or publisher, or accelerator) not been known: fitted
again without it, with the half-width that held 90 % of how far the *other* sources were off where each of them was left
out. Plans that a row does not state are filled in with those constants too."""


def _goals(told: Sequence[Goal]) -> str:
    return f"""\
## Goals

{goals_table(told)}

Fine-tuning, averages over whole projects and preliminary software are left out where nothing else is said, and so are
adapters, which are a kind of their own. "60 rows a source and device": pooled, but so that no source drowns the others.
"Median source": each source has its own median and p90; the middle one of them."""


def _yardstick(found: Accuracy) -> str:
    return f"""\
## Beside other tools: 18 steps of the Megatron papers

|predicted/measured − 1|, mean and largest. When a model is left out, every row of that size is, in both papers and in
all other sources. The first line is the like of what the others had: their constants were set on, or beside, these
tables. The others were run by us.

{yard.compared(found)}

### Each step

{yard.each(found)}"""


def _sources(found: Accuracy) -> str:
    return f"""\
## By source

Speeds of whole steps, each source left out; what ships beside it. Bias: median of predicted over measured speed. Rank:
mean Spearman correlation inside sweeps. Inside: share of measured figures in the 90 % interval; high/low: its
median width.

{tables.by_source(found)}

## By accelerator

{tables.by_accelerator(found)}

## By kind of job

{tables.by_kind(found)}

## Order inside sweeps

{tables.ranks(found)}

## Memory

Peak memory, and parts of it. No constant of it is fitted; only the plan can depend on what was left out.

{tables.memory(found)}

### Each peak

What all devices together held, over the parameters. Mixed precision with Adam is 16 to 20 bytes a parameter of state,
and what is not cut over all devices counts as often as there are copies. Where a source's figures lie a constant factor
above that for every plan, its program or its way of measuring keeps something that no column states: copies of
gradients and weights while the optimizer steps, an allocator's reserve.

{tables.peaks(found)}

## Single layers

{tables.layers(found)}"""


def _plots() -> str:
    each = "\n".join(f"![Error against {name}](accuracy/error-{name}.svg)" for name in _PARTS)
    return f"""\
## Plots

All with the source left out, at most 60 rows of a source and device. What is further off than a plot reaches lies on
its edge. Lines are medians, bands hold eight rows in ten; of the small plots each shows every second or third point.

![Predicted against measured MFU](accuracy/parity.svg)

{each}

![Coverage of the 90 % interval by kind of job](accuracy/coverage.svg)
![How wide the intervals are](accuracy/widths.svg)"""


def _worst(found: Accuracy) -> str:
    return f"""\
## The worst {MOST}

The furthest off of each source, model, machine and metric, its source left out; three at most of one source's kind and
device. "Speed told" is predicted over measured. The last column is made of data: what is known of the model, of the
source, of other sources of the same kind and device, and of the same setting.

{worst_table(found)}

## Figures that cannot be

Measured speeds that would need more than the device's peak. They are kept in every table above; something of them is
not what the row says (its precision, its batch, its model, or our count of its operations).

{impossible(found)}"""


def _noise(found: Accuracy) -> str:
    return f"""\
## What is left once the software is known

The rows that teach, of sources with six or more on a device, twice: with their source left out, and with every second
row of it known, which teaches what its software is like there. The difference is what sources differ by and do not say
(frameworks, versions, settings), and what `assay calibrate` learns from a site's own runs. What is left then is noise,
and of our formulas' errors those that a source's other rows do not share.

{tables.familiar(found)}

## The noise floor

Rows that state the same of everything that is priced, and what they differ by: releases of software, who submitted,
hosts, cooling, and whatever a source does not say. "Best possible" is how far rows are from the middle of their own
setting: nothing that is told only the setting can have a lower median.

{tables.noise(found)}"""


def _out(found: Accuracy) -> str:
    return f"""\
## What teaches nothing

{tables.excluded(found)}

## What is not predicted

{tables.skipped(found)}"""


def _reading() -> str:
    return """\
## What to keep in mind

Priors (`src/assay/data/calibrations/0-*.toml`), the widths by which constants may differ (`predict/hierarchy.py`) and
the formulas were written by people who had seen these figures. No program fitted them, but some were chosen
because held-out errors came out lower; no way of leaving out takes that away, so errors on results that nobody here has
seen may be larger than those above. A source that is left out leaves others of its
publisher, which share habits: the publisher's lines say how much that helps. A fit without a group starts where the fit
to everything ended and goes on until nothing gets better; where kinks leave two such places it may be the one nearer to
the group. The limits that `make accuracy` holds each source to are in `tests/accuracy/limits.toml`: tightened by every
better result, and loosened only with a reason."""
