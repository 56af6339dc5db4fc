"""The `loadgen` command: what make calls, and what scripts and CI call themselves."""

import argparse
import io
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from operations import annotations, archive, release, verbs
from operations.cluster.base import Cluster
from operations.cluster.local import LocalCluster
from operations.errors import LoadgenError, OperationError
from operations.experiment import Experiment, load_experiment
from operations.hooks import run_hooks
from operations.interruption import Interruption
from operations.plain import plain, plain_line
from operations.progress import Progress
from operations.report import format_seconds
from operations.run import execute
from operations.series import Interrupted, Series, create_series, load_series
from operations.specification import RunSpecification, specify
from operations.summary import Summary

EXAMPLES = """examples:
  loadgen run
  loadgen run --locustfile my/locustfile.py --host https://shop.example --users 200 --run-time 5m
  loadgen run --tags browse --user-classes Visitor --results /srv/results
  loadgen run --users 50 -- --my-locustfile-option 3
  loadgen run --experiment experiments/dspace-100.yml --quiet
  loadgen resume results/20261121T101500Z-capacity-3f9a
  loadgen compare baseline latest

exit codes: 0 passed, 1 an SLO did not hold, 2 usage, 3 invalid measurement, 4 a machine or a
process failed, 130 interrupted (results are kept)"""

ERRORS_SHOWN = 5

FLEET_VERBS = {
    "status": "tell what each host of a fleet is doing",
    "stop": "end the run that is under way on a fleet, and collect it",
    "logs": "print the newest journal lines of every host of a fleet",
    "drain": "take worker hosts out of a run under way, last statistics first",
}


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit with its code; a user's mistake is one sentence, never a traceback."""
    options = _parser().parse_args(arguments)
    try:
        code = options.verb(options)
    except LoadgenError as error:
        print(f"loadgen: {plain(str(error))}", file=sys.stderr)
        code = error.exit_code
    sys.exit(code)


def run(options: argparse.Namespace) -> int:
    """Carry out `loadgen run`."""
    fields = _fields(options)
    if options.experiment is None:
        given = specify(fields).model_dump(exclude_unset=True)
        experiment = Experiment.model_validate(given)
    else:
        experiment = load_experiment(options.experiment, fields)
    if experiment.is_series:
        name = (options.experiment or Path("series")).stem
        return _run_series(experiment, create_series(experiment, options.results, name), options)
    interruption = Interruption()
    with interruption.listen():
        run_id = archive.make_run_id(experiment.locustfiles[0])
        specification = experiment.specification({})
        summary = _run_once(experiment, specification, options, interruption, run_id)
    print(describe(summary, options.results.absolute() / run_id))
    return summary.exit_code


def resume(options: argparse.Namespace) -> int:
    """Carry out `loadgen resume`: go on with a series where it ended."""
    directory = options.directory.resolve()
    options.results = directory.parent
    return _run_series(load_series(directory), directory, options)


def _run_series(experiment: Experiment, directory: Path, options: argparse.Namespace) -> int:
    interruption = Interruption()

    def make_run(specification: RunSpecification, run_id: str) -> Summary:
        summary = _run_once(experiment, specification, options, interruption, run_id)
        print(describe_briefly(summary), flush=True)
        return summary

    series = Series(experiment, directory, make_run, interruption.sleep, print)
    again = f"go on with: loadgen resume {os.path.relpath(directory)}"
    with interruption.listen():
        try:
            return verbs.finish_series(series)
        except Interrupted:
            print(f"Ended by the user; {again}")
            return 130
        except OperationError as error:
            raise OperationError(f"{error}\n{again}") from error


def _run_once(
    experiment: Experiment,
    specification: RunSpecification,
    options: argparse.Namespace,
    interruption: Interruption,
    run_id: str,
) -> Summary:
    names = {"LOADGEN_RUN_ID": run_id, "LOADGEN_HOST": specification.host or ""}
    environment = {**os.environ, **names}
    annotations.check(environment)
    run_hooks("before", experiment.before, environment)
    summary, _ = execute(
        specification,
        _cluster(specification, options.inventory),
        options.results.absolute(),
        interruption,
        Progress(
            specification.warm_up + specification.run_time,
            io.StringIO() if options.quiet else None,
        ),
        versions(specification),
        run_id,
    )
    if fault := annotations.post(summary, environment):
        print(f"loadgen: {fault}", file=sys.stderr)
    run_hooks("after", experiment.after, environment)
    return summary


def _cluster(specification: RunSpecification, inventory: Path | None) -> Cluster:
    if inventory is None:
        return LocalCluster(specification)
    # As in _on_fleet.
    from operations.cluster.fleet import FleetCluster  # noqa: PLC0415
    from operations.inventory import load_inventory  # noqa: PLC0415

    return FleetCluster(specification, load_inventory(inventory))


def describe_briefly(summary: Summary) -> str:
    """Return one line for a run within a series."""
    return (
        f"  {summary.verdict}, {summary.throughput_per_second:,.1f} requests/s, p95 "
        f"{format_seconds(summary.response_time_seconds.p95)}"
        + "".join(f"\n  {plain(reason)}" for reason in summary.reasons)
    )


def describe(summary: Summary, directory: Path) -> str:
    """Return what a person reads at the end of a run."""
    times = summary.response_time_seconds
    shown = os.path.relpath(directory)
    lines = [
        "",
        f"{summary.verdict.upper()}  {summary.run_id}",
        *(f"  {plain(reason)}" for reason in summary.reasons),
        *(f"  SLO {_held(slo.held)}: {plain_line(slo.sentence)}" for slo in summary.slos),
        f"  {summary.requests:,} requests, {summary.failures:,} failed, "
        f"{summary.throughput_per_second:,.1f} requests/s",
        *(f"    {plain_line(error.sentence)}" for error in summary.errors[:ERRORS_SHOWN]),
        f"  response time p50 {format_seconds(times.p50)}, p95 {format_seconds(times.p95)}, "
        f"p99 {format_seconds(times.p99)}, max {format_seconds(times.max)}",
        f"  {summary.workers.seen} of {summary.workers.expected} workers",
        f"  report: {shown}/report.html",
    ]
    return "\n".join(lines)


def _held(held: bool | None) -> str:
    return {True: "held", False: "did not hold", None: "no data"}[held]


def versions(specification: RunSpecification) -> dict[str, str]:
    """Return what a run is made with, for its summary."""
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
    return {name: value for name, value in given.items() if value not in (None, "", [], (), False)}


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loadgen",
        description="Run distributed load tests on Locust, on this machine or a fleet.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs_parser = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs_parser.add_parser(
        "run",
        help="run a load test and judge it",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_run_options(verb)
    verb.set_defaults(verb=run)
    verb = verbs_parser.add_parser("resume", help="go on with a sweep or search that was ended")
    verb.add_argument("directory", type=Path, help="results/<series>")
    verb.add_argument("--inventory", type=Path, help="go on on this fleet")
    verb.add_argument("--quiet", "-q", action="store_true", help="print verdicts only")
    verb.set_defaults(verb=resume)
    verbs.add_verbs(verbs_parser)
    for name, text in FLEET_VERBS.items():
        verb = verbs_parser.add_parser(name, help=text)
        add = verb.add_argument
        add("--inventory", type=Path, required=True, help="the fleet's inventory")
        add("--results", type=Path, default=Path("results"), help="where results go (results)")
        add("--host-limit", required=name == "drain", help="logs, drain: these hosts, with commas")
        add("--lines", type=int, default=200, help="logs: the newest lines of each unit (200)")
        verb.set_defaults(verb=_on_fleet, name=name)
    return parser


def _on_fleet(options: argparse.Namespace) -> int:
    # SSH takes a moment to import, and needs a controller's packages.
    from operations import fleet_verbs  # noqa: PLC0415

    carry_out: Callable[[argparse.Namespace], int] = getattr(fleet_verbs, options.name)
    return carry_out(options)


def _add_run_options(verb: argparse.ArgumentParser) -> None:
    # Values stay text here: the specification checks them, and says the same for experiment files.
    add = verb.add_argument
    add("--experiment", type=Path, help="experiment file; the options below win over its fields")
    add("--quiet", "-q", action="store_true", help="print the verdict only")
    add("--inventory", type=Path, help="run on this fleet instead of this machine")
    add("--warm-up", help="load that comes before the run time and isn't measured (0s)")
    add("--arrival-rate", help="arrivals a second of an open-model locustfile")
    add(
        "--request-log",
        type=lambda text: {"sampling_ratio": text},
        nargs="?",
        const={},
        help="log every request, or this share of them (1)",
    )
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
        help="don't verify the target's certificate, before the run and in it",
    )
    add("--results", type=Path, default=Path("results"), help="where results go (results)")
    add("locust_arguments", nargs="*", metavar="-- LOCUST OPTIONS", help="passed to Locust as is")
