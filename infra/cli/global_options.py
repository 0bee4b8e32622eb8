"""The app's group: options anywhere on the line, and verbs that are imported when asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from sqswarm.infra.cli.failure import INTERRUPTED, report

FLAGS = ("--json", "--debug")
COMPLETING = "_SQSWARM_COMPLETE"
"""Set by the script that `--install-completion` leaves in the shell."""
VALUED = ("--stage", "--endpoint")


def hoist(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the options of every verb moved to the front.

    What follows `--` is left alone.
    """
    front: list[str] = []
    rest: list[str] = []
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if argument == "--":
            rest += [argument, *left]
            break
        if argument in FLAGS or argument.startswith(tuple(f"{name}=" for name in VALUED)):
            front.append(argument)
        elif argument in VALUED and left:
            front += [argument, left.pop(0)]
        else:
            rest.append(argument)
    return [*front, *rest]


class EverywhereGroup(TyperGroup):
    """The app's group: finds those options, and reports every error in our own words."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Return the context of a line, also of one that a shell wants completed."""
        return super().make_context(info_name, hoist(args), parent, **extra)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - typer's own signature
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002
        **extra: Any,
    ) -> Any:
        """Run the verb and exit with its code."""
        del standalone_mode  # else typer would print errors its own way
        given = hoist(sys.argv[1:] if args is None else args)
        as_json, debug = "--json" in given, "--debug" in given
        try:
            code = super().main(given, prog_name, complete_var, False, windows_expand_args, **extra)
        except (Exception, KeyboardInterrupt) as error:
            if COMPLETING in os.environ:
                sys.exit(1)  # a shell waits for words, and would show what is said among them
            code = report(error, as_json=as_json, debug=debug)
        else:
            if code == INTERRUPTED:  # typer has swallowed the Ctrl-C
                code = report(KeyboardInterrupt(), as_json=as_json, debug=False)
        sys.exit(code if isinstance(code, int) else 0)


def verb_group(verbs: Mapping[str, Mapping[str, str]], *, epilog: str) -> type[TyperGroup]:
    """Return the app's group for `verbs`: panel → verb → `module:function` of this folder.

    A verb's module is imported when it is run or shown, not when another one is.
    """
    homes = {
        verb: (panel, home) for panel, listed in verbs.items() for verb, home in listed.items()
    }

    @cache
    def command_of(verb: str) -> TyperCommand | None:
        if verb not in homes:
            return None
        panel, home = homes[verb]
        module, _, function = home.partition(":")
        callback = getattr(import_module(f"sqswarm.infra.cli.{module}"), function)
        info = CommandInfo(name=verb, callback=callback, epilog=epilog, rich_help_panel=panel)
        return get_command_from_info(  # type: ignore[return-value] # a TyperCommand, by its default
            info, pretty_exceptions_short=True, rich_markup_mode="rich"
        )

    class VerbGroup(EverywhereGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            del ctx
            return list(homes)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            del ctx
            return command_of(cmd_name)

    return VerbGroup
