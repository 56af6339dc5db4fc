"""A page as a session: its commands are typed, its files written, its output looked for.

A block ```console holds commands (after `$ `) and lines of what each prints; a block
```yaml NAME, or of another language, is a file. Numbers, ids and times in the output may differ.
"""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.waiting import await_

TIMEOUT_SECONDS = 1500
ENDING_SECONDS = 120
PROGRAMS = Path(sys.executable).parent
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN_ID = re.compile(r"\d{8}T\d{6}Z[\w-]*")
_NUMBER = re.compile(r"\d[\d,.:]*")
_UNIT = re.compile(r"# (?:µs|ms|s)\b")


@dataclass
class Command:
    """What is typed, and the lines that a reader is told it prints."""

    text: str
    expected: list[str] = field(default_factory=list)


@dataclass
class File:
    """A file that the page asks the reader to write."""

    name: str
    text: str


def steps(page: str) -> list[Command | File]:
    """Return what a page asks of its reader, in its order."""
    found: list[Command | File] = []
    for language, name, text in _BLOCK.findall(page):
        if name:
            found.append(File(name, text))
        elif language == "console":
            found.extend(_commands(text))
    return found


def _commands(text: str) -> list[Command]:
    found: list[Command] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ ")))
        elif line.strip():
            found[-1].expected.append(line)
    return found


def shape(line: str) -> str:
    """Return a line without what differs from run to run."""
    numbers = _NUMBER.sub("#", _RUN_ID.sub("RUN", line))
    return re.sub(r"\s+", " ", _UNIT.sub("# s", numbers)).strip()


class Session:
    """A reader with an empty home directory; leaving the context ends all that was started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "here"
        self.directory.mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if "PYTEST" not in name},
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(directory),
            "EDITOR": "true",
        }
        self._background: list[tuple[subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        # In the order of their start: a Prometheus scrapes a run that ends once more.
        for process, _output in self._background:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=ENDING_SECONDS)

    def do(self, step: Command | File) -> None:
        """Do one step; fail when a command fails or doesn't print what the page shows."""
        if isinstance(step, File):
            (self.directory / step.name).write_text(step.text)
            return
        output = self._type(step.text)
        printed = [shape(line) for line in output.splitlines()]
        for line in step.expected:
            assert shape(line) in printed, f"$ {step.text}\ndid not print: {line}\n{output}"

    def _type(self, text: str) -> str:
        if text.startswith("pip install"):
            return ""  # The wheel has a test of its own: tests/studies/test_installed.py.
        if text.startswith("cd "):
            self.directory = (self.directory / text.removeprefix("cd ")).resolve()
            return ""
        if text.endswith(" &"):
            return self._start(text.removesuffix(" &"))
        if text.startswith("curl"):
            return await_(lambda: self._finish(text), text)
        return self._finish(text)

    def _start(self, text: str) -> str:
        output = self.directory.parent / f"background-{len(self._background)}"
        with output.open("wb") as sink:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {text}"],
                cwd=self.directory,
                env=self.environment,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self._background.append((process, output))
        await_(output.read_text, f"a first line of `{text}`")
        return output.read_text()

    def _finish(self, text: str) -> str:
        finished = subprocess.run(
            ["bash", "-o", "pipefail", "-c", text],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if text.startswith("curl"):
            return finished.stdout if finished.returncode == 0 else ""
        assert finished.returncode == 0, (
            f"$ {text}\nended with {finished.returncode}\n{finished.stdout}"
        )
        return finished.stdout
