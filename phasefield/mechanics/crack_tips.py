"""Tips, forks and directions of cracks in a damage field of the plane, from their centre lines (`crack_skeleton`).

The length of a crack is that of its centre line, from the cell of the notch next to it, as a polygon with corners six cells
apart, none next to forks, where the centre line jumps. Its tip lies on the centre line at the farthest point in the direction of
growth where φ falls through ¾, linear between cells. Mirrored fields have mirrored tips, with the same bits of length.

On bands around given lines tips are found within a tenth of a cell along the crack and a fifth across it, lengths within half a
cell (¾ behind forks of bands of ten cells); kinks are cut short by up to a cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.errors import InputError, unknown
from phasefield.mechanics.crack_skeleton import CRACKED, Arm, Skeleton, skeleton
from phasefield.spectral.grid import Grid

# In slices: distance of the corners of the polygon, and from a fork to the next of them.
_CORNERS, _JUMP = 3, 3


@dataclass(frozen=True)
class Tip:
    """position: (x, y); length: of the crack from the notch, or its middle if it does not touch the notch, to the tip.

    crack: 0 at the notch, 1, 2, … apart from it; forks: how many lie between notch and tip.
    """

    position: tuple[float, float]
    length: float
    crack: int
    forks: int


@dataclass(frozen=True)
class Fork:
    """position: (x, y), where the bands of the arms separate; length: of the crack up to there.

    angle: between the two arms, in degrees; of several, the largest of two.
    """

    position: tuple[float, float]
    length: float
    angle: float
    crack: int


def find_tips(phi: np.ndarray, grid: Grid, notch: np.ndarray, prominence: float) -> list[Tip]:
    """The ends of cracks that are at least `prominence` away from the notch, and from the fork they come from.

    Args:
        phi: (ny, nx). notch: the cells of the old crack, bool (ny, nx); none is allowed.
        prominence: a few ℓ, more than the width of the band φ > ¾, at least two cells.

    Returns:
        Tips by crack, the longest first, then from below (left).

    Raises:
        InputError: see `skeleton`.
    """
    return tips_of(skeleton(phi, grid, notch, prominence), phi)


def find_forks(
    phi: np.ndarray, grid: Grid, notch: np.ndarray, prominence: float, reach: float | None = None
) -> list[Fork]:
    """The forks whose arms are at least `prominence` long, with the angle of lines fitted to the first `reach` of the arms.

    Args:
        reach: length of the centre lines, from where they separate; by default twice `prominence`.
    """
    return forks_of(skeleton(phi, grid, notch, prominence), 2.0 * prominence if reach is None else reach)


def tips_of(bones: Skeleton, phi: np.ndarray) -> list[Tip]:
    """`find_tips` for a skeleton of φ."""
    found = [_tip(bones, arm, np.asarray(phi)) for arm in bones.arms if not arm.children]
    return sorted(found, key=lambda t: (t.crack, -t.length, t.position[1], t.position[0]))


def forks_of(bones: Skeleton, reach: float) -> list[Fork]:
    """`find_forks` for a skeleton."""
    found = []
    for arm in bones.arms:
        if not arm.children:
            continue
        numbers, points = bones.line(arm)
        directions = [_beginning(bones, child, reach) for child in arm.children]
        cosines = [float(a @ b) for i, a in enumerate(directions) for b in directions[:i]]
        angle = float(np.degrees(np.arccos(np.clip(min(cosines), -1.0, 1.0))))
        length = _length(bones, arm.crack, numbers[:-1], points[:-1], _forks(arm), points[-1])
        found.append(Fork(_place(bones.grid, points[-1]), length, angle, arm.crack))
    return sorted(found, key=lambda f: (f.crack, f.length, f.position[1], f.position[0]))


def crack_angle(phi: np.ndarray, grid: Grid, notch: np.ndarray, prominence: float, reach: float | None = None) -> float:
    """Angle between the notch and the longest crack that starts from it, in degrees, positive to the left of the notch.

    A line is fitted to the centre line from `prominence` to `reach` (default: all) away from the notch, by least squares of the
    distances from it; the direction of the notch is that of its cells, towards the crack.

    Raises:
        InputError: no crack, one too short for a direction, or a notch that is not longer than wide.
    """
    bones = skeleton(phi, grid, notch, prominence)
    ends = [arm for arm in bones.arms if arm.crack == 0 and not arm.children]
    if not ends:
        raise InputError(f"no crack has grown by {prominence:g} from the notch")
    _, points = max((bones.line(arm) for arm in ends), key=lambda line: int(line[0][-1]))
    start = bones.origin(0, points[0])
    if reach is not None:
        points = points[np.hypot(*(points - start).T) <= reach]
    if len(points) < 2:
        raise InputError("the crack is too short for a direction")
    cells = bones.seeds[0]
    nx, (hx, hy) = grid.shape[1], grid.spacing
    old = np.stack([hx * (cells % nx), hy * (cells // nx)], axis=1)
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(old.T))) if len(cells) > 1 else np.zeros(2)
    if not spread[1] > 1.5 * spread[0]:
        raise InputError("the notch has no direction: it is about as wide as long")
    along, growth = _axis(old), _axis(points)
    along = along if along @ (start - bones.centre(cells)) >= 0.0 else -along
    growth = growth if growth @ (points[-1] - points[0]) >= 0.0 else -growth
    return float(np.degrees(np.arctan2(along[0] * growth[1] - along[1] * growth[0], along @ growth)))


def front(phi: np.ndarray, grid: Grid, axis: str = "x") -> float:
    """The largest coordinate along an axis with φ > ¾ anywhere across it, linear between cells; NaN if there is none.

    For cracks that run straight, in the plane and in space (M. J. Borden et al., Comput. Methods Appl. Mech. Eng. 217–220 (2012)
    77, doi:10.1016/j.cma.2012.01.008).
    """
    number = _number(grid, axis)
    values = np.moveaxis(np.asarray(phi), grid.dimensions - 1 - number, -1).reshape(-1, grid.axes[number].cells).max(0)
    over = np.flatnonzero(values > CRACKED)
    if not len(over):
        return float("nan")
    last = int(over[-1])
    if last + 1 == len(values):
        return grid.axes[number].length
    share = (values[last] - CRACKED) / (values[last] - values[last + 1])
    return float((last + 0.5 + share) * grid.spacing[number])


def branches(phi: np.ndarray, grid: Grid, axis: str = "x", at: float | None = None) -> np.ndarray | int:
    """How many separate runs of φ > ¾ there are across an axis, for the cells along it (n) or those at a coordinate."""
    number = _number(grid, axis)
    if grid.dimensions != 2:
        raise InputError("branches are counted in the plane")
    cracked = np.moveaxis(np.asarray(phi) > CRACKED, 1 - number, 0)
    counts = cracked[:, 0].astype(int) + np.count_nonzero(cracked[:, 1:] & ~cracked[:, :-1], axis=1)
    if at is None:
        return counts
    cell = int(np.floor(at / grid.spacing[number]))
    if not 0 <= at <= grid.axes[number].length:
        raise InputError(f"{axis} = {at:g} is outside of the box")
    return int(counts[min(cell, len(counts) - 1)])


# --- the end of an arm ------------------------------------------------------------------------------------------------


def _tip(bones: Skeleton, arm: Arm, phi: np.ndarray) -> Tip:
    numbers, points = bones.line(arm)
    # The last slice may have few cells yet: direction and middle from two.
    last = int(numbers[-1])
    end = [part for n in (last, last - 1) for part in arm.slices.get(n, ())]
    middle = bones.middle(end)
    before = points[numbers <= last - bones.per_prominence]
    base = before[-1] if len(before) else bones.origin(arm.crack, points[0])
    direction = (middle - base) / np.hypot(*(middle - base))
    point = (
        middle + _beyond(bones.grid, phi, np.concatenate([part.cells for part in end]), middle, direction) * direction
    )
    # Slices that are not complete yet are no corners.
    full = numbers < last - 1
    forks = _forks(arm)
    length = _length(bones, arm.crack, numbers[full], points[full], forks, point)
    return Tip(_place(bones.grid, point), length, arm.crack, len(forks))


def _beyond(grid: Grid, phi: np.ndarray, cells: np.ndarray, middle: np.ndarray, direction: np.ndarray) -> float:
    """How far φ > ¾ reaches from a point in a direction, between cells and their neighbours."""
    ny, nx = grid.shape
    hx, hy = grid.spacing
    best = -np.inf
    column, row = cells % nx, cells // nx
    along = (0.5 * hx * (2 * column - (nx - 1)) - middle[0]) * direction[0]
    along = along + (0.5 * hy * (2 * row - (ny - 1)) - middle[1]) * direction[1]
    own = phi[row, column]
    for up in (-1, 0, 1):
        for right in (-1, 0, 1):
            step = right * hx * direction[0] + up * hy * direction[1]
            if not step > 0.0:
                continue
            inside = (row + up >= 0) & (row + up < ny) & (column + right >= 0) & (column + right < nx)
            other = phi[np.where(inside, row + up, row), np.where(inside, column + right, column)]
            crossing = inside & (own > CRACKED) & (other <= CRACKED)
            share = np.where(crossing, (own - CRACKED) / np.where(crossing, own - other, 1.0), 0.0)
            # A crack through a face of the box ends there.
            share = np.where(inside, share, 0.5 if up == 0 or right == 0 else 0.0)
            best = max(best, float((along + share * step).max()))
    return best


def _forks(arm: Arm) -> list[int]:
    """The numbers of the slices where the forks between the beginning and an arm are."""
    found = []
    while arm.parent is not None:
        arm = arm.parent
        found.append(max(arm.slices))
    return found


def _length(
    bones: Skeleton, crack: int, numbers: np.ndarray, points: np.ndarray, forks: list[int], end: np.ndarray
) -> float:
    """Of the polygon through some of the points to the end."""
    corner = numbers % _CORNERS == 0
    for fork in forks:
        corner &= np.abs(numbers - fork) > _JUMP
    corners = points[corner]
    start = bones.origin(crack, corners[0] if len(corners) else end)
    way = np.concatenate([[start], corners, [end]])
    return float(np.hypot(*np.diff(way, axis=0).T).sum())


def _beginning(bones: Skeleton, arm: Arm, reach: float) -> np.ndarray:
    """Direction of the first `reach` of an arm."""
    numbers, points = bones.line(arm)
    points = points[numbers >= min(arm.slices)]
    points = points[np.hypot(*(points - points[0]).T) <= reach]
    if len(points) < 2:
        return np.full(2, np.nan)
    growth = _axis(points)
    return growth if growth @ (points[-1] - points[0]) >= 0.0 else -growth


def _axis(points: np.ndarray) -> np.ndarray:
    """Direction (2) of the line with the least squares of distances from points (n, 2)."""
    return np.linalg.svd(points - points.mean(0), full_matrices=False)[2][0]


def _place(grid: Grid, point: np.ndarray) -> tuple[float, float]:
    """From the middle of the box to its corner."""
    return float(0.5 * grid.axes[0].length + point[0]), float(0.5 * grid.axes[1].length + point[1])


def _number(grid: Grid, axis: str) -> int:
    names = [a.name for a in grid.axes]
    if axis not in names:
        raise unknown("axis", axis, names)
    return names.index(axis)
