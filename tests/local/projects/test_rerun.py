"""A run that was exported in one project, imported in another and repeated there is the same."""

import shutil
from pathlib import Path

from loadgen.results.catalogue import summary_of
from tests.local.conftest import Runner
from tests.ports import free_ports

# One lock of 20 ms and three users without pauses: an answer takes 60 ms, wherever it runs.
SHOP = """
import random
from pathlib import Path
from loadgen.scenario import FastUser
from locust import constant, events, task

PATHS = (Path(__file__).parent / "paths.txt").read_text().split()

@events.init_command_line_parser.add_listener
def add(parser):
    parser.add_argument("--shop-corner", env_var="SHOP_CORNER", default="")

class Visitor(FastUser):
    wait_time = constant(0)

    def on_start(self):
        print("DRAWN", random.random(), self.environment.parsed_options.shop_corner, flush=True)

    @task
    def page(self):
        self.client.get(random.choice(PATHS), name="/page")
"""
EXPERIMENT = """
description: A shop with one till
locustfile: shop.py
simulator: capacity
simulator_arguments: [--law, lock, --service-seconds, "0.02"]
before: [touch reset-the-shop]
users: 3
spawn_rate: 100
run_time: 4s
warm_up: 1s
workers: 1
"""


def _drawn(run: Path) -> set[str]:
    log = (run / "hosts" / "localhost" / "worker-1.log").read_text()
    return {line.partition("DRAWN ")[2] for line in log.splitlines() if "DRAWN " in line}


def test_an_exported_run_is_repeated_in_another_project(loadgen: Runner) -> None:
    mine, theirs = loadgen.tmp_path / "mine", loadgen.tmp_path / "theirs"
    for project in (mine, theirs):
        project.mkdir()
    (mine / "shop.py").write_text(SHOP)
    (mine / "paths.txt").write_text("/?a /?b /?c")
    (mine / "shop.yml").write_text(EXPERIMENT)
    web, worker, exporter = map(str, free_ports(3))
    ports = ("--web-port", web, "--master-bind-port", worker, "--exporter-port", exporter)
    made = loadgen.verb(
        "run", "--experiment", "shop.yml", *ports, directory=mine, SHOP_CORNER="quiet"
    )
    assert made.wait() == 0, made.output + made.logs()
    drawn, name = _drawn(made.directory), made.directory.name
    handed = loadgen.verb("export", "latest", "--output", "../run.zip", directory=mine)
    assert handed.wait() == 0, handed.output
    shutil.rmtree(mine)
    taken = loadgen.verb("import", "../run.zip", directory=theirs)
    assert taken.wait() == 0, taken.output
    again = loadgen.verb("rerun", name, "--tolerance", "0.3", directory=theirs)
    assert again.wait() == 0, again.output + again.logs()
    assert "4 of 4 measures stayed the same" in again.output
    assert "different specifications" not in again.output
    assert (theirs / "reset-the-shop").exists()
    assert _drawn(again.directory) == drawn
    before, after = (summary_of(theirs / "results" / one) for one in (name, again.directory.name))
    assert before.specification["seed"] == after.specification["seed"]
    assert after.specification["environment"] == {"SHOP_CORNER": "quiet"}
    assert after.origin.scenario_sha256 == before.origin.scenario_sha256
