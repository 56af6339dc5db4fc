"""The master's end of `loadgen.node.control`: answers requests inside Locust's process."""

import json

import gevent
import zmq
import zmq.green
from locust.env import Environment
from locust.runners import Runner
from locust.web import WebUI

from loadgen.node.control import REQUESTS


class ControlServer:
    """Answers control requests inside a master, in a greenlet of its own."""

    def __init__(self, runner: Runner, web_ui: WebUI | None, endpoint: str) -> None:
        self._runner = runner
        self._web_ui = web_ui
        self._socket: zmq.Socket[bytes] = zmq.green.Context.instance().socket(zmq.REP)
        self._socket.bind(endpoint)

    def start(self) -> None:
        """Begin to answer."""
        gevent.spawn(self._serve)

    def _serve(self) -> None:
        while True:
            message = self._socket.recv()
            try:
                answer = self._answer(json.loads(message).get("command"))
            except (ValueError, AttributeError):
                answer = {"error": f"a request is a JSON object with one of {REQUESTS}"}
            self._socket.send_json(answer)

    def _answer(self, command: object) -> dict[str, str]:
        if command == "stop":
            gevent.spawn(self.stop)
        elif command == "quit":
            gevent.spawn(self.quit)
        elif command != "status":
            return {"error": f"unknown command {command!r}: one of {', '.join(REQUESTS)}"}
        return {"state": self._runner.state}

    def stop(self) -> None:
        """Stop the load."""
        self._runner.stop()

    def quit(self) -> None:
        """Stop, and end the web UI: Locust follows, and writes its reports."""
        self._runner.stop()
        self._runner.quit()
        if self._web_ui:
            self._web_ui.stop()


def install(environment: Environment, endpoint: str) -> None:
    """Start the server of a master; call it on Locust's `init` event."""
    if environment.runner is None:
        raise TypeError(
            "control can be installed only in a master: call install() on its `init` event"
        )
    ControlServer(environment.runner, environment.web_ui, endpoint).start()
