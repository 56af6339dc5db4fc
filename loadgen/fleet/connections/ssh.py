"""SSH to the nodes of a fleet: one connection a node, all nodes at once, a result or a fault each.

Fabric's connections are carried by OpenSSH (`loadgen.fleet.connections.openssh`), with the words
that Ansible would give it, so that both get to the same hosts in the same way.
"""

import resource
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, NoReturn, TypeVar

from loadgen.fleet.connections.sessions import LoginError, Session
from loadgen.fleet.connections.ssh_faults import explain, resolved
from loadgen.fleet.inventory import Node
from loadgen.fleet.requests import (
    AgentAnswer,
    AgentRequest,
    Collect,
    Give,
    NodeReport,
    Take,
    framed,
)
from loadgen.node.settings import SOFTWARE
from loadgen.shared.errors import OperationError, UsageError
from loadgen.shared.text import require_few_values

CALL_SECONDS = 60.0
ANSWER_SECONDS_MAX = 60.0
"""An answer that has begun is whole after so long: a byte now and then would hold a verb up."""
SLOW_SECONDS, BYTES_A_SECOND_MIN = 600.0, 64 << 10
"""A file of any length may take so long, and beyond that as long as it has at this pace."""
ANSWER_BYTES_MAX, ANSWER_VALUES_MAX = 16 << 20, 200_000
SAID_BYTES_MAX = 1 << 16
"""Of errors, and of what comes before a command begins, the newest so much is kept."""
MAXIMUM_PARALLEL = 64
DESCRIPTORS_A_HOST = 8
"""The pipes of the process that logged in, of an agent's, and of a command's beside it."""
SPARE_DESCRIPTORS = 200
BROKEN = 255
"""The exit status of ssh itself."""
MULTIPLEXER = (
    "mux_client",
    "client_loop",
    "Shared connection",
    "Connection to",
    "Connection reset",
)
PYTHON = f"{SOFTWARE}/venv/bin/python -B -E"
"""It writes no bytecode, and takes no modules from where a login's environment says."""
UNDEPLOYED = "echo 'loadgen is not deployed on that host; run loadgen deploy' >&2; exit 3"
Answer = TypeVar("Answer")


def in_release(command: str) -> list[str]:
    """Return a command that runs where `loadgen` can be imported."""
    return ["sh", "-c", f"cd {SOFTWARE}/current 2>/dev/null || {{ {UNDEPLOYED}; }}; exec {command}"]


def agent_command(kind: type[Collect | Give]) -> list[str]:
    """Return the command for a verb whose answer is a tar."""
    return in_release(f"{PYTHON} -m loadgen.fleet.agent {kind.verb}")


AGENT = in_release(f"{PYTHON} -m loadgen.fleet.agent serve")


@dataclass
class Outcomes(Generic[Answer]):
    """What came of one thing done on many nodes: an answer, or one sentence, for each."""

    answers: dict[str, Answer] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


class Remote:
    """One node, reached over SSH as the inventory says; commands run there as root."""

    def __init__(self, node: Node) -> None:
        # Fabric takes half a second to import, and a mistake that is typed doesn't need it.
        from loadgen.fleet.connections.openssh import Connection  # noqa: PLC0415

        self.node = node
        self._connection = Connection(node)
        self._agent: Conversation | None = None
        self._asking = threading.Lock()

    def open(self) -> None:
        """Connect. OperationError: one sentence that tells what is wrong."""
        try:
            self._connection.open()
        except LoginError as error:
            raise OperationError(explain(self.node, str(error), resolved(self.node))) from error
        except OSError as error:
            raise OperationError(
                f"{error.filename or 'ssh'} can't be started: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Disconnect; safe at any time."""
        self._hang_up()
        self._connection.close()

    def ask(self, content: bytes, timeout: float, more: Iterable[bytes] = ()) -> bytes:
        """Send the agent one request, with what follows it; return its answer, one line.

        One agent answers all requests of this connection, for starting one takes as long as a
        dozen answers. OperationError: as for `run`.
        """
        with self._asking:
            self.open()
            if self._agent is not None and self._agent.is_over:
                self._hang_up()
            if self._agent is None:
                self._agent = Conversation(self.node, self._connection.create_session())
            try:
                return self._agent.ask(content, timeout, more)
            except BaseException as error:
                # The next thing that it sends would be taken for the answer to this request.
                self._hang_up()
                if isinstance(error, TimeoutError):
                    raise self._silent(timeout) from error
                raise

    def _hang_up(self) -> None:
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.close()

    def _silent(self, seconds: float) -> OperationError:
        return OperationError(
            f"{self.node.address} sent nothing for {seconds:.0f} s; the host may be overloaded "
            "or cut off: check that host, then repeat the command"
        )

    def run(
        self,
        command: Sequence[str],
        stdin: bytes = b"",
        timeout: float = CALL_SECONDS,
        more: Iterable[bytes] = (),
    ) -> bytes:
        """Run a command as root and return its output.

        OperationError: it failed, hung, or said more, or for longer, than an answer has.
        """
        answer = AnswerInParts(self.node)
        for chunk in self.stream(command, stdin, timeout, more):
            answer.add(chunk)
        return bytes(answer.content)

    def stream(
        self,
        command: Sequence[str],
        stdin: bytes = b"",
        timeout: float = CALL_SECONDS,
        more: Iterable[bytes] = (),
    ) -> Iterator[bytes]:
        """Run a command as root and yield its output as it comes.

        `timeout` is the longest silence in seconds. What is secret goes through `stdin`, and what
        is long comes after it, piece by piece.
        """
        self.open()
        session = self._connection.create_session()
        try:
            session.exec_command(self.node.start)
            line = f"{shlex.join(command)}\n".encode()
            yield from Rooted(self.node, session, timeout).output(line + stdin, more)
        except TimeoutError as error:
            raise self._silent(timeout) from error
        finally:
            session.close()


class Rooted:
    """A session that becomes root, answering a prompt if there is one, and runs one command."""

    def __init__(self, node: Node, session: Session, timeout: float) -> None:
        self._node, self._session, self._timeout = node, session, timeout
        self._errors = bytearray()
        self._has_started = False
        self._was_asked = False

    def output(
        self, content: bytes, more: Iterable[bytes] = (), last: bool = True
    ) -> Iterator[bytes]:
        """Send both once root, yield what comes. OperationError: it failed. TimeoutError.

        After the `last` that is sent the command's input is closed.
        """
        before, latest = bytearray(), time.monotonic() + self._timeout
        marker = f"{self._node.started}\n".encode()
        for is_error, chunk in self._session.receive(self._timeout):
            if is_error:
                self._errors = (self._errors + chunk)[-SAID_BYTES_MAX:]
            elif self._has_started:
                yield chunk
                continue
            else:
                before = (before + chunk)[-SAID_BYTES_MAX:]
            if self._has_started:
                continue
            self._answer_prompt(self._errors if is_error else before)
            if marker not in before and time.monotonic() > latest:
                raise TimeoutError
            if marker in before:
                self._has_started = True
                self._errors.clear()
                self._session.send(content, more, last)
                if rest := bytes(before.partition(marker)[2]):
                    yield rest
        if status := self._session.recv_exit_status():
            raise OperationError(self._failure(status))

    def _answer_prompt(self, said: bytearray) -> None:
        prompt = self._node.prompt.encode()
        if not prompt or prompt not in said:
            return
        said[:] = said.replace(prompt, b"")
        if self._was_asked:
            raise OperationError(
                f"{self._whose} can't become root on that host: sudo refuses the password "
                f"in ansible_become_password; correct it in Vault"
            )
        self._was_asked = True
        self._session.send(f"{self._node.become_password}\n".encode())

    @property
    def _whose(self) -> str:
        return f"user {self._node.user or 'of this machine'}"

    def _failure(self, status: int) -> str:
        said = self._errors.decode(errors="replace").strip()
        last = (said.splitlines() or ["it printed nothing"])[-1].strip()
        if status == BROKEN and (not said or last.startswith(MULTIPLEXER)):
            return (
                f"the SSH connection to {self._node.address} broke: {last}; check that the host "
                "is up"
            )
        if self._has_started:
            return last
        return (
            f"{self._whose} can't become root on that host ({last}); allow it in sudoers, or set "
            "ansible_become_password in Vault"
        )


class Conversation:
    """One agent on a node, which answers one request after another, a line each."""

    def __init__(self, node: Node, session: Session) -> None:
        self._node, self._session = node, session
        self._output: Iterator[bytes] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the agent has ended, or the way to it has."""
        return self._output is not None and self._session.exit_status_ready()

    def ask(self, content: bytes, timeout: float, more: Iterable[bytes]) -> bytes:
        """Return the answer to one request. OperationError, or TimeoutError after a silence."""
        if self._output is None:
            self._session.exec_command(self._node.start)
            first = f"{shlex.join(AGENT)}\n".encode() + content
            rooted = Rooted(self._node, self._session, timeout)
            self._output = rooted.output(first, more, last=False)
        else:
            self._session.timeout = timeout
            self._session.send(content, more)
        answer = AnswerInParts(self._node)
        while not answer.content.endswith(b"\n"):
            chunk = next(self._output, b"")
            if not chunk:
                raise OperationError(
                    "loadgen's agent on that host ended without an answer; repeat the command"
                )
            answer.add(chunk)
        return bytes(answer.content)

    def close(self) -> None:
        """End the agent, which gets a closed input."""
        self._session.close()


class AnswerInParts:
    """An answer as it comes, within a bound of bytes, and of time from its first one."""

    def __init__(self, node: Node) -> None:
        self.content = bytearray()
        self._node = node
        self._began: float | None = None

    def add(self, chunk: bytes) -> None:
        """Take a part. OperationError: it is more, or takes longer, than an answer has."""
        self._began = time.monotonic() if self._began is None else self._began
        self.content += chunk
        if len(self.content) > ANSWER_BYTES_MAX:
            self._refuse(f"answered more than {ANSWER_BYTES_MAX >> 20} MiB")
        if time.monotonic() - self._began > ANSWER_SECONDS_MAX:
            self._refuse(f"has been answering for more than {ANSWER_SECONDS_MAX:.0f} s")

    def _refuse(self, what: str) -> NoReturn:
        raise OperationError(
            f"{self._node.address} {what}: that host may have been taken over; check that host"
        )


def require_pace(node: Node, began: float, size: int) -> None:
    """OperationError: a file came so slowly that it may never end; `began` is a monotonic time."""
    seconds = time.monotonic() - began
    if seconds > SLOW_SECONDS + size / BYTES_A_SECOND_MIN:
        raise OperationError(
            f"{node.address} sent {size >> 10:,} KiB in {seconds / 60:.0f} minutes, "
            f"and is still sending: the host is overloaded, its network is slow, or "
            f"it may have been taken over; check that host"
        )


def on_all(remotes: Mapping[str, Remote], action: Callable[[Remote], Answer]) -> Outcomes[Answer]:
    """Do one thing on every node at once; one node's fault is its own."""
    allow_descriptors(len(remotes))
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


def allow_descriptors(hosts: int) -> None:
    """Let this process hold connections to so many hosts. UsageError: the system doesn't."""
    needed = hosts * DESCRIPTORS_A_HOST + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(
            f"{hosts} hosts need {needed:,} open files on this machine, but it allows only"
            f" {hard:,}: raise"
            " nofile in /etc/security/limits.conf, or LimitNOFILE of the unit that runs this"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def ask(
    remote: Remote,
    request: AgentRequest,
    more: Iterable[bytes] = (),
    timeout: float = CALL_SECONDS,
) -> NodeReport:
    """Have a node's agent do something and tell what the node is after it.

    `more` follows the request, piece by piece. OperationError: what the agent says, one sentence.
    """
    line = f"{request.verb} {request.model_dump_json()}\n".encode()
    answer = remote.ask(line, timeout, framed(more) if isinstance(request, Take) else ())
    try:
        said = AgentAnswer.model_validate_json(require_few_values(answer, ANSWER_VALUES_MAX))
    except ValueError as error:
        raise OperationError(
            f"it answered '{request.verb}' with data that this release of loadgen can't "
            f"read; run loadgen deploy"
        ) from error
    if said.report is None:
        raise OperationError(
            (said.fault.strip().splitlines() or ["it printed nothing"])[-1].strip()
        )
    return said.report


def ask_all(remotes: Mapping[str, Remote], request: AgentRequest) -> Outcomes[NodeReport]:
    """Ask the same of every node at once."""
    return on_all(remotes, lambda remote: ask(remote, request))
