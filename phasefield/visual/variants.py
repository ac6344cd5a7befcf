"""Variants in one picture: a colour for each, light grey for the parent phase, blended by the order parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from phasefield.models.base import Variants
from phasefield.output.reader import Run
from phasefield.visual.style import BLUE, GREEN, ORANGE, PINK, RED, SKY, scenario_of, symbol

NEUTRAL = "#F2F2F2"
# Few colours after Okabe and Ito; up to twelve from P. Tol's qualitative scheme, which colour-blind readers can still tell apart.
FEW = (BLUE, ORANGE, GREEN, PINK, SKY, RED)
MANY = (
    *("#332288", "#88CCEE", "#117733", "#DDCC77", "#882255", "#44AA99"),
    *("#CC6677", "#6699CC", "#999933", "#AA4499", "#661100", "#AA4466"),
)
# A variant that may or may not occur is named where it fills at least this much of some cell.
PRESENT = 0.5
# Longer legends get a second column.
LEGEND_ROWS = 12


@dataclass(frozen=True)
class Palette:
    """The variants a picture can show: names, and the field and the sign that each stands for, in the order of the colours."""

    variants: Variants
    names: tuple[str, ...]
    fields: tuple[int, ...]
    signs: tuple[float, ...]

    @classmethod
    def of(cls, variants: Variants) -> Palette:
        """One variant per field, and where signs count a second one of each after these."""
        symbols = [symbol(f) for f in variants.fields]
        each = tuple(range(len(symbols)))
        if not variants.signed:
            return cls(variants, tuple(symbols), each, (1.0,) * len(each))
        names = (*(f"+{s}" for s in symbols), *(f"−{s}" for s in symbols))
        return cls(variants, names, each * 2, (1.0,) * len(each) + (-1.0,) * len(each))

    @property
    def colours(self) -> np.ndarray:
        """RGB (variants, 3)."""
        count = len(self.names)
        if self.variants.signed and count == 2:
            return np.array([to_rgb(RED), to_rgb(BLUE)])
        base = np.array([to_rgb(c) for c in (FEW if count <= len(FEW) else MANY)])
        # A second and a third dozen are darker.
        turns, place = np.divmod(np.arange(count), len(base))
        return base[place] * 0.6 ** turns[:, None]

    def fractions(self, values: Sequence[np.ndarray], time: float) -> np.ndarray:
        """How much of every variant there is, 0 … 1: ±η over its value in the well; (variants, …)."""
        well = self.variants.well(time)
        share = [np.clip(s * values[f] / well, 0.0, 1.0) for f, s in zip(self.fields, self.signs, strict=True)]
        # The last frame of a run that blew up may hold anything.
        return np.nan_to_num(np.array(share))

    def blend(self, fractions: np.ndarray) -> np.ndarray:
        """RGB pictures (…, 3) of fractions (variants, …); what is left to 1 is the parent phase."""
        weights = fractions / np.maximum(fractions.sum(axis=0), 1.0)
        neutral = np.array(to_rgb(NEUTRAL))
        picture = neutral + np.einsum("v...,vc->...c", weights, self.colours - neutral)
        return np.clip(picture, 0.0, 1.0)

    def legend(self, axes: Axes, present: np.ndarray) -> None:
        """Names beside `axes`; of the variants with negative sign of several fields only those flagged in `present`."""
        optional = len(self.variants.fields) > 1
        handles = [
            Patch(facecolor=colour, label=name)
            for name, colour, sign, there in zip(self.names, self.colours, self.signs, present, strict=True)
            if there or sign > 0.0 or not optional
        ]
        if self.variants.parent:
            handles.append(Patch(facecolor=NEUTRAL, edgecolor="#BBBBBB", lw=0.5, label=self.variants.parent))
        columns = 1 + (len(handles) - 1) // (LEGEND_ROWS + 1)
        axes.legend(
            handles=handles,
            ncols=columns,
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            handlelength=1.0,
            handleheight=1.0,
            borderaxespad=0.0,
            columnspacing=1.0,
        )


def palette_of(run: Run) -> Palette | None:
    """The palette of a run whose model has variants and whose file holds all of their fields; None for others."""
    variants = scenario_of(run).model.variants
    if variants is None or not set(variants.fields) <= set(run.names):
        return None
    return Palette.of(variants)
