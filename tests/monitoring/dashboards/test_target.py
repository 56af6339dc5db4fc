"""The target beside the load: Debian's node_exporter and postgres_exporter under a Prometheus."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from loadgen.results.page.report_charts import charts
from loadgen.results.statistics_file import Record
from loadgen.results.timeline import Point
from loadgen.runs.target_cpu import target_cpu
from loadgen.shared.errors import OperationError
from loadgen.watch import monitoring
from loadgen.watch.endpoints import Ports
from tests.monitoring.cluster import ROOT
from tests.monitoring.dashboards.grafana_view import View
from tests.monitoring.prometheus_api import Prometheus
from tests.ports import free_port
from tests.waiting import await_

PACKAGES = ("postgresql", "prometheus-postgres-exporter")
USER = "postgres"


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a database server on loopback; yields its address as libpq has it."""
    (programs,) = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    owner, port = pwd.getpwnam(USER), free_port()
    place = Path(tempfile.mkdtemp(prefix="target-database-"))
    os.chown(place, owner.pw_uid, owner.pw_gid)
    as_owner = {"user": USER, "group": owner.pw_gid, "cwd": place, "stdin": subprocess.DEVNULL}
    initdb = [programs / "initdb", "--no-sync", "--auth=trust", "-D", place / "data"]
    subprocess.run(initdb, check=True, capture_output=True, **as_owner)  # type: ignore[call-overload]
    options = ["-p", str(port), "-k", str(place), "-c", "listen_addresses=127.0.0.1"]
    with (place / "log").open("wb") as log:
        server = subprocess.Popen(  # type: ignore[call-overload]
            [programs / "postgres", "-D", place / "data", *options, "-c", "fsync=off"],
            stdout=log,
            stderr=log,
            **as_owner,
        )
    try:
        yield f"postgresql://{USER}@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def seen(
    prometheus_package: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    """Prometheus that has seen the target for some scrapes."""
    subprocess.run([ROOT / "tests" / "install-packages", *PACKAGES], check=True)
    directory = tmp_path_factory.mktemp("target")
    ports = Ports(*(free_port() for _ in range(5)))
    node, database = free_port(), free_port()
    targets = [f"127.0.0.1:{node}", f"127.0.0.1:{database}"]
    with ExitStack() as stack:
        address = stack.enter_context(postgresql())
        running = monitoring.node_exporter(directory, node)
        assert running is not None
        stack.enter_context(running)
        command = ["prometheus-postgres-exporter", f"--web.listen-address=127.0.0.1:{database}"]
        log, environment = directory / "postgres_exporter.log", {"DATA_SOURCE_NAME": address}
        stack.enter_context(
            monitoring.process("The postgres exporter", command, log, database, environment)
        )
        stack.enter_context(monitoring.prometheus(directory, ports, 1, targets))
        prometheus = Prometheus(ports.prometheus)
        scrapes = 'min(count_over_time(up{job="target"}[1m] @ end())) > 4'
        up = f'count(up{{job="target"}} == 1) == {len(targets)} and on () ({scrapes})'
        await_(lambda: prometheus.samples(up), "five scrapes of the target", 40.0)
        yield prometheus


@pytest.mark.parametrize(
    ("panel", "lines"),
    [
        ("Target: CPU", {"127.0.0.1"}),
        ("Target: memory", {"127.0.0.1"}),
        ("Target: database", {"postgres committed", "postgres rolled back"}),
    ],
)
def test_the_targets_row_shows_what_debians_exporters_say(
    seen: Prometheus, panel: str, lines: set[str]
) -> None:
    now = time.time()
    view = View(seen, "run", now - 60, now, 1, {"fleet": "local"})
    shown = view.series(panel)
    assert lines <= shown.keys()
    values = [value for line in lines for _, value in shown[line]]
    assert values
    assert all(0 <= value <= 1 for value in values) or panel == "Target: database"


def test_the_databases_connections_are_counted_by_state(seen: Prometheus) -> None:
    now = time.time()
    view = View(seen, "run", now - 60, now, 1, {"fleet": "local"})
    active = view.series("Target: database connections")["active"]
    assert max(value for _, value in active) >= 1


def test_the_targets_cpu_is_under_the_response_time_in_the_report(seen: Prometheus) -> None:
    end = time.time()
    (host,) = target_cpu({"LOADGEN_PROMETHEUS_URL": seen.url}, end - 20, end)
    assert host.host == "127.0.0.1"
    assert len(host.points) >= 3
    # Prometheus keeps times to the millisecond.
    assert all(end - 20.01 <= at <= end + 0.01 for at, _share in host.points)
    assert all(0 <= share <= 1 for _at, share in host.points)
    point = Point(end, 20.0, users=1, requests=1, failures=0, response_times={5.0: 1})
    drawn = charts(Record([], [point], target_cpu=[host]))
    assert [chart["id"] for chart in drawn[:2]] == ["response-times", "target-cpu"]
    assert '"label": "127.0.0.1"' in json.dumps(drawn[1]["series"])


def test_no_prometheus_is_a_sentence_and_none_asked_is_none() -> None:
    assert target_cpu({}, 0.0, 10.0) == []
    address = f"http://operator:s3cret@127.0.0.1:{free_port()}"
    with pytest.raises(
        OperationError, match="did not return the CPU usage of the target: URLError"
    ) as found:
        target_cpu({"LOADGEN_PROMETHEUS_URL": address}, 0.0, 10.0)
    assert "s3cret" not in str(found.value)
