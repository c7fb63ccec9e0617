"""`assay`: finds the verb, runs it, and turns every error into one plain message and an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

import click

from assay.cli.verbs import Verbs
from assay.errors import AssayError

# verb -> (module under assay.cli, one line for --help); a module is imported only when its verb is typed.
VERBS = {
    "demo": ("demo", "This machine, two minutes, one report."),
    "catalog": ("catalog", "What can be compared; every value with its source."),
    "predict": ("predict", "What a job would do on these machines, why, what it costs and how sure that is."),
    "sweep": ("sweep", "What changes when one thing does: nodes, batch, a link; and what matters most."),
    "trace": ("trace", "Any PyTorch module as a model file: its operations, counted without a device or data."),
    "validate": ("validate", "Our predictions beside published results."),
    "doctor": ("doctor", "What this machine offers."),
    "measure": ("measure", "A built-in workload or any command, under the sampler; every sample kept."),
    "calibrate": ("calibrate", "Earn efficiencies from measured runs."),
    "compare": ("compare", "Apples to apples, or refused with the reason."),
    "gate": ("gate", "Is the new one slower? For CI: exit 1 on a regression, at most 1 % false alarms."),
    "pilot": ("pilot", "The 30 to 60 day pilot as one file: what is asked, tried, proven, and decided."),
    "watch": ("watch", "Live devices; real utilization; Prometheus and OTLP in and out."),
    "report": ("report", "One self-contained HTML file."),
}


@click.group(
    cls=Verbs, verbs=VERBS, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="assay")
@click.pass_context
def root(ctx: click.Context) -> None:
    """What AI hardware is worth on your own workload.

    Predict before you buy, measure while you try, and put it all in one report. Start with: assay demo
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: list[str] | None = None) -> None:
    """Run the command line; exit 0 ok, 1 finding, 2 usage or input, 3 could not measure, 130 interrupted."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # we use none, and looking for some takes 40 ms
    for name in ("stdout", "stderr"):  # a terminal that cannot show "×" shows "?", never a traceback
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 — open until the end
        getattr(getattr(sys, name), "reconfigure", lambda **_: None)(errors="replace")
    for sign in (signal.SIGTERM, signal.SIGHUP):  # a scheduler's request to end, or a terminal's, is our Ctrl-C
        if signal.getsignal(sign) is not signal.SIG_IGN:  # under nohup the end of the terminal is not ours
            signal.signal(sign, signal.default_int_handler)
    try:
        code = root.main(args=args, prog_name="assay", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except AssayError as error:
        _complain(f"Error: {error}")
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _complain("Interrupted.")
        sys.exit(130)
    except OSError as error:  # a full disk, a folder that is not ours: the user's machine, not our bug
        _complain(f"Error: {error.filename or 'file system'}: {error.strerror or error}")
        sys.exit(2)


def _complain(text: str) -> None:
    """One line on stderr; a terminal that was closed has nobody to read it."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)
