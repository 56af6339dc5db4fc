"""Which test types each command of README and docs, or why none does."""

from dataclasses import dataclass

LITTLE_MAKE = " USERS=2 RUN_TIME=3s WORKERS=1"
LITTLE = " --users 2 --run-time 3s --workers 1"
WINDOW = "25s"  # The experiment has a limit on every 20 s.
VARIABLES = "SHOP_TOKEN=secret SHOP_REGION=eu "


@dataclass(frozen=True)
class Typed:
    """A command as its page has it, with what keeps it small after it and what it needs before."""

    command: str
    more: str = ""
    before: str = ""


HERE = [
    Typed("make run-distributed", LITTLE_MAKE),
    Typed("make probe LOCUSTFILE=shop/locustfile.py HOST=https://test.example.org"),
    Typed(
        "make run-distributed LOCUSTFILE=shop/locustfile.py HOST=https://test.example.org USERS=20",
        LITTLE_MAKE,
    ),
    Typed(
        "make run-distributed LOCUSTFILE=my/locustfile.py HOST=https://shop.example"
        " USERS=200 SPAWN_RATE=20 RUN_TIME=5m",
        LITTLE_MAKE,
    ),
    Typed(
        "loadgen run --locustfile shop/locustfile.py --env SHOP_TOKEN --env SHOP_REGION=eu",
        LITTLE,
        VARIABLES,
    ),
    Typed("loadgen run --locustfile shop/locustfile.py --env-file shop.env", LITTLE),
    Typed(
        'make run-distributed LOCUSTFILE=shop/locustfile.py ENV="SHOP_TOKEN SHOP_REGION=eu"',
        LITTLE_MAKE,
        VARIABLES,
    ),
    Typed("make run-distributed LOCUSTFILE=locustfiles/teastore.py", LITTLE_MAKE),
    Typed(
        "make run-distributed LOCUSTFILE=locustfiles/teastore.py HOST=https://tea.example.org",
        LITTLE_MAKE,
    ),
    Typed(
        "make run-distributed LOCUSTFILE=locustfiles/teastore.py,locustfiles/shapes/spike.py"
        " USERS=20 LOCUST_OPTIONS='--spike-users 200'",
        LITTLE_MAKE + " LOCUST_OPTIONS='--spike-users 4'",
    ),
    Typed("make run-distributed LOCUSTFILE=locustfiles/dspace.py", LITTLE_MAKE),
    Typed("make run-distributed LOCUSTFILE=locustfiles/django_site.py", LITTLE_MAKE),
    Typed(
        "make probe LOCUSTFILE=locustfiles/dspace_submission.py HOST=https://repository.example.org"
    ),
    Typed("make run-distributed LOCUSTFILE=locustfiles/streams.py", LITTLE_MAKE),
    Typed(
        "make run-distributed LOCUSTFILE=locustfiles/web_socket.py HOST=https://talk.example.org",
        LITTLE_MAKE,
    ),
    Typed("loadgen scaffold openapi.yaml --host https://test.example.org"),
    Typed(
        "loadgen probe --locustfile locustfiles/openapi.py --host https://test.example.org",
    ),
    Typed("loadgen run --experiment experiments/alarm-fault-short.yml", " --run-time 5s"),
    Typed("loadgen evaluate latest --limits 0.5,1.5 --speed 20"),
    Typed(
        "make run-distributed EXPERIMENT=experiments/dspace-10.yml",
        f"{LITTLE_MAKE} WARM_UP=1s RUN_TIME={WINDOW}",
    ),
    Typed(
        "loadgen run --experiment experiments/dspace-10.yml --users 20",
        f"{LITTLE} --warm-up 1s --run-time {WINDOW}",
    ),
    Typed("loadgen results"),
    Typed("loadgen prune --keep 20 --older-than 30d"),
]

LAB = "tests/lab/test_page.py types it, or the same with other values"
BY_ID = "RUN and the dates stand for a run of the reader's; tests/studies/test_pages.py types it"
ELSEWHERE = {
    "make deploy": LAB,
    "make teardown": LAB,
    "make run-distributed INVENTORY=": LAB,
    (
        "make run-distributed LOCUSTFILE=shop/locustfile.py HOST=https://test.example.org"
        " USERS=2000"
    ): LAB,
    "make watch": "it ends with Ctrl-C: tests/monitoring and tests/lab/test_watch.py start it",
    "make monitoring": "it ends with Ctrl-C: tests/monitoring starts it",
    "make simulator": "it ends with Ctrl-C: tests/studies/test_pages.py starts one",
    "make results": "it opens a browser: tests/browser looks at the page",
    "make alarm-study": "tests/studies/test_alarm_study.py runs the study",
    "make run-distributed EXPERIMENT=experiments/capacity.yml": "tests/studies/test_capacity.py",
    "make record HAR": "it needs a recording: tests/browser makes one, and types it",
    "make run-distributed LOCUSTFILE=locustfiles/session.py": "tests/browser replays a recording",
    "loadgen mix": "it needs the reader's log: tests/local/sources",
    "loadgen run --experiment experiments/access_mix.yml": "tests/local/sources replays a log",
    "loadgen init my-load-tests": "tests/local/test_wheel.py",
    "loadgen run --experiment experiment.yml": "tests/local/test_wheel.py",
    "loadgen resume": "tests/local resumes series that were killed",
    "loadgen compare": BY_ID,
    "loadgen export RUN": BY_ID,
    "loadgen import RUN.zip": BY_ID,
    "loadgen rerun RUN": BY_ID,
    "loadgen results --baseline": BY_ID,
    "make check": "`make test` begins with it",
    "make fix": "it edits the sources",
    "make test": "it is what runs this",
}
"""By how a command begins. tests/studies/test_pages.py types the pages under docs/start."""
