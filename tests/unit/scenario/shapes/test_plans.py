"""Plans of users over time."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as some

from loadgen.scenario.shapes.plans import RateInUsers, Soak, Spike, Steps
from loadgen.scenario.shapes.rates import ConstantRate


def test_steps_hold_each_number_rest_between_and_end() -> None:
    steps = Steps([10, 20], step_seconds=120, rest_seconds=30, spawn_rate=5)
    assert [steps.at(second) for second in (0, 119.9, 120, 149.9, 150, 269.9, 270)] == [
        (10, 5),
        (10, 5),
        (0, 5),
        (0, 5),
        (20, 5),
        (20, 5),
        None,
    ]


def test_spike_goes_up_and_back_at_its_times() -> None:
    spike = Spike(2, 100, spike_after=60, spike_seconds=30, spawn_rate=100)
    assert [spike.at(second) for second in (0, 59.9, 60, 89.9, 90, 149.9, 150)] == [
        (2, 100),
        (2, 100),
        (100, 100),
        (100, 100),
        (2, 100),
        (2, 100),
        None,
    ]


def test_soak_ramps_holds_ramps_down_and_ends() -> None:
    soak = Soak(100, ramp_seconds=10, total_seconds=60)
    users = [soak.at(second) for second in (0, 5, 10, 50, 55, 59.99, 60)]
    assert users == [(1, 10), (50, 10), (100, 10), (100, 10), (50, 10), (1, 10), None]
    assert Soak(100, 0, 60).at(0) == (100, 100)


@given(
    users=some.integers(1, 10_000),
    ramp=some.floats(0, 1000),
    hold=some.floats(0.1, 1000),
    part=some.floats(0, 0.999),
)
def test_soak_has_between_one_and_its_users_until_its_end(
    users: int, ramp: float, hold: float, part: float
) -> None:
    soak = Soak(users, ramp, 2 * ramp + hold)
    at = soak.at(part * soak.total_seconds)
    assert at is not None
    assert 1 <= at[0] <= users
    assert at[1] > 0


@dataclass
class _Over:
    def at(self, seconds: float) -> float | None:
        return None if seconds >= 10 else 0.0


def test_rate_becomes_the_users_that_send_it_at_least_one_and_ends_with_it() -> None:
    assert RateInUsers(ConstantRate(12.3), per_user=1).at(0) == (13, 13)
    assert RateInUsers(ConstantRate(12.0), per_user=0.5).at(0) == (24, 24)
    assert RateInUsers(ConstantRate(0.3), per_user=0.1).at(0) == (3, 3)
    assert RateInUsers(_Over(), per_user=1).at(9) == (1, 1)
    assert RateInUsers(_Over(), per_user=1).at(10) is None
