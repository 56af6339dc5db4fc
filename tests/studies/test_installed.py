"""The wheel in an environment of its own, used from empty directories with an empty home.

It takes pip some minutes to install. LOADGEN_INSTALLED=DIRECTORY names an environment that has the
wheel already.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadgen.shared.project import PROJECT
from tests.ports import free_ports

INSTALLING_SECONDS = 1200
HARD_TIMEOUT_SECONDS = 240
PORTS = ("--web-port", "--master-bind-port", "--exporter-port")
pytestmark = pytest.mark.timeout(INSTALLING_SECONDS + 600)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of an environment's programs, in which the wheel alone was installed."""
    if given := os.environ.get("LOADGEN_INSTALLED"):
        return Path(given) / "bin"
    directory = tmp_path_factory.mktemp("installed")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*wheel, "-w", str(directory), str(PROJECT)], check=True, timeout=120)
    subprocess.run([sys.executable, "-m", "venv", str(directory / "venv")], check=True, timeout=120)
    (made,) = directory.glob("*.whl")
    pip = [str(directory / "venv" / "bin" / "pip"), "install", "--quiet", str(made)]
    subprocess.run(pip, check=True, timeout=INSTALLING_SECONDS)
    return directory / "venv" / "bin"


def loadgen(programs: Path, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a directory, with a home and a PATH that hold nothing else."""
    home = directory / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [programs / "loadgen", *words],
        cwd=directory,
        env={"HOME": str(home), "PATH": f"{programs}:/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=HARD_TIMEOUT_SECONDS,
    )


def ports() -> list[str]:
    return [word for pair in zip(PORTS, map(str, free_ports(3)), strict=True) for word in pair]


def test_a_project_is_created_probed_run_and_judged(programs: Path, tmp_path: Path) -> None:
    assert loadgen(programs, tmp_path, "init", "shop").returncode == 0
    shop = tmp_path / "shop"
    probed = loadgen(programs, shop, "probe", "--locustfile", "locustfile.py")
    assert probed.returncode == 0, probed.stdout + probed.stderr
    little = ("--users=2", "--run-time=4s", "--workers=1", *ports())
    ran = loadgen(programs, shop, "run", "--experiment", "experiment.yml", *little)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    kept = shop / "results" / "latest"
    assert json.loads((kept / "summary.json").read_text())["verdict"] == "passed"
    assert "locust_requests_total" in (kept / "metrics.prom").read_text()
    assert kept.resolve().name in loadgen(programs, shop, "results").stdout


def test_a_recording_becomes_a_locustfile(programs: Path, tmp_path: Path) -> None:
    entry = {
        "startedDateTime": "2026-01-01T00:00:00.000Z",
        "time": 1,
        "request": {
            "method": "GET",
            "url": "https://shop.example/hello",
            "httpVersion": "HTTP/1.1",
            "headers": [],
            "queryString": [],
            "cookies": [],
        },
        "response": {
            "status": 200,
            "statusText": "OK",
            "httpVersion": "HTTP/1.1",
            "headers": [],
            "cookies": [],
            "content": {"size": 2, "mimeType": "text/html", "text": "hi"},
            "redirectURL": "",
        },
    }
    har = {"log": {"version": "1.2", "creator": {"name": "a browser"}, "entries": [entry]}}
    (tmp_path / "session.har").write_text(json.dumps(har))
    made = loadgen(programs, tmp_path, "record", "session.har", "--output", "session.py")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "/hello" in (tmp_path / "session.py").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--version",), 0, "loadgen "),
        (("doctor",), 0, "fleet verbs"),
        (("completion", "bash"), 0, "complete"),
        (("lab", "--help"), 0, "--workers"),
        (("simulator", "dspace", "--help"), 0, "--listen"),
        (("deploy", "--inventory", "mine"), 2, "mine does not exist, and nothing was changed"),
        (("status", "--inventory", "sample"), 4, "192.0.2."),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_each_kind_of_verb_works(
    programs: Path, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    if "sample" in words:
        sample = PROJECT / "inventory" / "sample"
        words = tuple(str(sample) if word == "sample" else word for word in words)
    done = loadgen(programs, tmp_path, *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr


def test_the_exporter_starts_without_the_clone(programs: Path, tmp_path: Path) -> None:
    helped = subprocess.run(
        [programs / "python", "-P", "-m", "exporter", "--help"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=HARD_TIMEOUT_SECONDS,
    )
    assert helped.returncode == 0, helped.stderr
    assert "--listen" in helped.stdout
