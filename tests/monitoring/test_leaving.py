"""Workers that leave during a test, one quickly and one slowly: not one request is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitoring.cluster import Cluster, Listener, running
from tests.monitoring.test_publisher import requests
from tests.waiting import await_

PLUGIN = Path(__file__).with_name("plugin_leaving.py")
OPTIONS = ("--enable-rebalancing", "--stop-timeout", "10")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running(tmp_path, 3, PLUGIN, OPTIONS) as cluster:
        yield cluster


def test_a_worker_that_is_leaving_takes_no_users_of_one_that_left_before(cluster: Cluster) -> None:
    with Listener(cluster.settings.publisher_endpoint) as listener:
        cluster.post("/swarm", user_count=9, spawn_rate=9)
        listener.await_(lambda s: s.users == 9 and requests(s) > 30, "requests from all users")
        for process in cluster.processes[1:3]:
            process.terminate()
        for process in cluster.processes[1:3]:
            await_(lambda p=process: p.poll() is not None, "the leaving")  # type: ignore[misc]
        listener.await_(lambda s: s.users == 9, "the users of both on the worker that stays")
        cluster.stop()
        final = listener.await_(lambda s: s.final, "the last statistics")

    assert final.workers_lost == 0
    print(cluster.logs())
    counted = requests(final) + sum(entry.requests for entry in final.entries_after)
    assert counted == (cluster.directory / "received").stat().st_size
