"""Colours, once: charts are drawn in the light ones, and a style sheet maps each to its dark twin.

Hues say what bounds a part (blue computes, teal moves memory, orange is the network, grey waits) and differ in
lightness too, so that they hold without colour vision; text and shape repeat whatever a colour says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# token -> (light, dark); every light colour is used for one token only, since it is the key the style sheet looks for.
TOKENS: Final[Mapping[str, tuple[str, str]]] = {
    "ink": ("#1a1f26", "#e7ebf0"),
    "muted": ("#57616c", "#a3adb8"),
    "faint": ("#8b95a1", "#717c89"),
    "grid": ("#e6e9ed", "#2a323c"),
    "rule": ("#c6ccd3", "#414b57"),
    "surface": ("#fffffe", "#171d24"),
    "page": ("#f6f7f9", "#0e1318"),
    "accent": ("#1f5fa8", "#7fb2ec"),
    "soft": ("#e4eefa", "#1d3047"),
    "bad": ("#b3361f", "#f2907b"),
    "good": ("#1c6e4f", "#6cc8a0"),
    "compute-1": ("#1e569b", "#3a72b8"),
    "compute-2": ("#6ea0da", "#86b4e8"),
    "compute-3": ("#b4d1f0", "#bcd8f5"),
    "memory-1": ("#0d6b63", "#237d74"),
    "memory-2": ("#58b3a8", "#6cc5ba"),
    "memory-3": ("#abdbd4", "#b3e2db"),
    "network-1": ("#b0560a", "#b0621a"),
    "network-2": ("#eda04a", "#f0b064"),
    "network-3": ("#f7d09c", "#f8d9ad"),
    "wait-1": ("#5f6872", "#6a7480"),
    "wait-2": ("#a0a8b2", "#a6b0bb"),
    "wait-3": ("#d3d8de", "#ccd3db"),
    "on-dark": ("#fefefe", "#fefefe"),
    "on-light": ("#11161c", "#11161c"),
}

LIGHT: Final[Mapping[str, str]] = {name: light for name, (light, _) in TOKENS.items()}

# What bounds a part -> the hue it is drawn in.
HUES: Final[Mapping[str, str]] = {"compute": "compute", "memory": "memory", "network": "network"}


def shade(hue: str, index: int) -> str:
    """The token of the index-th part of a hue; a fourth one shares the lightest shade.

    >>> shade("network", 0), shade("bubble", 7)
    ('network-1', 'wait-3')
    """
    return f"{HUES.get(hue, 'wait')}-{min(index, 2) + 1}"


def text_on(token: str) -> str:
    """The colour of text that stands on a shade."""
    return LIGHT["on-dark" if token.endswith("-1") else "on-light"]


def style() -> str:
    """Variables for both themes, and the rules that let a chart drawn in light colours follow them."""
    light, dark = (_variables(theme) for theme in (0, 1))
    rules = "".join(
        f'svg [fill="{color}"]{{fill:var(--{name})}}svg [stroke="{color}"]{{stroke:var(--{name})}}'
        for name, color in LIGHT.items()
    )
    return (
        f":root{{color-scheme:light;{light}}}"
        f'@media screen and (prefers-color-scheme:dark){{:root:not([data-theme="light"]){{color-scheme:dark;{dark}}}}}'
        f'@media screen{{:root[data-theme="dark"]{{color-scheme:dark;{dark}}}}}{rules}'
    )


def _variables(theme: int) -> str:
    return "".join(f"--{name}:{colors[theme]};" for name, colors in TOKENS.items())
