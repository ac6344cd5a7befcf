"""The microstructure in the last frame of a martensite run: walls on compatible planes, variants in equal shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.analysis.microstructure import (
    WallOrientation,
    Walls,
    relative_mean_strain,
    variant_fractions,
    wall_normals,
    wall_orientation,
    walls,
)
from phasefield.analysis.modes import NotApplicable
from phasefield.errors import InputError
from phasefield.mechanics.loading import Load
from phasefield.models.martensite import Martensite
from phasefield.models.square_rectangle import SquareRectangle
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario

# Before so much has transformed, elastic filtering of noise alone puts the structure factor where twins would have it.
TRANSFORMED = 0.9
# Strain of the order parameter e₂ = (ε_xx − ε_yy)/√2.
E2 = np.diag([1.0, -1.0, 0.0]) / np.sqrt(2.0)


@dataclass(frozen=True)
class Twins:
    """Measures of the last frame, see `microstructure`; clamped: whether its mean strain is held at zero, so that variants have
    to balance.
    """

    time: float
    fractions: np.ndarray
    mean_strain: float
    orientation: WallOrientation
    walls: Walls
    clamped: bool

    @property
    def transformed(self) -> float:
        """Volume fraction of martensite."""
        return float(self.fractions.sum())

    @property
    def imbalance(self) -> float:
        """Largest difference between the fractions of two variants."""
        return float(np.ptp(self.fractions))


def twins(run: Run, scenario: LoadedScenario, index: int = -1) -> Twins:
    """Measure the microstructure of a frame, the last one by default.

    Raises:
        NotApplicable: not a martensite, fields missing, no martensite at that temperature, less than `TRANSFORMED` of it, or no
            compatible walls within the grid.
    """
    model = scenario.model
    if not isinstance(model, Martensite | SquareRectangle):
        raise NotApplicable("the model has no variants")
    names = list(model.fields)
    missing = [name for name in names if name not in run.names]
    if missing:
        raise NotApplicable(f"field {missing[0]} was not written")
    time = float(run.times[index])
    landau = model.parameters.landau
    well = landau.well(model.temperature(time))
    if not well > 0.0:
        raise NotApplicable(f"there is no martensite at the temperature of t = {time:.4g}")
    eta = np.stack([run.frame(name, index) for name in names]).astype(float)
    if not np.isfinite(eta).all():
        raise NotApplicable("the last frame is not finite")
    # Even polynomials have wells at −η, too.
    signed = landau.name != "landau_234"
    fractions = variant_fractions(eta, well, signed)
    if fractions.sum() <= TRANSFORMED:
        raise NotApplicable(
            f"only {fractions.sum():.1%} has transformed at t = {time:.4g}, {TRANSFORMED:.0%} is needed"
        )
    strains = model.strains if isinstance(model, Martensite) else E2[None]
    try:
        normals = wall_normals(strains, scenario.grid.dimensions, signed)
    except InputError as reason:
        raise NotApplicable(str(reason)) from None
    return Twins(
        time,
        fractions,
        relative_mean_strain(eta, strains, well),
        wall_orientation(eta, scenario.grid, normals),
        walls(eta, scenario.grid, well, signed),
        isinstance(model, Martensite) and _clamped(model.elastic.load, time),
    )


def _clamped(load: Load, time: float) -> bool:
    return not load.stress_controlled(time).any() and not np.any(load.values(time))
