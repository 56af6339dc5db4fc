"""The channel between master and workers: Locust's ZeroMQ sockets under CURVE.

Both ends prove who they are with Curve25519 keys (https://rfc.zeromq.org/spec/26/). The master
admits only the public keys in `workers/` of its keys directory, by a ZAP handler
(https://rfc.zeromq.org/spec/27/); the directory is read again when it changes, so a worker can be
added or shut out while a run is under way. A worker talks only to the holder of `master.key`.

    keys directory of a master   master.key_secret   workers/<node>.key
    keys directory of a worker   worker.key_secret   master.key
"""

import argparse
import logging
import sys
import time
from pathlib import Path

import zmq
import zmq.auth
from zmq.utils import z85

from loadgen.node.settings import Role

MASTER: Role = "master"
WORKER: Role = "worker"
ADMITTED_DIRECTORY = "workers"
_ZAP_ENDPOINT = "inproc://zeromq.zap.01"
_KEY_BYTES = 32
MAXIMUM_MESSAGE_BYTES = 16 * 1024 * 1024
LOOK_AGAIN_SECONDS = 1.0

logger = logging.getLogger(__name__)


def create_key_pair(directory: Path, name: str) -> None:
    """Write `<name>.key` (public) and `<name>.key_secret` (mode 0600) into the directory."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _, secret = zmq.auth.create_certificates(directory, name)
    Path(secret).chmod(0o600)


def load_public_key(path: Path) -> bytes:
    """Read a public key as Z85 bytes. Raises OSError or ValueError."""
    return zmq.auth.load_certificate(path)[0]


def load_key_pair(path: Path) -> tuple[bytes, bytes]:
    """Read a public and a secret key as Z85 bytes. Raises OSError or ValueError."""
    public, secret = zmq.auth.load_certificate(path)
    if secret is None:
        raise ValueError(f"{path} contains no secret key")
    return public, secret


def secure_server(socket: zmq.Socket[bytes], keys: Path) -> None:
    """Make a socket a CURVE server; call before it binds."""
    public, secret = load_key_pair(keys / f"{MASTER}.key_secret")
    socket.curve_server = True
    socket.curve_publickey = public
    socket.curve_secretkey = secret
    socket.setsockopt(zmq.ZAP_DOMAIN, b"loadgen")
    socket.setsockopt(zmq.MAXMSGSIZE, MAXIMUM_MESSAGE_BYTES)


def secure_client(socket: zmq.Socket[bytes], keys: Path) -> None:
    """Make a socket a CURVE client of the master; call before it connects."""
    public, secret = load_key_pair(keys / f"{WORKER}.key_secret")
    socket.curve_publickey = public
    socket.curve_secretkey = secret
    socket.curve_serverkey = load_public_key(keys / f"{MASTER}.key")


class AdmittedKeys:
    """The worker keys that a master admits: every `*.key` in a directory, kept current."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stamp: tuple[tuple[str, int], ...] | None = None
        self._names: dict[bytes, str] = {}
        self._looked_at = -LOOK_AGAIN_SECONDS

    def owner(self, user_id: str) -> str | None:
        """Return the name behind what `answer_zap` gave a connection, None once it is shut out.

        The directory is looked at once a second, as this is asked for every message.
        """
        name, _, key = user_id.partition(" ")
        now = time.monotonic()
        if now - self._looked_at >= LOOK_AGAIN_SECONDS:
            self._looked_at = now
            self._refresh()
        try:
            raw = z85.decode(key)
        except (ValueError, KeyError):
            return None
        # An unknown key may have been admitted a moment ago, so the list is read again.
        return name if (self._names.get(raw) or self.name_of(raw)) == name else None

    def name_of(self, key: bytes) -> str | None:
        """Return the name under which a raw 32-byte public key is admitted, or None."""
        self._refresh()
        return self._names.get(key)

    def _refresh(self) -> None:
        stamp = tuple(
            (path.name, path.stat().st_mtime_ns) for path in sorted(self._directory.glob("*.key"))
        )
        if stamp != self._stamp:
            self._names = {
                z85.decode(load_public_key(path)): path.stem
                for path in sorted(self._directory.glob("*.key"))
            }
            self._stamp = stamp


def answer_zap(request: list[bytes], admitted: AdmittedKeys) -> list[bytes]:
    """Answer one ZAP request: 200 with the worker's name, or 400. Pure but for the key files."""
    version, sequence, _domain, address, _identity, mechanism, *credentials = request
    wellformed = mechanism == b"CURVE" and [len(key) for key in credentials] == [_KEY_BYTES]
    name = admitted.name_of(credentials[0]) if wellformed else None
    if name is None:
        logger.warning(
            "Refused a connection to the worker port from %s, because its key is not admitted",
            address.decode("latin-1"),
        )
        return [version, sequence, b"400", b"unknown key", b"", b""]
    # Each message of the connection carries this user id: the name, and the key itself.
    user_id = b"%s %s" % (name.encode(), z85.encode(credentials[0]))
    return [version, sequence, b"200", b"OK", user_id, b""]


def serve_zap(socket: zmq.Socket[bytes], admitted: AdmittedKeys) -> None:
    """Answer ZAP requests until the socket closes; a key file that can't be read admits nobody."""
    while True:
        try:
            request = socket.recv_multipart()
        except zmq.ZMQError:
            return
        try:
            answer = answer_zap(request, admitted)
        except (OSError, ValueError):
            logger.exception("Could not read the admitted worker keys")
            answer = [request[0], request[1], b"500", b"keys unreadable", b"", b""]
        socket.send_multipart(answer)


def start_zap(context: zmq.Context[zmq.Socket[bytes]], keys: Path) -> None:
    """Start the ZAP handler of a context in a greenlet; call before a server socket binds."""
    # The command makes keys here too, without gevent.
    import gevent  # noqa: PLC0415

    socket = context.socket(zmq.REP)
    socket.bind(_ZAP_ENDPOINT)
    gevent.spawn(serve_zap, socket, AdmittedKeys(keys / ADMITTED_DIRECTORY))


def install(role: Role, keys: Path) -> None:
    """Put CURVE under Locust's sockets in this process; call before a runner is made.

    Locust creates its socket in `BaseSocket.__init__` and binds or connects it right after, with
    no hook between the two, so that method is wrapped.
    """
    from locust.rpc import zmqrpc  # noqa: PLC0415 - importing locust patches this process

    create = zmqrpc.BaseSocket.__init__

    def create_secured(self: zmqrpc.BaseSocket, sock_type: int, ipv4_only: bool) -> None:
        create(self, sock_type, ipv4_only)  # type: ignore[no-untyped-call]
        if role == MASTER:
            start_zap(self.socket.context, keys)
            secure_server(self.socket, keys)
        else:
            secure_client(self.socket, keys)

    zmqrpc.BaseSocket.__init__ = create_secured  # type: ignore[method-assign]


def main(arguments: list[str] | None = None) -> int:
    """Run `python -m loadgen.node.channel create DIRECTORY NAME...`."""
    parser = argparse.ArgumentParser(prog="python -m loadgen.node.channel", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser(
        "create", help="make key pairs, each in the files NAME.key and NAME.key_secret"
    )
    create.add_argument("directory", type=Path)
    create.add_argument("names", metavar="NAME", nargs="+")
    options = parser.parse_args(arguments)
    secrets = [options.directory / f"{name}.key_secret" for name in options.names]
    there = [str(path) for path in secrets if path.exists()]
    if there:
        parser.error(f"{there[0]} exists: remove it first")
    for name in options.names:
        create_key_pair(options.directory, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
