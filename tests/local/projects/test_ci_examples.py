"""The examples for CI and for nightly runs: their steps are carried out in a scratch project."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.local.conftest import PROJECT, Runner
from tests.ports import free_ports
from tests.servers import webhook

EXAMPLES = PROJECT / "docs/examples"
HARD_TIMEOUT_SECONDS = 120


def steps(name: str) -> list[str]:
    """Return the shell steps of a workflow, as its own system reads them."""
    text = (EXAMPLES / name).read_text()
    if name == "Jenkinsfile":
        return re.findall(r"^ +sh '(.*)'$", text, re.MULTILINE)
    document = yaml.safe_load(text)
    if name == "gitlab-ci.yml":
        return list(document["load-test"]["script"])
    return [step["run"] for step in document["jobs"]["load-test"]["steps"] if "run" in step]


def unit(name: str) -> dict[str, str]:
    """Return the settings of a systemd unit."""
    lines = (EXAMPLES / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]\w+=", line))


@pytest.fixture
def chat() -> Iterator[tuple[str, list[Any]]]:
    with webhook() as (url, heard):
        yield f"{url}/hook", heard


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone in small: everything by link, and short experiments of its own."""
    scratch = tmp_path / "project"
    scratch.mkdir()
    for path in PROJECT.iterdir():
        if path.name not in ("experiments", "results", ".git"):
            (scratch / path.name).symlink_to(path)
    (scratch / "experiments").mkdir()
    experiment = yaml.safe_load((PROJECT / "experiments/django-5.yml").read_text())
    web, worker, exporter = free_ports(3)
    experiment |= {"run_time": "3s", "spawn_rate": 5, "workers": 1, "web_port": web}
    experiment |= {"master_bind_port": worker, "exporter_port": exporter}
    # How fast it is on a busy machine is no matter here.
    experiment["slos"] = [{**slo, "at_most": 30} for slo in experiment["slos"][1:]]
    (scratch / "experiments/django-5.yml").write_text(yaml.safe_dump(experiment))
    return scratch


def test_every_example_has_the_same_steps() -> None:
    expected = [
        "make .venv/.target",
        ".venv/bin/loadgen run --experiment experiments/django-5.yml --quiet",
    ]
    for name in ("github-actions.yml", "gitlab-ci.yml", "Jenkinsfile"):
        assert steps(name) == expected, name
    nightly = unit("loadgen-nightly.service")
    started = nightly["ExecStart"].removeprefix(f"{nightly['WorkingDirectory']}/")
    assert started.replace("nightly", "django-5") == expected[1]


def test_the_steps_run_and_leave_what_the_workflows_collect(
    project: Path,
    loadgen: Runner,
    chat: tuple[str, list[dict[str, object]]],
) -> None:
    preparing, running = steps("github-actions.yml")
    prepared = subprocess.run(
        [*preparing.split(), "-n"],
        cwd=project, capture_output=True, text=True, timeout=HARD_TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    assert prepared.returncode == 0, prepared.stderr
    page = project / "summary.md"
    told = {"GITHUB_STEP_SUMMARY": str(page), "LOADGEN_WEBHOOK_URL": chat[0]}
    run = loadgen.shell(running, project, **told)
    assert run.wait() == 0, run.output + run.logs()
    verdict = run.summary["verdict"]
    assert page.read_text().startswith(f"### Load test {verdict}: `{run.directory.name}`")
    assert [body["text"].split()[:2] for body in chat[1]] == [  # type: ignore[attr-defined]
        [verdict.upper(), f"{run.directory.name}:"]
    ]
    collected = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["load-test"]["artifacts"]
    report = ET.parse(project / collected["reports"]["junit"]).getroot()
    assert len(list(report.iter("testcase"))) >= 1
    assert not [*report.iter("failure"), *report.iter("error")]
    kept = re.findall(r"archiveArtifacts '(.*)'", (EXAMPLES / "Jenkinsfile").read_text())
    for name in [*kept[0].split(", "), *collected["paths"]]:
        assert (project / name).exists(), name


def test_systemd_takes_the_nightly_units(project: Path, tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    for name in ("loadgen-nightly.service", "loadgen-nightly.timer"):
        text = (EXAMPLES / name).read_text().replace("/srv/loadgen", str(project))
        (units / name).write_text(text.replace("User=loadgen", "User=root"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", *map(str, units.iterdir())],
        capture_output=True, text=True, timeout=HARD_TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    own = [line for line in verified.stderr.splitlines() if "loadgen-nightly" in line]
    assert (verified.returncode, own) == (0, []), verified.stderr
    when = subprocess.run(
        ["systemd-analyze", "calendar", unit("loadgen-nightly.timer")["OnCalendar"]],
        capture_output=True, text=True, timeout=HARD_TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    assert "Next elapse" in when.stdout, when.stderr
