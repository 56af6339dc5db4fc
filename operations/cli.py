"""The `loadgen` command: what make calls, and what scripts and CI call themselves."""

import argparse
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from operations import release
from operations.cluster.local import LocalCluster
from operations.errors import LoadgenError
from operations.interruption import Interruption
from operations.progress import Progress
from operations.report import format_seconds
from operations.run import execute
from operations.specification import RunSpecification, specify
from operations.summary import Summary

EXAMPLES = """examples:
  loadgen run
  loadgen run --locustfile my/locustfile.py --host https://shop.example --users 200 --run-time 5m
  loadgen run --tags browse --user-classes Visitor --results /srv/results
  loadgen run --users 50 -- --my-locustfile-option 3

exit codes: 0 passed, 1 an SLO did not hold, 2 usage, 3 invalid measurement, 4 a machine or a
process failed, 130 interrupted (results are kept)"""


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit with its code; a user's mistake is one sentence, never a traceback."""
    options = _parser().parse_args(arguments)
    try:
        code = options.verb(options)
    except LoadgenError as error:
        print(f"loadgen: {error}", file=sys.stderr)
        code = error.exit_code
    sys.exit(code)


def run(options: argparse.Namespace) -> int:
    """Carry out `loadgen run`."""
    interruption = Interruption()
    with interruption.listen():
        specification = specify(_fields(options))
        cluster = LocalCluster(specification)
        progress = Progress(specification.run_time)
        summary, directory = execute(
            specification,
            cluster,
            options.results.absolute(),
            interruption,
            progress,
            _versions(specification),
        )
    print(describe(summary, directory))
    return summary.exit_code


def describe(summary: Summary, directory: Path) -> str:
    """Return what a person reads at the end of a run."""
    times = summary.response_time_seconds
    shown = os.path.relpath(directory)
    lines = [
        "",
        f"{summary.verdict.upper()}  {summary.run_id}",
        *(f"  {reason}" for reason in summary.reasons),
        *(f"  SLO {_held(slo.held)}: {slo.sentence}" for slo in summary.slos),
        f"  {summary.requests:,} requests, {summary.failures:,} failed, "
        f"{summary.throughput_per_second:,.1f} requests/s",
        f"  response time p50 {format_seconds(times.p50)}, p95 {format_seconds(times.p95)}, "
        f"p99 {format_seconds(times.p99)}, max {format_seconds(times.max)}",
        f"  {summary.workers.seen} of {summary.workers.expected} workers",
        f"  report: {shown}/report.html",
    ]
    return "\n".join(lines)


def _held(held: bool | None) -> str:
    return {True: "held", False: "did not hold", None: "no data"}[held]


def _versions(specification: RunSpecification) -> dict[str, str]:
    packages = {"locust": "locust", "loadgen": "loadgen-fleet", "pyzmq": "pyzmq"}
    found = {name: version(package) for name, package in packages.items()}
    found["python"] = ".".join(map(str, sys.version_info[:3]))
    path = Path(specification.locustfiles[0])
    found["release"] = release.current(path if path.is_file() else None)
    return found


def _fields(options: argparse.Namespace) -> dict[str, Any]:
    """Keep what the user gave; an empty string, as make hands it over, counts as not given."""
    names = RunSpecification.model_fields
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    return {name: value for name, value in given.items() if value not in (None, "", [], ())}


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loadgen",
        description="Run distributed load tests on Locust, on this machine or a fleet.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser(
        "run",
        help="run a load test and judge it",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_run_options(verb)
    verb.set_defaults(verb=run)
    return parser


def _add_run_options(verb: argparse.ArgumentParser) -> None:
    # Values stay text here: the specification checks them, and says the same for experiment files.
    add = verb.add_argument
    add("--locustfile", "-f", help="scenario; several with commas (locustfiles/hello.py)")
    add("--host", "-H", help="base URL of the target; the bundled one when not given")
    add("--users", "-u", help="concurrent users (10)")
    add("--spawn-rate", "-r", help="users started a second (10)")
    add("--run-time", "-t", help="how long to load: 30s, 5m, 1h30m (30s)")
    add("--workers", "-w", help="worker processes (one a core)")
    add("--tags", "-T", type=_words, help="only tasks with these tags")
    add("--exclude-tags", "-E", type=_words, help="no tasks with these tags")
    add("--user-classes", type=_words, help="only these User classes")
    add("--stop-timeout", help="how long requests may finish at the end (10s)")
    add("--web-port", help="port of Locust's web UI (8089)")
    add("--tls-cert", help="certificate of the web UI, PEM")
    add("--tls-key", help="its key, PEM")
    add("--master-bind-port", help="port that workers connect to (5557)")
    add("--exporter-port", help="port of the metrics (9646)")
    add("--skip-target-check", action="store_true", help="load even if the target doesn't answer")
    add(
        "--insecure-target",
        action="store_true",
        help="don't verify the target's certificate before the run",
    )
    add("--results", type=Path, default=Path("results"), help="where results go (results)")
    add("locust_arguments", nargs="*", metavar="-- LOCUST OPTIONS", help="passed to Locust as is")
