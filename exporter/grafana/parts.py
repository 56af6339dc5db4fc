"""The few kinds of parts that the dashboards are made of. Widths are in Grafana's 24 columns."""

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap as heatmap_builders
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_models
from grafana_foundation_sdk.models import prometheus as prometheus_models

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="loadgen-prometheus")
TAG = "loadgen"
REFRESH = "5s"

Query = tuple[str, str]
"""PromQL, and the legend of its series."""

GOOD, WARNING, BAD = "green", "orange", "red"
Steps = list[tuple[float | None, str]]
"""From each value on, a colour; the first value is None."""


def _query(number: int, query: Query) -> prometheus.Dataquery:
    expression, legend = query
    return (
        prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number))
    )


def _thresholds(steps: Steps) -> builders.ThresholdsConfig:
    thresholds = [models.Threshold(value=value, color=color) for value, color in steps]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(thresholds)


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    steps: Steps | None = None,
    width: int = 3,
) -> stat.Panel:
    """Show one value, big, with its history behind it."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .height(4)
        .span(width)
        .with_target(_query(0, query))
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(steps or [(None, "blue")]))
    )
    return panel.text_mode(common.BigValueTextMode.NAME) if unit == "none" else panel


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
        .show_y_histogram()
    )


def rows(
    title: str,
    description: str,
    columns: dict[str, tuple[str, str]],
    labels: dict[str, str],
    *,
    sort: str,
    width: int = 24,
) -> table.Panel:
    """Show a table: `columns` maps a title to (PromQL, unit), `labels` a label to its title.

    Every query is instant and has the same labels, which become the first columns.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(8)
        .span(width)
        .unit("none")
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    )
    names = dict(labels)
    for index, (column, (expression, unit)) in enumerate(columns.items()):
        query = _query(index, (expression, "")).instant()
        panel = panel.with_target(query.format(prometheus_models.PromQueryFormat.TABLE))
        field = f"Value #{chr(ord('A') + index)}" if len(columns) > 1 else "Value"
        names[field] = column
        panel = panel.override_by_name(
            column, [models.DynamicConfigValue(id_val="unit", value=unit)]
        )
    order = {name: position for position, name in enumerate(names)}
    organize = {"excludeByName": {"Time": True}, "renameByName": names, "indexByName": order}
    panel = panel.with_transformation(
        models.DataTransformerConfig(id_val="organize", options=organize)
    )
    first = common_builders.TableSortByFieldState().display_name(sort).desc(True)
    return panel.sort_by([first])


def variable(
    name: str, label: str, query: str, *, every: bool = True, regex: str = "", hidden: bool = False
) -> builders.QueryVariable:
    """Offer values found by a query; `every` also offers all of them at once, and several."""
    made = (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .regex(regex)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_DESC)
        .hide(models.VariableHide.HIDE_VARIABLE if hidden else models.VariableHide.DONT_HIDE)
    )
    return made.include_all(True).multi(True).all_value(".*") if every else made


def annotation(name: str, color: str, expression: str) -> builders.AnnotationQuery:
    """Mark moments that a metric tells, also where nobody calls Grafana's API."""
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(color)
        .expr(expression)
    )


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


def dashboard(uid: str, title: str, description: str, start: str) -> builders.Dashboard:
    """Begin a dashboard that shows the time from `start` to now."""
    others = (
        builders.DashboardLink("Load generation")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
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
    )
