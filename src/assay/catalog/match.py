"""Names as people write them: "NVIDIA H100-SXM-80GB (8x)" is h100-sxm, and nothing is ever taken for another product.

A name is split into its *core* (letters and digits that make the product: h 100) and what is said beside it: memory,
form and watts. Vendors, counts, memory kinds and filler words are dropped. The core has to be the same; what is said
beside it must not contradict; of what is left the nearest wins, and a tie is no match.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

Aspect = tuple[str, float | str]  # ("gb", 80.0), ("form", "sxm"), ("w", 500.0)

_FORMS = frozenset({"sxm", "pcie", "nvl", "hgx", "dgx"})
_VENDORS = frozenset(
    {"nvidia", "amd", "intel", "habana", "google", "aws", "amazon", "graphcore", "cerebras", "huawei", "apple", "groq",
     "sambanova", "tenstorrent"}
)  # fmt: skip
_FILLERS = frozenset(
    {"instinct", "tesla", "geforce", "radeon", "data", "center", "datacenter", "gpu", "gpus", "cpu", "cpus", "card",
     "cards", "chip", "chips", "device", "devices", "accelerator", "accelerators", "processor", "tensor", "core",
     "cores", "platinum", "virtualized", "each", "cloud", "air", "liquid", "water", "cooled", "dlc", "cts", "spx",
     "cpx", "dpx", "nvlink", "xgmi", "oam", "mezzanine", "module", "server", "edition", "generation", "gen", "class",
     "hbm", "with", "and", "of", "the"}
)  # fmt: skip

_COUNTS = re.compile(
    r"(?<![a-z0-9.])\d{1,3}\s?[x×]\s?(?=[a-z(]|\d{3})(?!large|l(?![a-z0-9]))"  # 8xH100, 2x Intel; not 32xlarge
    r"|(?<![a-z0-9.])\d{1,4}\s?[x×](?![a-z0-9])"  # (8x), H100 8x
    r"|(?:(?<=[\s(])|(?<=gb))[x×]\s?\d{1,4}(?![\d.])"  # x8, 80GBx8
)
_POINTED = re.compile(r"[a-z0-9]+(?:(?<=\d)\.\d[a-z0-9]*)*")
_MARKS = re.compile(r"\((?:r|tm|c)\)|[®™©]")
_MEMORY_KINDS = re.compile(r"(?<![a-z])(?:hbm\d?e?|gddr\d\w?|lpddr\d\w?|ddr\d)(?![a-z])")
_VARIANTS = re.compile(r"nvl\d+|nps\d|(?<=pcie)\s?(?:gen\s?)?[3-7](?:\.0)?(?!\d)")
_GIGABYTES = re.compile(r"(?<!\d)(\d+(?:\.\d+)?)\s?(?:gib|gb)(?![a-z\d])|(?<![a-z\d])(\d+)\s?g(?![a-z\d])")
_SOCKETS = re.compile(r"(?<=sxm)\s?([2-6])(?!\d)")
_WATTS = re.compile(r"(?<![a-z\d])(\d{2,4})\s?w(?![a-z\d])")
_TOLERANCE = 0.04  # 183 GB and 180 GB are one memory, printed differently


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The product a name stands for, and the others it could have meant."""

    name: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Words:
    core: tuple[str, ...]  # sorted: the order of words does not matter, how often each occurs does
    beside: frozenset[Aspect]


def find(name: str, known: Mapping[str, Iterable[str]]) -> str | None:
    """The product that is meant, or None where none or several fit alike.

    >>> known = {"h100-sxm": ["H100", "H100 SXM 80GB"], "h100-pcie": ["H100 PCIe 80GB"], "h200-sxm": ["H200 141GB"]}
    >>> find("NVIDIA H100-SXM-80GB (8x)", known), find("8xH100", known), find("H100 PCIe Gen5 x16", known)
    ('h100-sxm', 'h100-sxm', 'h100-pcie')
    >>> find("H100 141GB", known), find("GH200", known)
    (None, None)
    """
    found = match(name, known)
    return found.name if found else None


def match(name: str, known: Mapping[str, Iterable[str]]) -> Match | None:
    """As `find`, with the other products that what was written would fit."""
    attempts = dict.fromkeys([name, re.sub(r"\([^)]*\)", " ", name)])  # remarks in brackets may be remarks
    beside = words(name).beside
    for attempt in attempts:
        core = words(attempt).core
        fits = _fitting(_Words(core, beside), known) if core else {}
        if fits:
            best = max(fits.values())
            winners = [product for product, score in fits.items() if score == best]
            if len(winners) > 1:
                return None
            return Match(name=winners[0], others=tuple(product for product in fits if product != winners[0]))
    return None


def same(name: str, known: Mapping[str, Iterable[str]]) -> str | None:
    """The thing of exactly this name, whatever its case, spaces, hyphens and vendor.

    >>> same("NVIDIA DGX H100", {"dgx-h100": ["dgx-h100"]})
    'dgx-h100'
    """
    wanted = squeeze(name)
    found = [thing for thing, names in known.items() if wanted and any(squeeze(n) == wanted for n in names)]
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=8192)
def squeeze(name: str) -> str:
    """A name without case, vendor and punctuation; a decimal point stays: 1.3b is not 13b.

    >>> squeeze("AMD Instinct MI300X"), squeeze("GPT3-1.3B")
    ('instinctmi300x', 'gpt31.3b')
    """
    return "".join(word for word in _POINTED.findall(_plain(name)) if word not in _VENDORS)


@lru_cache(maxsize=8192)
def words(name: str) -> _Words:
    """The core of a name, and what is said beside it.

    >>> words("2x NVIDIA A100-SXM4-40GB").core == words("a100").core
    True
    """
    text = _COUNTS.sub(" ", re.sub(r"[\s_-]+", " ", _plain(name)))
    beside: set[Aspect] = {("gb", float(a or b)) for a, b in _GIGABYTES.findall(text)}
    beside |= {("w", float(watts)) for watts in _WATTS.findall(text)}
    for noise in (_GIGABYTES, _WATTS, _MEMORY_KINDS, _VARIANTS):
        text = noise.sub(" ", text)
    beside |= {("socket", socket) for socket in _SOCKETS.findall(text)}
    text = _SOCKETS.sub(" ", text)
    tokens = [token for token in re.findall(r"[a-z]+|\d+", text) if token not in _VENDORS | _FILLERS]
    forms = _FORMS.intersection(tokens)
    return _Words(
        tuple(sorted(token for token in tokens if token not in forms)), frozenset(beside | {("form", f) for f in forms})
    )


def _plain(name: str) -> str:
    return _MARKS.sub(" ", unicodedata.normalize("NFKC", name[:200]).casefold())


def _fitting(asked: _Words, known: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """Products of this core that nothing said beside it contradicts, with how near their nearest name is."""
    fits: dict[str, float] = {}
    for product, names in known.items():
        same_core = [w.beside for w in map(words, names) if w.core == asked.core]
        if same_core and not _contradicts(asked.beside, frozenset[Aspect]().union(*same_core)):
            fits[product] = max(_nearness(asked.beside, beside) for beside in same_core)
    return fits


def _contradicts(asked: frozenset[Aspect], said: frozenset[Aspect]) -> bool:
    """Whether something is asked that this product, which says something of that kind, does not say."""
    kinds = {kind for kind, _ in said}
    return any(kind in kinds and not any(_alike((kind, v), s) for s in said) for kind, v in asked)


def _nearness(asked: frozenset[Aspect], said: frozenset[Aspect]) -> float:
    exact = len(asked & said)
    loose = sum(any(_alike(a, s) for s in said) for a in asked - said)
    return exact + 0.9 * loose - sum(not any(_alike(a, s) for a in asked) for s in said)


def _alike(a: Aspect, b: Aspect) -> bool:
    if a[0] != b[0] or isinstance(a[1], str) or isinstance(b[1], str):
        return a == b
    return abs(a[1] - b[1]) <= _TOLERANCE * max(a[1], b[1])
