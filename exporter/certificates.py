"""When certificates on this machine expire, so that an alert comes before an outage."""

import subprocess
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

OPENSSL_TIMEOUT_SECONDS = 10


class CertificateCollector(Collector):
    """Reads each PEM file again when it has changed; one that can't be read yields no sample."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._known: dict[Path, tuple[int, float]] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield `locust_certificate_expiry_timestamp_seconds{file="/etc/web.pem"} 1.8e+09`."""
        family = GaugeMetricFamily(
            "locust_certificate_expiry_timestamp_seconds",
            "When the certificate expires.",
            labels=["file"],
        )
        for file in self._files:
            expiry = self._expiry(file)
            if expiry is not None:
                family.add_metric([str(file)], expiry)
        yield family

    def _expiry(self, file: Path) -> float | None:
        try:
            changed = file.stat().st_mtime_ns
            if self._known.get(file, (0, 0.0))[0] != changed:
                self._known[file] = (changed, read_expiry(file))
        except (OSError, ValueError, subprocess.SubprocessError):
            return None
        return self._known[file][1]


def read_expiry(file: Path) -> float:
    """Return a PEM certificate's end in Unix seconds.

    Python's ssl reads a peer's certificate only, and a node has no library for files, but openssl.
    """
    command = ["openssl", "x509", "-in", str(file), "-noout", "-enddate"]
    answer = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=OPENSSL_TIMEOUT_SECONDS
    )
    # notAfter=Nov 21 03:33:13 2027 GMT
    month, day, clock, year, _ = answer.stdout.partition("=")[2].split()
    return parsedate_to_datetime(f"{day} {month} {year} {clock} GMT").timestamp()
