"""What a run is made with: packages, Python, the kit's release."""

import sys
from importlib.metadata import version
from pathlib import Path

from loadgen.deploy import release
from loadgen.specification.run import RunSpecification


def versions(specification: RunSpecification) -> dict[str, str]:
    """Return what a run is made with, for its summary."""
    packages = {"locust": "locust", "loadgen": "loadgen-fleet", "pyzmq": "pyzmq"}
    found = {name: version(package) for name, package in packages.items()}
    found["python"] = ".".join(map(str, sys.version_info[:3]))
    path = Path(specification.locustfiles[0])
    found["release"] = release.current(path if path.is_file() else None)
    return found
