"""Thermal strain ε* = αθ of a body whose temperature changes by θ(x, t), and the section of a scenario that says so.

```yaml
thermal: {expansion: 8.0e-6, diffusivity: 1.0e-5, cooled: [{face: y.low, temperature: -300.0}]}
thermal: {expansion: 8.0e-6, diffusivity: 1.0e-5, cooled: [{face: y.low, temperature: -300.0, transfer: 2.0e3}]}
thermal: {expansion: 8.0e-6, formula: "-300*exp(-x/(0.01 + 0.1*t))"}
```
Heat flows from the whole body, which was at one temperature, through the faces that are named; other faces let none through.
Neither cracks nor regions hinder it. Along one axis that is the solution of `conduction`; with faces along several axes, which
then have one Θ, 1 − θ/Θ is the product of those of the axes.

A run does not follow θ at every step: ε* changes when θ has changed somewhere by `update` times the largest |θ|.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator, model_validator

from phasefield.errors import InputError, NumericalError, unknown
from phasefield.initial.base import Number
from phasefield.kernels.expressions import parse
from phasefield.mechanics.bounded_faces import ENDS
from phasefield.mechanics.conduction import INSULATED, Cooling, Slab
from phasefield.mechanics.splits import Split, make_split
from phasefield.mechanics.stiffness import Section, complaint
from phasefield.spectral.grid import AXIS_NAMES, Grid

# What one step may change θ by, over its largest value.
UPDATE = 1e-3

Temperature = Callable[[float], np.ndarray]


class CooledFace(Section):
    """A face through which heat flows."""

    face: str = Field(description="x.low, x.high, y.low, …")
    temperature: Number = Field(description="Θ, change of temperature of what touches the face, from t = 0 on")
    transfer: PositiveFloat | None = Field(
        default=None, description="heat transfer coefficient over conductivity, 1/length; the face has Θ when absent"
    )


class ThermalSection(Section):
    """Temperature of a body and what it does."""

    expansion: Number = Field(description="α, strain per change of temperature")
    cooled: list[CooledFace] = Field(default=[], description="faces through which heat flows; others are insulated")
    diffusivity: PositiveFloat | None = Field(default=None, description="D of heat, length²/time")
    formula: str | None = Field(
        default=None, description="in place of cooled faces: θ in x, y, z, the time t and the box lengths Lx, Ly, Lz"
    )
    update: Annotated[NonNegativeFloat, Field(lt=1.0)] = Field(
        default=UPDATE, description="the strain follows when θ has changed by this share of its largest value"
    )

    @field_validator("formula")
    @classmethod
    def _parses(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                _parsed(text, AXIS_NAMES, "formula")
            except InputError as error:
                raise complaint("expression", str(error)) from error
        return text

    @model_validator(mode="after")
    def _one(self) -> ThermalSection:
        if bool(self.cooled) == (self.formula is not None):
            raise complaint("source", "needs either cooled or formula")
        if self.cooled and self.diffusivity is None:
            raise complaint("diffusivity", "cooled faces need a diffusivity")
        if self.formula is not None and self.diffusivity is not None:
            raise complaint("diffusivity", "a formula needs no diffusivity")
        return self


class ThermalStrain:
    """ε* = αθ of one body, in time.

    Args:
        section: what the scenario says. grid: of the body. place: key path of the section in messages.

    Attributes: `time` of the θ that the body has.

    Raises:
        InputError: unknown faces, faces along periodic axes or named twice, several axes with different Θ, formulas that are not
            finite at t = 0.
    """

    def __init__(self, section: ThermalSection, grid: Grid, place: str = "model.thermal"):
        self.expansion, self.update = section.expansion, section.update
        self._temperature = _formula(section, grid, place) if section.formula else _conduction(section, grid, place)
        self.begin(0.0)

    def temperature(self, time: float) -> np.ndarray:
        """θ at the centres of cells, broadcastable to grid.shape.

        Raises:
            NumericalError: it is not finite.
        """
        theta = self._temperature(time)
        if not np.isfinite(theta).all():
            raise NumericalError(f"model.thermal: the temperature is not finite at t = {time:g}")
        return theta

    def begin(self, time: float) -> np.ndarray:
        """ε* of the θ at `time`, which the body has from now on."""
        self.time, self._held = time, self.temperature(time)
        return self.expansion * self._held

    def next(self, time: float) -> np.ndarray | None:
        """ε* at `time`, or None where θ has changed too little to tell."""
        theta = self.temperature(time)
        if not np.abs(theta - self._held).max() > self.update * np.abs(theta).max():
            return None
        self.time, self._held = time, theta
        return self.expansion * theta


def _conduction(section: ThermalSection, grid: Grid, place: str) -> Temperature:
    faces: dict[int, list[Cooling]] = {}
    known = [f"{axis.name}.{end}" for axis in grid.axes if axis.boundary != "periodic" for end in ENDS]
    for number, cooled in enumerate(section.cooled):
        here = f"{place}.cooled.{number}.face"
        if cooled.face not in known:
            raise InputError(f"{here}: {unknown('face', cooled.face, known)}")
        if cooled.face in [other.face for other in section.cooled[:number]]:
            raise InputError(f"{here}: {cooled.face} is named twice")
        axis, end = cooled.face.split(".")
        transfer = math.inf if cooled.transfer is None else cooled.transfer
        both = faces.setdefault(AXIS_NAMES.index(axis), [INSULATED, INSULATED])
        both[ENDS.index(end)] = Cooling(cooled.temperature, transfer)
    theta = section.cooled[0].temperature
    if len(faces) > 1 and any(cooled.temperature != theta for cooled in section.cooled):
        raise InputError(f"{place}.cooled: faces along several axes need one temperature")
    places = list(grid.coordinates().values())
    slabs = [(Slab(grid.axes[a].length, section.diffusivity or 0.0, *both), places[a]) for a, both in faces.items()]

    def temperature(time: float) -> np.ndarray:
        if len(slabs) == 1 or theta == 0.0:
            slab, x = slabs[0]
            return slab.temperature(x, time)
        left = np.ones((1,) * grid.dimensions)
        for slab, x in slabs:
            left = left * (1.0 - slab.temperature(x, time) / theta)
        return theta * (1.0 - left)

    return temperature


def _parsed(text: str, axes: tuple[str, ...], what: str):
    return parse(text, variables=(*axes, "t"), parameters=[f"L{axis}" for axis in axes], what=what)


def _formula(section: ThermalSection, grid: Grid, place: str) -> Temperature:
    axes = tuple(axis.name for axis in grid.axes)
    text = section.formula or ""
    used = _parsed(text, axes, f"{place}.formula").names_used
    # Of the coordinates only those that occur: θ has no more axes than it needs.
    lengths = {f"L{axis.name}": axis.length for axis in grid.axes if f"L{axis.name}" in used}
    coordinates = {name: values for name, values in grid.coordinates().items() if name in used}
    expression = parse(text, variables=(*coordinates, "t"), parameters=lengths, what=f"{place}.formula")

    def temperature(time: float) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(expression.evaluate(**coordinates, **lengths, t=time), float)

    if not np.isfinite(temperature(0.0)).all():
        raise InputError(f"{place}.formula: is not finite everywhere at t = 0")
    return temperature


def heated_stress(split: Split, strain: np.ndarray, expansion: np.ndarray, g: np.ndarray) -> np.ndarray:
    """σ (m, n), Mandel components, of elastic strains (m, n) that ε* (n) is taken off already, with degradations g (n).

    In plane strain ε_zz is −ε*, not 0.
    """
    n = strain.shape[1]
    unused = np.empty((2, n))
    if split.dimensions == 3 or split.plane == "stress":
        stress = np.empty_like(strain)
        split.stress(strain, g, stress, unused[0], unused[1])
        return stress
    parameters = {"gamma": split.gamma} if split.name == "star_convex" else {}  # type: ignore[attr-defined]
    space = make_split(split.name, split.lame, split.shear, 3, **parameters)
    six, stress = np.zeros((6, n)), np.empty((6, n))
    six[[0, 1, 5]], six[2] = strain, -expansion
    space.stress(six, g, stress, unused[0], unused[1])
    return stress[[0, 1, 5]]
