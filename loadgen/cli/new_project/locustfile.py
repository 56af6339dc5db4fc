"""A scenario to start from: visitors of one site. Try it with `loadgen probe -f locustfile.py`."""

from locust import between, task

from loadgen.scenario import FastUser


class Visitor(FastUser):
    """Someone who reads the start page, and now and then another one."""

    wait_time = between(1, 3)

    @task(3)
    def read_the_start_page(self) -> None:
        """Ask for the start page; an answer that is not what it should be counts as a failure."""
        with self.client.get("/", catch_response=True) as response:
            if not response.ok:
                response.failure(f"the start page answered with status {response.status_code}")

    @task
    def read_another_page(self) -> None:
        """Ask for a page under one name, whichever it is."""
        self.client.get("/hello", name="another page")
