"""A run's life on a cluster that plays what the test wrote."""

import dataclasses
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.archive import Archive
from loadgen.cluster.fake import FakeCluster, Happening
from loadgen.node.locustfile_check import Inspection
from loadgen.node.statistics.exits import AskedExit
from loadgen.results.summary import Summary
from loadgen.runs import run as run_module
from loadgen.runs.progress import Progress
from loadgen.runs.run import Run, execute
from loadgen.runs.waiting import waiting_for
from loadgen.shared.errors import BusyError, EndedByUser, NodeError, OperationError, UsageError
from loadgen.shared.files import hold
from loadgen.shared.interruption import Interruption
from loadgen.shared.snapshot import OUTSIDE_TASKS, ExceptionCount, Snapshot
from loadgen.specification.plan import RunPlan
from loadgen.specification.run import specify
from tests.unit.samples import START, entry, snapshot, worker
from tests.waiting import await_

VERSIONS = {"locust": "2.47.0"}


def at(second: float, requests: int = 10, **changes: object) -> Snapshot:
    times = {10.0: requests} if requests else {}
    taken = snapshot(second, [entry(response_times=times)], [worker(sent=requests)])
    same = dataclasses.replace(taken.workers[0], requests_received=requests)
    return dataclasses.replace(taken, **{"workers": [same], "release": "a" * 64, **changes})  # type: ignore[arg-type]


def final(second: float, requests: int = 10) -> Snapshot:
    return at(second, requests, final=True, state="stopped")


class Played:
    """One run that was carried out on a fake cluster."""

    def __init__(self, results: Path, cluster: FakeCluster, **fields: object) -> None:
        self.said, self.cluster, self.interruption = io.StringIO(), cluster, Interruption()
        self.results, self.fields = results, fields

    def __call__(self) -> Summary:
        progress = Progress(None, self.said)
        specification = specify({"run_time": 5, "workers": 1, **self.fields})
        summary, directory = execute(
            specification, self.cluster, self.results, self.interruption, progress, VERSIONS
        )
        assert (directory / "summary.json").is_file()
        return summary


def play(results: Path, *happenings: Happening, **fields: object) -> tuple[Summary, Played]:
    played = Played(results, FakeCluster(happenings), **fields)
    return played(), played


def test_a_run_that_goes_well_is_started_followed_and_collected_in_order(tmp_path: Path) -> None:
    summary, played = play(tmp_path, at(1), at(2, 20), final(3, 30))
    assert (summary.verdict, summary.requests) == ("passed", 30), summary.reasons
    assert played.cluster.asked == [
        "accept", "inspect", "preflight", "ask http://target.example", "bring",
        f"start {summary.run_id}", "finish", "kill",
    ]  # fmt: skip
    assert (tmp_path / "latest").resolve().name == summary.run_id


def test_an_exporter_shows_of_what_the_cluster_is_told_what_the_summary_says(
    tmp_path: Path,
) -> None:
    summary, played = play(tmp_path, at(1), at(2, 20), final(3, 30))
    kept = tmp_path / "kept" / summary.run_id
    kept.mkdir(parents=True)
    (kept / "summary.json").write_text(played.cluster.figures[summary.run_id])
    (told,) = Archive(kept.parent).runs()
    (whole,) = (one for one in Archive(tmp_path).runs() if one.run_id == summary.run_id)
    assert told == whole
    assert (told.verdict, told.requests, told.users) == ("passed", 30, 10)


def test_a_verdict_that_does_not_get_to_the_exporter_is_said_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OperationError("the master is cut off")

    monkeypatch.setattr(FakeCluster, "keep_figures", refuse)
    summary, played = play(tmp_path, at(1), at(2, 20), final(3, 30))
    assert summary.verdict == "passed"
    assert "don't show this run's verdict: the master is cut off" in played.said.getvalue()


@pytest.mark.parametrize("refusal", [UsageError("no"), NodeError("no", {"worker1": "off"})])
def test_what_preflight_refuses_leaves_no_directory(tmp_path: Path, refusal: UsageError) -> None:
    played = Played(tmp_path, FakeCluster())
    played.cluster.refusal = refusal
    with pytest.raises(type(refusal)):
        played()
    assert played.cluster.asked == ["accept", "inspect", "preflight", "kill"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("inspection", "fields", "words"),
    [
        (Inspection(error="NameError: x"), {}, "can't be used: NameError: x"),
        (
            Inspection(user_classes={"A": None}),
            {"user_classes": ("B",)},
            "no User class B: its User classes are",
        ),
    ],
)
def test_a_locustfile_that_cant_be_used_ends_it_before_the_target_is_asked(
    tmp_path: Path, inspection: Inspection, fields: dict[str, object], words: str
) -> None:
    played = Played(tmp_path, FakeCluster(), **fields)
    played.cluster.inspection = inspection
    # What the user gave is told before what holds a machine up, such as a run under way.
    played.cluster.refusal = BusyError("a port is in use")
    with hold(tmp_path), pytest.raises(UsageError, match=words):
        played()
    assert played.cluster.asked == ["accept", "inspect", "kill"]


def test_without_any_host_the_next_step_is_named(tmp_path: Path) -> None:
    played = Played(tmp_path, FakeCluster())
    played.cluster.target = None
    with pytest.raises(UsageError, match="give --host"):
        played()
    assert "start target None" in played.cluster.asked


def test_a_host_of_the_user_class_is_asked_and_can_be_left_unasked(tmp_path: Path) -> None:
    for skip in (False, True):
        played = Played(tmp_path, FakeCluster([final(1)]), skip_target_check=skip)
        played.cluster.inspection = Inspection(user_classes={"A": "http://own.example"})
        played()
        assert ("ask http://own.example" in played.cluster.asked) is not skip


def test_a_process_that_ends_before_the_load_is_an_error(tmp_path: Path) -> None:
    summary, played = play(tmp_path, {"worker 1": "ended with exit 1"})
    assert summary.verdict == "error"
    assert "worker 1 ended with exit 1" in summary.reasons
    assert played.cluster.asked[-1] == "kill"
    assert "finish" not in played.cluster.asked


def test_a_worker_that_ends_under_load_makes_the_run_invalid_and_says_so_once(
    tmp_path: Path,
) -> None:
    summary, played = play(tmp_path, at(1), {"worker 1": "ended with exit 1"}, at(2), final(3))
    assert summary.verdict == "invalid"
    assert played.said.getvalue().count("Invalid: worker 1 ended with exit 1") == 1


def test_a_master_that_ends_under_load_is_an_error_and_is_collected(tmp_path: Path) -> None:
    summary, played = play(tmp_path, at(1), {"master": "ended with exit 1"})
    assert summary.verdict == "error"
    assert summary.requests == 10
    assert "finish" in played.cluster.asked


def test_a_master_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    summary, _ = play(tmp_path, at(1), at(2))
    assert summary.verdict == "error"
    assert "no message came from the master for" in summary.reasons[0]


def test_workers_that_never_come_end_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "READY_SECONDS", 0.01)
    summary, _ = play(tmp_path)
    assert "only 0 of 1 workers were ready" in summary.reasons[0]


@pytest.mark.parametrize(
    ("shapes", "raised", "said"),
    [
        (["S"], [], "started no users within 0 s: its first tick() must return users and not None"),
        (["S"], [f"{OUTSIDE_TASKS}ValueError: tick"], "the locustfile raised ValueError: tick"),
        ([], [], "all 1 workers were ready, but Locust started no test"),
    ],
)
def test_a_test_that_never_begins_is_explained(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shapes: list[str],
    raised: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(run_module, "READY_SECONDS", 60.0 if shapes else 0.01)
    monkeypatch.setattr(run_module, "SHAPE_SECONDS", 0.01)
    exceptions = [ExceptionCount(text, 1) for text in raised]
    cluster = FakeCluster([at(1, test_started_at=None, exceptions=exceptions)])
    cluster.inspection = Inspection(user_classes={"Visitor": None}, shapes=shapes)
    assert said in Played(tmp_path, cluster)().reasons[0]


def test_fixed_counts_beyond_the_users_are_said(tmp_path: Path) -> None:
    for users, said in ((5, True), (9, False)):
        cluster = FakeCluster([at(1), final(2)])
        cluster.inspection = Inspection(
            user_classes={"Visitor": None, "Admin": None}, fixed_counts={"Admin": 9}
        )
        played = Played(tmp_path, cluster, users=users)
        played()
        assert ("--users is 5, but the fixed_count" in played.said.getvalue()) is said


@pytest.mark.parametrize(
    ("chosen", "refused"), [([], False), (["Visitor"], False), (["Admin"], True)]
)
def test_classes_of_which_no_user_would_start_are_refused(
    tmp_path: Path, chosen: list[str], refused: bool
) -> None:
    cluster = FakeCluster([at(1), final(2)])
    cluster.inspection = Inspection(user_classes={"Visitor": None, "Admin": None}, idle=["Admin"])
    played = Played(tmp_path, cluster, user_classes=chosen)
    if not refused:
        assert played().verdict == "passed"
        return
    with pytest.raises(
        UsageError, match=r"Admin of .* would start no users: give the class a weight above 0"
    ):
        played()


def test_what_finish_could_not_do_is_a_fault_of_the_run(tmp_path: Path) -> None:
    played = Played(tmp_path, FakeCluster([at(1), final(2)]))
    played.cluster.faults_of_finish = {"worker1": "said nothing for 60 s"}
    assert played().reasons == ("worker1 said nothing for 60 s",)


def test_a_broken_abort_limit_stops_the_load(tmp_path: Path) -> None:
    slo = {"measure": "p95_seconds", "at_most": 0.001, "abort": True, "window_seconds": 2}
    summary, played = play(tmp_path, at(1), at(3, 20), final(4, 30), slos=(slo,))
    assert summary.verdict == "failed"
    assert played.cluster.asked[-3:] == ["stop", "finish", "kill"]


def test_what_comes_before_the_warm_ups_end_and_after_the_stop_isnt_measured(
    tmp_path: Path,
) -> None:
    measured = {"epoch": "e2", "measured_from": START + 3.25}
    after = [entry(response_times={900.0: 7})]
    end = {"final": True, "state": "stopped", "measured_seconds": 2.5, "entries_after": after}
    summary, _ = play(
        tmp_path,
        *(at(1, measured_from=None), at(3, measured_from=None)),
        *(at(5, 2, measured_seconds=1.75, **measured), at(9, 5, **measured, **end)),
        warm_up=3,
    )
    assert (summary.verdict, summary.requests) == ("passed", 5), summary.reasons
    assert summary.throughput_per_second == 2
    assert summary.started_at == datetime.fromtimestamp(START + 3.25, UTC)
    assert summary.ended_at == datetime.fromtimestamp(START + 5.75, UTC)
    assert (summary.after_stop.requests, summary.after_stop.maximum_seconds) == (7, 0.9)


def test_a_run_that_ends_in_its_warm_up_measured_nothing(tmp_path: Path) -> None:
    end = at(3, measured_from=None, final=True, state="stopped")
    summary, _ = play(tmp_path, at(1, measured_from=None), end, warm_up=30)
    assert (summary.verdict, summary.requests) == ("invalid", 0)
    assert "ended before its warm-up" in summary.reasons[-1]


def test_ctrl_c_stops_gracefully_and_twice_at_once(tmp_path: Path) -> None:
    for count, ended in ((1, "finish"), (2, "kill")):
        happenings: list[Happening] = [at(1)]
        played = Played(tmp_path, FakeCluster(happenings))

        def press(played: Played = played, count: int = count) -> Snapshot:
            played.interruption.count = count
            return final(2)

        happenings.append(press)
        assert played().verdict == "interrupted"
        assert ended in played.cluster.asked[-2:]


def take_over(results: Path, *happenings: Happening) -> tuple[Summary, FakeCluster]:
    directory = results / "run-1"
    directory.mkdir()
    cluster, run = FakeCluster(happenings), specify({"run_time": 5})
    cluster.silence_seconds = 0.5
    plan = RunPlan("run-1", run, "http://target.example", False, directory)
    progress = Progress(None, io.StringIO())
    return Run(plan, cluster, Interruption(), progress, VERSIONS).take_over(True), cluster


def test_a_run_of_another_process_is_stopped_collected_and_judged(tmp_path: Path) -> None:
    summary, cluster = take_over(tmp_path, at(1), final(2))
    assert (summary.verdict, summary.requests) == ("passed", 10), summary.reasons
    assert cluster.asked == ["stop", "finish", "kill"]


def test_a_run_of_which_the_master_says_nothing_cant_be_taken_over(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="no message came from the master"):
        take_over(tmp_path)


def test_tags_that_no_task_has_are_refused_with_those_that_there_are(tmp_path: Path) -> None:
    played = Played(tmp_path, FakeCluster(), tags=["browse", "serach"])
    played.cluster.inspection = Inspection(user_classes={"V": None}, tags=["browse", "search"])
    with pytest.raises(UsageError, match="has the tag serach: its tags are browse, search"):
        played()


def test_slos_that_need_longer_than_the_run_are_refused_unless_a_shape_ends_it(
    tmp_path: Path,
) -> None:
    slo = {"measure": "p95_seconds", "at_most": 1, "after_seconds": 60}
    cluster = FakeCluster([at(1), final(2)])
    cluster.inspection = Inspection(user_classes={"V": None}, shapes=["Long"])
    specification = specify({"workers": 1, "slos": [slo]})
    arguments = (tmp_path, Interruption(), Progress(None, io.StringIO()), VERSIONS)
    execute(specification, cluster, *arguments)
    with pytest.raises(UsageError, match="can't be measured: after_seconds and window_seconds"):
        execute(specification, FakeCluster(), *arguments)


def test_a_run_without_requests_says_how_to_allow_it(tmp_path: Path) -> None:
    summary, _ = play(tmp_path, at(1, 0), final(3, 0))
    assert summary.verdict == "invalid"
    assert any("--allow-no-requests" in reason for reason in summary.reasons)
    summary, _ = play(tmp_path, at(1, 0), final(3, 0), allow_no_requests=True)
    assert summary.verdict == "passed", summary.reasons


def test_a_run_that_somebody_else_stopped_early_is_interrupted(tmp_path: Path) -> None:
    last = dataclasses.replace(final(3), load_stopped_at=START + 2, ended_by="web_ui")
    summary, _ = play(tmp_path, at(1), last)
    assert summary.verdict == "interrupted"
    assert "the run was stopped from the web UI after 2.0 s of 5 s" in summary.reasons


def test_a_shape_that_ends_by_its_own_plan_is_named(tmp_path: Path) -> None:
    last = dataclasses.replace(final(3), load_stopped_at=START + 3, ended_by="shape")
    summary, _ = play(tmp_path, at(1), last)
    assert summary.verdict == "passed"
    assert "the run was ended by its load shape after 3.0 s of 5 s" in summary.reasons


def test_an_exit_code_that_the_locustfile_sets_last_is_honoured(tmp_path: Path) -> None:
    summary, _ = play(tmp_path, at(1), final(5), at(6, exit_code=42))
    assert summary.verdict == "failed"
    assert "exit code 42" in summary.reasons[0]


def test_an_exit_code_that_a_log_tells_is_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [AskedExit(7, "hosts/a/worker-1.log"), AskedExit(3, "hosts/b/worker-1.log")]
    monkeypatch.setattr(run_module, "asked", lambda *_: iter(told))
    summary, _ = play(tmp_path, at(1), final(5))
    assert summary.verdict == "failed"
    assert "exit code 7" in summary.reasons[0]
    assert summary.reasons[0].endswith("; see hosts/a/worker-1.log")


def test_what_a_listener_raises_while_the_master_quits_is_held_against_the_run(
    tmp_path: Path,
) -> None:
    raised = [ExceptionCount(f"{OUTSIDE_TASKS}ValueError: no upload", 1)]
    summary, _ = play(tmp_path, at(1), final(5), at(6, exceptions=raised, parting=True))
    assert summary.verdict == "invalid"
    assert "the locustfile raised ValueError: no upload" in summary.reasons[0]


def test_a_host_that_is_allowed_to_be_missing_is_said_and_kept(tmp_path: Path) -> None:
    played = Played(tmp_path, FakeCluster([at(1), final(5)]))
    played.cluster.missing = {"worker9": "worker9: 10.0.0.9:22 did not answer in time"}
    summary = played()
    assert summary.verdict == "passed"
    assert "the run was without worker9: 10.0.0.9:22 did not answer in time" in summary.reasons
    assert "Starting without worker9: 10.0.0.9:22" in played.said.getvalue()


def test_an_interruption_before_the_load_ends_it_without_a_run(tmp_path: Path) -> None:
    played = Played(tmp_path, FakeCluster([final(1)]))
    played.interruption.count = 1
    with pytest.raises(EndedByUser) as ended:
        played()
    assert ended.value.exit_code == 130
    assert not list(tmp_path.iterdir())


def test_a_silent_master_is_spoken_of_before_it_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "SILENCE_SAID_SECONDS", 0.0)
    _, played = play(tmp_path, at(1), at(2))
    assert (
        "No message has come from the master for 0 s; the run ends as an error after"
        in played.said.getvalue()
    )


def test_what_takes_longer_than_a_moment_is_named() -> None:
    said = io.StringIO()
    with waiting_for("the target to answer", Progress(None, said).step, 0):
        await_(said.getvalue, "a line")
    assert said.getvalue() == "Waiting for the target to answer\n"


def test_an_slo_that_speaks_of_no_request_is_said_while_the_run_goes_on(tmp_path: Path) -> None:
    slos = [
        {"measure": "p95_seconds", "at_most": 1, "name": "/itme"},
        {"measure": "p95_seconds", "at_most": 1, "name": "/item/[id]"},
    ]
    happenings = [at(second, 10 * second) for second in range(1, 7)]
    summary, played = play(tmp_path, *happenings, final(7, 70), slos=slos)
    said = played.said.getvalue()
    assert said.count("matches the SLO") == 1
    assert "of /itme" in said
    assert "the requests are GET /item/[id]" in said
    assert said.index("matches the SLO") < said.index("stopped")
    assert summary.verdict == "failed"


def test_variables_that_set_options_of_the_scenario_are_kept_and_secrets_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hidden")
    played = Played(tmp_path, FakeCluster([final(1)]))
    played.cluster.inspection = Inspection(variables={"SHOP_CORNER": "quiet", "SHOP_TOKEN": None})
    summary = played()
    assert summary.specification["environment"] == {"SHOP_CORNER": "quiet"}
    assert summary.specification["secrets"] == ["SHOP_TOKEN"]
    assert "hidden" not in summary.model_dump_json()
