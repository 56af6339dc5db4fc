"""Any site's start page: every user asks for it once a second. For `experiments/capacity.yml`."""

from locust import constant_pacing, task

from loadgen.scenario import FastUser


class Visitor(FastUser):
    """Asks for the start page once a second."""

    wait_time = constant_pacing(1)

    @task
    def start_page(self) -> None:
        """Ask for /; a redirect is followed, as a browser does."""
        self.client.get("/", name="/")
