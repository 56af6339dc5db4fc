"""The bundled target of a run on this machine that was given no host."""

import time
from collections.abc import Sequence
from pathlib import Path

from loadgen.node.target_check import require_answer
from loadgen.shared.errors import OperationError, TargetError
from loadgen.shared.ports import LOOPBACK, free_port
from loadgen.shared.processes import Child, end_all

DEFAULT_SIMULATOR = "hello"
START_SECONDS = 60.0
LOOK_SECONDS = 0.05
END_SECONDS = 3.0


class BundledTarget:
    """A simulator on a free port of loopback; `directory` takes its log."""

    def __init__(self, simulator: str | None, arguments: Sequence[str], directory: Path) -> None:
        listen = f"{LOOPBACK}:{free_port()}"
        self.host = f"http://{listen}"
        words = ["loadgen.simulators", simulator or DEFAULT_SIMULATOR, "--listen", listen]
        log = directory / "target.log"
        self.process = Child("target", [*words, *arguments], log, lifeline=True)

    def require_answer(self) -> None:
        """Wait until it answers. OperationError tells why it ended; TargetError: it is silent."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                require_answer(self.host)
            except TargetError as error:
                if not self.process.alive:
                    raise OperationError(self._ending()) from error
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_SECONDS)
            else:
                return

    def _ending(self) -> str:
        said = self.process.log.read_text(errors="replace").strip().splitlines()[-1:]
        return (
            f"the bundled target ended by itself: {''.join(said) or 'it printed nothing'};"
            " give a target's address with --host instead"
        )

    def end(self) -> None:
        """End it; it may remove its own files first."""
        end_all([self.process], END_SECONDS)
