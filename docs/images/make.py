"""Draw the pictures of the documentation from real runs: `python docs/images/make.py [SCENARIO | pfhub_… | coarsening …]`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import branching
import coarsening_curves
import fracture_curves
import fracture_sizes
import numpy as np
import pfhub_2a
import pfhub_7a
import pfhub_curves
import sent_curves
from matplotlib.figure import Figure
from PIL import Image

import phasefield as pf
from phasefield.visual.movie import common_palette
from phasefield.visual.overview import figure_overview

HERE = Path(__file__).parent
SCENARIOS = HERE.parents[1] / "scenarios"
FIGURES = {
    **pfhub_curves.FIGURES,
    **pfhub_2a.FIGURES,
    **pfhub_7a.FIGURES,
    **coarsening_curves.FIGURES,
    **fracture_sizes.FIGURES,
    **fracture_curves.FIGURES,
    **sent_curves.FIGURES,
    **branching.FIGURES,
}
MOVIES = {**branching.MOVIES}
# Resolution and number of colours keep a picture below 300 kB.
DPI, COLOURS = 120, 192
# Pictures with colours on their bar that the fields rarely have.
RARE = tuple(branching.FIGURES)
SHOWN = (
    "spinodal",
    "off_critical",
    "coherent_spinodal",
    "ternary",
    "surface_diffusion",
    "shrinking_disc",
    "martensite_2d",
    "martensite_3d",
    "shape_memory",
    "pseudoelastic",
    "fepd",
    "feni",
    "soft_martensite",
    "thermal_shock",
    "kalthoff_winkler",
    "pfhub/8b",
)


def make(name: str) -> None:
    """Save the overview of a scenario's run, or one of the figures that are drawn for a page, as `<name>.png` beside this file.

    A `/` in the name becomes `_`. A name in `MOVIES` is that of the file.
    """
    if name in MOVIES:
        MOVIES[name](HERE / name)
        return
    if name in FIGURES:
        save(FIGURES[name](), name)
        return
    with tempfile.TemporaryDirectory() as folder:
        save(figure_overview(pf.run(SCENARIOS / f"{name}.yaml", output=folder)), name)


def save(figure: Figure, name: str) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    picture = Image.open(buffer).convert("RGB")
    palette = common_palette([np.asarray(picture)], 256) if name in RARE else None
    picture = picture.quantize(COLOURS, palette=palette, dither=Image.Dither.NONE)
    picture.save(HERE / f"{name.replace('/', '_')}.png", optimize=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or (*SHOWN, *FIGURES, *MOVIES):
        make(name)
