"""A locustfile for tests: two pages of the bundled target, and one that counts as failed."""

from locust import FastHttpUser, constant_throughput, task


class Visitor(FastHttpUser):
    wait_time = constant_throughput(20)

    @task(8)
    def home(self) -> None:
        self.client.get("/")

    @task(2)
    def missing(self) -> None:
        with self.client.get("/missing", catch_response=True) as response:
            response.failure("no such article")
