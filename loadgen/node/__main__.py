"""The one launcher: what a master and a worker are, on one machine and on a fleet.

    python -m loadgen.node master --settings /etc/loadgen/node.json
    python -m loadgen.node worker --settings /etc/loadgen/node.json

It sets up the channel's keys, the resolution of response times, the publisher (in a master) or the
reporter (in a worker), and hands over to Locust, whose command line it builds from the settings.
"""

# Importing locust patches the standard library, so it comes first.
import locust.main  # isort: split

import argparse
import os
import random
import site
import sys
from pathlib import Path

from locust import events, runners, stats
from locust.env import Environment

import loadgen.node.statistics.publisher
import loadgen.node.statistics.reporter
from loadgen.node import (
    channel,
    channel_guard,
    control_server,
    end_of_test,
    locust_fixes,
    locust_waits,
    web_login,
    web_origin,
)
from loadgen.node.settings import (
    NodeSettings,
    Role,
    RunSettings,
    load_idle_settings,
    load_node_settings,
    load_run_settings,
)
from loadgen.node.statistics import exits, listener_faults, time_rounding
from loadgen.node.statistics.reporter import Reporter
from loadgen.shared import command
from loadgen.shared.loopback import is_loopback
from loadgen.shared.processes import hold_lifeline
from loadgen.specification.locust_options import VARIABLES
from loadgen.specification.run import SEED_VARIABLE

STATISTICS_INTERVAL_SECONDS = 1.0


def locust_arguments(
    role: Role, node: NodeSettings, run: RunSettings | None, idle: RunSettings | None = None
) -> list[str]:
    """Build Locust's own command line; without a `run` it offers the scenario of `idle`. Pure."""
    offered = run or idle
    base = offered.scenario_directory if offered else None
    locustfiles = offered.locustfiles if offered else (node.locustfile,)
    absolute = [str((base or node.release_directory) / locustfile) for locustfile in locustfiles]
    arguments = ["-f", ",".join(absolute), "--loglevel", node.log_level]
    arguments += offered.locust_arguments if offered else ()
    if role == "worker":
        return [
            *arguments,
            "--worker",
            f"--master-host={node.master_host}",
            f"--master-port={node.master_port}",
        ]
    return [*arguments, *_master_arguments(node), *_report_arguments(run)]


def _master_arguments(node: NodeSettings) -> list[str]:
    web = node.web
    arguments = [
        "--master",
        f"--master-bind-host={node.master_host}",
        f"--master-bind-port={node.master_port}",
        f"--web-host={web.host}",
        f"--web-port={web.port}",
    ]
    if web.tls_certificate and web.tls_key:
        arguments += [f"--tls-cert={web.tls_certificate}", f"--tls-key={web.tls_key}"]
    if web.login_file:
        arguments.append("--web-login")
    return arguments


def _report_arguments(run: RunSettings | None) -> list[str]:
    if run is None:
        return []
    arguments = ["--autostart", *run.master_arguments]
    if run.results_directory:
        prefix = run.results_directory / "locust"
        arguments += [f"--csv={prefix}", f"--html={prefix}.html"]
    return arguments


def install(role: Role, node: NodeSettings, run: RunSettings | None) -> None:
    """Put what the kit adds into this process; the runner is made by Locust afterwards."""
    channel.install(role, node.keys_directory)
    locust_fixes.install()
    locust_fixes.read_no_configuration_files()
    locust_fixes.write_whole_percentiles()
    locust_fixes.write_last_statistics()
    if role == "worker":
        locust_fixes.start_users_after_init()
    if role == "master":
        locust_waits.install()
        channel_guard.install(
            channel.AdmittedKeys(node.keys_directory / channel.ADMITTED_DIRECTORY)
        )
    stats.bucket_response_time = time_rounding.bucket  # type: ignore[assignment]
    runners.WORKER_REPORT_INTERVAL = STATISTICS_INTERVAL_SECONDS
    stats.CSV_STATS_FLUSH_INTERVAL_SEC = 1

    def on_init(environment: Environment, **_: object) -> None:
        listener_faults.install(environment)
        if run is not None:
            exits.Exits(
                environment,
                run.run_id,
                lambda: _finish_reports(environment),
                on_worker=role == "worker",
            ).watch()
        if role == "worker":
            reporter = loadgen.node.statistics.reporter.install(environment, node, run)
            _install_request_log(environment, run, reporter)
            _install_seed(environment)
            return
        loadgen.node.statistics.publisher.install(environment, node, run)
        control_server.install(environment, node.control_endpoint)
        if run is not None and run.time_limit is not None:
            end_of_test.install_limit(environment, run.time_limit)
        if environment.web_ui and environment.web_ui.app:
            web_origin.install(environment.web_ui.app, loopback=is_loopback(node.web.host))
        if node.web.login_file:
            web_login.install(environment, node.web.login_file)

    events.init.add_listener(on_init)


def _finish_reports(environment: Environment) -> None:
    """Write what Locust's CSV files still lack; a worker has none."""
    writer = getattr(environment.web_ui, "stats_csv_writer", None)
    if isinstance(writer, stats.StatsCSVFileWriter):
        writer.close_files()


def _install_seed(environment: Environment) -> None:
    """Let this worker's random choices begin where the run's seed and its number say."""

    def on_test_start(**_: object) -> None:
        if seed := os.environ.get(SEED_VARIABLE):
            # The worker's number is known only now, since the master numbers its workers when they
            # connect.
            random.seed(f"{seed} {getattr(environment.runner, 'worker_index', 0)}")

    environment.events.test_start.add_listener(on_test_start)


def _install_request_log(
    environment: Environment, run: RunSettings | None, reporter: Reporter
) -> None:
    if run is None or run.request_log is None or run.request_log_directory is None:
        return
    # polars takes a moment to import, and most runs keep no log.
    from loadgen.node import request_log  # noqa: PLC0415

    worker = getattr(environment.runner, "client_id", f"worker-{os.getpid()}")
    ratio = run.request_log.sampling_ratio
    directory = run.request_log_directory
    log = request_log.install(environment, directory, worker, ratio, reporter.phase)
    reporter.phase_listeners.append(log.enter)


def enter(role: Role, run: RunSettings) -> None:
    """Take on a scenario's environment, packages and working directory."""
    os.environ.update(run.secrets | run.environment)
    if role == "master":
        os.environ.update(run.master_environment)
    if run.packages_directory:
        # The scenario's packages come after the kit's own in the path, so that they replace none
        # of these.
        site.addsitedir(str(run.packages_directory))
    if run.enter_scenario and run.scenario_directory:
        os.chdir(run.scenario_directory)


def launch(role: Role, node: NodeSettings, lifeline: int | None) -> None:
    """Become a master or a worker; Locust ends the process."""
    run, idle = load_run_settings(node), load_idle_settings(node)
    # Locust would read its options from the environment too, without the checks that were made
    # before the start.
    for name in VARIABLES:
        os.environ.pop(name, None)
    sys.path.insert(0, str(node.release_directory))
    if offered := run or idle:
        enter(role, offered)
    install(role, node, run)
    if lifeline is not None:
        hold_lifeline(lifeline)
    sys.argv = ["locust", *locust_arguments(role, node, run, idle)]
    locust.main.main()


def main(arguments: list[str] | None = None) -> None:
    """Run the launcher; see the module's docstring for its commands."""
    parser = argparse.ArgumentParser(
        prog="python -m loadgen.node",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["master", "worker"])
    parser.add_argument(
        "--settings", type=Path, required=True, help="a JSON file with the settings of this node"
    )
    parser.add_argument(
        "--lifeline", type=int, help="end when the pipe on this file descriptor closes"
    )
    options = parser.parse_args(arguments)
    sys.exit(command.ending(lambda: _carry_out(options)))


def _carry_out(options: argparse.Namespace) -> None:
    launch(options.command, load_node_settings(options.settings), options.lifeline)


if __name__ == "__main__":
    main()
