"""Every command that a page shows can be typed, and every link leads somewhere.

A command is read by the parsers that read it when it is typed: `loadgen`'s own, and make's list of
the variables that a target takes. What a command then does is tested where its verb is.
"""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from loadgen import scenario
from loadgen.cli.main import parse
from loadgen.shared.project import PROJECT
from tests.studies import commands as commands_typed

PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
SAYS_OLD_THINGS = {"CHANGELOG.md", "faults.md"}
PLACEHOLDER = re.compile(r"…|\.\.\.|\bVERB\b|\[")


def commands(page: Path) -> Iterator[str]:
    """Yield the lines of a page's code blocks that call loadgen or make."""
    text = page.read_text().replace("\\\n", " ")
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        command = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
        if (fenced or line.startswith("    ")) and re.match(r"(loadgen|make) [a-z-]", command):
            yield re.split(r"\s+#|\s+(?:&&?|\||>|;)", command)[0]


def shown() -> list[tuple[str, str]]:
    found = {
        (page.name, command)
        for page in PAGES
        if page.name not in SAYS_OLD_THINGS
        for command in commands(page)
        if not PLACEHOLDER.search(command)
    }
    return sorted(found)


@cache
def targets() -> dict[str, list[str]]:
    """Return every target of the Makefile with the variables that it takes."""
    text = (PROJECT / "Makefile").read_text().replace("\\\n", " ")
    values = dict(re.findall(r"^([\w-]+) [:?]?= ?(.*)$", text, re.MULTILINE))

    for names, value in re.findall(
        r"foreach verb,\$\((\w+)\),\$\(eval takes_.*? = (.*?)\)\)", text
    ):
        values |= {f"takes_{name}": value for name in values[names].split()}

    def expanded(value: str) -> str:
        return re.sub(r"\$\((\w+)\)", lambda found: expanded(values[found[1]]), value)

    named = re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)
    return {name: expanded(values.get(f"takes_{name}", "")).split() for name in named}


@pytest.mark.parametrize(("page", "command"), shown())
def test_a_command_can_be_typed(page: str, command: str) -> None:
    program, *words = shlex.split(command)
    if program == "loadgen":
        if words[0] not in ("--version", "--help") and "--help" not in words:
            parse(words)
        return
    for word in words:
        name, given, _ = word.partition("=")
        if not given:
            assert name in targets(), f"{page}: make has no target {name}"
            target = name
    for word in words:
        name, given, _ = word.partition("=")
        if given:
            assert name in targets()[target], f"{page}: make {target} takes no {name}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+)$", page.read_text(), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = page.parent / path if path else page
        assert there.exists(), f"{page.name} links to {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{page.name} links to {target}"


def test_what_a_locustfile_may_import_is_listed() -> None:
    page = (PROJECT / "docs" / "scenarios.md").read_text()
    assert not [name for name in scenario.__all__ if f"`{name}`" not in page]


def test_every_command_is_typed_by_a_test_or_says_why_not() -> None:
    typed = {" ".join(one.command.split()) for one in commands_typed.HERE}
    pages = {page.name for page in PROJECT.glob("docs/start/*.md")}
    left = {
        " ".join(command.split())
        for page, command in shown()
        if page not in pages and " ".join(command.split()) not in typed
    }
    reasons = commands_typed.ELSEWHERE
    assert not [one for one in left if not any(one.startswith(begin) for begin in reasons)]
    assert not [begin for begin in reasons if not any(one.startswith(begin) for one in left)]
    shown_words = {" ".join(command.split()) for _page, command in shown()}
    assert typed <= shown_words, "a command that no page shows any more"
