"""Boxes with any boundaries: periodic, no_flux and fixed axes in 1, 2 and 3 dimensions."""

from __future__ import annotations

from itertools import product
from typing import Any

from conftest import BOXES

from phasefield.spectral.grid import Axis, Grid

KINDS = ("periodic", "no_flux", "fixed")
# All mixes but those that are periodic alone.
MIXES = [mix for d in (1, 2, 3) for mix in product(KINDS, repeat=d) if set(mix) != {"periodic"}]


def name(mix: tuple[str, ...]) -> str:
    return "-".join(mix)


def section(mix: tuple[str, ...], **values: Any) -> dict[str, Any]:
    """The `grid:` section of a small box; `values`: those of fields at all fixed faces."""
    box = {axis: dict(data) for axis, data in BOXES[len(mix)].items()}
    for data, boundary in zip(box.values(), mix, strict=True):
        data["boundary"] = boundary
        if boundary == "fixed" and values:
            data["values"] = dict(values)
    return box


def grid(mix: tuple[str, ...]) -> Grid:
    box = BOXES[len(mix)]
    return Grid(tuple(Axis(n, int(d["cells"]), d["length"], b) for (n, d), b in zip(box.items(), mix, strict=True)))
