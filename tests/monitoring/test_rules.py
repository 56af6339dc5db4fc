"""Rules and alerts, checked and tested by promtool."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from loadgen.watch.prometheus_files import write_rules

ROOT = Path(__file__).parents[2]
RULES = sorted([*(ROOT / "exporter" / "rules").glob("*.yml")])
ALERTS = sorted([*(ROOT / "exporter" / "alerts").glob("*.yml")])
TESTS = Path(__file__).with_name("alerts_test.yml")
RUNBOOK = ROOT / "exporter" / "runbook.md"

pytestmark = pytest.mark.usefixtures("prometheus_package")


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    done = subprocess.run(
        ["promtool", *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def alerts() -> list[dict[str, str]]:
    groups = [group for path in ALERTS for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def test_promtool_finds_nothing_wrong_with_rules_and_metrics() -> None:
    promtool("check", "rules", *RULES, *ALERTS)
    golden = ROOT / "tests" / "unit" / "exporter" / "exposition.prom"
    assert promtool("check", "metrics", stdin=golden.read_text()) == ""


def test_alerts_fire_after_their_time_and_not_before() -> None:
    promtool("test", "rules", TESTS)


def test_every_alert_is_tested_on_both_sides_and_is_in_the_runbook() -> None:
    expected: dict[str, set[bool]] = {}
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            expected.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    headings = set(re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE))
    names = {alert["alert"] for alert in alerts()}
    assert {name: {True, False} for name in names} == expected
    assert headings == names


def test_every_alert_waits_and_says_what_it_means_and_where_to_read_on() -> None:
    for alert in alerts():
        assert alert["for"]
        annotations: dict[str, str] = alert["annotations"]  # type: ignore[assignment]
        assert annotations["description"].endswith(".")
        anchor = f"exporter/runbook.md#{alert['alert'].lower()}"
        assert annotations["runbook_url"] == anchor


@pytest.mark.parametrize(("seconds", "window"), [(5, "[60s]"), (15, "[60s]"), (60, "[240s]")])
def test_rules_hold_four_scrapes_and_point_to_the_runbook(
    tmp_path: Path, seconds: int, window: str
) -> None:
    write_rules(ROOT / "exporter", tmp_path, seconds)
    written = sorted(tmp_path.iterdir())
    promtool("check", "rules", *written)
    text = "".join(path.read_text() for path in written)
    assert set(re.findall(r"\[\d+[ms]\]", text)) - {"[10m]"} == {window}
    assert f"runbook_url: file://{RUNBOOK}#locustmasterdown" in text
