"""One style for every picture, and the files they are saved as: SVG, PNG, PDF."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from loadgen.shared.text import plain_line

Format = Literal["svg", "png", "pdf"]
FORMATS: tuple[Format, ...] = ("svg", "png", "pdf")
COLOURS = ("#1f5fbf", "#b3261e", "#6b3fa0", "#8a5a00", "#176b3a", "#444444")
DASHES = ("-", "--", ":", "-.")
WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 8.0, 4.5, 150
# A hash salt of our own makes the same data give the same SVG.
STYLE: dict[str, object] = {
    "font.size": 10,
    "axes.grid": True,
    "grid.color": "#e0e4e8",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "loadgen",
    "svg.fonttype": "path",
    "path.simplify": True,
}


def new_picture(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes that start at 0; labels carry their units."""
    with rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, loc="left", fontweight="bold")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
    return figure, axes


def literal(text: str) -> str:
    """Return text from elsewhere as a picture shows it: on one line, and $ begins no formula."""
    return plain_line(text).replace("$", r"\$")


def draw_limits(axes: Axes, limits: Sequence[float], unit: str = "s") -> None:
    """Draw a dashed line with its value at each limit."""
    for limit in limits:
        axes.axhline(limit, color=COLOURS[1], linestyle="--", linewidth=1)
        axes.annotate(
            f"{limit:g} {unit}",
            (1, limit),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            color=COLOURS[1],
        )


def legend_above(axes: Axes) -> None:
    """Put the legend between title and axes, where it lies over no data."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles, labels, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=8,
            frameon=False, borderaxespad=0.2,
        )  # fmt: skip


def count_axis(axis: Axis) -> None:
    """Let an axis of counts have whole numbers only."""
    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def save_picture(figure: Figure, stem: Path, formats: Sequence[Format] = FORMATS) -> list[Path]:
    """Save as stem.svg, stem.png, …; return the paths. The same figure gives the same bytes."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind in formats:
        path = stem.with_name(f"{stem.name}.{kind}")
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
        with rc_context(STYLE):  # type: ignore[arg-type]
            figure.savefig(path, dpi=DOTS_PER_INCH, metadata=metadata)
        paths.append(path)
    return paths
