"""Dashboards as files: current, valid, described, and free of what only one Grafana knows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as models

from exporter.grafana.__main__ import DIRECTORY, as_json, dashboards

ROOT = Path(__file__).parents[3]
NAMES = sorted(dashboards())
OWN_OF_PROMETHEUS = {"step", "titleFormat", "useValueForTime"}
"""What Grafana's Prometheus reads of an annotation, and the SDK's model doesn't hold."""


def committed(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DIRECTORY / f"{name}.json").read_text())
    return content


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in committed(name)["panels"] if panel["type"] != "row"]


def queries(name: str) -> list[str]:
    return [t["expr"] for panel in panels(name) for t in panel.get("targets", [])]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed_is_what_the_code_makes(name: str) -> None:
    assert (DIRECTORY / f"{name}.json").read_text() == as_json(dashboards()[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_json_is_what_grafanas_schema_reads(name: str) -> None:
    register_default_plugins()
    content = committed(name)
    for mark in content.get("annotations", {}).get("list", []):
        for own in OWN_OF_PROMETHEUS & mark.keys():
            del mark[own]
    read = models.Dashboard.from_json(content)
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == content
    assert content["schemaVersion"] == 36  # Grafana 9.2 of RHEL 8; later ones migrate it


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_says_what_it_shows_and_in_which_unit(name: str) -> None:
    for panel in panels(name):
        assert panel["title"]
        assert panel["description"].endswith(".")
        if panel["type"] not in ("annolist", "heatmap"):
            # `short` writes 6.33 K where a person looks for 6,330.
            assert panel["fieldConfig"]["defaults"]["unit"] not in ("", "short")
        if panel["type"] == "heatmap":
            assert panel["options"]["tooltip"]["show"] is True


@pytest.mark.parametrize("name", NAMES)
def test_any_grafana_can_import_it_and_choose_its_prometheus_and_fleet(name: str) -> None:
    content = committed(name)
    assert content["uid"] == f"loadgen-{name}"
    first, second = content["templating"]["list"][:2]
    assert (first["name"], first["type"]) == ("datasource", "datasource")
    assert second["name"] == "fleet"
    for panel in panels(name):
        sources = [panel.get("datasource"), *(t["datasource"] for t in panel.get("targets", []))]
        assert {source["uid"] for source in sources if source} <= {"${datasource}"}
    for query in queries(name):
        for selector in re.findall(r"(?<!\$){[^}]*}", query):
            assert 'fleet="$fleet"' in selector, query
        for metric in re.findall(r"\b(?:locust|node|pg|jvm)_\w+\b(?!{)", query):
            assert metric == "locust_state", query  # a label of that name


def test_the_provisioned_datasource_knows_the_scrape_interval() -> None:
    provisioning = ROOT / "exporter" / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "loadgen.yml").read_text())
    (only,) = source["datasources"]
    assert only["isDefault"] is True
    assert only["jsonData"]["timeInterval"] == "$LOADGEN_SCRAPE_INTERVAL"


def test_links_between_dashboards_carry_data_source_and_fleet() -> None:
    for name in NAMES:
        text = json.dumps(committed(name))
        for address in re.findall(r'"(/d/loadgen-[^"]+)"', text):
            assert "${datasource:queryparam}&${fleet:queryparam}" in address


def test_lists_of_runs_look_back_no_farther_than_prometheus_can_in_a_moment() -> None:
    # 50 ns a sample, 17,280 samples a day and run, 200 runs, 18 columns: 3 s of CPU a day of Home.
    assert committed("home")["time"]["from"] == "now-24h"
    for variable in committed("compare")["templating"]["list"]:
        for selector, days in re.findall(r"{([^{}]*)}\[(\d+)d\]", str(variable.get("query"))):
            assert int(days) <= 7 or "run_id=" in selector, variable["name"]
