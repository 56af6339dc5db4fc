"""Keeps one bad worker from taking the master down.

Locust's listener ends with the first message it can't read or didn't expect, and the master is deaf
from then on; a message of a wrong shape breaks the statistics of all workers. Here such messages
are dropped, and the log names the worker and the key it came under. A worker may report only about
itself: a message that names another sender is dropped too. So is a message with a key that is no
longer admitted, although its connection is still open. What a message may make the master keep is
bounded, for the key it came under and for all of them (`message_bounds`).
"""

import logging
from collections import Counter
from collections.abc import Container
from typing import Any

import gevent
import msgpack
import zmq
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import Message, zmqrpc
from locust.rpc.protocol import decode
from locust.runners import MasterRunner

from loadgen.node.channel import AdmittedKeys
from loadgen.node.message_bounds import Bounds, forget_old_seconds
from loadgen.node.message_shapes import SHAPES, fault, make_names_text
from loadgen.shared.text import indented

logger = logging.getLogger(__name__)
CONTAINERS_MAX = 200_000
DROPS_LOGGED = 10
MESSAGES_AT_A_TIME = 100
WITHOUT_DATA = frozenset({"client_stopped", "spawning", "quit"})
"""Locust's own messages whose data nobody reads."""


class PlainRecord(logging.LogRecord):
    """A line of the master's log, in which a worker's text can't look like another line.

    Locust logs ids and versions as workers send them.
    """

    def getMessage(self) -> str:  # noqa: N802 - logging's own name
        """Return the message with escape sequences as codes, its later lines set in."""
        return indented(super().getMessage())


class OwnedMessage(Message):
    """A message with the name under which the sender's key is admitted."""

    def __init__(self, owner: str, *fields: object) -> None:
        super().__init__(*fields)  # type: ignore[no-untyped-call]
        self.owner = owner


class Guard:
    """Reads and judges what comes in; one for each process."""

    def __init__(self, admitted: AdmittedKeys) -> None:
        self._admitted = admitted
        self._bounds = Bounds()
        self._drops: Counter[tuple[str, str]] = Counter()
        self._received = 0

    def receive(self, socket: zmqrpc.BaseSocket) -> tuple[str, Message]:
        """Return the next message and its sender's address. RPCReceiveError: it was dropped."""
        self._received += 1
        if self._received % MESSAGES_AT_A_TIME == 0:
            # A socket that always has a message never yields, and the rest of the master would
            # stand still.
            gevent.sleep(0)
        try:
            frames = socket.socket.recv_multipart(copy=False)
        except zmq.ZMQError as error:
            raise RPCError("ZMQ network broken") from error
        key = user_id(frames[-1])
        owner = self._admitted.owner(key)
        if owner is None:
            raise RPCReceiveError(
                f"the message came with the key of {key[:40]!r}, which is no longer admitted"
            )
        try:
            address, packed = (bytes(frame.buffer) for frame in frames)
            return address.decode(), OwnedMessage(owner, *unpack(packed))
        # Locust's own decoder raises bare exceptions. Without an address in the error Locust goes
        # on with the next message, which is what is right.
        except Exception as error:
            raise RPCReceiveError(
                f"the message of a worker of {owner} can't be read ({type(error).__name__})"
            ) from error

    def refusal(self, client_id: str, message: Message, more: Container[str] = ()) -> str | None:
        """Return why a message is dropped; None when it may be handled.

        `more` are the types of messages that the locustfile listens for.
        """
        if message.node_id != client_id:
            return "it names another worker as its sender"
        wrong = fault(message.type, message.data)
        if wrong:
            return f"malformed: {wrong}"
        if message.type == "logs" and message.data["worker_id"] != client_id:
            return "it brings logs that name another worker"
        if message.type not in SHAPES and message.type not in WITHOUT_DATA:
            return None if message.type in more else "nobody listens for this type"
        return self._bounds.refusal(owner_of(message), client_id, message.type, message.data)

    def bound(self, message: Message, runner: MasterRunner) -> None:
        """Hold what the master will keep of a message to its bounds."""
        self._bounds.apply(owner_of(message), message.type, message.data, runner)

    def drop(self, client_id: str, message: Message, reason: str) -> None:
        """Log a dropped message; a key that goes on, under ever new ids, isn't given the disk."""
        kind = owner_of(message), reason.partition(":")[0]
        self._drops[kind] += 1
        count = self._drops[kind]
        if count > DROPS_LOGGED and count & (count - 1):
            return
        logger.warning(
            "Dropped a %.40r message of worker %r of %s: %s (%d of its key dropped so far)",
            message.type,
            client_id,
            owner_of(message),
            reason,
            count,
        )


def owner_of(message: Message) -> str:
    """Return the name under which the sender's key is admitted."""
    return message.owner if isinstance(message, OwnedMessage) else "nobody"


def unpack(packed: bytes) -> list[object]:
    """Read a message as Locust does. ValueError, or Locust's bare ones: it can't be read.

    A byte can become a list, and sixty million lists take half a minute and gigabytes: their
    number is bounded, as the message's size is.
    """
    left = CONTAINERS_MAX

    def counted(container: Any) -> Any:  # noqa: ANN401  msgpack's containers hold anything
        nonlocal left
        left -= 1
        if not left:
            raise ValueError(f"it has more than {CONTAINERS_MAX} lists and maps")
        return decode(container) if isinstance(container, dict) else container

    read: list[object] = msgpack.loads(
        packed, strict_map_key=False, object_hook=counted, list_hook=counted
    )
    return read


def user_id(frame: zmq.Frame) -> str:
    """Return the name that the ZAP handler gave the sender; empty without one."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""


def install(admitted: AdmittedKeys) -> None:
    """Guard every master in this process, and its log; call before a runner is made."""
    logging.setLogRecordFactory(PlainRecord)
    guard = Guard(admitted)
    handle = MasterRunner.handle_message

    def receive_readable(self: zmqrpc.BaseSocket) -> tuple[str, Message]:
        return guard.receive(self)

    def handle_guarded(self: MasterRunner, client_id: str, msg: Message) -> None:
        reason = guard.refusal(client_id, msg, self.custom_messages)
        if reason:
            guard.drop(client_id, msg, reason)
            return
        if msg.type == "stats":
            make_names_text(msg.data)
        guard.bound(msg, self)
        try:
            handle(self, client_id, msg)
            if msg.type == "stats":
                forget_old_seconds(msg.data, self.stats)
        except Exception as error:
            guard.drop(client_id, msg, f"malformed: {type(error).__name__}: {error}")

    zmqrpc.BaseSocket.recv_from_client = receive_readable  # type: ignore[method-assign]
    MasterRunner.handle_message = handle_guarded  # type: ignore[method-assign]
