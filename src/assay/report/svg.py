"""Vega-Lite specs to SVG, offline: text stays text, marks say what they are, colours are left to the style sheet."""

from __future__ import annotations

import re
from html import escape

from assay.report.axes import Spec

# A mark that says something: Vega writes it as one empty element with an aria-label.
_MARK = re.compile(r'<(path|line|rect|text)((?:[^<>"]|"[^"]*")*?) ?aria-label="([^"]*)"((?:[^<>"]|"[^"]*")*?)/>')
_ROOT = re.compile(r"<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>")


def draw(spec: Spec, title: str) -> str:
    """An SVG that scales to its place; a mark's numbers are its title, so hovering works without JavaScript."""
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    text = _MARK.sub(r'<\1\2\4 class="m"><title>\3</title></\1>', text)
    text = re.sub(r' (role|aria-roledescription|aria-hidden|aria-label|font-family|pointer-events)="[^"]*"', "", text)
    box = _ROOT.search(text)
    if box is None:
        return text
    width = box[1].split()[2]
    root = f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(title)}" style="max-width:{width}px" xmlns="http://www.w3.org/2000/svg">'
    return text[: box.start()] + root + text[box.end() :]
