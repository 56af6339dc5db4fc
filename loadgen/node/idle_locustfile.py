"""What a fleet's web UI offers before the first run has brought a scenario: one small page."""

from locust import constant_pacing, task

from loadgen.scenario.http import FastUser


class HelloUser(FastUser):
    """Asks for /hello once a second."""

    wait_time = constant_pacing(1)

    @task
    def hello(self) -> None:
        """Ask for the page."""
        self.client.get("/hello")
