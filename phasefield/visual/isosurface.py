"""Surfaces of one value of a field in space, by marching tetrahedra, and what they look like."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, FigureBase
from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection
from mpl_toolkits.mplot3d.proj3d import proj_transform

from phasefield.output.reader import Run
from phasefield.visual.crack_curves import NO_CRACKS, crack_measure
from phasefield.visual.fields import box, telling_frames
from phasefield.visual.style import BLUE, GREY, caption, load_run, new_figure, note, styled, time_label

# Where damage is a half, stiffness is a quarter.
LEVEL = 0.5
# With more cubes on the surface, only every second cell is used (every third, …).
MOST_CUBES = 8000
# Six tetrahedra of a cube, its corners numbered by bits (x, y, z): from corner 0 to corner 7 along edges in every order, so that
# neighbours cut their common face alike.
_CORNERS = np.array([[(n >> a) & 1 for a in range(3)] for n in range(8)])
TETRAHEDRA = np.array([[0, 1 << a, (1 << a) | (1 << b), 7] for a, b, _ in permutations(range(3))])
LIGHT = np.array([0.35, -0.75, 0.56])
# The eye; from there the corner with the largest y alone is furthest.
VIEW = {"elev": 24.0, "azim": -58.0}


def why_no_surface(run: Run) -> str:
    """Why a run has no surface of its cracks; empty where it has."""
    if crack_measure(run) is None:
        return NO_CRACKS
    if len(box(run)) != 3:
        return "Surfaces of cracks are for bodies in space."
    return "" if "phi" in run.names else "The file holds no phi: output.fields.names says what is written."


@styled
def figure_surface(run: Run | str, frames: int = 3) -> Figure:
    """Frames of the surface on which the damage of a body in space is a half."""
    run = load_run(run)
    if reason := why_no_surface(run):
        figure = new_figure(run, 5.6, 3.2)
        note(figure.subplots(), reason)
        return figure
    indices = telling_frames(run, frames)
    figure = new_figure(run, 0.4 + 3.2 * len(indices), 3.6)
    draw_surfaces(figure, run, indices, [time_label(run.times[i]) for i in indices])
    caption(figure, f"surface φ = {LEVEL:g}")
    return figure


def draw_surfaces(figure: FigureBase, run: Run, indices: list[int], titles: list[str]) -> None:
    """Fill a figure or part of one with the surfaces φ = ½ of frames, side by side."""
    lengths = np.array([box(run)[a] for a in "xyz"])
    options = {"projection": "3d", "computed_zorder": False, "proj_type": "ortho"}
    grid: Any = figure.subplots(1, len(indices), squeeze=False, subplot_kw=options)
    for axes, index, title in zip(grid[0], indices, titles, strict=True):
        triangles = isosurface(run.frame("phi", index).astype(float), lengths, LEVEL)
        if len(triangles):
            surface = Poly3DCollection(triangles, facecolors=shades(triangles), antialiased=False, zorder=2.0)
            axes.add_collection3d(surface)
        for edges, depth in zip(_edges(lengths), (1.0, 3.0), strict=True):
            axes.add_collection3d(Line3DCollection(edges, colors=GREY, linewidths=0.6, zorder=depth))
        for a, name in enumerate("xyz"):
            place = 0.5 * lengths * (np.arange(3) == a) + lengths * _BESIDE[a]
            axes.text(*place, name, color=GREY, ha="center", va="center")
        axes.set(xlim=(0.0, lengths[0]), ylim=(0.0, lengths[1]), zlim=(0.0, lengths[2]))
        axes.view_init(**VIEW)
        axes.set_box_aspect(tuple(lengths), zoom=_fitting(axes, lengths))
        axes.set_axis_off()
        axes.set_title(title)


_FURTHEST = 2
# Where the letters of the axes stand, beside the edges that are seen in front; shares of the lengths.
_BESIDE = np.array([[0.0, -0.1, -0.06], [1.1, 0.0, -0.06], [-0.07, -0.07, 0.0]])


def _fitting(axes: Any, lengths: np.ndarray) -> float:
    """The zoom at which the box and the letters beside it fill the axes."""
    axes.set_box_aspect(tuple(lengths))
    corners = lengths * _CORNERS
    x, y, _ = proj_transform(corners[:, 0], corners[:, 1], corners[:, 2], axes.get_proj())
    shares = axes.transAxes.inverted().transform(axes.transData.transform(np.stack([x, y], axis=1)))
    return 0.43 / float(np.max(np.abs(shares - 0.5)))


def _edges(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the box (n, 2, 3): those behind, which meet at the corner furthest from the eye, and the others."""
    pairs = [(m, n) for m, n in combinations(range(8), 2) if np.abs(_CORNERS[m] - _CORNERS[n]).sum() == 1]
    behind = np.array([_FURTHEST in pair for pair in pairs])
    ends = lengths * _CORNERS[np.array(pairs)]
    return ends[behind], ends[~behind]


def shades(triangles: np.ndarray) -> np.ndarray:
    """RGB colours (triangles, 3): brighter towards the light, on both sides."""
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    size = np.linalg.norm(normal, axis=1)
    facing = np.abs(normal @ LIGHT) / np.maximum(size * np.linalg.norm(LIGHT), 1e-300)
    colour = np.array(to_rgb(BLUE))
    return np.clip((0.35 + 0.75 * facing[:, None]) * (colour + 0.25 * (1.0 - colour)), 0.0, 1.0)


def isosurface(values: np.ndarray, lengths: np.ndarray, level: float) -> np.ndarray:
    """Triangles (n, 3, 3), corners in x, y, z, of the surface on which `values` (nz, ny, nx) have `level`.

    Values at the centres of cells go on unchanged to the faces of the box (`lengths` in x, y, z) and lie below the level beyond
    them, so that surfaces are closed. In between the field is linear in each of six tetrahedra per cube.
    """
    stride = 1
    while True:
        chosen = values[::stride, ::stride, ::stride]
        field = np.pad(np.pad(chosen, 1, mode="edge"), 1, constant_values=level - 1.0)
        cubes = _mixed(field >= level)
        if len(cubes) <= MOST_CUBES:
            break
        stride += 1
    places = cubes[:, None, :] + _CORNERS
    points = np.empty(places.shape)
    for a, (length, cells) in enumerate(zip(lengths, values.shape[::-1], strict=True)):
        centres = (np.arange(0, cells, stride) + 0.5) * length / cells
        points[..., a] = np.concatenate([[0.0, 0.0], centres, [length, length]])[places[..., a]]
    corner = field[places[..., 2], places[..., 1], places[..., 0]]
    return np.concatenate([_cut(corner[:, t], points[:, t], level) for t in TETRAHEDRA])


def _mixed(inside: np.ndarray) -> np.ndarray:
    """x, y, z of the first corners (n, 3) of cubes with corners on both sides."""
    ends = slice(None, -1), slice(1, None)
    count = np.sum([inside[k, j, i] for k in ends for j in ends for i in ends], axis=0)
    return np.argwhere((count > 0) & (count < 8))[:, ::-1]


def _cut(values: np.ndarray, points: np.ndarray, level: float) -> np.ndarray:
    """Triangles of tetrahedra with `values` (n, 4) at `points` (n, 4, 3)."""
    inside = values >= level
    found = []
    for code in range(1, 15):
        within = [c for c in range(4) if code >> c & 1]
        without = [c for c in range(4) if not code >> c & 1]
        which = np.all(inside == [bool(code >> c & 1) for c in range(4)], axis=1)
        if not which.any():
            continue

        def crossing(a: int, b: int, which: np.ndarray = which) -> np.ndarray:
            share = (level - values[which, a]) / (values[which, b] - values[which, a])
            return points[which, a] + share[:, None] * (points[which, b] - points[which, a])

        if len(within) == 2:
            (a, b), (c, d) = within, without
            ring = [crossing(a, c), crossing(a, d), crossing(b, d), crossing(b, c)]
            found += [np.stack([ring[0], ring[1], ring[2]], axis=1), np.stack([ring[0], ring[2], ring[3]], axis=1)]
        else:
            (apex,), others = (within, without) if len(within) == 1 else (without, within)
            found.append(np.stack([crossing(apex, o) for o in others], axis=1))
    return np.concatenate(found) if found else np.zeros((0, 3, 3))
