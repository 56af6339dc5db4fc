"""Users that listen to server-sent events, and users of a language model that streams its tokens.

Set SLOs by method: `SSE first` is the time to the first event or token, `SSE event` the time from
one to the next (its rate is events a second), and `SSE` the time of the whole stream.
"""

from locust import between, task

from loadgen.scenario import StreamUser

SIMULATOR = "streams"


class NewsUser(StreamUser):
    """Listens for a while to a stream that never ends by itself."""

    wait_time = between(0.5, 1)

    @task
    def listen_for_a_while(self) -> None:
        self.listen("/events", events_max=20, seconds_max=10)


class ModelUser(StreamUser):
    """Asks a model and reads its answer to the end."""

    wait_time = between(0.5, 1)

    @task
    def ask(self) -> None:
        question = {"stream": True, "messages": [{"role": "user", "content": "Speak."}]}
        self.listen("/v1/chat/completions", method="POST", json=question, ends_with="[DONE]")
