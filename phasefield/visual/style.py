"""How figures look: sizes, fonts, colours, titles. Object-oriented matplotlib only: no display and no global state."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import offset_copy

from phasefield.models.base import Model
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario, load_scenario

DPI = 150
# Blue–white–red and viridis are told apart by colour-blind eyes; the darkest ends of the first would swamp what is in them.
DIVERGING = LinearSegmentedColormap.from_list("blue_white_red", colormaps["RdBu_r"](np.linspace(0.09, 0.91, 256)))
SEQUENTIAL = colormaps["viridis"]
# Damage: white where a body is whole, black where it is broken, ever darker in between, also in grey.
DAMAGE = LinearSegmentedColormap.from_list("damage", ["#FFFFFF", "#B5D4EA", "#4E97C8", "#0B5A94", "#0A2A4A", "#000000"])
# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLACK, BLUE, ORANGE, GREEN, RED = "#222222", "#0072B2", "#E69F00", "#009E73", "#D55E00"
PINK, SKY, GREY = "#CC79A7", "#56B4E9", "#777777"
_GREEK = {"phi": "φ", "psi": "ψ", "eta": "η", "mu": "μ", "theta": "θ", "rho": "ρ"}
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "figure.titlesize": 10.5,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.5,
    "ytick.minor.width": 0.5,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.0,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
    "savefig.dpi": DPI,
    "figure.dpi": DPI,
}
P = ParamSpec("P")
T = TypeVar("T")


def styled(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator: run `function` under matplotlib's defaults plus our settings, whatever the user's own are."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        settings: Any = {**_defaults(), **_SETTINGS}
        with matplotlib.rc_context(settings):
            return function(*args, **kwargs)

    return call


def _defaults() -> dict[str, Any]:
    # Asking for the backend makes matplotlib look for a display; where ffmpeg is, the user knows.
    kept = ("backend", "animation.")
    return {k: matplotlib.rcParamsDefault[k] for k in matplotlib.rcParamsDefault if not k.startswith(kept)}


def truncated(colours: Colormap, low: float, high: float) -> Colormap:
    """The part of a colour map between two places, 0 … 1."""
    return LinearSegmentedColormap.from_list(f"{colours.name}_part", colours(np.linspace(low, high, 256)))


def new_figure(run: Run, width: float, height: float) -> Figure:
    """An empty figure, `width` by `height` inches, with the run's title at the top."""
    figure = Figure((width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    title = textwrap.fill(run_title(run), max(30, int(11.0 * width)))
    # A dollar sign in somebody's title is a dollar sign.
    figure.suptitle(title, parse_math=False)
    return figure


def run_title(run: Run) -> str:
    """Title of the scenario; the folder's name when it has none."""
    return str(run.scenario.get("title") or run.folder.resolve().name)


def caption(figure: FigureBase, text: str) -> None:
    """Small print at the bottom of a figure."""
    figure.supxlabel(text, fontsize=8.0, color=GREY, parse_math=False)


def frameless(axes: Axes) -> None:
    """Leave the left and the lower spine of a graph."""
    axes.spines[["top", "right"]].set_visible(False)


def legend_above(axes: Axes, columns: int) -> None:
    """A legend over a graph whose curves may be anywhere, above the power of ten of its axis."""
    figure: Any = axes.figure
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        bbox_transform=offset_copy(axes.transAxes, figure, y=13.0, units="points"),
        ncols=columns,
        borderaxespad=0.0,
        borderpad=0.0,
        columnspacing=1.0,
        handlelength=1.6,
        handletextpad=0.5,
        fontsize=7.5,
    )


def plain_log_ticks(axis: Axis) -> None:
    """Plain numbers at 1, 2 and 5, or at more places, on a logarithmic axis of less than two decades."""
    low, high = sorted(axis.get_view_interval())
    if high < 100.0 * low:
        subs = (1.0, 2.0, 5.0) if high > 6.0 * low else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def note(axes: Axes, text: str) -> None:
    """A sentence instead of data."""
    axes.set_axis_off()
    wrapped = textwrap.fill(text, 46)
    axes.text(0.5, 0.5, wrapped, ha="center", va="center", color=GREY, transform=axes.transAxes, parse_math=False)


def symbol(name: str) -> str:
    """A field's name as papers write it: η for eta, η₁ for eta_1."""
    base, number = _numbered(name)
    return _GREEK.get(base, base) + number.translate(_SUBSCRIPTS)


def math_symbol(name: str) -> str:
    """The same for use inside math text."""
    base, number = _numbered(name)
    return _math_base(base) + (f"_{{{number}}}" if number else "")


def math_mode(name: str) -> str:
    """The amplitude of a wave of a field, inside math text: a hat over the letter alone, and k among its indices."""
    base, number = _numbered(name)
    accent = "hat" if base in _GREEK or len(base) == 1 else "widehat"
    return rf"\{accent}{{{_math_base(base)}}}_{{{number + ',' if number else ''}k}}"


def _numbered(name: str) -> tuple[str, str]:
    """A letter and its number: ("eta", "1") for eta_1, ("e", "2") for e2; other names whole, such as phase_1."""
    found = re.fullmatch(rf"({'|'.join(_GREEK)}|[a-zA-Z])_?(\d+)", name)
    return (found[1], found[2]) if found else (name, "")


def _math_base(base: str) -> str:
    if base in _GREEK:
        return rf"\{base}"
    if len(base) == 1:
        return base
    escaped = base.replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}"


def time_label(time: float) -> str:
    """t = … with four digits."""
    return f"t = {time:.4g}"


def load_run(run: Run | str | os.PathLike[str]) -> Run:
    """A run from itself, its folder or its fields file."""
    return run if isinstance(run, Run) else Run(run)


def scenario_of(run: Run) -> LoadedScenario:
    """The validated scenario of a run."""
    return load_scenario(run.scenario)


def summary(run: Run) -> str:
    """Equation, size and verdict in a line."""
    scenario = scenario_of(run)
    cells = " × ".join(str(axis.cells) for axis in scenario.grid.axes)
    parts = [scenario.model.equation, f"{cells} cells"]
    if scenario.grid.dimensions == 3:
        parts.append(f"frames in the plane z = {0.5 * scenario.grid.axes[2].length:.4g}")
    if (verdict := run.verification) is not None:
        status = [str(s) for s in verdict["status"].values]
        passed, failed = status.count("pass"), status.count("fail")
        parts.append(f"{passed} of {passed + failed} checks passed")
    return "  ·  ".join(parts)


def conserves_all(model: Model) -> bool:
    """True when no field's mean can change."""
    return all(kinetics.conserved for kinetics in model.fields.values())
