"""How the laws are tried: enough examples to mean something on two cores, and never a clock."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import hypothesis

hypothesis.settings.register_profile(
    "house",
    deadline=None,  # a slow machine is no bug
    max_examples=60,
    print_blob=True,  # what failed in CI can be tried again here
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("house")

# Tests measure side by side on purpose: each process of theirs has its own lock, and joins no measurement that runs it.
os.environ["ASSAY_LOCK"] = str(Path(tempfile.mkdtemp(prefix="assay-tests-"), "measuring.lock"))
os.environ.pop("ASSAY_EMIT", None)

# A shell that starts the tests in the background tells them to ignore Ctrl-C, and they would tell whom they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
