"""The made-up world, looked at once for all tests of it; and published results, where there are any."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.accuracy import __main__ as program

from assay.api.accuracy import Accuracy, accuracy

from . import made_up


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.write(tmp_path_factory.mktemp("made-up") / "world.csv")


@pytest.fixture(scope="session")
def found(world: Path) -> Accuracy:
    return accuracy([world])


@pytest.fixture
def published() -> list[Path]:
    paths = program.tables()
    if not paths:
        pytest.skip(f"no published results here: {program.PUBLISHED} names their folder")
    return paths
