"""What the fleet concludes from its nodes' answers, without a node."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadgen.fleet import probing
from loadgen.shared.errors import UsageError
from tests.certificates import make_certificate


def test_share_workers_spreads_them_evenly_and_never_beyond_what_there_is() -> None:
    available = {"a": 4, "b": 1, "c": 4}
    assert probing.share_workers(None, available) == available
    assert probing.share_workers(5, available) == {"a": 2, "b": 1, "c": 2}
    with pytest.raises(UsageError, match="more than the fleet's 9"):
        probing.share_workers(10, available)


def test_clock_fault_names_the_side_and_bears_with_the_error_of_measurement() -> None:
    master = probing.Probe("r", 5.0, 0.1)
    assert "30.0 s ahead" in probing.clock_fault(probing.Probe("r", 35.0, 0.1), master)
    assert "2.0 s behind" in probing.clock_fault(probing.Probe("r", 3.0, 0.1), master)
    assert not probing.clock_fault(probing.Probe("r", 5.65, 0.1), master)


def test_release_fault_tells_nothing_deployed_from_another_release() -> None:
    deploy = "loadgen deploy --inventory inventory/shop"
    assert (
        probing.release_fault("none", "ab", deploy)
        == f"loadgen is not deployed on that host; run {deploy}"
    )
    assert probing.release_fault("cd", "ab", deploy).endswith(f"run {deploy}")
    assert not probing.release_fault("ab", "ab", deploy)


def test_certificate_faults_tells_the_dates(tmp_path: Path) -> None:
    certificate, _ = make_certificate(tmp_path)
    pem = Path(certificate).read_text()
    now = datetime.now(UTC)
    assert not probing.certificate_faults(pem, now)
    late = probing.certificate_faults(pem, now + timedelta(days=40000))
    assert len(late) == 1
    assert "renew it" in late[0]


@pytest.mark.parametrize(
    ("down", "workers", "allowed", "may"),
    [
        (0, 3, 0, True), (1, 3, 0, False), (1, 3, 1, True), (2, 3, 1, False), (1, 100, 0.01, True),
        (2, 100, 0.01, False), (3, 3, 5, False), (1, 1, 1, False),
    ],
)  # fmt: skip
def test_a_run_may_miss_hosts_by_number_or_ratio_but_never_all(
    down: int, workers: int, allowed: float, may: bool
) -> None:
    assert probing.may_miss(down, workers, allowed) is may
