"""Master, exporter and Prometheus are killed during load; what Prometheus then says is true."""

import signal
import time
from pathlib import Path

import pytest

from loadgen.watch import monitoring
from loadgen.watch.endpoints import Ports
from tests.faults.record import Outcome
from tests.monitoring.cluster import Cluster
from tests.monitoring.prometheus_api import Prometheus
from tests.monitoring.test_exporter import Exporter
from tests.ports import free_port
from tests.waiting import await_

pytestmark = pytest.mark.usefixtures("prometheus_package")


class Site:
    """A cluster, an exporter and a Prometheus, each of which can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cluster = Cluster(directory)
        self.ports = Ports(*(free_port() for _ in range(5)))
        self.prometheus = Prometheus(self.ports.prometheus)
        self.exporters: list[Exporter] = []

    def start_exporter(self) -> Exporter:
        state = ("--state", str(self.directory / "exporter.state"))
        listen = ("--listen", f"127.0.0.1:{self.ports.exporter}")
        self.exporters.append(Exporter(self.directory, *state, *listen))
        self.exporters[-1].port = self.ports.exporter
        return self.exporters[-1]

    def start_load(self) -> None:
        """Start master, worker and load; returns when Prometheus sees requests grow."""
        self.cluster.start_master()
        self.cluster.start_worker()
        await_(self.cluster.web_is_up, "the web UI")
        ready = 'locust_workers{state="ready"} == 1'
        await_(lambda: self.prometheus.samples(ready), "a worker in Prometheus")
        self.cluster.post("/swarm", user_count=5, spawn_rate=5)
        self.await_growth()

    def await_growth(self) -> None:
        growing = "sum(rate(locust_requests_total[3s])) > 10"
        await_(lambda: self.prometheus.samples(growing), "requests in Prometheus")

    def end(self) -> None:
        self.cluster.end()
        for exporter in self.exporters:
            exporter.process.kill()
            exporter.process.communicate()


def kill_cluster(cluster: Cluster) -> None:
    for process in cluster.processes:
        process.send_signal(signal.SIGKILL)
        process.wait()
    cluster.processes.clear()


@pytest.mark.fault(
    "Processes", "Master and workers, then the exporter, and then Prometheus are killed (SIGKILL)."
)
def test_no_counter_goes_backwards_no_worker_stays_and_gaps_are_gaps(
    tmp_path: Path, outcome: Outcome
) -> None:
    site = Site(tmp_path)
    prometheus = monitoring.prometheus(tmp_path / "tsdb", site.ports, 1)
    began = time.time()
    try:
        with prometheus as process:
            site.start_exporter()
            site.start_load()

            kill_cluster(site.cluster)
            await_(lambda: site.prometheus.value("locust_up") == 0, "the master's death")
            site.start_load()
            await_(lambda: site.prometheus.value("locust_up") == 1, "the master's return")
            (worker,) = site.prometheus.samples("locust_worker_users")
            assert worker["metric"]["worker"].endswith("_0")

            exporter = site.exporters[-1]
            exporter.process.kill()
            exporter.process.wait()
            await_(lambda: site.prometheus.value('up{job="locust"}') == 0, "the exporter's death")
            assert site.prometheus.samples("locust_users") == []
            site.start_exporter()
            site.await_growth()
            process.kill()
        with monitoring.prometheus(tmp_path / "tsdb", site.ports, 1):
            site.await_growth()
            seconds = f"{int(time.time() - began) + 1}s"
            resets = site.prometheus.samples(f"max(resets(locust_requests_total[{seconds}]))")
            assert float(resets[0]["value"][1]) == 0
            for name in ("/page", "/broken"):
                selector = f'locust_requests_total{{name="{name}"}}'
                first = site.prometheus.value(f"min_over_time({selector}[{seconds}])")
                now = site.prometheus.value(f"last_over_time({selector}[10s])")
                grown = site.prometheus.value(f"increase({selector}[{seconds}])")
                assert first is not None
                assert now is not None
                assert grown is not None
                # increase() extrapolates to the window's edges; a reset would add all of `now`.
                assert grown < (now - first) * 1.25 + 5
            assert site.prometheus.samples(f'min_over_time(up{{job="locust"}}[{seconds}]) == 0')
            outcome(
                "No counter decreases, no lost worker is still shown, and graphs have a gap while "
                "data is missing."
            )
    except BaseException:
        print(site.cluster.logs())
        raise
    finally:
        site.end()
