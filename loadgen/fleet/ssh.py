"""SSH to the nodes of a fleet: one connection a node, all nodes at once, a result or a fault each.

Fabric opens the connections, so that ~/.ssh/config, jump hosts and agents work. Host keys are
checked against known_hosts: a node that isn't in it, or shows another key, is refused.
"""

import shlex
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import fabric
import paramiko
from paramiko.ssh_exception import NoValidConnectionsError
from pydantic import ValidationError

from loadgen.fleet.inventory import Node
from loadgen.fleet.requests import AgentRequest, NodeReport
from loadgen.shared.errors import OperationError

CONNECT_SECONDS = 10
CALL_SECONDS = 60.0
KEEPALIVE_SECONDS = 5
MAXIMUM_PARALLEL = 64
CHUNK_BYTES = 1 << 16
SOFTWARE = "/opt/loadgen"
PYTHON = f"{SOFTWARE}/venv/bin/python -B"
Answer = TypeVar("Answer")


def in_release(command: str) -> list[str]:
    """Return a command that runs where `loadgen` can be imported."""
    return ["sh", "-c", f"cd {SOFTWARE}/current && exec {command}"]


def agent_command(kind: type[AgentRequest]) -> list[str]:
    """Return the command for one verb of `loadgen.fleet.agent`."""
    return in_release(f"{PYTHON} -m loadgen.fleet.agent {kind.verb}")


@dataclass
class Outcomes(Generic[Answer]):
    """What came of one thing done on many nodes: an answer, or one sentence, for each."""

    answers: dict[str, Answer] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


class Remote:
    """One node, reached over SSH as the inventory says; commands run there as root."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._connection = connection_to(node)

    def open(self) -> None:
        """Connect. OperationError: one sentence that tells what is wrong."""
        try:
            self._connection.open()
            self._connection.transport.set_keepalive(KEEPALIVE_SECONDS)
        except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
            raise OperationError(explain(self.node, error)) from error

    def close(self) -> None:
        """Disconnect; safe at any time."""
        self._connection.close()

    def run(
        self, command: Sequence[str], stdin: bytes = b"", timeout: float = CALL_SECONDS
    ) -> bytes:
        """Run a command as root and return its output. OperationError: it failed or hung."""
        return b"".join(self.stream(command, stdin, timeout))

    def stream(
        self, command: Sequence[str], stdin: bytes = b"", timeout: float = CALL_SECONDS
    ) -> Iterator[bytes]:
        """Run a command as root and yield its output as it comes.

        `timeout` is the longest silence in seconds. What is secret goes through `stdin`.
        """
        try:
            with self._channel(command, stdin, timeout) as channel:
                while chunk := channel.recv(CHUNK_BYTES):
                    yield chunk
                self._require_success(channel)
        except TimeoutError as error:
            raise OperationError(
                f"{self.node.address} said nothing for {timeout:.0f} s; the host is overloaded or "
                "cut off: look at it, then run it again"
            ) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise OperationError(
                f"the SSH connection to {self.node.address} broke: "
                f"{str(error) or type(error).__name__}; check that the host is up"
            ) from error

    @contextmanager
    def _channel(
        self, command: Sequence[str], stdin: bytes, timeout: float
    ) -> Iterator[paramiko.Channel]:
        self.open()
        channel = self._connection.transport.open_session(timeout=timeout)
        try:
            channel.settimeout(timeout)
            password = self.node.become_password
            ask = ["sudo", "-S", "-p", ""] if password else ["sudo", "-n"]
            channel.exec_command(shlex.join([*ask, "--", *command]))
            channel.sendall(f"{password}\n".encode() + stdin if password else stdin)
            channel.shutdown_write()
            yield channel
        finally:
            channel.close()

    def _require_success(self, channel: paramiko.Channel) -> None:
        errors = b"".join(iter(lambda: channel.recv_stderr(CHUNK_BYTES), b"")).decode(
            errors="replace"
        )
        if channel.recv_exit_status() == 0:
            return
        last = (errors.strip().splitlines() or ["it said nothing"])[-1]
        if last.startswith("sudo:"):
            raise OperationError(
                f"user {self.node.user or 'of this machine'} can't become root there ({last}); "
                "allow it in sudoers, or set ansible_become_password in Vault"
            )
        raise OperationError(last)


def connection_to(node: Node) -> fabric.Connection:
    """Prepare a connection that trusts known host keys only; nothing is sent yet."""
    config = fabric.Config(ssh_config=_ssh_config(node))
    key = {"key_filename": str(node.key_file)} if node.key_file else {}
    connection = fabric.Connection(
        node.address,
        user=node.user,
        port=node.port,
        config=config,
        connect_timeout=CONNECT_SECONDS,
        connect_kwargs={
            **key,
            "look_for_keys": not key,
            "banner_timeout": CONNECT_SECONDS,
            "auth_timeout": CONNECT_SECONDS,
        },
    )
    _check_host_keys(connection)
    return connection


def _ssh_config(node: Node) -> paramiko.SSHConfig:
    """Build what OpenSSH would use: the inventory's options win over the user's own file."""
    lines = ["Host *", *(f"  {name} {value}" for name, value in node.ssh_options.items())]
    own = node.ssh_config or Path("~/.ssh/config").expanduser()
    text = "\n".join(lines) + "\n" + (own.read_text() if own.is_file() else "")
    return paramiko.SSHConfig.from_text(text)


def _check_host_keys(connection: fabric.Connection) -> None:
    files = connection.ssh_config.get("userknownhostsfile", "~/.ssh/known_hosts").split()
    while connection is not None:
        client = connection.client
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        for path in [Path("/etc/ssh/ssh_known_hosts"), *(Path(f).expanduser() for f in files)]:
            if path.is_file():
                client.load_system_host_keys(str(path))
        gateway = connection.gateway
        connection = gateway if isinstance(gateway, fabric.Connection) else None


def explain(node: Node, error: Exception) -> str:
    """Say what a failed connection means and what to do about it."""
    where = f"{node.address}:{node.port or 22}"
    if isinstance(error, paramiko.BadHostKeyException):
        return (
            f"{where} shows another SSH host key than known_hosts has: it was set up again, or "
            "something else answers in its place; compare the key, then renew it in known_hosts"
        )
    if isinstance(error, paramiko.AuthenticationException):
        key = f" with {node.key_file}" if node.key_file else ""
        return (
            f"{where} does not accept user {node.user or 'of this machine'}{key}; check "
            "ansible_user and ansible_ssh_private_key_file, and authorized_keys on the host"
        )
    if "not found in known_hosts" in str(error):
        return (
            f"the SSH host key of {where} is not in known_hosts, and unknown keys are refused; "
            f"compare it with the host's own and add it: ssh-keyscan {node.address}"
        )
    if isinstance(error, socket.gaierror):
        return f"the name {node.address} can't be resolved; check ansible_host in the inventory"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer within {CONNECT_SECONDS} s; check that the host is up"
    if isinstance(error, NoValidConnectionsError):
        # Its own text has "[Errno None]"; each address that was tried has a cause.
        error = next(iter(error.errors.values()))
    cause = (getattr(error, "strerror", None) or str(error)).lower() or type(error).__name__
    return f"no SSH connection to {where}: {cause}; check that the host is up and sshd runs"


def on_all(remotes: Mapping[str, Remote], action: Callable[[Remote], Answer]) -> Outcomes[Answer]:
    """Do one thing on every node at once; one node's fault is its own."""
    outcomes: Outcomes[Answer] = Outcomes()

    def one(name: str, remote: Remote) -> None:
        try:
            outcomes.answers[name] = action(remote)
        except OperationError as error:
            outcomes.faults[name] = str(error)

    with ThreadPoolExecutor(max_workers=min(MAXIMUM_PARALLEL, max(1, len(remotes)))) as pool:
        for done in [pool.submit(one, name, remote) for name, remote in remotes.items()]:
            done.result()
    return outcomes


def ask(remote: Remote, request: AgentRequest) -> NodeReport:
    """Have a node's agent do something and tell what the node is after it."""
    answer = remote.run(agent_command(type(request)), request.model_dump_json().encode())
    try:
        return NodeReport.model_validate_json(answer)
    except ValidationError as error:
        raise OperationError(
            f"it answered '{request.verb}' in a way that this release doesn't know; run make deploy"
        ) from error


def ask_all(remotes: Mapping[str, Remote], request: AgentRequest) -> Outcomes[NodeReport]:
    """Ask the same of every node at once."""
    return on_all(remotes, lambda remote: ask(remote, request))
