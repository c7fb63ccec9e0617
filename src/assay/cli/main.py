"""`assay`: finds the verb, runs it, and turns every error into one plain message and an exit code."""

from __future__ import annotations

import importlib
import os
import sys

import click

from assay.errors import AssayError

# verb -> (module under assay.cli, one line for --help); a module is imported only when its verb is typed.
VERBS = {
    "demo": ("demo", "This machine, two minutes, one report."),
    "catalog": ("catalog", "What can be compared; every value with its source."),
    "predict": ("predict", "What a job would do on these machines, why, what it costs and how sure that is."),
    "validate": ("validate", "Our predictions beside published results."),
    "doctor": ("doctor", "What this machine offers."),
    "measure": ("measure", "Run a built-in probe and keep every sample."),
    "calibrate": ("calibrate", "Earn efficiencies from measured runs."),
    "compare": ("compare", "Apples to apples, or refused with the reason."),
    "report": ("report", "One self-contained HTML file."),
}


class Verbs(click.Group):
    """A group whose verbs are imported when they are used, so that `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order a project meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one module that holds this verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"assay.cli.{VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a near miss for a mistyped verb."""
        from assay.errors import did_you_mean

        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise click.UsageError(f'"{args[0]}" is not a verb; {did_you_mean(args[0], VERBS) or "see assay --help"}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing any of them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, line) for name, (_, line) in VERBS.items()])


@click.group(cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
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
    try:
        code = root.main(args=args, prog_name="assay", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except AssayError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader went away (assay catalog | head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # a full disk, a folder that is not ours: the user's machine, not our bug
        click.echo(f"Error: {error.filename or 'file system'}: {error.strerror or error}", err=True)
        sys.exit(2)
