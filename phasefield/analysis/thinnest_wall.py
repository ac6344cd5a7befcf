"""The thinnest wall that a martensite scenario can form, from the closed forms of its Landau polynomial: can the grid hold it?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from phasefield.analysis.landau import (
    austenite_martensite_wall,
    double_well_wall,
    transformation_front,
    transitions,
    twin_wall,
    variant_wall,
)
from phasefield.energy.landau_martensite import Landau24, Landau234, Landau246, LandauBase
from phasefield.models.base import Model
from phasefield.models.martensite import Martensite
from phasefield.models.square_rectangle import SquareRectangle


@dataclass(frozen=True)
class ThinnestWall:
    """Kind of wall, energy per area without elastic part (nan for a front that moves), and width from 10 % to 90 %."""

    kind: str
    energy: float
    width: float


def thinnest_wall(model: Model) -> ThinnestWall | None:
    """The thinnest at any temperature of the scenario; None for other models and where there is no closed form."""
    if not isinstance(model, Martensite | SquareRectangle):
        return None
    times = {0.0, *model.events}
    found = [_wall(model.parameters.landau, len(model.fields), _kappa(model), model.temperature(t)) for t in times]
    return min((w for w in found if w is not None), key=lambda w: w.width, default=None)


def _wall(landau: LandauBase, variants: int, kappa: float, temperature: float | None) -> ThinnestWall | None:
    if isinstance(landau, Landau24):
        wall = double_well_wall(landau.W, kappa)
        return ThinnestWall("twin wall", wall.energy, wall.width)
    if isinstance(landau, Landau234):
        if landau.B is not None:
            return None
        delta_f = landau.driving_force(temperature)
        if variants > 1:
            wall = variant_wall(landau.A, delta_f, kappa)
            return ThinnestWall("twin wall", wall.energy, wall.width)
        return ThinnestWall("front", math.nan, transformation_front(landau.A, delta_f, kappa).width)
    if isinstance(landau, Landau246) and variants == 1:
        a = landau.quadratic(temperature)
        if a < transitions(landau.b, landau.c).coexistence:
            wall = twin_wall(a, landau.b, landau.c, kappa)
            return ThinnestWall("twin wall", wall.energy, wall.width)
        wall = austenite_martensite_wall(landau.b, landau.c, kappa)
        return ThinnestWall("wall between austenite and martensite", wall.energy, wall.width)
    return None


def _kappa(model: Martensite | SquareRectangle) -> float:
    return float(model.parameters.gradient_energy)
