"""Verbs that are imported when they are typed: of `assay` itself, and of a verb that has verbs of its own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from assay.errors import did_you_mean


class Verbs(click.Group):
    """A group whose verbs are imported when they are used, so that `--help` stays fast.

    `verbs` says where each lives: verb -> (module under assay.cli, one line for --help).
    """

    def __init__(self, *args: Any, verbs: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.verbs = verbs

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb. A closed pipe (`assay catalog | head`) is no error, though click would exit 1: a finding."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order a project meets them."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one module that holds this verb."""
        if cmd_name not in self.verbs:
            return None
        module = importlib.import_module(f"assay.cli.{self.verbs[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a near miss for a mistyped verb."""
        if args and args[0] not in self.verbs and not args[0].startswith("-"):
            hint = did_you_mean(args[0], self.verbs) or f"see {ctx.command_path} --help"
            raise click.UsageError(f'"{args[0]}" is not a verb; {hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing any of them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, line) for name, (_, line) in self.verbs.items()])
