"""What the reference is made of is all there, and every page is in the navigation."""

import re
from pathlib import Path

import pytest
import yaml
from cli_reference import cli_reference
from llms import first_sentence

import sqswarm
import sqswarm.testing
from sqswarm.infra.cli.app import VERBS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize(
    ("page", "module"),
    [("python", sqswarm), ("testing", sqswarm.testing)],
    ids=["python", "testing"],
)
def test_every_public_name_is_there_once(page, module):
    text = (DOCS / "reference" / f"{page}.md").read_text()
    named = re.findall(rf"^::: {re.escape(module.__name__)}\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(module.__all__)


def test_every_verb_is_there_with_its_options():
    text = cli_reference()
    verbs = re.findall(r"^### `sqswarm ([\w-]+)`$", text, re.MULTILINE)
    assert verbs == [verb for listed in VERBS.values() for verb in listed]
    assert "* `--idempotency-key <str>`: A repeat with this key returns the first task." in text
    assert "```bash\nsqswarm map keywords texts.jsonl > keywords.jsonl\n```" in text


def test_every_page_is_in_the_navigation_once():
    settings = (ROOT / "mkdocs.yml").read_text().replace("!!python/name:", "")
    found = re.findall(r"[\w/-]+\.md", str(yaml.safe_load(settings)["nav"]))
    assert len(found) == len(set(found))
    assert set(PAGES) <= set(found)


@pytest.mark.parametrize("page", PAGES)
def test_it_begins_with_what_it_is(page):
    text = (DOCS / page).read_text()
    assert text.startswith("# ")
    assert first_sentence(text), "llms.txt has nothing to say of it"
