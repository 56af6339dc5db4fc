"""Filters that look at the inventory and at the files beside it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def fleet_address(host: str, hostvars: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the address by which the fleet reaches a host: fleet_address, else ansible_host."""
    variables = hostvars[host]
    return str(variables.get("fleet_address") or variables.get("ansible_host") or host)


def read_text(path: str) -> str:
    """Return the text of a file on the controller."""
    return Path(path).read_text()


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"fleet_address": fleet_address, "read_text": read_text}
