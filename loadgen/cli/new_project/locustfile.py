"""Visitors of a site, to be changed. Run `loadgen probe -f locustfile.py` to try each task once."""

from locust import between, task

from loadgen.scenario import FastUser


class Visitor(FastUser):
    """A visitor who reads the start page now and then."""

    wait_time = between(1, 3)

    @task(3)
    def read_the_start_page(self) -> None:
        """Request the start page. A response with an error status counts as a failure."""
        with self.client.get("/", catch_response=True) as response:
            if not response.ok:
                response.failure(f"the start page answered with status {response.status_code}")

    # Add a task for everything else that your visitors do. This one would run once for every three
    # times that the start page is read:
    # @task(1)
    # def read_the_news(self) -> None:
    #     self.client.get("/news/")
