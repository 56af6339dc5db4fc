"""Dashboards: current, valid, and every query answered by a real Prometheus that saw real runs."""

import json
import math
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as models

from exporter.grafana.__main__ import DIRECTORY, as_json, dashboards
from tests.monitoring.watched import Watched, filled, watching

ROOT = Path(__file__).parents[2]
NAMES = sorted(dashboards())
# In a network namespace of its own a machine may have no other, and node_exporter leaves it out.
ONLY_LOOPBACK = [name for _, name in socket.if_nameindex()] == ["lo"]


@pytest.fixture(scope="module")
def watched(
    prometheus_package: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watched]:
    with watching(tmp_path_factory.mktemp("watched")) as watched:
        yield watched


def committed(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DIRECTORY / f"{name}.json").read_text())
    return content


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in committed(name)["panels"] if panel["type"] != "row"]


def targets(name: str) -> list[tuple[dict[str, Any], str]]:
    return [
        (panel, target["expr"]) for panel in panels(name) for target in panel.get("targets", [])
    ]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed_is_what_the_code_makes(name: str) -> None:
    assert (DIRECTORY / f"{name}.json").read_text() == as_json(dashboards()[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_json_is_what_grafanas_schema_reads(name: str) -> None:
    register_default_plugins()
    read = models.Dashboard.from_json(committed(name))
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == committed(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_says_what_it_shows_and_in_which_unit(name: str) -> None:
    for panel in panels(name):
        assert panel["title"]
        assert panel["description"].endswith(".")
        if panel["type"] not in ("annolist", "heatmap"):
            assert panel["fieldConfig"]["defaults"]["unit"]


def test_uids_are_stable_and_refer_to_the_provisioned_datasource() -> None:
    provisioning = ROOT / "exporter" / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "loadgen.yml").read_text())
    assert source["datasources"][0]["uid"] == "loadgen-prometheus"
    assert {committed(name)["uid"] for name in NAMES} == {f"loadgen-{name}" for name in NAMES}
    for name in NAMES:
        for panel in panels(name):
            assert panel.get("datasource", {}).get("uid") in ("loadgen-prometheus", None)


@pytest.mark.parametrize("name", NAMES)
def test_every_query_of_every_panel_has_data_of_the_right_shape(
    name: str, watched: Watched
) -> None:
    for panel, expression in targets(name):
        if panel["title"] == "Network by host" and ONLY_LOOPBACK:
            continue
        samples = watched.prometheus.samples(filled(expression, watched), watched.second.moment)
        about = f"{name}, {panel['title']}: {expression}"
        assert samples, about
        assert all(math.isfinite(float(sample["value"][1])) for sample in samples), about
        legend = next(
            t.get("legendFormat", "") for t in panel["targets"] if t["expr"] == expression
        )
        for label in re.findall(r"{{(\w+)}}", legend):
            assert all(label in sample["metric"] for sample in samples), about
        if panel["type"] == "stat":
            assert len(samples) == 1, about


def test_every_variable_finds_values(watched: Watched) -> None:
    for name in NAMES:
        for variable in committed(name).get("templating", {}).get("list", []):
            query = variable["query"]
            if labels := re.fullmatch(r"label_values\((.+), (\w+)\)", query):
                series, label = filled(labels[1], watched), labels[2]
                assert watched.prometheus.get(f"label/{label}/values", **{"match[]": series})
            else:
                expression = filled(query.removeprefix("query_result(")[:-1], watched)
                assert watched.prometheus.samples(expression, watched.second.moment), query


def test_compare_lays_both_starts_over_each_other(watched: Watched) -> None:
    (_, a), (_, b) = targets("compare")[-2:]
    second, first = (filled(expression, watched) for expression in (a, b))
    for query, run in ((second, watched.second), (first, watched.first)):
        assert run.summary["run_id"] in query
        assert watched.prometheus.value(query, watched.second.moment - 3) == 6


def test_every_recording_rule_has_data(watched: Watched) -> None:
    for path in (ROOT / "exporter" / "rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                assert watched.prometheus.samples(rule["record"], watched.second.moment), rule
    answer = watched.prometheus.get("rules")
    health = {rule["name"]: rule["health"] for group in answer["groups"] for rule in group["rules"]}
    assert set(health.values()) == {"ok"}, health


def test_prometheus_and_the_last_scrape_have_the_numbers_of_the_summary(watched: Watched) -> None:
    for run in (watched.first, watched.second):
        expected = run.summary["requests"], run.summary["failures"]
        kept = [
            sum(
                float(line.split()[-1])
                for line in run.metrics.splitlines()
                if line.startswith(f"{metric}{{")
            )
            for metric in ("locust_requests_total", "locust_requests_failed_total")
        ]
        assert tuple(kept) == expected
    run_id = watched.second.summary["run_id"]
    for metric, value in zip(("requests", "failures"), expected, strict=True):
        seen = f'max_over_time(locust_run_{metric}{{run_id="{run_id}"}}[1m])'
        assert watched.prometheus.value(seen) == value


def test_the_errors_of_the_time_shown_are_counted_exactly(watched: Watched) -> None:
    expression = next(e for panel, e in targets("run") if panel["title"] == "Errors")
    (sample,) = watched.prometheus.samples(filled(expression, watched), watched.second.moment)
    total = watched.prometheus.value("sum(locust_requests_failed_total)", watched.second.moment)
    assert float(sample["value"][1]) == total
    assert sample["metric"]["name"] == "/missing"
