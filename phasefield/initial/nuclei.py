"""Seeds of a new phase: where and when they appear, and what they do to a field.

    φ ← max(φ, min(φ + Σ_i A ½[1 − tanh((r_i − r₀)/δ)], largest)),      r_i = |x − x_i|

with the distance to the nearest image on periodic axes. Seeds of the same moment are added up before the sum is cut at `largest`,
and no seed lowers a field that is above it. This is how PFHub benchmark 8 sets its seeds (W. Wu et al., Comput. Mater. Sci. 193
(2021) 110371, doi:10.1016/j.commatsci.2021.110371), extended to seeds that appear during a run.

Random places and times are functions of (seed, field, number of the seed): stream "nucleation:<field>", draw 0 for the time and
1, 2, 3 for the coordinates as shares of the lengths. They do not depend on the cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from phasefield.initial.body import nearest_offset
from phasefield.initial.seeds import NucleationSection, RandomSection
from phasefield.random import Seed, uniform_field
from phasefield.spectral.grid import Grid

# Seeds later than the clock by less than this, relative to their time, are due.
SAME_TIME = 1e-12


@dataclass(frozen=True)
class Nucleus:
    """One seed: field, time, centre in the order x, y, z, radius r₀, width δ, amplitude A and the value it stops at."""

    field: str
    time: float
    centre: tuple[float, ...]
    radius: float
    interface_width: float
    amplitude: float
    largest: float

    def values(self, grid: Grid) -> np.ndarray:
        """A ½[1 − tanh((r − r₀)/δ)] at the cell centres, in grid shape."""
        coordinates = grid.coordinates()
        squares = [nearest_offset(a, coordinates[a.name], c) ** 2 for a, c in zip(grid.axes, self.centre, strict=True)]
        distance = np.sqrt(sum(squares))
        return 0.5 * self.amplitude * (1.0 - np.tanh((distance - self.radius) / self.interface_width))


def nuclei_of(sections: Mapping[str, NucleationSection], grid: Grid, seed: Seed) -> tuple[Nucleus, ...]:
    """All seeds of a scenario in the order in which they appear."""
    found: list[Nucleus] = []
    for field, section in sections.items():
        places = [(s.time, s.centre, s.radius) for s in section.seeds]
        if section.random is not None:
            places += [(t, c, None) for t, c in _random(section.random, field, grid, seed)]
        shape = section.interface_width, section.amplitude, section.largest
        found += [Nucleus(field, t, tuple(c), r or section.radius, *shape) for t, c, r in places]
    return tuple(sorted(found, key=lambda n: n.time))


def _random(random: RandomSection, field: str, grid: Grid, seed: Seed) -> list[tuple[float, tuple[float, ...]]]:
    """(time, centre) of every random seed, by number."""

    def shares(draw: int) -> np.ndarray:
        return 0.5 + 0.5 * uniform_field((random.count,), seed=seed, stream=f"nucleation:{field}", draw=draw)

    times = random.start + (random.to - random.start) * shares(0)
    # The largest share rounds to 1.
    times = np.clip(times, random.start, max(random.start, math.nextafter(random.to, 0.0)))
    centres = np.stack([axis.length * shares(1 + i) for i, axis in enumerate(grid.axes)], axis=1)
    return [(float(t), tuple(map(float, c))) for t, c in zip(times, centres, strict=True)]


def added(state: Mapping[str, np.ndarray], nuclei: Iterable[Nucleus], grid: Grid) -> dict[str, np.ndarray]:
    """What seeds that appear together add to the fields, by name; fields without a seed are left out."""
    sums: dict[str, np.ndarray] = {}
    largest: dict[str, float] = {}
    for nucleus in nuclei:
        sums[nucleus.field] = sums.get(nucleus.field, 0.0) + nucleus.values(grid)
        largest[nucleus.field] = nucleus.largest
    return {name: np.clip(largest[name] - state[name], 0.0, total) for name, total in sums.items()}


class Nuclei:
    """The seeds of a run: how many have been placed, and the energy they put in.

    Seeds at t = 0 belong to the initial condition and are placed from the start; the energy is that of the later ones.
    """

    def __init__(self, nuclei: tuple[Nucleus, ...]):
        self.nuclei = nuclei
        self.placed = sum(n.time <= 0.0 for n in nuclei)
        self.energy_added = 0.0

    @property
    def next(self) -> float:
        """When the next seed appears; infinity when there is none."""
        return self.nuclei[self.placed].time if self.placed < len(self.nuclei) else math.inf

    def due(self, time: float) -> tuple[Nucleus, ...]:
        """Seeds not yet placed whose time has come."""
        now, end = time + SAME_TIME * abs(time), self.placed
        while end < len(self.nuclei) and self.nuclei[end].time <= now:
            end += 1
        return self.nuclei[self.placed : end]

    def record(self, count: int, energy: float) -> None:
        """Take down that the next `count` seeds have been placed, and the energy it took."""
        self.placed += count
        self.energy_added += energy

    def state(self) -> dict[str, float]:
        """Everything a checkpoint has to keep."""
        return {"placed": self.placed, "energy_added": self.energy_added}

    def restore(self, placed: int, energy_added: float) -> None:
        """Go on from a checkpoint."""
        self.placed, self.energy_added = int(placed), float(energy_added)
