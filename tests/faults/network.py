"""What one port of loopback says, dropped by the kernel or handed on late, while a block runs."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def install_tools() -> None:
    """Install nft, before a run: that takes longer than one lasts."""
    subprocess.run([PROJECT / "tests" / "install-packages", "nftables"], check=True)


@contextmanager
def dropping(port: int, percent: int = 100) -> Iterator[None]:
    """Drop this share of the packets to and from a port; connections stay open and half dead."""
    table = f"inet loadgen_fault_{port}"
    some = "" if percent == 100 else f"numgen random mod 100 < {percent} "
    rules = f"tcp dport {port} {some}drop; tcp sport {port} {some}drop;"
    chain = f"chain out {{ type filter hook output priority 0; {rules} }}"
    subprocess.run(["nft", f"table {table} {{ {chain}; }}"], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["nft", f"delete table {table}"], check=True, timeout=10)


async def _hand_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    while data := await reader.read(65536):
        loop.call_later(seconds, writer.write, data)
    loop.call_later(seconds, writer.close)


@contextmanager
def delaying(port: int, seconds: float) -> Iterator[int]:
    """Hand on everything to and from a port this much later; yields the port to connect to."""
    loop = asyncio.new_event_loop()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            _hand_on(reader, behind_writer, seconds),
            _hand_on(behind_reader, writer, seconds),
            return_exceptions=True,
        )

    server = loop.run_until_complete(asyncio.start_server(accept, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.call_later, 2 * seconds, loop.stop)
        thread.join(10)
        loop.close()
