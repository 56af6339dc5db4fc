"""`loadgen run` and `loadgen resume`: what can be typed."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.options.inventory import add_inventory
from loadgen.cli.options.results_directory import add_results
from loadgen.cli.verb import Late, Verb, VerbParser
from loadgen.specification.ports import EXPORTER_PORT, MASTER_BIND_PORT, WEB_PORT

if TYPE_CHECKING:
    from loadgen.cli import run
else:
    run = Late("loadgen.cli.run")


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _add_run_options(verb: VerbParser) -> None:
    # Values stay text here: the specification checks them, and says the same for experiment files.
    _add_what_is_given(verb)
    _add_measurement(verb)
    _add_load(verb)
    _add_ports(verb)
    _add_allowances(verb)


def _add_what_is_given(verb: VerbParser) -> None:
    add = verb.add_argument
    add("--experiment", type=Path, help="an experiment file; the options below override its fields")
    _add_common_options(verb)
    add(
        "--env",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help=(
            "an environment variable for the locustfile; NAME alone takes its value "
            "from this machine; the option may be given several times"
        ),
    )
    add(
        "--env-file",
        help="a file with lines NAME=VALUE, which become environment variables of the locustfile",
    )
    add_results(verb)


def _add_measurement(verb: VerbParser) -> None:
    add = verb.add_argument
    add("--warm-up", help="how long the load runs before the measurement begins (default: 0s)")
    add(
        "--arrival-rate",
        help="how many arrivals a second, for a locustfile with an open workload model",
    )
    add(
        "--seed",
        help="the seed of random choices (default: a random one, which the results record)",
    )
    add(
        "--request-log",
        type=lambda text: {"sampling_ratio": text},
        nargs="?",
        const={},
        help="write a log of every request, or of a random share of them, such as 0.1",
    )
    add(
        "--response-time-log",
        action="store_true",
        help="also write response-times.log, a text file in the format of the published "
        "alarm study (loadgen study alarm)",
    )


def _add_load(verb: VerbParser) -> None:
    """Add Locust's own options, under its names."""
    add = verb.add_argument
    add(
        "--locustfile",
        "-f",
        help="the locustfile, or several separated by commas (default: locustfiles/hello.py)",
    )
    add(
        "--host",
        "-H",
        help="the target's base URL (default: a simulated target that comes with loadgen)",
    )
    add("--users", "-u", help="how many users run at the same time (default: 10)")
    add("--spawn-rate", "-r", help="how many users start each second (default: 10)")
    add("--run-time", "-t", help="how long to measure, such as 30s, 5m or 1h30m (default: 30s)")
    add(
        "--workers",
        "-w",
        help="how many worker processes run on each host (default: one for each core)",
    )
    add("--tags", "-T", type=_words, help="run only tasks with these tags")
    add("--exclude-tags", "-E", type=_words, help="run no tasks with these tags")
    add("--user-classes", type=_words, help="run only these User classes of the locustfile")
    add(
        "--stop-timeout",
        help="how long users may take to finish their tasks at the end (default: 10s)",
    )


def _add_ports(verb: VerbParser) -> None:
    add = verb.add_argument
    add("--web-port", help=f"the port of Locust's web UI (default: {WEB_PORT})")
    add("--tls-cert", help="a PEM file with the web UI's certificate")
    add("--tls-key", help="a PEM file with the private key of the web UI's certificate")
    words = f"the port to which workers connect (default: {MASTER_BIND_PORT})"
    add("--master-bind-port", help=words)
    words = f"the port at which metrics are served (default: {EXPORTER_PORT})"
    add("--exporter-port", help=words)


def _add_allowances(verb: VerbParser) -> None:
    add = verb.add_argument
    add(
        "--allow-no-requests",
        action="store_true",
        help="judge the run by its SLOs even if Locust counted no request in it",
    )
    add(
        "--allow-missing",
        help="how many worker hosts may be down at the start, as a number or a ratio (default: 0)",
    )
    add(
        "--skip-target-check",
        action="store_true",
        help="start the load even if the target doesn't answer",
    )
    add(
        "--insecure-target",
        action="store_true",
        help="don't verify the target's certificate, neither before the run nor during it",
    )


def _add_common_options(verb: VerbParser) -> None:
    verb.add_argument("--quiet", "-q", action="store_true", help="print only the verdict")
    add_inventory(verb, "run on this fleet instead of this machine")


def _add_resume_options(verb: VerbParser) -> None:
    verb.add_argument(
        "directory",
        type=Path,
        help="the directory of the sweep or search, such as results/20261121T101500Z-capacity-3f9a",
    )
    _add_common_options(verb)


VERBS = {
    "run": Verb(
        _add_run_options,
        run.run,
        (
            "loadgen run",
            "loadgen run --locustfile my/locustfile.py --host https://shop.example --users 200",
            "loadgen run --tags browse --user-classes Visitor --results /srv/results",
            "loadgen run --locustfile my/locustfile.py --env SHOP_TOKEN --env SHOP_REGION=eu",
            "loadgen run --users 50 -- --my-locustfile-option 3",
            "loadgen run --experiment experiments/dspace-100.yml --quiet",
        ),
        passes_on="Locust",
    ),
    "resume": Verb(
        _add_resume_options,
        run.resume,
        ("loadgen resume results/20261121T101500Z-capacity-3f9a",),
    ),
}
