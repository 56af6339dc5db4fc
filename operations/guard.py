"""Keeps one bad worker from taking the master down.

Locust's listener ends with the first message it can't read or didn't expect, and the master is
deaf from then on; after an unreadable message of a known worker it handles the message before it
once more. Here such messages are dropped with one line in the log. A worker speaks for itself
only: a message that names another sender is dropped too.
"""

import logging

import msgpack
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import Message, zmqrpc
from locust.runners import MasterRunner

logger = logging.getLogger(__name__)
UNREADABLE = (ValueError, TypeError, IndexError, msgpack.UnpackException)


def install() -> None:
    """Guard every master in this process; call before a runner is made."""
    receive = zmqrpc.BaseSocket.recv_from_client
    handle = MasterRunner.handle_message

    def receive_readable(self: zmqrpc.BaseSocket) -> tuple[str, Message]:
        try:
            address, message = receive(self)  # type: ignore[no-untyped-call]
        except RPCReceiveError as error:
            # Without an address Locust goes on with the next message, which is what is right.
            raise RPCReceiveError(str(error)) from error
        except RPCError:
            raise
        except UNREADABLE as error:
            raise RPCReceiveError(f"unreadable message ({type(error).__name__})") from error
        return address, message

    def handle_guarded(self: MasterRunner, client_id: str, msg: Message) -> None:
        if msg.node_id != client_id:
            logger.warning("Dropped a message of worker %s in the name of another", client_id)
            return
        try:
            handle(self, client_id, msg)
        except Exception as error:
            logger.warning(
                "Dropped a malformed %.40r message of worker %s: %s", msg.type, client_id, error
            )

    zmqrpc.BaseSocket.recv_from_client = receive_readable  # type: ignore[method-assign]
    MasterRunner.handle_message = handle_guarded  # type: ignore[method-assign]
