"""The few kinds of parts that the dashboards are made of. Widths are in Grafana's 24 columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap as heatmap_builders
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_models
from grafana_foundation_sdk.models import prometheus as prometheus_models

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "loadgen"
REFRESH = "5s"
LINES_MAX = 10
"""A graph of more lines than these is no graph: the greatest are shown."""
LAST_SCRAPE_SECONDS = 75
"""A run's last numbers are scraped so long after its end, where scrapes are a minute apart."""

ANYTHING = "(?s:.*)"
"""Matches every value of a label, one with a line break too."""

Query = tuple[str, str]
"""PromQL, and the legend of its series."""

GOOD, WARNING, BAD = "green", "orange", "red"
Thresholds = list[tuple[float | None, str]]
"""From each value on, a colour; the first value is None."""
FAILURES: Thresholds = [(None, GOOD), (0.001, WARNING), (0.01, BAD)]
ONE_IS_BAD: Thresholds = [(None, GOOD), (1, BAD)]
SATURATION: Thresholds = [(None, GOOD), (0.7, WARNING), (0.9, BAD)]


def _query(number: int, query: Query) -> prometheus.Dataquery:
    expression, legend = query
    return (
        prometheus.Dataquery()
        .expr(expression)
        .legend_format(legend)
        .ref_id(chr(ord("A") + number))
        .datasource(DATASOURCE)
    )


def _thresholds(steps: Thresholds) -> builders.ThresholdsConfig:
    thresholds = [models.Threshold(value=value, color=color) for value, color in steps]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(thresholds)


def _tile(
    title: str, description: str, unit: str, steps: Thresholds | None, width: int
) -> stat.Panel:
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .height(4)
        .span(width)
        .no_value("-")
        .thresholds(_thresholds(steps or [(None, "blue")]))
    )


def number(
    title: str,
    description: str,
    unit: str,
    expression: str,
    *,
    steps: Thresholds | None = None,
    width: int = 4,
) -> stat.Panel:
    """Show one value, big, as of the end of the time shown."""
    reduce = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    return (
        _tile(title, description, unit, steps, width)
        .with_target(_query(0, (expression, "")).instant())
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(reduce)
    )


def state(title: str, description: str, expression: str, legend: str, none: str) -> stat.Panel:
    """Show a word: the label of the one series that there is; `none` without one."""
    return (
        number(title, description, "none", expression)
        .targets([_query(0, (expression, legend)).instant()])
        .text_mode(common.BigValueTextMode.NAME)
        .no_value(none)
    )


def lines(
    title: str, description: str, unit: str, *queries: Query, width: int = 12, height: int = 8
) -> timeseries.Panel:
    """Draw queries over time. A gap in the data stays a gap."""
    legend = common_builders.VizLegendOptions().show_legend(True)
    legend = legend.display_mode(common.LegendDisplayMode.TABLE)
    legend = legend.placement(common.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .height(height)
        .span(width)
        .min(0)
        .line_width(1)
        .fill_opacity(8)
        .span_nulls(False)
        .legend(legend)
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    for index, query in enumerate(queries):
        panel = panel.with_target(_query(index, query))
    return panel


def heatmap(
    title: str, description: str, expression: str, *, width: int = 12
) -> heatmap_builders.Panel:
    """Draw a histogram over time; the query sums buckets by `le`."""
    colors = heatmap_builders.HeatmapColorOptions().mode(heatmap_models.HeatmapColorMode.SCHEME)
    query = _query(0, (expression, "{{le}}")).format(prometheus_models.PromQueryFormat.HEATMAP)
    return (
        heatmap_builders.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(8)
        .span(width)
        .with_target(query)
        .color(colors.scheme("Blues").steps(64).exponent(0.5))
        .y_axis(heatmap_builders.YAxisConfig().unit("s"))
        .scale_distribution(
            common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LINEAR)
        )
        .show_tooltip()
        .show_y_histogram()
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `steps` colour its cells; `words` show numbers as coloured words."""

    title: str
    expression: str
    unit: str = "locale"
    steps: Thresholds | None = None
    words: Mapping[str, tuple[str, str]] | None = None
    hidden: bool = False

    def properties(self) -> list[models.DynamicConfigValue]:
        """Return what Grafana overrides for this column."""
        made: list[tuple[str, Any]] = [("unit", self.unit)]
        if self.steps:
            thresholds = [{"value": value, "color": color} for value, color in self.steps]
            made.append(("thresholds", {"mode": "absolute", "steps": thresholds}))
        if self.words:
            options = {
                value: {"text": text, "color": color, "index": index}
                for index, (value, (text, color)) in enumerate(self.words.items())
            }
            made.append(("mappings", [{"type": "value", "options": options}]))
        if self.steps or self.words:
            # The first is Grafana 9.2's name for it, the second that of 9.3 and later.
            made.append(("custom.displayMode", "color-text"))
            made.append(("custom.cellOptions", {"type": "color-text"}))
        if self.hidden:
            made.append(("custom.hidden", True))
        return [models.DynamicConfigValue(id_val=name, value=value) for name, value in made]


def rows(
    title: str,
    description: str,
    columns: Sequence[Column],
    labels: Mapping[str, str],
    *,
    sort: str,
    width: int = 24,
    links: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> table.Panel:
    """Show a table, one row for each set of labels.

    `labels` maps a label to its title; these are the first columns. Every query is instant and has
    the same labels. `links` gives a column's cells links: (title, address).
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(9)
        .span(width)
        .unit("none")
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    )
    names = dict(labels)
    for index, column in enumerate(columns):
        query = _query(index, (column.expression, "")).instant()
        panel = panel.with_target(query.format(prometheus_models.PromQueryFormat.TABLE))
        field = f"Value #{chr(ord('A') + index)}" if len(columns) > 1 else "Value"
        names[field] = column.title
        panel = panel.override_by_name(column.title, column.properties())
    for field, of_field in (links or {}).items():
        made = [{"title": text, "url": address} for text, address in of_field]
        panel = panel.override_by_name(field, [models.DynamicConfigValue("links", made)])
    order = {name: position for position, name in enumerate(names)}
    organize = {"excludeByName": {"Time": True}, "renameByName": names, "indexByName": order}
    panel = panel.with_transformation(
        models.DataTransformerConfig(id_val="organize", options=organize)
    )
    first = common_builders.TableSortByFieldState().display_name(sort).desc(True)
    return panel.sort_by([first])


def variable(
    name: str,
    label: str,
    query: str,
    *,
    every: bool = True,
    regex: str = "",
    hidden: bool = False,
    ordered: bool = False,
) -> builders.QueryVariable:
    """Offer values found by a query; `every` also offers all of them at once, and several.

    The first value is chosen at first: the query's first one when it is `ordered`, else A before Z.
    """
    made = (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .regex(regex)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.DISABLED if ordered else models.VariableSort.ALPHABETICAL_ASC)
        .hide(models.VariableHide.HIDE_VARIABLE if hidden else models.VariableHide.DONT_HIDE)
    )
    return made.include_all(True).multi(True).all_value(ANYTHING) if every else made


def datasource() -> builders.DatasourceVariable:
    """Offer every Prometheus that Grafana knows; the default one comes first."""
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def fleet() -> builders.QueryVariable:
    """Offer the fleets of one Prometheus; a series without the label belongs to the one without."""
    # A fleet without a run yet has the first; one whose runs are kept, and whose exporter ended
    # with the last of them, has the second.
    known = '{__name__=~"locust_up|locust_run_start_timestamp_seconds"}'
    return variable("fleet", "Fleet", f"label_values({known}, fleet)", every=False)


def annotation(
    name: str, color: str, expression: str, title: str, *, at_value: bool = False
) -> builders.AnnotationQuery:
    """Mark moments that a metric tells, also where nobody calls Grafana's API.

    `title` is what a mark says, with labels in double braces. With `at_value` the sample's value is
    the moment, in milliseconds.
    """
    made = (
        builders.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(color)
        .expr(expression)
    )
    return _Stepped(made, title, at_value)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class _Stepped:
    """An annotation with what Grafana's Prometheus reads and the SDK's model lacks.

    Without a step Grafana looks every 60 s and misses what lasts shorter.
    """

    made: builders.AnnotationQuery
    title: str
    at_value: bool

    def build(self) -> models.AnnotationQuery:
        """Return the annotation."""
        return SteppedAnnotation(self.made.build(), self.title, self.at_value)


class SteppedAnnotation(models.AnnotationQuery):
    """Writes `step`, `titleFormat` and `useValueForTime` beside the model's own fields."""

    def __init__(self, annotation: models.AnnotationQuery, title: str, at_value: bool) -> None:
        self.__dict__.update(annotation.__dict__)
        self._own = {"step": "5s", "titleFormat": title, "useValueForTime": at_value}

    def to_json(self) -> dict[str, object]:
        """Return what Grafana reads."""
        return super().to_json() | self._own


def posted_annotations() -> builders.AnnotationQuery:
    """Show what a run posted to Grafana's API, its verdict among it."""
    grafana = models.DataSourceRef(type_val="grafana", uid="-- Grafana --")
    target = builders.AnnotationTarget().tags([TAG]).type("tags").limit(100).match_any(True)
    return (
        builders.AnnotationQuery()
        .name("Runs")
        .datasource(grafana)
        .enable(True)
        .icon_color("purple")
        .target(target)
    )


def link(title: str, address: str, tooltip: str) -> builders.DashboardLink:
    """Offer a way to another time or dashboard at the top of the page."""
    kind = models.DashboardLinkType.LINK
    made = builders.DashboardLink(title).type(kind).url(address)
    return made.tooltip(tooltip).icon("external link")


def dashboard(uid: str, title: str, description: str, start: str) -> builders.Dashboard:
    """Begin a dashboard that shows the time from `start` to now."""
    others = (
        builders.DashboardLink("Load generation")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(False)
    )
    return (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .time(start, "now")
        .refresh(REFRESH)
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(others)
        .with_variable(datasource())
        .with_variable(fleet())
    )
