"""Hello, world: every user asks for one small page each second. A file to copy and change."""

from locust import constant_pacing, task

from loadgen.scenario import FastUser


class HelloUser(FastUser):
    """Asks for /hello once a second."""

    wait_time = constant_pacing(1)

    @task
    def hello(self) -> None:
        """Ask, and look at the answer, not only at its status."""
        with self.client.get("/hello", catch_response=True) as response:
            if response.ok and not response.text:
                response.failure("the page is empty")
