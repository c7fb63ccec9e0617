"""A page in a real browser; when a test is over, nothing may have been asked for and nothing may have gone wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt install chromium")

Opened = Callable[..., "Page"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's browser."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    with playwright.sync_playwright() as p:
        found = p.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def opening(browser: Browser, files: Mapping[str, Path]) -> Iterator[Opened]:
    """A function that opens pages, each in a context of its own."""
    trouble: list[str] = []
    contexts = []

    def open_page(name: str = "plain", width: int = 1400, **settings: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        url = files[name].as_uri()
        page.on("console", lambda m: trouble.append(f"console {m.type}: {m.text}"))
        page.on("pageerror", lambda e: trouble.append(f"error: {e}"))
        page.on("dialog", lambda d: trouble.append(f"dialog: {d.message}"))
        page.on("request", lambda r: None if r.url.partition("#")[0] == url else trouble.append(f"request: {r.url}"))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []
