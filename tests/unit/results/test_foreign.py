"""`loadgen evaluate FILE` says what a file is that is no tester's log, and what to do with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from loadgen.cli.main import main

STATS = "Type,Name,Request Count,Failure Count,Median Response Time\n"
HISTORY = "Timestamp,User Count,Type,Name,Requests/s\n"
FILES = {
    "x_stats.csv": (STATS, "locust --csv"),
    "x_stats_history.csv": (HISTORY, "locust --csv"),
    "x_failures.csv": ("Method,Name,Error,Occurrences\n", "locust --csv"),
    "x_exceptions.csv": ("Count,Message,Traceback,Nodes\n", "locust --csv"),
    "x_requests.csv": ("", "locust --csv"),
    "x_distribution.csv": ("", "locust --csv"),
    "renamed.csv": ("\ufeff" + STATS, "locust --csv"),
    "renamed2.csv": (HISTORY.replace("\n", "\r\n"), "locust --csv"),
    "old.csv": ('"Method","Name","# requests","# failures"\n', "locust --csv"),
    "k6.json": ('{"type":"Metric","data":{"name":"http_reqs"},"metric":"http_reqs"}\n', "k6"),
    "point.json": ('{"metric":"http_reqs","type":"Point","data":{"value":1}}\n', "k6"),
    "k6_summary.json": ('{"metrics": {"http_reqs": {"count": 1}}}', "k6"),
    "k6_full.json": ('{"root_group": {"groups": {}}, "options": {}, "metrics": {}}', "k6"),
    "k6.csv": ("metric_name,timestamp,metric_value\n", "k6"),
    "a.jtl": ("timeStamp,elapsed,label,responseCode\n1,2,a,200\n", "JMeter"),
    "headless.jtl": ("1700000000000,12,Home,200,OK,Thread 1\n", "JMeter"),
    "xml.jtl": ('<?xml version="1.0"?>\n<testResults version="1.2">', "JMeter"),
    "junit.xml": ('<?xml version="1.0"?><testsuites>', "JUnit"),
    "report.html": ("<!DOCTYPE html>\n<html lang=en>", "HTML page"),
    "artillery.json": ('{\n  "aggregate": {"counters": {}}}', "Artillery"),
    "vegeta.json": ('{"latencies":{"total":1}}', "Vegeta"),
    "simulation.log": ("RUN\tcomputer.Simulation\t1\n", "Gatling"),
    "shop.har": ('{ "log": {"version": "1.2"}}', "loadgen record"),
    "run.tar.gz": ("\x1f", "loadgen import"),
}


def evaluate(*arguments: str | Path) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *map(str, arguments)])
    return ended.value.code


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_program_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, said = FILES[name]
    content = b"\x1f\x8b\x08" if text == "\x1f" else text.encode()
    (tmp_path / name).write_bytes(content)
    assert evaluate(tmp_path / name) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "in the alarm study's format" not in told


@pytest.mark.parametrize("name", ["summary.json", "report.html", "stats.csv", "requests.parquet"])
def test_a_file_of_a_run_leads_to_the_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "summary.json").write_text("{}")
    (tmp_path / name).touch()
    assert evaluate(tmp_path / name) == 2
    assert f"a file of the run in {tmp_path}: give that directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda place: place.mkdir(), "that directory contains no summary.json"),
        (lambda place: place.write_text("hello"), "contains no line with a time"),
        (lambda place: place.symlink_to("nowhere"), "it is neither the id of a run in"),
    ],
    ids=["directory", "text", "dangling"],
)
def test_what_is_no_run_is_one_sentence(
    make: Callable[[Path], object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "odd")
    assert evaluate(tmp_path / "odd") == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
