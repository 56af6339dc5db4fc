import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("prometheus", "prometheus-node-exporter")


@pytest.fixture(scope="session")
def prometheus_package() -> None:
    """Have Debian's Prometheus and promtool; its service isn't started."""
    subprocess.run([ROOT / "tests" / "install-packages", *PACKAGES], check=True)
