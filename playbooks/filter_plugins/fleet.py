"""Filters that look at the inventory and at the files beside it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def fleet_address(host: str, hostvars: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the address by which the fleet reaches a host: fleet_address, else ansible_host."""
    variables = hostvars[host]
    own = (variables.get(name) for name in ("fleet_address", "ansible_host", "ansible_ssh_host"))
    return str(next(filter(None, own), host))


def in_url(address: str) -> str:
    """Return an address as a URL has it: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def read_text(path: str) -> str:
    """Return the text of a file on the controller."""
    return Path(path).read_text()


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"fleet_address": fleet_address, "in_url": in_url, "read_text": read_text}
