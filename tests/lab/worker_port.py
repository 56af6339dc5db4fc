"""Speaking to the master's worker port as a worker would, from a network namespace of the lab."""

import json
import re
import subprocess
import sys

from tests.lab.fleet import INVENTORY, MASTER, PROJECT

SPEAK = """
import json, sys
from importlib.metadata import version
import msgpack, zmq
address, server_key, *pair = sys.argv[1:]
version = version("locust")
with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
    socket.setsockopt(zmq.IDENTITY, b"stranger")
    socket.linger = 0
    if server_key:
        keys = (key.encode() for key in pair) if pair else zmq.curve_keypair()
        socket.curve_publickey, socket.curve_secretkey = keys
        socket.curve_serverkey = server_key.encode()
    socket.connect(f"tcp://{address}:5557")
    asked = {"client_ready": version, "locustfile": {"version": version}, "quit": None}
    for kind, data in asked.items():
        socket.send(msgpack.packb((kind, data, "stranger")))
    answers = 0
    while socket.poll(2000):
        answers += bool(socket.recv())
    print(json.dumps(answers))
"""


def run_in(namespace: str, script: str, *words: str) -> str:
    """Run Python in a network namespace; return its output."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", script, *words]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=200, cwd=PROJECT
    ).stdout


def answers(namespace: str, server_key: str = "", pair: tuple[str, ...] = ()) -> int:
    """How many answers the master gives; in the clear, or under CURVE with that or a new pair."""
    said: int = json.loads(run_in(namespace, SPEAK, MASTER, server_key, *pair))
    return said


def key_pair(name: str) -> tuple[str, str]:
    """Return the public and secret key that the controller keeps for a host now."""
    text = (INVENTORY / ".secrets" / "channel" / f"{name}.key_secret").read_text()
    public, secret = re.findall(r'-key = "(.+)"', text)
    return public, secret
