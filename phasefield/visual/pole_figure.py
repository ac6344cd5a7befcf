"""Pole figures: how often directions occur, in stereographic projection along z, in multiples of a uniform distribution."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.patheffects import AbstractPathEffect, withStroke

from phasefield.visual.style import BLACK, GREY, RED, truncated

# Half width at half maximum of what a single direction becomes in a pole figure, degrees, and pixels across.
BLUR = 5.0
PIXELS = 161
# Directions are gathered in cells of equal area, so many across the map of the upper half.
CELLS = 120
INTENSITY = truncated(colormaps["Blues"], 0.0, 0.95)


def draw_poles(axes: Axes, n: np.ndarray, power: np.ndarray, normals: np.ndarray) -> None:
    """Pole figure of the upper half of directions; n and −n are one, so that the rim repeats itself across the centre."""
    side = np.linspace(-1.0, 1.0, PIXELS)
    x, y = np.meshgrid(side, side)
    inside = x**2 + y**2 <= 1.02
    picture = np.full(x.shape, np.nan)
    picture[inside] = density(from_plane(x[inside], y[inside]), n, power)
    image = axes.imshow(
        picture, origin="lower", extent=(-1.0, 1.0, -1.0, 1.0), cmap=INTENSITY, vmin=0.0, interpolation="bilinear"
    )
    rim = Circle((0.0, 0.0), 1.0, fill=False, color=BLACK, lw=0.8)
    axes.add_patch(rim)
    image.set_clip_path(rim)
    axes.plot(0.0, 0.0, "+", color=GREY, ms=5.0, mew=0.7)
    for text, place in (("x", (1.12, 0.0)), ("y", (0.0, 1.12))):
        axes.text(*place, text, ha="center", va="center", fontsize=8.0, color=GREY)
    halo: list[AbstractPathEffect] = [withStroke(linewidth=2.0, foreground="white")]
    for normal in normals:
        for pole in both_ends(normal):
            u, v = to_plane(pole)
            axes.plot(u, v, "o", mfc="none", mec=RED, mew=1.3, ms=8.0, clip_on=False, zorder=4)
            text = indices(pole)
            if text:
                # Inwards from the mark, so that no label leaves the disc.
                r = np.hypot(u, v)
                inwards = (u * (1.0 - 0.2 / r), v * (1.0 - 0.2 / r)) if r > 0.3 else (u, v - 0.16)
                label = axes.text(*inwards, text, ha="center", va="center", fontsize=8.0, color=RED, zorder=5)
                label.set_path_effects(halo)
    axes.set_xlim(-1.15, 1.18)
    axes.set_ylim(-1.15, 1.2)
    axes.set_axis_off()
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02, aspect=22)
    bar.ax.set_title("× uniform", fontsize=7.0, color=GREY)


def density(at: np.ndarray, n: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Power per solid angle about the directions `at` (K, 3), in multiples of a uniform distribution."""
    from scipy.special import dawsn

    centres, weights = _gathered(n, power)
    sharpness = np.log(2.0) / np.sin(np.radians(BLUR)) ** 2
    # Mean of exp(s (u² − 1)) over all directions, u from 0 to 1.
    mean = dawsn(np.sqrt(sharpness)) / np.sqrt(sharpness)
    result = np.empty(len(at))
    for part in np.array_split(np.arange(len(at)), 1 + len(at) * len(weights) // 4_000_000):
        result[part] = np.exp(sharpness * ((at[part] @ centres.T) ** 2 - 1.0)) @ weights
    return result / mean


def _gathered(n: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of the upper half gathered in cells of Lambert's equal-area map: the means, and their shares of the power."""
    n = np.where(n[:, 2:] < 0.0, -n, n)
    # A disc of radius √2.
    place = n[:, :2] * np.sqrt(2.0 / (1.0 + n[:, 2:]))
    row, column = np.minimum((0.5 * CELLS * (1.0 + place / np.sqrt(2.0))).astype(int), CELLS - 1).T
    cell = row * CELLS + column
    total = np.bincount(cell, power, CELLS**2)
    mean = np.stack([np.bincount(cell, power * n[:, i], CELLS**2) for i in range(3)], axis=1)
    used = total > 1e-5 * max(total.max(), 1e-300)
    centres = mean[used] / np.linalg.norm(mean[used], axis=1, keepdims=True)
    return centres, total[used] / total[used].sum()


def to_plane(n: np.ndarray) -> tuple[float, float]:
    """Stereographic projection from the lower pole onto the plane of the equator: the upper half becomes the unit disc."""
    return float(n[0] / (1.0 + n[2])), float(n[1] / (1.0 + n[2]))


def from_plane(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The unit vectors (…, 3) whose projections are x and y."""
    r2 = x**2 + y**2
    return np.stack([2.0 * x, 2.0 * y, 1.0 - r2], axis=-1) / (1.0 + r2)[..., None]


def both_ends(normal: np.ndarray) -> list[np.ndarray]:
    """The end of ±n in the upper half; both where it lies on the rim."""
    if abs(normal[2]) < 1e-6:
        flat = np.array([normal[0], normal[1], 0.0])
        return [flat, -flat]
    return [normal if normal[2] > 0.0 else -normal]


def indices(normal: np.ndarray, largest: int = 4) -> str:
    """Miller indices in the axes of the grid where they are low, minus signs as bars; otherwise nothing."""
    for scale in range(1, largest + 1):
        numbers = normal / np.abs(normal).max() * scale
        if np.abs(numbers - np.round(numbers)).max() < 1e-3:
            parts = (rf"\bar{{{-i}}}" if i < 0 else str(i) for i in np.round(numbers).astype(int))
            return f"$({''.join(parts)})$"
    return ""
