"""A dashboard as Grafana shows it: variables, panels' queries, tiles, tables, annotations.

What Grafana's Prometheus data source does is done here in Python (steps, `$__rate_interval`,
variables' first values, instant and range queries, legends); reduction, transformations and display
are Grafana's own library (`@grafana/data`), run by node in `grafana_data/evaluate.js`.
"""

import json
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from exporter.grafana.__main__ import DIRECTORY
from tests.monitoring.cluster import ROOT
from tests.monitoring.prometheus_api import Prometheus

LOOKED_AT = Path(os.environ.get("LOADGEN_DASHBOARDS", DIRECTORY))
"""Where dashboards are read: others, such as an older release's, can be held to these tests."""
NODE = Path(__file__).with_name("grafana_data")
INSTALLED = ROOT / ".cache" / "grafana-data"
PIXELS = 1600
COLUMNS = 24
POINTS_MAX = 11_000
ALL = "$__all"
# Grafana's rangeUtil.roundInterval: below a number of milliseconds, a step.
STEPS_MS = (
    *((1500, 1000), (3500, 2000), (7500, 5000), (12_500, 10_000), (17_500, 15_000)),
    *((25_000, 20_000), (45_000, 30_000), (90_000, 60_000), (210_000, 120_000)),
    *((450_000, 300_000), (750_000, 600_000), (1_050_000, 900_000), (1_500_000, 1_200_000)),
    *((2_700_000, 1_800_000), (5_400_000, 3_600_000), (9_000_000, 7_200_000)),
    *((16_200_000, 10_800_000), (32_400_000, 21_600_000), (86_400_000, 43_200_000)),
)


def interval_ms(range_seconds: float, points: int, lowest_seconds: float) -> int:
    """Return `$__interval` as Grafana calculates it."""
    interval = range_seconds * 1000 / points
    rounded = next((step for below, step in STEPS_MS if interval < below), STEPS_MS[-1][1])
    return max(rounded, int(lowest_seconds * 1000))


@cache
def node_modules() -> str | None:
    """Install what `evaluate.js` needs, once; return why that can't be, None when it is there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not on PATH: tiles and tables are not reduced by Grafana's library"
    if not (INSTALLED / "node_modules" / "@grafana" / "data").is_dir():
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODE / name, INSTALLED)
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=INSTALLED,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        if done.returncode:
            return f"npm could not install @grafana/data: {done.stderr.strip()[-200:]}"
    return None


def evaluate(asked: dict[str, Any]) -> Any:
    """Let Grafana's library evaluate; skip, in words, where it can't be had."""
    if (reason := node_modules()) is not None:
        pytest.skip(reason)
    done = subprocess.run(
        ["node", NODE / "evaluate.js"],
        env=os.environ | {"NODE_PATH": str(INSTALLED / "node_modules")},
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class View:
    """One dashboard, opened with a time range; `chosen` overrides variables' first values."""

    prometheus: Prometheus
    name: str
    start: float
    end: float
    scrape_seconds: float
    chosen: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.content: dict[str, Any] = json.loads((LOOKED_AT / f"{self.name}.json").read_text())
        self.options: dict[str, list[str]] = {}
        self.values: dict[str, str] = {}
        for variable in self.content["templating"]["list"]:
            self._choose(variable)

    @property
    def panels(self) -> list[dict[str, Any]]:
        return [panel for panel in self.content["panels"] if panel["type"] != "row"]

    def panel(self, title: str) -> dict[str, Any]:
        (found,) = [panel for panel in self.panels if panel["title"] == title]
        return found

    # --- variables ---------------------------------------------------------------------------

    def _choose(self, variable: dict[str, Any]) -> None:
        name = variable["name"]
        if variable["type"] == "datasource":
            self.values[name] = "prometheus"
            return
        found = self._found(variable["query"])
        if pattern := variable.get("regex"):
            matches = [re.search(pattern.strip("/"), text) for text in found]
            found = [match[1] for match in matches if match]
        found = list(dict.fromkeys(found))
        if variable.get("sort"):
            found.sort()
        self.options[name] = found
        first = ALL if variable.get("includeAll") else (found[0] if found else "")
        value = self.chosen.get(name, first)
        if value == ALL:
            self.values[name] = variable.get("allValue", ".*")
        elif variable.get("multi"):
            self.values[name] = _any_of([value] if isinstance(value, str) else value)
        else:
            assert isinstance(value, str)
            self.values[name] = _escaped(value)

    def _found(self, query: str) -> list[str]:
        times = {"start": self.start, "end": self.end}
        if labels := re.fullmatch(r"label_values\((.+), (\w+)\)", query):
            matching = {"match[]": self.filled(labels[1])}
            found: list[str] = self.prometheus.get(f"label/{labels[2]}/values", **matching, **times)
            return found
        (expression,) = re.fullmatch(r"query_result\((.+)\)", query, re.DOTALL).groups()  # type: ignore[union-attr]
        return [
            _text(sample["metric"]) + f" {sample['value'][1]} {int(sample['value'][0] * 1000)}"
            for sample in self.prometheus.samples(self.filled(expression), self.end)
        ]

    def filled(self, text: str, step_ms: int = 0) -> str:
        """Put values in the places of variables, Grafana's own ones too."""
        rate_ms = max(step_ms + self.scrape_seconds * 1000, 4 * self.scrape_seconds * 1000)
        values = {
            **self.values,
            "__range": f"{max(1, round(self.end - self.start))}s",
            "__rate_interval": f"{int(rate_ms)}ms",
            "__interval_ms": str(step_ms),
            "__interval": f"{step_ms}ms",
        }

        def value_of(match: re.Match[str]) -> str:
            return values[match[1] or match[2]]

        filled = re.sub(r"\$(?:(\w+)|{(\w+)})", value_of, text)
        assert "$" not in filled, filled
        return filled

    # --- panels ------------------------------------------------------------------------------

    def step_ms(self, panel: dict[str, Any]) -> int:
        points = round(panel["gridPos"]["w"] / COLUMNS * PIXELS)
        interval = interval_ms(self.end - self.start, points, self.scrape_seconds)
        return max(interval, round((self.end - self.start) * 1000 / POINTS_MAX))

    def series(self, title: str) -> dict[str, list[tuple[float, float]]]:
        """Return a graph's lines by their legends: [(time, value)]."""
        panel = self.panel(title)
        lines: dict[str, list[tuple[float, float]]] = {}
        for target in panel["targets"]:
            for one in self._asked(panel, target):
                points = [(float(at), float(value)) for at, value in one["values"]]
                legend = self._legend(target, one["metric"])
                assert legend not in lines, f"{title} has two lines {legend}"
                lines[legend] = points
        return lines

    def _asked(self, panel: dict[str, Any], target: dict[str, Any]) -> list[dict[str, Any]]:
        step = self.step_ms(panel)
        query = self.filled(target["expr"], step)
        if target.get("instant"):
            samples = self.prometheus.samples(query, self.end)
            return [{"metric": s["metric"], "values": [s["value"]]} for s in samples]
        seconds = step / 1000
        answer = self.prometheus.get(
            "query_range",
            query=query,
            start=self.start // seconds * seconds,
            end=self.end // seconds * seconds,
            step=seconds,
        )
        found: list[dict[str, Any]] = answer["result"]
        return found

    def _legend(self, target: dict[str, Any], labels: dict[str, str]) -> str:
        text = self.filled(target.get("legendFormat") or "Value")
        return re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], match[0]), text)

    def of_kind(self, kind: str) -> list[str]:
        """Return the titles of the panels of a kind, such as all tiles, for one call of node."""
        return [panel["title"] for panel in self.panels if panel["type"] == kind]

    def tiles(self, *titles: str) -> dict[str, dict[str, Any]]:
        """Return tiles by title: value, text and colour as Grafana shows them; each is one."""
        panels = [self.panel(title) for title in titles]
        answer = evaluate({"panels": [self._tile(panel) for panel in panels]})["panels"]
        shown = {}
        for title, made in zip(titles, answer, strict=True):
            assert len(made["tiles"]) <= 1, f"{title} shows {len(made['tiles'])} tiles"
            shown[title] = made["tiles"][0] if made["tiles"] else {"text": made["nothing"]}
            if made["tiles"] and self.panel(title)["options"].get("textMode") == "name":
                shown[title]["text"] = made["tiles"][0]["title"]
        return shown

    def _tile(self, panel: dict[str, Any]) -> dict[str, Any]:
        frames = [
            _frame(one["values"], self._legend(target, one["metric"]))
            for target in panel["targets"]
            for one in self._asked(panel, target)
        ]
        reduce = panel["options"]["reduceOptions"]["calcs"]
        return {"frames": frames, "reduce": reduce, "fieldConfig": panel["fieldConfig"]}

    def tables(self, *titles: str) -> list[list[dict[str, Any]]]:
        """Return tables' rows as {column: {"text", "value", "color", …}}, in one call of node."""
        panels = [self.panel(title) for title in titles]
        asked = [
            {
                "frames": self._table_frames(panel),
                "transformations": panel["transformations"],
                "fieldConfig": panel["fieldConfig"],
            }
            for panel in panels
        ]
        return [
            [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
            for table in evaluate({"panels": asked})["panels"]
        ]

    def _table_frames(self, panel: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what the data source makes of a table's instant queries."""
        asked = [(target, self._asked(panel, target)) for target in panel["targets"]]
        # What has no series is no frame, and a frame that is alone calls its values "Value".
        several = sum(bool(found) for _, found in asked) > 1
        frames = []
        for target, found in asked:
            labels = sorted({label for one in found for label in one["metric"]})
            value = f"Value #{target['refId']}" if several else "Value"
            times = [float(one["values"][0][0]) * 1000 for one in found]
            fields = [{"name": "Time", "type": "time", "values": times}]
            fields += [
                {
                    "name": label,
                    "type": "string",
                    "values": [one["metric"].get(label, "") for one in found],
                }
                for label in labels
            ]
            values = [_number(one["values"][0][1]) for one in found]
            fields.append({"name": value, "type": "number", "values": values})
            if found:
                frames.append({"refId": target["refId"], "fields": fields})
        return frames

    # --- annotations -------------------------------------------------------------------------

    def marks(self, name: str) -> list[float]:
        """Return the moments (Unix seconds) at which an annotation's marks begin."""
        (mark,) = [one for one in self.content["annotations"]["list"] if one["name"] == name]
        step = float(mark["step"].removesuffix("s"))
        step = max(step, (self.end - self.start) / POINTS_MAX)
        answer = self.prometheus.get(
            "query_range",
            query=self.filled(mark["expr"], int(step * 1000)),
            start=self.start // step * step,
            end=self.end // step * step,
            step=step,
        )
        found = [
            moment
            for one in answer["result"]
            for moment in _events(one["values"], step, at_value=mark["useValueForTime"])
        ]
        return sorted(found)


def _events(values: Sequence[tuple[float, str]], step: float, *, at_value: bool) -> Iterator[float]:
    """Yield when events of one series begin; what is at most a step apart is one event."""
    last = -math.inf
    for at, value in values:
        if not at_value and float(value) < 1:
            continue
        moment = math.floor(float(value)) / 1000 if at_value else float(at)
        if moment - last > step:
            yield moment
        last = moment


def _escaped(value: str) -> str:
    """Escape a single value as the data source does (prometheusRegularEscape)."""
    return value.replace("\\", r"\\").replace("'", r"\\'")


def _any_of(values: Sequence[str]) -> str:
    """Join values of a variable with several as it does (prometheusSpecialRegexEscape)."""
    escaped = [
        re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value.replace("\\", "\\" * 4))
        for value in values
    ]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _text(metric: dict[str, str]) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in metric.items() if name != "__name__")
    return f"{metric.get('__name__', '')}{{{labels}}}"


def _frame(values: Sequence[Sequence[Any]], legend: str) -> dict[str, Any]:
    return {
        "fields": [
            {"name": "Time", "type": "time", "values": [float(at) * 1000 for at, _ in values]},
            {
                "name": "Value",
                "type": "number",
                "config": {"displayName": legend},
                "values": [_number(value) for _, value in values],
            },
        ]
    }


def _number(text: str) -> float | str:
    """Return a number as JSON has it; `evaluate.js` reads the three that JSON lacks."""
    number = float(text)
    return number if math.isfinite(number) else repr(number)
