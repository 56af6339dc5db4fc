"""The TeaStore scenario through `loadgen run`, distributed, against the simulated store."""

from simulators import teastore
from tests.local.conftest import Runner
from tests.local.scenarios import locust_counts, run_scenario


def test_teastore_visitors_and_the_store_count_the_same_by_kind(loadgen: Runner) -> None:
    run, answered = run_scenario(loadgen, "locustfiles/teastore.py", teastore.build())
    counts = locust_counts(run.directory)
    assert run.summary["failures"] == 0
    assert counts == {key: answered[key] for key in counts}
    assert {path for _, path in counts} == {
        "/",
        "/login",
        "/loginAction",
        "/category",
        "/product",
        "/cartAction",
        "/cart",
        "/profile",
    }
    assert counts["POST", "/loginAction"] == 40, "every visitor logs in and out once"
    assert sum(counts.values()) > 400
