"""Draw the pictures of the documentation from real runs: `python docs/images/make.py [SCENARIO …]`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

import phasefield as pf
from phasefield.visual.overview import figure_overview

HERE = Path(__file__).parent
SCENARIOS = HERE.parents[1] / "scenarios"
# Resolution and number of colours keep a picture below 300 kB.
DPI, COLOURS = 120, 192
SHOWN = (
    "spinodal",
    "off_critical",
    "coherent_spinodal",
    "shrinking_disc",
    "martensite_2d",
    "martensite_3d",
    "shape_memory",
    "pseudoelastic",
    "fepd",
    "feni",
    "soft_martensite",
    "pfhub/8b",
)


def make(scenario: str) -> None:
    """Run a scenario and save its overview as `<scenario>.png` beside this file, that of `pfhub/8b` as `pfhub_8b.png`."""
    with tempfile.TemporaryDirectory() as folder:
        run = pf.run(SCENARIOS / f"{scenario}.yaml", output=folder)
        buffer = io.BytesIO()
        figure_overview(run).savefig(buffer, dpi=DPI)
    picture = Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(HERE / f"{scenario.replace('/', '_')}.png", optimize=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or SHOWN:
        make(name)
