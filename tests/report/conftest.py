"""A browser for the tests of pages, and a way to open one that notices whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.report.browsing import Opened, chromium, opening

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser: Browser, files: dict[str, Path]) -> Iterator[Opened]:
    """Open a page of the module's `files`; in the end nothing may have been asked for and nothing have gone wrong."""
    with opening(browser, files) as open_page:
        yield open_page
