"""What can be compared: accelerators, links, systems, storage and prices as data, every value with its source.

A folder of your own (`--catalog DIR`, or $ASSAY_CATALOG) with the same rooms (accelerators/, links/, systems/,
storage/, prices/, models/, calibrations/) adds to it; a file of the same name replaces ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay.catalog.load import (
    accelerator,
    accelerators,
    facts,
    links,
    resized,
    resolve,
    storages,
    system,
    system_for,
    systems,
)
from assay.catalog.match import Match, find
from assay.catalog.prices import Quote, in_file, offers_of, quotes
from assay.catalog.shelf import Folders, files
from assay.hardware import Offer

__all__ = [
    "Folders", "Match", "Quote", "accelerator", "accelerators", "facts", "find", "links", "offers", "offers_of",
    "quotes", "resized", "resolve", "storages", "system", "system_for", "systems",
]  # fmt: skip


def offers(folders: Folders = ()) -> Mapping[str, tuple[Offer, ...]]:
    """Every offer, by the accelerator or system it is for. A thing without an entry has no known price."""
    found: dict[str, tuple[Offer, ...]] = {}
    for path in files("prices", folders).values():
        for quote in in_file(path):
            found[quote.subject] = (*found.get(quote.subject, ()), quote.offer)
    return found
