"""The profile of φ across a straight crack that lies along the grid, against that of a crack in a body at rest.

    AT1: (1 − |x|/2ℓ)²₊,    AT2: r^|j| at the cell j, r = 1 + q²/2 − q√(1 + q²/4), q = h/ℓ.

Both are minima of the discrete energy of cracks with φ = 1 in one layer of cells, AT1 where 2ℓ is a whole number of cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from phasefield.analysis.modes import NotApplicable
from phasefield.models.fracture import Fracture
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario
from phasefield.spectral.grid import Grid

# Cells of more damage belong to a crack; its middle has to be this many ℓ from its ends; the profile reaches this many ℓ out.
BROKEN, ENDS, REACH = 0.95, 2.0, 4.0


@dataclass(frozen=True)
class BandProfile:
    """φ on a line across a crack: distances from the crack, measured, expected; the line in words."""

    distance: np.ndarray
    phi: np.ndarray
    expected: np.ndarray
    place: str

    @property
    def error(self) -> float:
        """Largest difference."""
        return float(np.max(np.abs(self.phi - self.expected)))


def band_profile(run: Run, scenario: LoadedScenario) -> BandProfile:
    """The line through the middle of the longest straight crack of the last frame; `scenario` has the ℓ of theory.

    Raises:
        NotApplicable: φ was not written, or no straight crack along an axis is long enough.
    """
    model, grid = scenario.model, scenario.grid
    assert isinstance(model, Fracture)
    if "phi" not in run.names:
        raise NotApplicable("phi was not written")
    phi, ell = run.frame("phi").astype(float), model.parameters.length
    depth, axis, layer, where = max(_middle(phi, grid, axis) for axis in range(grid.dimensions))
    if depth < ENDS * ell:
        raise NotApplicable(
            "no straight crack along an axis: none has a middle that is 2ℓ from its ends"
            if math.isfinite(depth)
            else f"no cell is broken (φ ≥ {BROKEN})"
        )
    line = np.moveaxis(phi, phi.ndim - 1 - axis, -1)[where]
    own = grid.axes[axis]
    reach = min(int(REACH * ell / own.spacing), (own.cells - 1) // 2)
    offsets = np.arange(-reach, reach + 1)
    if own.boundary != "periodic":
        offsets = offsets[(layer + offsets >= 0) & (layer + offsets < own.cells)]
    distance = offsets * own.spacing
    others = [a for a in range(grid.dimensions) if a != axis]
    # Arrays are z, y, x.
    centres = {a: (i + 0.5) * grid.axes[a].spacing for a, i in zip(reversed(others), where, strict=True)}
    place = ", ".join(f"{grid.axes[a].name} = {centres[a]:.4g}" for a in others)
    crack = f"{own.name} = {(layer + 0.5) * own.spacing:.4g}"
    return BandProfile(
        distance,
        line[(layer + offsets) % own.cells],
        profile(model.parameters.dissipation, distance, ell, own.spacing),
        f"across the crack at {crack}, on the line {place}",
    )


def profile(dissipation: str, distance: np.ndarray, ell: float, spacing: float) -> np.ndarray:
    """φ at distances from a layer of cells with φ = 1, multiples of the spacing."""
    if dissipation == "AT1":
        return np.maximum(1.0 - np.abs(distance) / (2.0 * ell), 0.0) ** 2
    q = spacing / ell
    r = 1.0 + 0.5 * q * q - q * math.sqrt(1.0 + 0.25 * q * q)
    return r ** (np.abs(distance) / spacing)


def _middle(phi: np.ndarray, grid: Grid, axis: int) -> tuple[float, int, int, tuple[int, ...]]:
    """(distance to its nearest end, axis, layer, cell in the layer) of the middle of the largest crack in a layer of cells."""
    lines = np.moveaxis(phi, phi.ndim - 1 - axis, -1)
    peak, broken = lines.argmax(axis=-1), lines.max(axis=-1) >= BROKEN
    if not broken.any():
        return -math.inf, axis, 0, (0,) * broken.ndim
    layer = int(np.bincount(peak[broken]).argmax())
    crack = broken & (peak == layer)
    if crack.all():
        return max(a.length for a in grid.axes), axis, layer, tuple(n // 2 for n in crack.shape)
    # In the order of the array; through periodic faces a crack goes on, at the others it does not end.
    others = [a for i, a in enumerate(grid.axes) if i != axis][::-1]
    wide = crack
    for along, other in enumerate(others):
        pad = [(other.cells, other.cells) if i == along else (0, 0) for i in range(wide.ndim)]
        wide = np.pad(wide, pad, mode="wrap" if other.boundary == "periodic" else "edge")
    inside = np.asarray(distance_transform_edt(wide, sampling=[a.spacing for a in others]))
    inside = inside[tuple(slice(a.cells, 2 * a.cells) for a in others)]
    where = np.unravel_index(int(inside.argmax()), inside.shape)
    return float(inside.max()), axis, layer, tuple(int(i) for i in where)
