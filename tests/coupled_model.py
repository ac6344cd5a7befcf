"""A model with everything that only some models have: a matrix symbol with loads, a frozen field, a parameter that changes."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from conftest import scenario

from phasefield.energy.bulk import BulkEnergy
from phasefield.energy.gradient import GradientEnergy
from phasefield.gradient_flow import GradientFlow
from phasefield.kernels.expressions import parse
from phasefield.models.base import Model, conserved, non_conserved
from phasefield.scenario import load_scenario

# Where the loads go over to another phase.
CORNER = 0.5


class RandomCoupling:
    """Λ(k) = A Aᵀ with A from random matrices, periodic and even in the mode numbers; loads that grow until `CORNER`."""

    def __init__(self) -> None:
        rng = np.random.default_rng(17)
        self._constant, self._axes, self._pairs = rng.normal(size=(2, 2)), *rng.normal(size=(2, 3, 2, 2))

    def symbol(self, grid, indices):
        angles = [2.0 * np.pi * np.asarray(n) / a.cells for n, a in zip(indices, grid.axes, strict=True)]
        factor = np.broadcast_to(self._constant, (*np.shape(angles[0]), 2, 2))
        for i, x in enumerate(angles):
            factor = factor + np.cos(x)[..., None, None] * self._axes[i]
            # Sines vanish where +N/2 and −N/2 are one mode.
            for j, y in enumerate(angles[:i]):
                factor = factor + (np.sin(x) * np.sin(y))[..., None, None] * self._pairs[i + j - 1]
        return 0.2 * factor @ np.swapaxes(factor, -1, -2)

    def phase(self, time):
        return int(time >= CORNER)

    def mean_symbol(self, phase):
        return np.array([[0.5, 0.2], [0.2, 0.3]]) if phase == 0 else np.array([[0.1, 0.0], [0.0, 0.4]])

    def drive(self, time, phase):
        return np.array([0.3, -0.2]) * min(time, CORNER) if phase == 0 else np.array([0.1, 0.15])

    def constant(self, time, phase):
        return 0.05 * time if phase == 0 else 0.01


class CoupledFields(Model):
    """Two order parameters of one kinetics over a double well of changing depth, displaced by a frozen field h."""

    equation, reference = "", ""

    def __init__(self, mean_moves: bool = True):
        super().__init__(None)
        self._kinetics = non_conserved(1.2) if mean_moves else conserved(0.9)
        text = "W*((a**2 - 1)**2 + (b**2 - 1)**2) + T*a**2*b**2 + h*(a - 2*b)"
        density = parse(text, variables=("a", "b", "h"), parameters=["W", "T"])
        self._bulk = BulkEnergy(density, {"W": 0.25, "T": 0.3}, ("a", "b"))

    @property
    def fields(self):
        return {"a": self._kinetics, "b": self._kinetics}

    @cached_property
    def terms(self):
        return self._bulk, GradientEnergy(0.4, "a"), GradientEnergy(0.4, "b")

    @cached_property
    def coupling(self):
        return RandomCoupling()

    @property
    def frozen(self):
        return ("h",)

    def frozen_fields(self, grid, fixed):
        return {"h": 0.1 * np.random.default_rng(5).normal(size=grid.shape)}

    @property
    def changing(self):
        return True

    def parameters_at(self, time):
        return {"T": 0.3 + 0.2 * math.sin(3.0 * time)}

    @property
    def events(self):
        return (CORNER,)


def coupled_run(device: str, dimensions: int = 2, mean_moves: bool = True, **sections) -> GradientFlow:
    """A simulation of the model, from noise; `sections` of the scenario."""
    loaded = load_scenario(scenario("allen_cahn", dimensions, **sections))
    # No scenario can name this model.
    loaded.__dict__["model"] = CoupledFields(mean_moves)
    simulation = GradientFlow(loaded, device=device, threads=1)
    simulation.set_state(dict(zip("ab", noise(simulation.grid), strict=True)))
    return simulation


def noise(grid):
    """Initial values of both fields."""
    return np.random.default_rng(3).normal(0.1, 0.3, (2, *grid.shape))
