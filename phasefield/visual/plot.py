"""The figures of a run as PNG files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from phasefield.errors import InputError, unknown
from phasefield.output.reader import Run
from phasefield.visual.crack_curves import crack_measure, figure_crack, figure_load, has_inertia
from phasefield.visual.deformed import figure_deformed, why_not_deformed
from phasefield.visual.fields import box, figure_fields
from phasefield.visual.growth import figure_growth, measures_growth
from phasefield.visual.histories import figure_energy, figure_radius
from phasefield.visual.isosurface import figure_surface, why_no_surface
from phasefield.visual.loop import figure_loop
from phasefield.visual.orientation import figure_orientation
from phasefield.visual.overview import figure_overview, wants_radius
from phasefield.visual.paths import varies
from phasefield.visual.spectrum import figure_spectrum
from phasefield.visual.style import DPI, load_run, styled
from phasefield.visual.tips import figure_tip, why_no_tip
from phasefield.visual.variants import palette_of

__all__ = [
    "FIGURES",
    "figure_crack",
    "figure_deformed",
    "figure_energy",
    "figure_fields",
    "figure_growth",
    "figure_load",
    "figure_loop",
    "figure_orientation",
    "figure_overview",
    "figure_radius",
    "figure_spectrum",
    "figure_surface",
    "figure_tip",
    "plot",
]

FIGURES: dict[str, Callable[[Run], Figure]] = {
    "overview": figure_overview,
    "fields": figure_fields,
    "energy": figure_energy,
    "spectrum": figure_spectrum,
    "growth": figure_growth,
    "radius": figure_radius,
    "loop": figure_loop,
    "orientation": figure_orientation,
    "load": figure_load,
    "crack": figure_crack,
    "tip": figure_tip,
    "deformed": figure_deformed,
    "surface": figure_surface,
}
# Figures that only some runs have something to show in.
APPLIES: dict[str, Callable[[Run], bool]] = {
    "spectrum": lambda run: crack_measure(run) is None,
    "growth": measures_growth,
    "radius": wants_radius,
    "loop": varies,
    "orientation": lambda run: palette_of(run) is not None and len(box(run)) > 1,
    "load": lambda run: crack_measure(run) is not None and not has_inertia(run),
    "crack": lambda run: crack_measure(run) is not None,
    "tip": lambda run: not why_no_tip(run),
    "deformed": lambda run: not why_not_deformed(run),
    "surface": lambda run: not why_no_surface(run),
}


def plot(
    run: Run | str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    what: Sequence[str] | None = None,
) -> list[Path]:
    """Write figures of a run as PNG files, replacing those of the same name.

    Args:
        run: the run, its folder or its fields file.
        output: folder for the files; `plots` in the run folder when absent.
        what: names among `FIGURES`; when absent all that apply: `growth` where growth rates were measured, `radius` where the
            scenario asks for that check, `loop` where mean stress, strain or temperature vary, `orientation` where the model has
            variants; of bodies that crack `crack`, `load` without and `tip` with inertia, `deformed` where displacements were
            written, `surface` in space, and no `spectrum`.

    Returns:
        The files written, one per figure; for `fields`, one per field unless these are variants.

    Raises:
        InputError: an unknown name, no frame to show, or a folder that cannot be written.
    """
    run = load_run(run)
    if what is None:
        what = [name for name in FIGURES if name not in APPLIES or APPLIES[name](run)]
    elif isinstance(what, str):
        what = [what]
    for name in what:
        if name not in FIGURES:
            raise unknown("figure", name, FIGURES)
    folder = Path(output) if output is not None else run.folder / "plots"
    written = []
    for name in dict.fromkeys(what):
        for stem, figure in _figures(run, name):
            written.append(_save(figure, folder / f"{stem}.png"))
    return written


def _figures(run: Run, name: str) -> Iterator[tuple[str, Figure]]:
    """The figures of one name, each with the stem of its file."""
    if name == "fields" and len(run.names) > 1 and palette_of(run) is None:
        for field in run.names:
            yield f"fields_{field}", figure_fields(run, field)
    else:
        yield name, FIGURES[name](run)


@styled
def _save(figure: Figure, path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI)
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror or error}") from None
    return path
