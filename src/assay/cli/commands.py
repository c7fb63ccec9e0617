"""Commands on a command line: what stands after `--` is somebody else's, and is not looked at."""

from __future__ import annotations

import click

COMMANDS = "assay.commands"


class TakesCommands(click.Command):
    """A verb that takes whole commands after `--`; with another `--` between them, several."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Cut the commands off before click sees them."""
        own, *words = _split(args, "--")
        ctx.meta[COMMANDS] = words
        return super().parse_args(ctx, own)


def _split(args: list[str], mark: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in args:
        if word == mark:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def command_of(ctx: click.Context) -> list[str] | None:
    """The one command after `--`, with any `--` of its own; None where there is none."""
    parts: list[list[str]] = ctx.meta.get(COMMANDS, [])
    if not parts:
        return None
    words = list(parts[0])
    for more in parts[1:]:
        words += ["--", *more]
    return words


def commands_of(ctx: click.Context) -> list[list[str]]:
    """All commands, each after its own `--`."""
    found: list[list[str]] = ctx.meta.get(COMMANDS, [])
    return found
