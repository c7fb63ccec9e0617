"""DuckDB, as the store uses it: in memory, no way to the network, temporary tables only, errors in plain words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

# Version 2 of the format packs what grows evenly (times, steps) into a bit or two a value.
PARQUET = "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE 32768"


@contextmanager
def database(threads: int = 1) -> Iterator[Any]:
    """A connection; what goes wrong inside is an OSError in the operating system's words."""
    import duckdb

    try:
        with _memory(os.getpid(), threads).cursor() as connection:
            yield connection
    except duckdb.Error as error:
        raise OSError(None, reason(str(error))) from None


@cache
def _memory(process: int, threads: int) -> Any:
    """One empty database a process: opening one takes longer than reading a run."""
    import duckdb

    quiet = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    return duckdb.connect(config={"threads": threads, **quiet})


def reason(text: str) -> str:
    """What the operating system said, where DuckDB wraps it in words of its own."""
    known = (os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO))
    return next((words for words in known if words in text), text.splitlines()[0])


def quoted(path: Path | str) -> str:
    """A path as text in SQL."""
    return "'" + str(path).replace("'", "''") + "'"
