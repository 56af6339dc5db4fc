"""The commands of README and docs, typed: with little load, on simulators in their hosts' place."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from loadgen.shared.project import PROJECT
from tests.servers import simulator
from tests.studies.commands import HERE, Typed
from tests.studies.pages import Command, Session

SIMULATORS = {
    "https://shop.example": "hello",
    "https://test.example.org": "hello",
    "https://tea.example.org": "teastore",
    "https://repository.example.org": "dspace",
    "https://talk.example.org": "streams",
}
SHOP = """
from locust import constant, task

from loadgen.scenario import FastUser


class Visitor(FastUser):
    wait_time = constant(1)

    @task
    def hello(self) -> None:
        self.client.get("/hello")
"""
DESCRIPTION = """
openapi: 3.0.3
info: {title: hello, version: "1"}
paths:
  /hello:
    get: {responses: {"200": {description: a greeting}}}
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Return a reader who sits in a clone, with files of their own."""
    with Session(tmp_path_factory.mktemp("reader")) as session:
        _clone(session.directory)
        for name in ("shop", "my"):
            (session.directory / name).mkdir()
            (session.directory / name / "locustfile.py").write_text(SHOP)
        (session.directory / "shop.env").write_text("SHOP_TOKEN=secret\n")
        (session.directory / "openapi.yaml").write_text(DESCRIPTION)
        yield session


def _clone(place: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    for name in tracked.stdout.split("\0"):
        if name and (PROJECT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, place / name)
    (place / ".venv").symlink_to(PROJECT / ".venv")


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, str]]:
    """Serve a simulator in the place of each host that the pages name."""
    with ExitStack() as stack:
        names = sorted(set(SIMULATORS.values()))
        urls = {name: stack.enter_context(simulator(name)) for name in names}
        yield {host: urls[name] for host, name in SIMULATORS.items()}


@pytest.mark.parametrize("typed", HERE, ids=lambda typed: typed.command)
def test_a_command_does_what_its_page_says(
    typed: Typed, reader: Session, hosts: dict[str, str]
) -> None:
    text = typed.before + typed.command + typed.more
    for host, url in hosts.items():
        text = text.replace(host, url)
    reader.do(Command(text))
