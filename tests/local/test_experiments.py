"""Experiments through the command line: files, hooks, warm-up, aborts, series, comparison."""

import json
import re
import signal
from pathlib import Path

import polars as pl
import pytest

from tests.faults.record import everything
from tests.local.conftest import Run, Runner
from tests.unit.samples import summary

DRAWN = """
import os, random
from locust import User, constant, task

FACTOR = float(os.environ.get("FACTOR", "1"))
random.seed(7)

class Drawn(User):
    wait_time = constant(0.08)
    left = 40

    @task
    def thousand(self):
        type(self).left -= 1
        if type(self).left < 0:
            self.wait()
            return
        for _ in range(1000):
            self.environment.events.request.fire(
                request_type="GET", name="/drawn", response_length=0, exception=None, context={},
                response_time=FACTOR * random.lognormvariate(3, 1),
            )
"""


def write(loadgen: Runner, name: str, text: str) -> str:
    (loadgen.tmp_path / name).write_text(text)
    return name


def verb(loadgen: Runner, *arguments: str) -> tuple[int, str]:
    run = loadgen.verb(*arguments)
    return run.wait(), run.output


def series_directory(run: Run) -> Path:
    return next(run.results.glob("*/journal.jsonl")).parent


@pytest.mark.slow
def test_forty_thousand_requests_agree_in_log_histogram_and_report(loadgen: Runner) -> None:
    write(loadgen, "drawn.py", DRAWN)
    code, run = loadgen.finish(
        *("-f", "drawn.py", "--skip-target-check", "--host", "http://127.0.0.1:9"),
        *("--users", "1", "--workers", "1", "--run-time", "6s", "--request-log", "--quiet"),
    )
    assert code in (0, 3), run.output + run.logs()  # making them so fast may saturate the worker
    summary = run.summary
    log = pl.read_parquet(run.directory / "requests.parquet")
    assert everything(summary) == summary["requests_logged"] == log.height == 40_000
    log = log.filter(pl.col("phase") == "measured")
    exact = log["duration_us"]
    times = summary["response_time_seconds"]
    for name, ratio in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        true = exact.quantile(ratio, "higher")
        assert true is not None
        assert times[name] == pytest.approx(true / 1e6, rel=0.0126), name
    assert times["max"] == pytest.approx(exact.max() / 1e6, abs=1e-6)  # type: ignore[operator]
    first = run.directory.name

    code, output = verb(loadgen, "compare", "latest", "latest", "--allow-invalid")
    assert code == 0
    assert "holds for these two runs only" in output
    assert output.endswith("4 of 4 measures stayed the same")
    write(loadgen, "slower.yml", "locustfile: drawn.py\nenvironment: {FACTOR: '1.1'}\n")
    _, slower = loadgen.finish(
        *("--experiment", "slower.yml", "--skip-target-check", "--host", "http://127.0.0.1:9"),
        *("--users", "1", "--workers", "1", "--run-time", "6s", "--quiet"),
    )
    code, output = verb(loadgen, "compare", first, "latest", "--allow-invalid")
    assert code == 1, slower.output + output
    assert re.search(r"WORSE  GET /drawn: p50 .* \(\+(9|1\d)", output), output

    code, output = verb(loadgen, "evaluate", first, "--formats", "svg", "--limits", "0.1")
    assert code == 0, output
    pictures = {path.name for path in (run.results / first / "evaluation").iterdir()}
    assert {"response-times.svg", "percentiles.svg", "slowest.csv"} <= pictures
    assert "above 0.1 s" in output


def test_a_killed_sweep_goes_on_without_repeating_or_losing_a_run(loadgen: Runner) -> None:
    write(loadgen, "sweep.yml", "users: 1\nrun_time: 2s\nworkers: 1\nsweep: {users: [1, 2, 3]}\n")
    run = loadgen.start("--experiment", "sweep.yml", "--quiet")
    run.wait_for(r"Run 2 of 3", timeout=60)
    run.process.send_signal(signal.SIGKILL)
    run.wait()
    directory = series_directory(run)

    code, output = verb(loadgen, "resume", str(directory), "--quiet")
    assert code == 0, output
    assert "Run 1 of 3: users=1, repetition 1 (done before)" in output
    table = (directory / "table.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in table] == ["users", "1", "2", "3"]
    judged = [path.parent.name for path in run.results.glob("*-sweep-*/summary.json")]
    assert sorted(line.split(",")[-1] for line in table[1:]) == sorted(judged)
    assert (directory / "sweep-users.svg").is_file()
    code, output = verb(loadgen, "resume", str(directory), "--quiet")
    assert output.count("done before") == 3


def test_an_slo_marked_abort_ends_the_run_at_once(loadgen: Runner) -> None:
    write(
        loadgen,
        "abort.yml",
        "users: 5\nrun_time: 60s\nwarm_up: 2s\nworkers: 1\nslos:\n"
        "  - {measure: throughput_per_second, at_least: 1000, window_seconds: 2, abort: true}\n",
    )
    code, run = loadgen.finish("--experiment", "abort.yml")
    assert code == 1, run.output + run.logs()
    assert "The warm-up is over: the measurement begins now" in run.output
    assert re.search(r"Ending the run: throughput of all requests was .*/s in the 2 s", run.output)
    assert "at least 1000/s is required" in run.summary["slos"][0]["sentence"]
    assert '<failure message="throughput' in (run.directory / "junit.xml").read_text()
    assert "did not hold" in (run.directory / "report.html").read_text()
    metrics = (run.directory / "metrics.prom").read_text()
    broken = r'^locust_slo_held\{run_id="[^"]*",slo="throughput of all requests .*"\} 0\.0$'
    assert re.search(broken, metrics, re.MULTILINE)


def test_a_warm_up_is_not_in_the_numbers(loadgen: Runner) -> None:
    write(loadgen, "warm.yml", "users: 10\nrun_time: 3s\nwarm_up: 4s\nworkers: 1\n")
    script = "echo $LOADGEN_RUN_ID $LOADGEN_VERDICT $LOADGEN_RESULTS >> hooks.log"
    hooks = json.dumps([["sh", "-c", script]])
    write(
        loadgen,
        "warm.yml",
        f"users: 10\nrun_time: 3s\nwarm_up: 4s\nworkers: 1\nbefore: {hooks}\nafter: {hooks}\n",
    )
    code, run = loadgen.finish("--experiment", "warm.yml", "--request-log", "--quiet")
    assert code == 0, run.output + run.logs()
    assert 20 <= run.summary["requests"] < 50 < run.summary["requests_logged"]
    before, after = (loadgen.tmp_path / "hooks.log").read_text().splitlines()
    assert before.split() == [run.directory.name]
    assert after == f"{run.directory.name} {run.summary['verdict']} {run.directory}"
    assert "Run " not in run.output


def test_a_hook_that_fails_ends_it_before_anything_starts(loadgen: Runner) -> None:
    write(loadgen, "hook.yml", "before: ['sh -c \"echo no database; exit 3\"']\n")
    code, run = loadgen.finish("--experiment", "hook.yml")
    assert code == 4
    assert "ended with exit code 3: no database" in run.output
    assert not list(run.results.glob("*/summary.json"))


def test_faults_in_an_experiment_file_are_named_and_nothing_starts(loadgen: Runner) -> None:
    write(loadgen, "bad.yml", "users: 0\nrun_time: 5 bananas\nslos: [{measure: p95}]\n")
    code, run = loadgen.finish("--experiment", "bad.yml")
    assert code == 2
    for fault in ("users 0: ", "run_time '5 bananas': give a duration", "slos.0.measure 'p95'"):
        assert fault in run.output
    assert "Traceback" not in run.output
    assert not run.results.exists()


def test_ctrl_c_ends_a_series_and_says_how_to_go_on(loadgen: Runner) -> None:
    write(loadgen, "sweep.yml", "users: 1\nrun_time: 20s\nworkers: 1\nrepetitions: 2\n")
    run = loadgen.start("--experiment", "sweep.yml")
    run.wait_for(r"s left")
    run.interrupt()
    assert run.wait() == 130, run.output
    assert f"go on with: loadgen resume results/{series_directory(run).name}" in run.output
    assert run.output.count("Run 1 of 2") == 1


def test_results_are_listed_and_pruned_after_asking(loadgen: Runner) -> None:
    results = loadgen.tmp_path / "results"
    for number in (1, 2):
        made = summary().model_copy(update={"run_id": f"2026112{number}T101500Z-hello-aaaa"})
        (results / made.run_id).mkdir(parents=True)
        (results / made.run_id / "summary.json").write_text(made.model_dump_json())
    (results / "latest").symlink_to(made.run_id)
    code, output = verb(loadgen, "results")
    assert code == 0
    assert len(output.splitlines()) == 3
    assert output.splitlines()[2].endswith("latest")
    code, output = verb(loadgen, "prune", "--keep", "1")
    assert code == 2
    assert "The input is not a terminal, so nobody can answer: give --yes" in output
    code, output = verb(loadgen, "prune", "--keep", "1", "--yes")
    assert output.endswith("removed 1")
    code, output = verb(loadgen, "compare", "latest", "absent")
    assert (code, "no run 'absent'" in output) == (2, True)


def test_a_temporary_directory_too_deep_for_sockets_is_one_sentence(
    loadgen: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    monkeypatch.setattr(loadgen, "temporary", deep)
    code, run = loadgen.finish("--users", "1")
    assert code == 2
    assert "at most 107 are allowed: set TMPDIR to a directory with a shorter path" in run.output
    assert "Traceback" not in run.output
