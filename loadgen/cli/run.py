"""`loadgen run` and `loadgen resume`: one run, or a series of runs."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadgen.cluster.base import Cluster
from loadgen.cluster.local import LocalCluster
from loadgen.cluster.scenario import find_locustfile
from loadgen.deploy.versions import versions
from loadgen.results.describe import describe, describe_briefly
from loadgen.results.summary import Summary
from loadgen.runs import capacity_search, grafana_annotation, notifications, sweep, target_cpu
from loadgen.runs.hooks import run_hooks
from loadgen.runs.series import (
    Interrupted,
    Series,
    create_series,
    load_series,
    search_exit_code,
    sweep_exit_code,
)
from loadgen.shared import exit_codes
from loadgen.shared.command import as_typed, by_make
from loadgen.shared.errors import EndedByUser, OperationError, UsageError
from loadgen.shared.interruption import Interruption
from loadgen.shared.run_ids import make_run_id, run_directory
from loadgen.specification import locust_options
from loadgen.specification.experiment import Experiment, load_experiment, make_experiment
from loadgen.specification.run import RunSpecification
from loadgen.specification.slo import Slo
from loadgen.specification.variables import split_variables

# Fields for which Locust has no option of the same name.
LOADGENS_OWN = (
    *("--experiment", "--quiet", "--inventory", "--results", "--warm-up", "--arrival-rate"),
    *("--request-log", "--workers", "--exporter-port", "--skip-target-check", "--insecure-target"),
    *("--allow-no-requests", "--allow-missing", "--seed"),
)


def run(options: argparse.Namespace) -> int:
    """Carry out `loadgen run`."""
    _refuse_own_options(options.passed_on)
    locust_options.refuse_passed_on(options.passed_on)
    experiment = _experiment(options, _of_locust(options.quiet))
    if experiment.is_series:
        name = (options.experiment or Path("series")).stem
        return _run_series(experiment, create_series(experiment, options.results, name), options)
    interruption = Interruption()
    with interruption.listen():
        run_id = make_run_id(experiment.locustfiles[0])
        specification = experiment.specification({})
        summary = run_once(specification, options, interruption, run_id)
    said = describe(summary, run_directory(options.results.absolute(), run_id))
    print(as_typed(said))
    return summary.exit_code


def _of_locust(quiet: bool) -> dict[str, Any]:
    """Return what Locust's own environment and files set, and say so."""
    home = Path(os.environ.get("HOME", "/nonexistent"))
    found = locust_options.find(os.environ, home, Path.cwd())
    for sentence in found.sentences:
        print(f"loadgen: {as_typed(sentence)}", file=sys.stderr if quiet else sys.stdout)
    return found.fields


def _experiment(options: argparse.Namespace, defaults: dict[str, Any]) -> Experiment:
    passed_on = {"locust_arguments": options.passed_on} if options.passed_on else {}
    fields = {**_fields(options), **passed_on}
    if options.experiment is not None:
        return load_experiment(options.experiment, fields, defaults)
    return make_experiment({**defaults, **fields})


def resume(options: argparse.Namespace) -> int:
    """Carry out `loadgen resume`: go on with a series where it ended."""
    directory = options.directory.resolve()
    options.results = directory.parent
    return _run_series(load_series(directory), directory, options)


def _run_series(experiment: Experiment, directory: Path, options: argparse.Namespace) -> int:
    interruption = Interruption()

    def make_run(specification: RunSpecification, run_id: str) -> Summary:
        summary = run_once(specification, options, interruption, run_id)
        print(as_typed(describe_briefly(summary)), flush=True)
        return summary

    series = Series(experiment, directory, make_run, interruption.sleep, print)
    again = f"go on with: loadgen resume {os.path.relpath(directory)}"
    with interruption.listen():
        try:
            return finish_series(series)
        except (Interrupted, EndedByUser):
            print(as_typed(f"Ended by the user; {again}"))
            return exit_codes.INTERRUPTED
        except OperationError as error:
            raise OperationError(f"{error}\n{again}") from error


def run_once(
    specification: RunSpecification,
    options: argparse.Namespace,
    interruption: Interruption,
    run_id: str,
) -> Summary:
    """Carry out one run with what belongs around it: hooks, and Grafana's annotation."""
    names = {"LOADGEN_RUN_ID": run_id, "LOADGEN_HOST": specification.host or ""}
    environment = {**os.environ, **names}
    grafana_annotation.check(environment)
    notifications.check(environment)
    target_cpu.check(environment)
    run_hooks("before", specification.before, environment)
    cluster = _cluster(specification, options)
    # Pages and verdicts take a moment to import, in which the cluster's process imports Locust.
    from loadgen.runs.progress import Progress  # noqa: PLC0415
    from loadgen.runs.run import execute  # noqa: PLC0415

    summary, directory = execute(
        specification.seeded(),
        cluster,
        options.results.absolute(),
        interruption,
        Progress(
            specification.warm_up + specification.run_time,
            io.StringIO() if options.quiet else None,
        ),
        versions(),
        run_id,
    )
    if fault := grafana_annotation.post(summary, environment):
        print(f"loadgen: {fault}", file=sys.stderr)
    for told in notifications.notify(summary, environment, directory):
        print(f"loadgen: {told}", file=sys.stderr)
    outcome = {"LOADGEN_VERDICT": summary.verdict, "LOADGEN_RESULTS": str(directory)}
    run_hooks("after", specification.after, environment | outcome)
    return summary


def _cluster(specification: RunSpecification, options: argparse.Namespace) -> Cluster:
    if options.inventory is None:
        if specification.allow_missing:
            raise UsageError(
                "--allow-missing is for the hosts of a fleet: give --inventory, or leave "
                "out --allow-missing"
            )
        # A mistyped path is reported before a process imports Locust for nothing.
        for path in specification.locustfiles:
            find_locustfile(path)
        return LocalCluster(specification)
    # SSH takes a moment to import, and needs a controller's packages.
    from loadgen.fleet.cluster import FleetCluster  # noqa: PLC0415
    from loadgen.fleet.inventory import load_inventory  # noqa: PLC0415

    # The inventory is read once for each command, however many runs it makes, so that Vault's
    # password is asked for once.
    if not hasattr(options, "fleet"):
        options.fleet = load_inventory(options.inventory, options.vault)
    return FleetCluster(specification, options.fleet)


def _fields(options: argparse.Namespace) -> dict[str, Any]:
    """Keep what the user gave; an empty string, as make hands it over, counts as not given."""
    names = RunSpecification.model_fields
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    given |= split_variables(options.env)
    return {name: value for name, value in given.items() if value not in (None, "", [], (), False)}


def _refuse_own_options(passed_on: Sequence[str]) -> None:
    """Raise UsageError when an option of loadgen's own stands among Locust's."""
    for word in passed_on:
        flag = word.partition("=")[0]
        if flag in LOADGENS_OWN:
            place = "outside LOCUST_OPTIONS" if by_make() else "before --"
            raise UsageError(
                f"{flag} is an option of loadgen run, and not of Locust: give it {place}"
            )


def finish_series(series: Series) -> int:
    """Carry out a series, draw its picture, print what it came to; return the exit code."""
    # Drawing takes a moment to import, and most runs are no series.
    from loadgen.results.evaluation.pictures import save_picture  # noqa: PLC0415
    from loadgen.runs import series_pictures  # noqa: PLC0415

    settings = series.experiment.search
    if settings is not None:
        found = series.search(settings)
        limits = _limits(series.experiment.slos)
        save_picture(series_pictures.draw_search(found, limits), series.directory / "capacity")
        save_picture(series_pictures.draw_curve(found), series.directory / "capacity-curve")
        print(f"\n{capacity_search.describe(found)}")
        print(f"  {os.path.relpath(series.directory)}/capacity.json")
        return search_exit_code(found)
    rows = series.sweep()
    for field in series.experiment.sweep:
        picture = series_pictures.draw_sweep(rows, field)
        save_picture(picture, series.directory / f"sweep-{field}")
    print(f"\n{sweep.describe(rows)}\n  {os.path.relpath(series.directory)}/table.csv")
    return sweep_exit_code(rows)


def _limits(slos: Sequence[Slo]) -> list[float]:
    return [slo.limit for slo in slos if slo.unit == "s"]
