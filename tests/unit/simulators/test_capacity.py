"""Targets of known capacity, over HTTP: what N users who ask again at once really wait."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from loadgen.shared.errors import UsageError
from loadgen.simulators.capacity import LawName, build, capacity
from tests.servers import serving

ROUNDS = 8


def _times(url: str, users: int, rounds: int = ROUNDS) -> list[float]:
    """Return what `users` measured in their later rounds, in seconds."""

    def user(_number: int) -> list[float]:
        times = []
        with requests.Session() as session:
            for _ in range(rounds):
                start = time.perf_counter()
                assert session.get(url, timeout=30).status_code == 200
                times.append(time.perf_counter() - start)
        return times[2:]

    with ThreadPoolExecutor(users) as pool:
        return [seconds for times in pool.map(user, range(users)) for seconds in times]


@pytest.mark.parametrize(
    ("law", "users", "expected"),
    [("lock", 5, 0.25), ("pool", 10, 0.25), ("crowd", 9, 0.15)],
)
def test_users_wait_what_the_law_says(law: LawName, users: int, expected: float) -> None:
    for slower in (1, 2, 4, 8):  # a busy machine is late, by a smaller part of a longer time
        law_of_size = build(law=law, service_seconds=0.05 * slower, size=2 if law == "pool" else 4)
        with serving(law_of_size) as url:
            waited = statistics.median(_times(url, users)) / slower
        if waited < expected * 1.15:
            break
    assert waited == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(("law", "users"), [("lock", 10), ("pool", 40), ("crowd", 37)])
def test_capacity_is_the_last_number_of_users_within_the_limit(law: LawName, users: int) -> None:
    assert capacity(law, service_seconds=0.05, size=4, limit_seconds=0.5) == users


def test_one_request_is_an_outlier_and_the_same_one_after_a_reset() -> None:
    with serving(build(seed=3, service_seconds=0.001, outlier_seconds=0.3)) as url:
        late = []
        for _ in range(2):
            requests.post(f"{url}/_state/reset", timeout=10)
            figures = requests.get(f"{url}/_state.json", timeout=10).json()["details"]
            times = _times(url, users=1, rounds=210)
            late.append({number for number, seconds in enumerate(times, 3) if seconds > 0.25})
        # A busy machine is late as well, but hardly at the same request twice.
        assert late[0] & late[1] == {figures["outlier_at_request"]}


def test_other_paths_and_options_out_of_range_are_refused() -> None:
    with serving(build()) as url:
        assert requests.get(f"{url}/else", timeout=10).status_code == 404
    with pytest.raises(UsageError, match="law is 'magic'"):
        build(law="magic")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="size 0"):
        build(size=0)
