"""Makes a picture of a terminal: runs a command in a real one and draws what it printed last.

    python docs/pictures/terminal.py docs/pictures/run.svg "make run-distributed" COMMAND…

The second argument is the line shown as typed. A line that the command renewed in place is shown
as it stood at the end.
"""

import errno
import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 112
_RENEWED = re.compile(r"(?:\x1b\[[0-9;?]*[A-HJKSTfhlsu]|\r(?!\n))")


def run_in_terminal(command: list[str]) -> str:
    """Return everything that the command wrote to a terminal of its own."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = io.BytesIO()
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # a terminal's way to say that nobody writes any more
                raise
            break
        if not chunk:
            break
        written.write(chunk)
    os.close(ours)
    process.wait()
    return written.getvalue().decode(errors="replace")


def last_state(output: str) -> str:
    """Keep the last state of lines that were renewed in place."""
    lines = [_RENEWED.split(line)[-1] for line in output.replace("\r\n", "\n").split("\n")]
    return "\n".join(lines)


def draw(path: Path, typed: str, text: str) -> None:
    """Write the picture as SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "green"), (typed, "bold")))
    console.print(Text.from_ansi(text.rstrip()))
    console.save_svg(str(path), title=typed)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), sys.argv[2], last_state(run_in_terminal(sys.argv[3:])))
