"""A directory of another person's run: whatever its files are, reading them stays within bounds."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.archive import Archive
from exporter.runs import RunsCollector
from loadgen.results.catalogue import find_runs, list_runs, record_of, summary_of
from loadgen.results.journal import JOURNAL_FILE, Journal
from loadgen.results.kept import kept_fields
from loadgen.results.request_log import MERGED_FILE, read_log
from loadgen.results.statistics_file import STATISTICS_FILE
from loadgen.results.trend import TREND_FILE, load_trends
from loadgen.runs.series import CAPACITY_FILE, EXPERIMENT_FILE, load_capacity, load_series
from loadgen.shared.errors import UsageError
from loadgen.shared.machine import Machine
from loadgen.shared.project import PROJECT
from loadgen.shared.run_ids import SPECIFICATION_FILE, SUMMARY_FILE
from tests.faults.record import Outcome
from tests.unit.samples import summary

PART = "Attackers: names and files"
READERS: dict[str, Callable[[Path], object]] = {
    SUMMARY_FILE: summary_of,
    STATISTICS_FILE: record_of,
    TREND_FILE: load_trends,
    SPECIFICATION_FILE: kept_fields,
    EXPERIMENT_FILE: load_series,
    CAPACITY_FILE: load_capacity,
    JOURNAL_FILE: lambda run: Journal(run / JOURNAL_FILE, lambda _: None),
    MERGED_FILE: read_log,
}
"""What reads each file that a run's or a series' directory may hold."""
MEGABYTES_MAX = 500
READING = """
import resource, sys
from pathlib import Path
from tests.attackers.quick.test_others_runs import READERS
from loadgen.shared.errors import UsageError
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
directory = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
lists = [b"[" + unit * ((2 << 20) // len(unit)) + b"0]" for unit in (b"[],", b'"",', b"0,")]
wrong = b"{" + b",".join(b'"%d":""' % one for one in range(200_000)) + b"}"
for many in (*lists, wrong):
    for start, end in (
        (b"", b""), (b'{"run_id":', b"}"), (b'{"specification":{"x":', b"}}"),
        (b'{"entries":', b',"points":[]}'), (b'{"points":', b',"entries":[]}'),
        (b'{"entries":[],"points":[],"target_cpu":[{"host":"","points":', b"}]}"),
        (b'{"entries":[],"points":[{"response_times":', b"}]}"),
    ):
        for name, read in READERS.items():
            (directory / name).write_bytes(start + many + end + b"\\n")
            try:
                read(directory)
            except UsageError as error:
                assert len(str(error)) < 1000, (name, str(error)[:2000])
print("MB:", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.fault(PART, "The files of an imported run consist of millions of values.")
@pytest.mark.timeout(120)
def test_many_values_of_a_run_take_a_bounded_part_of_memory(
    tmp_path: Path, outcome: Outcome
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READING, str(tmp_path)],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert not done.returncode, done.stderr[-2000:]
    taken = int(done.stdout.rpartition("MB:")[2])
    assert taken < MEGABYTES_MAX, done.stdout
    outcome(f"Each is refused; reading all of them takes {taken} MB.")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def sparse(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, 1 << 40)


@pytest.mark.fault(PART, "A run's files are pipes, devices or a terabyte of zeros.")
@pytest.mark.timeout(30)
@pytest.mark.parametrize("make", [pipe, device, sparse])
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_of_a_run_is_one_sentence(
    name: str, make: Callable[[Path], None], tmp_path: Path, outcome: Outcome
) -> None:
    make(tmp_path / name)

    if name == TREND_FILE:
        assert load_trends(tmp_path) == []
    else:
        with pytest.raises(UsageError) as refused:
            READERS[name](tmp_path)
        assert str(refused.value).isprintable()
    outcome("Each is refused in one sentence at once.")


NONSENSE: tuple[dict[str, object], ...] = (
    {"specification": {"users": "many"}},
    {"specification": {"users": [1]}},
    {"specification": []},
    {"workers": {"lost": "x", "expected": {}}},
    {"measured_seconds": "5s"},
    {"measured_seconds": {}},
    {"requests": 1e308 * 10},
    {"requests": 10**400},
    {"verdict": "x" * 1_000_000},
    {"verdict": {"passed": 1}},
    {"verdict": "passed\n# HELP x"},
    {"started_at": "0001-01-01T00:00:00+23:59"},
    {"ended_at": "9999-12-31T23:59:59-23:59"},
    {"started_at": "2027-01-15T08:00:00"},
    {"response_time_seconds": {"p50": float("nan"), "max": 1e300}},
)


@pytest.mark.fault(PART, "The exporter shows imported runs, and one has texts for its numbers.")
def test_no_run_of_the_past_keeps_the_others_from_being_scraped(
    tmp_path: Path, outcome: Outcome
) -> None:
    fields = json.loads(summary().model_dump_json())
    for number, nonsense in enumerate(({}, *NONSENSE)):
        (tmp_path / f"r{number}").mkdir()
        (tmp_path / f"r{number}" / SUMMARY_FILE).write_text(json.dumps({**fields, **nonsense}))
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / SUMMARY_FILE)
    registry = CollectorRegistry()
    registry.register(RunsCollector(lambda: None, Archive(tmp_path).runs))

    scrape = generate_latest(registry).decode()

    assert 'locust_run_verdict{run_id="r0"' in scrape
    assert len(scrape) < 20_000
    outcome("The run with nonsense is left out, and the others are shown.")


def test_a_journal_names_runs_by_their_ids_only(tmp_path: Path) -> None:
    series = tmp_path / "results" / "series"
    series.mkdir(parents=True)
    there = tmp_path / "elsewhere"
    there.mkdir()
    (there / SUMMARY_FILE).write_text(summary().model_dump_json())
    for run_id in ("../../elsewhere", str(there), "\N{ARABIC-INDIC DIGIT ONE}" * 8, ""):
        entry = {"step": 0, "fields": {}, "run_id": run_id}
        entry["summary"] = json.loads(summary().model_dump_json())
        (series / JOURNAL_FILE).write_text(json.dumps(entry) + "\n")
        with pytest.raises(UsageError, match="journal"):
            find_runs(tmp_path / "results", "series")


def test_a_summary_of_a_run_of_many_machines_is_read(tmp_path: Path) -> None:
    fields = json.loads(summary().model_dump_json())
    machine = Machine(name="worker", cpu_model="x, [y]", system="z").model_dump()
    errors = [{"occurrences": 1, "method": "GET", "name": "/" * 100, "error": "{}, " * 500}] * 6
    fields |= {"machines": [machine] * 1024, "errors": errors}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / SUMMARY_FILE).write_text(json.dumps(fields))

    assert [run.directory.name for run in list_runs(tmp_path)] == ["run"]
