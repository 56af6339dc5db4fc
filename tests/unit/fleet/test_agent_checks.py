"""The way from a worker to its master, tried under real keys over real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from loadgen.fleet.agent_checks import channel_faults
from loadgen.node import channel
from loadgen.node.settings import NodeSettings
from loadgen.shared.text import in_url


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for role in (channel.MASTER, channel.WORKER):
        channel.create_key_pair(tmp_path, role)
    return tmp_path


@pytest.fixture(params=["127.0.0.1", "::1"])
def master(request: pytest.FixtureRequest, keys: Path) -> Iterator[tuple[str, int]]:
    """A master's worker port, which admits everybody who has its public key."""
    address: str = request.param
    with zmq.Context() as context, context.socket(zmq.ROUTER) as server:
        server.linger = 0
        server.setsockopt(zmq.IPV6, ":" in address)
        public, secret = channel.load_key_pair(keys / "master.key_secret")
        server.curve_server, server.curve_publickey, server.curve_secretkey = True, public, secret
        yield address, server.bind_to_random_port(f"tcp://{in_url(address)}")


def test_a_worker_reaches_its_master_over_ipv4_and_ipv6(
    master: tuple[str, int], keys: Path, tmp_path: Path
) -> None:
    node = NodeSettings(
        name="worker1",
        release_directory=tmp_path,
        keys_directory=keys,
        state_directory=tmp_path,
        master_host=master[0],
        master_port=master[1],
    )
    assert channel_faults(node) == []
