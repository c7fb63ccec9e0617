"""Reads along while others write: the files in which a command's processes say things of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MOST_BYTES = 1 << 24  # of one file in one turn: a turn must end


class Tail:
    """The new whole lines of every file in a folder, each line once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._offsets: dict[Path, int] = {}

    def lines(self, *, final: bool = False) -> Iterator[bytes]:
        """What has come since the last call; at the end also a last line that was never finished."""
        for path in sorted(self.folder.glob("*.jsonl")):
            while text := self._new(path):
                end = len(text) if final and len(text) < _MOST_BYTES else text.rfind(b"\n") + 1
                if not end:
                    break
                self._offsets[path] = self._offsets.get(path, 0) + end
                yield from text[:end].split(b"\n")[: None if text[end - 1 : end] != b"\n" else -1]
                if not final:
                    break

    def _new(self, path: Path) -> bytes:
        with suppress(OSError), path.open("rb") as file:
            file.seek(self._offsets.get(path, 0))
            return file.read(_MOST_BYTES)
        return b""
