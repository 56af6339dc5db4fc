"""What a run is made with: packages, Python, the kit's release."""

import sys
from importlib.metadata import version

from loadgen.deploy import release


def versions() -> dict[str, str]:
    """Return what a run is made with, for its summary."""
    packages = {"locust": "locust", "loadgen": "loadgen-fleet", "pyzmq": "pyzmq"}
    found = {name: version(package) for name, package in packages.items()}
    found["python"] = ".".join(map(str, sys.version_info[:3]))
    found["release"] = release.current()
    return found
