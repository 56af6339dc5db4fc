"""A real master and real workers, heard through the publisher's socket."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgen.shared.snapshot import Snapshot
from tests.monitoring.cluster import Cluster, Listener, running
from tests.waiting import await_

FINAL_REPORT_SECONDS = (
    5.0  # loadgen.node.statistics.load_test's; importing it would import Locust into pytest
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def listener(cluster: Cluster) -> Iterator[Listener]:
    with Listener(cluster.settings.publisher_endpoint) as listener:
        yield listener


def requests(snapshot: Snapshot) -> int:
    return sum(entry.requests for entry in snapshot.entries)


def test_a_test_is_published_from_its_start_to_its_last_statistics(
    cluster: Cluster, listener: Listener
) -> None:
    mode = (cluster.directory / "publisher.sock").stat().st_mode
    assert stat.S_IMODE(mode) == 0o660
    idle = listener.await_(lambda s: s.state, "a snapshot")
    cluster.post("/swarm", user_count=10, spawn_rate=10)
    under_way = listener.await_(lambda s: requests(s) > 50, "requests")
    assert under_way.epoch != idle.epoch
    assert (under_way.users, under_way.users_target, under_way.final) == (10, 10, False)
    assert under_way.run_id.startswith("web-")
    assert under_way.host == "http://shop.test"
    assert all(abs(w.clock_offset_seconds or 0) < 5 for w in under_way.workers)

    cluster.post("/stats/reset")
    after = listener.await_(lambda s: s.epoch != under_way.epoch, "another epoch")
    assert requests(after) < requests(under_way)
    listener.await_(lambda s: requests(s) > 50, "requests after the reset")

    cluster.stop()
    final = listener.await_(lambda s: s.final, "the final snapshot")
    page, broken = (next(e for e in final.entries if e.name == n) for n in ("/page", "/broken"))
    assert page.response_times == {12.0: page.requests}
    assert page.response_time_total_ms == 12.0 * page.requests
    assert broken.failures == broken.requests == sum(e.occurrences for e in final.errors)
    assert final.test_stopped_at is not None
    # Told by the workers' own last reports, not by patience running out.
    assert final.time - final.test_stopped_at < FINAL_REPORT_SECONDS - 1
    settled = listener.await_(lambda s: len(s.workers) == 2, "workers ready again")
    assert requests(settled) == requests(final)
    assert all(w.requests_sent == w.requests_received for w in settled.workers)
    assert settled.workers_lost == 0


def test_a_killed_worker_is_lost_and_the_counts_of_the_rest_are_not(
    cluster: Cluster, listener: Listener
) -> None:
    cluster.post("/swarm", user_count=4, spawn_rate=10)
    listener.await_(lambda s: s.state == "running" and requests(s) > 10, "requests")
    cluster.processes[-1].kill()
    lost = listener.await_(lambda s: s.workers_lost, "the loss")
    assert [w.state for w in lost.workers].count("missing") == 1
    cluster.stop()
    final = listener.await_(lambda s: s.final, "the final snapshot")
    assert final.workers_lost == 1


def test_a_worker_that_hands_in_its_last_statistics_and_leaves_is_not_lost(
    cluster: Cluster, listener: Listener
) -> None:
    cluster.post("/swarm", user_count=4, spawn_rate=10)
    before = listener.await_(lambda s: s.state == "running" and requests(s) > 10, "requests")
    cluster.processes[-1].terminate()
    after = listener.await_(lambda s: len(s.workers) < len(before.workers), "the leaving")
    assert after.workers_lost == 0


def test_the_last_snapshot_of_a_master_that_is_told_to_end_has_every_request(
    cluster: Cluster, listener: Listener
) -> None:
    cluster.post("/swarm", user_count=4, spawn_rate=10)
    listener.await_(lambda s: requests(s) > 10, "requests")
    cluster.processes[0].terminate()
    final = listener.await_(lambda s: s.final and s.state in ("stopped", "stopping"), "the end")
    await_(lambda: cluster.processes[0].poll() is not None, "the master's end")
    log = (cluster.directory / "master.log").read_text()
    assert "Traceback" not in log
    assert final.test_stopped_at is not None
