"""`loadgen run` and `loadgen resume`: what can be typed."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.options.inventory import add_inventory
from loadgen.cli.verb import Late, Verb, VerbParser

if TYPE_CHECKING:
    from loadgen.cli import run
else:
    run = Late("loadgen.cli.run")

RESULTS = Path("results")


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _add_run_options(verb: VerbParser) -> None:
    # Values stay text here: the specification checks them, and says the same for experiment files.
    add = verb.add_argument
    add("--experiment", type=Path, help="experiment file; the options below win over its fields")
    _add_common_options(verb)
    add(
        "--env",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="give the scenario this machine's variable NAME, or NAME=VALUE; may be repeated",
    )
    add("--env-file", help="a file of lines NAME=VALUE for the scenario")
    add("--results", type=Path, default=RESULTS, help=f"where results go ({RESULTS})")
    add("--warm-up", help="load that comes before the run time and isn't measured (0s)")
    add("--arrival-rate", help="arrivals a second of an open-model locustfile")
    add("--seed", help="where random choices begin (drawn, and kept with the run)")
    add(
        "--request-log",
        type=lambda text: {"sampling_ratio": text},
        nargs="?",
        const={},
        help="log every request, or this share of them (1)",
    )
    add(
        "--response-time-log",
        action="store_true",
        help="also log as the alarm study's testers do, in response-times.log",
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
    add(
        "--allow-no-requests",
        action="store_true",
        help="judge a run by its SLOs although Locust counted no request in it",
    )
    add("--allow-missing", help="worker hosts that may be down at the start, or a ratio (0)")
    add("--skip-target-check", action="store_true", help="load even if the target doesn't answer")
    add(
        "--insecure-target",
        action="store_true",
        help="don't verify the target's certificate, before the run and in it",
    )


def _add_common_options(verb: VerbParser) -> None:
    verb.add_argument("--quiet", "-q", action="store_true", help="print verdicts only")
    add_inventory(verb, "run on this fleet instead of this machine")


def _add_resume_options(verb: VerbParser) -> None:
    verb.add_argument("directory", type=Path, help="results/<series>")
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
