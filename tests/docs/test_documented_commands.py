"""Every command that a document shows is one that `sqswarm` has, with the options that it has."""

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
import typer
from documented import blocks
from typer.main import get_command

from sqswarm.infra.cli.app import app
from sqswarm.infra.cli.global_options import hoist

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
]
GROUP = get_command(app)
ENDS = re.compile(r"^(\||\|\||&&|;|>|>>|2>|<|&)$")


def commands(text):
    """Yield the words after `sqswarm`, of each in a script."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        while words:
            end = next((i for i, word in enumerate(words) if ENDS.match(word)), len(words))
            if words[:1] == ["sqswarm"]:
                yield words[1:end]
            words = words[end + 1 :]


def check(words):
    """Parse a command as `sqswarm` would, and run nothing; raises what it would refuse it with."""
    context = GROUP.make_context("sqswarm", hoist([word for word in words if word != "…"]))
    verb, *rest = [*context._protected_args, *context.args] or [None]
    if verb is not None:
        command = GROUP.get_command(context, verb)
        assert command is not None, f"no verb {verb!r}"
        command.make_context(verb, rest, parent=context)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_its_commands_exist(document):
    for block in blocks(document):
        if block.language in {"bash", "sh", "console"} and block.mark != "run, and it fails":
            for words in commands(block.text):
                try:
                    check(words)
                except (click.exceptions.Exit, typer.Exit):
                    continue  # --help, --version
                except Exception as error:
                    pytest.fail(f"sqswarm {shlex.join(words)}: {error}")


@pytest.mark.parametrize(
    "wrong", ["sqswarm lits", "sqswarm list --sine 1h", "sqswarm deploy now", "a | sqswarm get"]
)
def test_a_command_that_does_not_exist_is_noticed(wrong):
    [words] = commands(wrong)
    with pytest.raises(Exception, match=r".+"):
        check(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_its_snippets_can_be_read(document):
    for block in blocks(document):
        if block.language == "python" and not block.mark.startswith("edit: "):
            compile(block.text, "snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "json" and not block.mark.startswith("file: "):
            json.loads(block.text)
