"""Packets of one port of loopback, dropped by the kernel while a block runs."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[2]


@contextmanager
def dropping(port: int, percent: int = 100) -> Iterator[None]:
    """Drop this share of the packets to and from a port; connections stay open and half dead."""
    subprocess.run([PROJECT / "tests" / "install-packages", "nftables"], check=True)
    table = f"inet loadgen_fault_{port}"
    some = "" if percent == 100 else f"numgen random mod 100 < {percent} "
    rules = f"tcp dport {port} {some}drop; tcp sport {port} {some}drop;"
    chain = f"chain out {{ type filter hook output priority 0; {rules} }}"
    subprocess.run(["nft", f"table {table} {{ {chain}; }}"], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["nft", f"delete table {table}"], check=True, timeout=10)
