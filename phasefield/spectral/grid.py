"""The box: axes with cells, lengths and boundaries.

Arrays are `z, y, x` with x contiguous; axes are given x first, as users write them. Values live at cell centres
(i + ½) h, so that N cells cover exactly the length of an axis, and the ends of one that is not periodic are faces of cells.

| boundary | at both ends | waves along the axis |
|---|---|---|
| `periodic` | the axis closes on itself | cos, sin 2πnx/L |
| `no_flux` | ∂φ/∂x = 0 | cos πnx/L, n = 0, 1, … |
| `fixed` | φ is given | sin πnx/L, n = 1, 2, …, beside a field ("lift") that has the given values |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasefield.errors import InputError

AXIS_NAMES = ("x", "y", "z")


@dataclass(frozen=True)
class Axis:
    """One axis of the box: `cells` cells of size `length / cells`."""

    name: str
    cells: int
    length: float
    boundary: str = "periodic"
    # (field, value at 0, value at the length) of a fixed axis; a field that is not named is 0 at both ends.
    values: tuple[tuple[str, float, float], ...] = ()

    def ends(self, field: str) -> tuple[float, float]:
        """The values of a field at the two ends of a fixed axis."""
        return next(((low, high) for name, low, high in self.values if name == field), (0.0, 0.0))

    @property
    def spacing(self) -> float:
        return self.length / self.cells

    @property
    def centres(self) -> np.ndarray:
        """Cell centres (i + ½) h, shape (cells,)."""
        return (np.arange(self.cells) + 0.5) * self.spacing


@dataclass(frozen=True)
class Grid:
    """A box in 1, 2 or 3 dimensions; `axes` in the order x, y, z."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        expected = AXIS_NAMES[: len(self.axes)]
        if not 1 <= len(self.axes) <= 3 or tuple(a.name for a in self.axes) != expected:
            raise InputError(f"a grid has the axes x, or x and y, or x, y and z; got {[a.name for a in self.axes]}")

    @property
    def periodic(self) -> bool:
        """Whether all axes are."""
        return all(axis.boundary == "periodic" for axis in self.axes)

    @property
    def fixed(self) -> bool:
        """Whether values are given at the ends of any axis."""
        return any(axis.boundary == "fixed" for axis in self.axes)

    def lift(self, field: str) -> tuple[float, np.ndarray]:
        """A harmonic field with the values given at the faces, g = g₀ + slope · x: (g₀, slope along x, y, z).

        Faces that meet have the same value, so that g varies along one fixed axis at most, and linearly.
        """
        start, slope = 0.0, np.zeros(self.dimensions)
        for position, axis in enumerate(self.axes):
            if axis.boundary == "fixed":
                low, high = axis.ends(field)
                start, slope[position] = low, (high - low) / axis.length
        return start, slope

    def lift_values(self, field: str) -> np.ndarray:
        """The lift at the cells, broadcastable to `shape`."""
        start, slope = self.lift(field)
        total = np.full((1,) * self.dimensions, start)
        for rate, coordinate in zip(slope, self.coordinates().values(), strict=True):
            total = total + rate * coordinate if rate else total
        return total

    @property
    def dimensions(self) -> int:
        return len(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a real array: (nx,), (ny, nx) or (nz, ny, nx)."""
        return tuple(a.cells for a in reversed(self.axes))

    @property
    def shape3(self) -> tuple[int, int, int]:
        """Shape as three numbers (nz, ny, nx), ones for missing axes."""
        shape = (1,) * (3 - self.dimensions) + self.shape
        return shape[0], shape[1], shape[2]

    @property
    def spacing(self) -> tuple[float, ...]:
        """Cell sizes in the order x, y, z."""
        return tuple(a.spacing for a in self.axes)

    @property
    def spacing3(self) -> tuple[float, float, float]:
        """Cell sizes (hz, hy, hx); a missing axis gets the smallest present size, so that flat cells look right."""
        full = (min(self.spacing),) * (3 - self.dimensions) + tuple(reversed(self.spacing))
        return full[0], full[1], full[2]

    @cached_property
    def cells(self) -> int:
        return int(np.prod([a.cells for a in self.axes]))

    @cached_property
    def volume(self) -> float:
        """Length, area or volume of the box."""
        return float(np.prod([a.length for a in self.axes]))

    @property
    def cell_volume(self) -> float:
        return self.volume / self.cells

    def coordinates(self) -> dict[str, np.ndarray]:
        """Cell centres by axis name, each shaped to broadcast against a real array."""
        result = {}
        for position, axis in enumerate(self.axes):
            shape = [1] * self.dimensions
            shape[self.dimensions - 1 - position] = axis.cells
            result[axis.name] = axis.centres.reshape(shape)
        return result
