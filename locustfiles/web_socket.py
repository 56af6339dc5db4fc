"""Users of a WebSocket: they connect, ask five times, hear a message and leave.

Rows of the statistics: `WS connect` is the time to connect, `WS ask` the time from a message to its
answer, and `WS receive` the time spent waiting for a message.
"""

from locust import between, task

from loadgen.scenario import WebSocketUser

SIMULATOR = "streams"


class TalkUser(WebSocketUser):
    """Talks to a service that answers each message."""

    wait_time = between(0.5, 1)

    @task
    def talk(self) -> None:
        with self.connect("/echo") as channel:
            for number in range(5):
                said = f"message {number}"
                channel.ask(said, is_answer=said.__eq__)

    @task
    def hear_prices(self) -> None:
        with self.connect("/prices") as channel:
            channel.receive()
