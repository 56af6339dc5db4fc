"""A fleet's metrics, read on the master over SSH: port 9646 answers the monitoring hosts alone."""

import threading
import time
from collections.abc import Iterator
from types import TracebackType

from loadgen.fleet.agent_files import SCRAPE_BYTES_MAX
from loadgen.fleet.connections.ssh import PYTHON, Remote, in_release
from loadgen.fleet.inventory import Inventory
from loadgen.shared.errors import OperationError
from loadgen.watch.scrape import END, Scrape, read

CA = "/etc/loadgen/tls/ca.pem"
SCRAPE = "/etc/loadgen/scrape"
SILENT_SECONDS = 20.0
"""The master streams a scrape a second; after this long without one the connection is given up."""


def stream_command(url: str) -> list[str]:
    """Return the command that streams the master's own exporter, each scrape closed by `END`."""
    options = f"--ca {CA} --certificate {SCRAPE}/certificate.pem --key {SCRAPE}/key.pem"
    return in_release(f"{PYTHON} -m loadgen.watch.stream --url {url} {options}")


class FleetScrapes:
    """The newest scrape of a fleet's exporter. Call it for the next one."""

    def __init__(self, inventory: Inventory) -> None:
        self._remote = Remote(inventory.master)
        self._url = inventory.exporter_url
        self._changed = threading.Condition()
        self._newest: bytes | None = None
        self._fault: OperationError | None = None
        self._reading = threading.Thread(target=self._read, name="scrapes", daemon=True)

    def __enter__(self) -> "FleetScrapes":
        self._remote.open()
        self._reading.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remote.close()
        self._reading.join(timeout=5)

    def __call__(self) -> Scrape:
        """Wait for the next scrape. OperationError: SSH ended. ValueError: a silent exporter."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._fault, SILENT_SECONDS)
            newest, self._newest = self._newest, None
            if newest is None:
                raise self._fault or OperationError(
                    f"the master sent no metrics for {SILENT_SECONDS:.0f} s"
                )
        if not newest:
            raise ValueError("the exporter doesn't answer")
        return read(newest.decode(), time.time())

    def _read(self) -> None:
        try:
            for scrape in newest(
                self._remote.stream(stream_command(self._url), b"", SILENT_SECONDS)
            ):
                with self._changed:
                    self._newest = scrape
                    self._changed.notify()
            fault = OperationError(
                "the master ended the stream of metrics; see its state with loadgen status"
            )
        except OperationError as error:
            fault = error
        with self._changed:
            self._fault = fault
            self._changed.notify()


def newest(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the last whole scrape of each chunk of a stream. OperationError: one is too long."""
    kept = b""
    for chunk in chunks:
        *whole, kept = (kept + chunk).split(END)
        yield from whole[-1:]
        if len(kept) > SCRAPE_BYTES_MAX:
            raise OperationError(
                f"the master sent a scrape of more than {SCRAPE_BYTES_MAX >> 20} MiB: that host "
                "may have been taken over; check that host"
            )
