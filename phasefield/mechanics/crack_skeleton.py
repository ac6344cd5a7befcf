"""Centre lines of cracks in a damage field of the plane: where they run, fork and end.

Cracked are the cells with φ > ¾. T is the length of the shortest way through cracked cells, in steps to the eight neighbours,
from the notch, and in a crack that does not touch the notch from its middle (the cell nearest to the centroid of its cells).
Cells with n w ≤ T < (n+1) w that hang together are a slice; slices and their contacts are a small graph (the Reeb graph of T).
It is read from the far ends: going back to smaller T, an end begins an arm, and where arms meet, those shorter than `prominence`
are dropped as roughness and the others, if there are two or more, leave a fork. The centre line goes through the centroids of the
slices, weighted with φ − ¾.

Near the notch, damage lies around it: arms that meet nearer than `prominence` to it are cracks that start there one by one, and
centre lines begin at that distance. So `prominence`, a few ℓ, must exceed the width of the cracked band, and a crack or an arm is
seen when it is as long.

Distances are whole numbers of 2⁻²⁰ of the smallest edge, weights of 2⁻²⁰, and coordinates are counted from the middle of the box
in half cells. Their sums are exact and do not depend on the order of cells, so a mirrored field has a skeleton mirrored bit by
bit. Ways are not continued across periodic faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from phasefield.errors import InputError
from phasefield.spectral.grid import Grid

CRACKED = 0.75
_UNIT = 2.0**20
# Neighbours (rows up, columns right); the other four by exchange.
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))

# Weight of cells, and the weighted sums of their coordinates from the middle of the box in half cells.
Sums = tuple[int, int, int]


@dataclass(frozen=True)
class Slice:
    """A part of a slice that hangs together: cells (flat indices of the grid) and their sums.

    label: its own; above: of its contacts at larger T. top: its largest T, in units.
    """

    number: int
    crack: int
    label: int
    above: set[int]
    top: float
    cells: np.ndarray
    sums: Sums


@dataclass(eq=False)
class Arm:
    """A part of a crack between its beginning, forks and ends.

    crack: 0 at the notch, 1, 2, … those apart from it. parent: the arm it forks from; None at the notch or middle.
    slices: the parts of each slice, by its number.
    """

    crack: int
    parent: Arm | None = None
    children: list[Arm] = field(default_factory=list)
    slices: dict[int, list[Slice]] = field(default_factory=dict)


@dataclass(frozen=True)
class Skeleton:
    """arms: all of them. seeds: the cells (flat indices) where T = 0, by crack. per_prominence: slices in one `prominence`."""

    grid: Grid
    arms: list[Arm]
    seeds: list[np.ndarray]
    per_prominence: int

    def line(self, arm: Arm) -> tuple[np.ndarray, np.ndarray]:
        """The way to the end of an arm through its parents: numbers (n) of slices, ascending, and their centroids (n, 2)."""
        found: dict[int, Sums] = {}
        part: Arm | None = arm
        while part is not None:
            for number, slices in part.slices.items():
                # The slice where arms meet can be in part of an arm, in part of the stem.
                found.setdefault(number, _added(slices))
            part = part.parent
        numbers = sorted(found)
        return np.array(numbers), self._points(np.array([found[n] for n in numbers], float))

    def middle(self, slices: list[Slice]) -> np.ndarray:
        """Centroid (x, y) of slices, from the middle of the box."""
        return self._points(np.array(_added(slices), float))

    def centre(self, cells: np.ndarray) -> np.ndarray:
        """Centroid (x, y) of cells (flat indices) of equal weight, from the middle of the box."""
        x, y = half_cells(cells, self.grid)
        return self._points(np.array([len(cells), x.sum(), y.sum()], float))

    def origin(self, crack: int, point: np.ndarray) -> np.ndarray:
        """The cell (x, y) of the beginning of a crack nearest to a point, the mean of several, from the middle of the box."""
        cells = self.seeds[crack]
        x, y = half_cells(cells, self.grid)
        hx, hy = self.grid.spacing
        square = (0.5 * hx * x - point[0]) ** 2 + (0.5 * hy * y - point[1]) ** 2
        return self.centre(cells[square == square.min()])

    def _points(self, sums: np.ndarray) -> np.ndarray:
        return 0.5 * np.array(self.grid.spacing) * (sums[..., 1:] / sums[..., :1])


def _added(slices: list[Slice]) -> Sums:
    return sum(s.sums[0] for s in slices), sum(s.sums[1] for s in slices), sum(s.sums[2] for s in slices)


def half_cells(cells: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of cells (flat indices) from the middle of the box in half cells: whole numbers that a mirror negates."""
    ny, nx = grid.shape
    return 2 * (cells % nx) - (nx - 1), 2 * (cells // nx) - (ny - 1)


def skeleton(phi: np.ndarray, grid: Grid, notch: np.ndarray, prominence: float) -> Skeleton:
    """The centre lines of the cracks of φ.

    Args:
        phi: (ny, nx). notch: the cells of the old crack, bool (ny, nx), of any φ; none is allowed.
        prominence: a length; see the module.

    Raises:
        InputError: another number of axes, shapes that do not fit, or a prominence of less than two cells.
    """
    if grid.dimensions != 2:
        raise InputError("crack tips are found in the plane; in space there are fronts")
    notch = np.asarray(notch, bool)
    if np.shape(phi) != grid.shape or notch.shape != grid.shape:
        raise InputError(f"φ and the notch must have the shape {grid.shape} (got {np.shape(phi)} and {notch.shape})")
    if not prominence >= 2.0 * max(grid.spacing) * (1.0 - 1e-12):
        raise InputError(f"the prominence of crack tips must be at least two cells (got {prominence:g})")
    per = max(1, round(prominence / (2.0 * max(grid.spacing))))
    ways = _ways(np.asarray(phi), notch, grid)
    return Skeleton(grid, _arms(ways, prominence / min(grid.spacing) * _UNIT, per), ways.seeds, per)


# --- shortest ways ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ways:
    """cells (n): flat indices, with weights; first, second (m): pairs of neighbours; T in units and the crack of each; seeds."""

    grid: Grid
    cells: np.ndarray
    weight: np.ndarray
    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    crack: np.ndarray
    seeds: list[np.ndarray]


def _ways(phi: np.ndarray, notch: np.ndarray, grid: Grid) -> _Ways:
    cells = np.flatnonzero((phi > CRACKED) | notch)
    # At least 1: two cells just above the threshold have a centroid.
    weight = 1 + np.round((np.maximum(phi.ravel()[cells], CRACKED) - CRACKED) * _UNIT).astype(np.int64)
    first, second, length = _neighbours(cells, phi.size, grid)
    matrix = _matrix(first, second, length, len(cells))
    _, label = connected_components(matrix, directed=False)
    old = notch.ravel()[cells]
    crack = np.zeros(len(cells), int)
    starts = [np.flatnonzero(old)]
    hx, hy = (round(_UNIT * h / min(grid.spacing)) / _UNIT for h in grid.spacing)
    for other in np.setdiff1d(label, label[old]):
        member = np.flatnonzero(label == other)
        x, y = half_cells(cells[member], grid)
        # n² times the square of the distance from the centroid
        square = (hx * (len(x) * x - x.sum())) ** 2 + (hy * (len(y) * y - y.sum())) ** 2
        crack[member] = len(starts)
        starts.append(member[square == square.min()])
    sources = np.concatenate(starts)
    distance = dijkstra(matrix, indices=sources, min_only=True) if len(sources) else np.zeros(0)
    return _Ways(grid, cells, weight, first, second, distance, crack, [cells[s] for s in starts])


def _neighbours(cells: np.ndarray, size: int, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of neighbours, by their places in `cells`, and their distances in units."""
    nx = grid.shape[1]
    place = np.full(size, -1, np.int32)
    place[cells] = np.arange(len(cells), dtype=np.int32)
    column = cells % nx
    hx, hy = (h / min(grid.spacing) for h in grid.spacing)
    firsts, seconds, lengths = [], [], []
    for up, right in _STEPS:
        inside = np.flatnonzero((cells + up * nx < size) & (column + right >= 0) & (column + right < nx))
        other = place[cells[inside] + (up * nx + right)]
        firsts.append(inside[other >= 0])
        seconds.append(other[other >= 0])
        lengths.append(np.full(len(seconds[-1]), np.round(np.hypot(up * hy, right * hx) * _UNIT)))
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(lengths)


def _matrix(first: np.ndarray, second: np.ndarray, value: np.ndarray, size: int) -> csr_matrix:
    pairs = (np.concatenate([first, second]), np.concatenate([second, first]))
    return csr_matrix((np.concatenate([value, value]), pairs), shape=(size, size))


# --- slices and arms --------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Region:
    """Slices that hang together at larger T: their arm and the largest T in them; `into`: what it has become a part of."""

    arm: Arm
    top: float
    into: _Region | None = None

    def now(self) -> _Region:
        region = self
        while region.into is not None:
            region = region.into
        return region


def _slices(ways: _Ways, prominence: float, per: int) -> Iterator[Slice]:
    """Outside of the notch, from the far ends; the prominence in units."""
    width = prominence / per
    far = np.flatnonzero(ways.distance > 0.0)
    if not len(far):
        return
    number = np.full(len(ways.cells), -1)
    number[far] = np.floor_divide(ways.distance[far], width).astype(int)
    a, b = number[ways.first], number[ways.second]
    both = (a >= 0) & (b >= 0)
    first, second = ways.first[both & (a == b)], ways.second[both & (a == b)]
    _, label = connected_components(_matrix(first, second, np.ones(len(first)), len(ways.cells)), directed=False)
    contact = both & (a != b)
    low = label[np.where(a < b, ways.first, ways.second)[contact]].astype(np.int64)
    high = label[np.where(a < b, ways.second, ways.first)[contact]]
    above: dict[int, set[int]] = {}
    for pair in np.unique(low * len(ways.cells) + high).tolist():
        below, over = divmod(pair, len(ways.cells))
        above.setdefault(below, set()).add(over)

    order = far[np.lexsort((label[far], -number[far]))]
    begins = np.flatnonzero(np.diff(label[order], prepend=-1))
    head = order[begins]
    x, y = half_cells(ways.cells[order], ways.grid)
    weight = ways.weight[order]
    sums = np.stack([np.add.reduceat(v, begins) for v in (weight, weight * x, weight * y)], axis=1)
    top = np.maximum.reduceat(ways.distance[order], begins)
    parts = np.split(ways.cells[order], begins[1:])
    columns = (v.tolist() for v in (number[head], ways.crack[head], label[head], top, sums))
    for n, crack, own, highest, total, cells in zip(*columns, parts, strict=True):
        yield Slice(n, crack, own, above.get(own, set()), highest, cells, tuple(total))


def _arms(ways: _Ways, prominence: float, per: int) -> list[Arm]:
    regions: dict[int, _Region] = {}
    for part in _slices(ways, prominence, per):
        met = list(dict.fromkeys(regions[label].now() for label in part.above))
        region = _join(met, (part.number + 1) * prominence / per, prominence, part.crack)
        region.top = max(region.top, part.top)
        region.arm.slices.setdefault(part.number, []).append(part)
        regions[part.label] = region
    arms = [region.arm for region in dict.fromkeys(region.now() for region in regions.values())]
    # The list grows while it is read.
    for arm in arms:
        arms.extend(arm.children)
    for arm in arms:
        arm.slices = {number: parts for number, parts in arm.slices.items() if number >= per}
        if not arm.slices:
            for child in arm.children:
                child.parent = None
    return [arm for arm in arms if arm.slices]


def _join(met: list[_Region], level: float, prominence: float, crack: int) -> _Region:
    """The region of a slice in contact with these, T = `level` between them."""
    if not met:
        return _Region(Arm(crack), 0.0)
    joined = max(met, key=lambda r: r.top)
    long = [r for r in met if r.top - level >= prominence]
    if len(long) > 1:
        joined = _Region(Arm(crack, children=[r.arm for r in long]), joined.top)
        for child in joined.arm.children:
            child.parent = joined.arm
    for region in met:
        if region is joined:
            continue
        region.into = joined
        if len(long) < 2 and region.top == joined.top:
            # Both corners of a blunt end, so that it has no side.
            for number, parts in region.arm.slices.items():
                joined.arm.slices.setdefault(number, []).extend(parts)
    return joined
