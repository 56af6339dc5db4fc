"""What can keep one node from taking part in a run, each as one sentence; run on the node itself.

Checks of the channel go as far as the CURVE handshake and send nothing beyond it, so that they are
safe on a master under load.
"""

import errno
import socket
from collections.abc import Sequence
from pathlib import Path

import zmq
from zmq.utils.monitor import recv_monitor_message

from loadgen.fleet.agent_units import Unit
from loadgen.node import channel
from loadgen.node.settings import NodeSettings
from loadgen.shared.ports import listeners

HANDSHAKE_SECONDS = 5.0
SPARE_DESCRIPTORS = 200
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
FILTERED = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM)


def master_faults(node: NodeSettings, state: str) -> list[str]:
    """Tell whether the master runs, and whether its ports are its own."""
    faults = []
    if state != "active":
        faults.append(
            f"loadgen-master is {state}; see journalctl -u loadgen-master there, then "
            "loadgen deploy"
        )
    for port in (node.master_port, node.web.port):
        holder = port_holder(port)
        if holder:
            faults.append(
                f"port {port} is held by {holder}; end that program, or set another port "
                f"in the inventory"
            )
    return faults


def port_holder(port: int) -> str:
    """Name the process that listens on a TCP port and is none of the kit's; empty for none."""
    strangers = [one for one in listeners(port) if not _is_ours(one.process)]
    return str(strangers[0]) if strangers else ""


def _is_ours(process: int) -> bool:
    return "loadgen-" in Path(f"/proc/{process}/cgroup").read_text()


def capacity_faults(users: int, workers: Sequence[Unit]) -> list[str]:
    """Compare this node's share of the users with its descriptors and local ports.

    `users` is the share of the whole node. One connection a user is the least that a test needs.
    """
    faults = []
    limit = min(unit.open_files for unit in workers)
    each = -(-users // len(workers))
    if each + SPARE_DESCRIPTORS > limit:
        faults.append(
            f"a worker would need {each + SPARE_DESCRIPTORS:,} file descriptors for {each:,} users,"
            f" but it may open only {limit:,}; raise node_open_files, or give fewer users or"
            f" more workers"
        )
    low, high = (int(word) for word in PORT_RANGE.read_text().split())
    if users > high - low + 1:
        faults.append(
            f"{users:,} users need as many local ports for one target, but there are only "
            f"{high - low + 1:,}; widen net.ipv4.ip_local_port_range, or add worker hosts"
        )
    return faults


def channel_faults(node: NodeSettings) -> list[str]:
    """Try the way to the master: TCP first, then the handshake under this node's real keys."""
    where = f"{node.master_host}:{node.master_port}"
    try:
        socket.create_connection((node.master_host, node.master_port), HANDSHAKE_SECONDS).close()
    except ConnectionRefusedError:
        return [
            f"nothing listens on the master's worker port {where}; see journalctl -u "
            "loadgen-master on the master"
        ]
    except OSError as error:
        if isinstance(error, TimeoutError) or error.errno in FILTERED:
            return [
                f"a firewall blocks port {node.master_port}: packets from this host to "
                f"{where} don't get through; run loadgen deploy, which opens that port on "
                f"the master for this host, or open it on the firewall between the two "
                f"hosts"
            ]
        return [f"the master can't be reached at {where}: {error.strerror or error}"]
    return (
        []
        if shakes_hands(node)
        else [
            f"the master at {where} refused this worker's key, or its own key isn't the one that "
            "this worker expects; loadgen deploy updates the keys on both hosts"
        ]
    )


def shakes_hands(node: NodeSettings, timeout_seconds: float = HANDSHAKE_SECONDS) -> bool:
    """Tell whether a CURVE handshake with the master succeeds; nothing is sent after it."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.linger = 0
        client.setsockopt(zmq.IPV6, 1)  # as in Locust's own sockets; IPv4 works too
        channel.secure_client(client, node.keys_directory)
        events = client.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        )
        client.connect(f"tcp://{node.master_host}:{node.master_port}")
        try:
            if not events.poll(int(timeout_seconds * 1000)):
                return False
            event = recv_monitor_message(events)["event"]
            return bool(event == zmq.EVENT_HANDSHAKE_SUCCEEDED)
        finally:
            client.disable_monitor()
            events.close(linger=0)
