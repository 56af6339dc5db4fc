"""The alarm receiving centre over HTTP."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import requests

from loadgen.shared.errors import UsageError
from loadgen.simulators.alarm_receiver import build
from tests.servers import serving

ALARM = {"id": "070010", "body": "alarm"}
SPEED = 100.0


def _post(url: str, path: str = "/") -> tuple[int, float]:
    start = time.perf_counter()
    status = requests.post(f"{url}{path}", json=ALARM, timeout=60).status_code
    return status, (time.perf_counter() - start) * SPEED


@pytest.fixture
def url() -> Iterator[str]:
    with serving(build(speed=SPEED)) as base:
        yield base


def test_alarm_is_acknowledged_after_the_service_time(url: str) -> None:
    assert requests.get(url, timeout=10).status_code == 200
    posts = [_post(url)]
    while posts[-1][1] >= 4.0 and len(posts) < 20:  # a busy machine is late, but not always
        posts.append(_post(url))
    assert {status for status, _ in posts} == {200}
    assert min(seconds for _, seconds in posts) >= 2.0
    assert posts[-1][1] < 4.0


def test_alarms_queue_for_the_one_lock(url: str) -> None:
    start = time.perf_counter()
    with ThreadPoolExecutor(6) as devices:
        assert [status for status, _ in devices.map(lambda _: _post(url), range(6))] == [200] * 6
    assert (time.perf_counter() - start) * SPEED >= 12.0


def test_what_is_no_alarm_is_refused(url: str) -> None:
    assert requests.post(url, data=b"\xff{", timeout=10).status_code == 400
    assert requests.post(url, json={"id": 7, "body": "alarm"}, timeout=10).status_code == 400
    assert requests.post(f"{url}/nothing", timeout=10).status_code == 404
    assert requests.put(url, json=ALARM, timeout=10).status_code == 405


def test_locks_by_kind_do_not_wait_for_each_other() -> None:
    kinds = ["/", "/ID_REQ_CMD_LOGIN", "/ID_REQ_CMD_CLIENTHEARTBEAT"]
    for speed in (10.0, 5.0, 1.0, 0.2):  # a busy machine is late, by a smaller part of slow time
        law = build(law="lock-by-kind", speed=speed)
        with serving(law) as url, ThreadPoolExecutor(3) as devices:
            start = time.perf_counter()
            posts = list(devices.map(partial(_post, url), kinds))
            took = (time.perf_counter() - start) * speed
        assert [status for status, _ in posts] == [200, 200, 200]
        if took < 3.0:
            break
    assert took < 3.0


def test_regression_answers_a_lone_alarm_in_its_predicted_time() -> None:
    with serving(build(law="regression", speed=1.0)) as url:
        status, seconds = min(_post(url) for _ in range(5))
    assert status == 200
    assert seconds / SPEED >= 0.0348636 + 4.64336e-5 * 9


Posts = list[tuple[float, int, float]]  # model time before, status, model time after


def _through_an_outage(speed: float) -> tuple[Posts, dict[str, Any]]:
    def figures() -> dict[str, Any]:
        details: dict[str, Any] = requests.get(f"{url}/_state.json", timeout=10).json()["details"]
        return details

    posts: Posts = []
    with serving(build(faults=True, speed=speed)) as url:
        _post(url)
        while (before := figures()["model_seconds"]) < 350.0:
            posts.append((before, _post(url)[0], figures()["model_seconds"]))
        return posts, figures()


def test_every_post_fails_at_once_during_an_outage_and_works_after_it() -> None:
    for speed in (300.0, 75.0, 20.0):  # on a busy machine no post may fall into a quick outage
        posts, details = _through_an_outage(speed)
        start, end = details["outages_model_seconds"][0]
        during = [status for before, status, after in posts if start <= before and after < end]
        since = [status for before, status, after in posts if end <= before and after < 360.0]
        if during and since:
            break
    assert (set(during), set(since)) == ({500}, {200})
    assert details["refused"] == [status for _, status, _ in posts].count(500)


def test_reset_takes_the_model_back_to_before_the_first_alarm() -> None:
    with serving(build(faults=True, speed=1000.0)) as url:
        assert _post(url)[0] == 200
        state = requests.get(f"{url}/_state.json", timeout=10).json()
        assert state["details"]["model_seconds"] > 0
        requests.post(f"{url}/_state/reset", timeout=10)
        state = requests.get(f"{url}/_state.json", timeout=10).json()
        assert (state["received"], state["details"]["model_seconds"]) == (0, 0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"law": "magic"}, "law is 'magic'"),
        ({"speed": 0.0}, "speed is 0.0"),
        ({"checklist_position": 0}, "the first position is 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        build(**options)  # type: ignore[arg-type]
