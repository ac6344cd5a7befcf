"""Modes that are followed: their power against a plain transform, on the CPU and a double of a GPU; which ones are chosen."""

from __future__ import annotations

import fake_cupy
import numpy as np
import pytest
from cuda_on_cpu import needs_compiler

from phasefield.analysis import modes
from phasefield.analysis.modes import FollowedModes, NotApplicable, eigensystem, symbol_of_modes, variables
from phasefield.analysis.stability import LinearStability

STRAINS = {
    1: [[1.0, -1.0, 0.3]],
    2: [[1.0, -1.0, 0.3], [-0.8, 0.9, 0.2]],
    3: [[1.0, -1.0, 0.3], [-0.8, 0.9, 0.2], [0.1, 0.2, -0.9]],
}
GRIDS = {
    1: {"x": {"cells": 64, "length": 60.0}},
    2: {"x": {"cells": 32, "length": 37.0}, "y": {"cells": 27, "length": 25.0}},
    3: {"x": {"cells": 16, "length": 24.0}, "y": {"cells": 15, "length": 22.0}, "z": {"cells": 12, "length": 20.0}},
}


def scenario(variants, dimensions, **sections):
    names = ["eta"] if variants == 1 else [f"eta_{p + 1}" for p in range(variants)]
    model = {
        "name": "martensite",
        "gradient_energy": 0.5,
        "landau": {"name": "landau_246", "a": -0.6, "b": 1.0, "c": 1.0},
        "stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.3}},
        "transformation": {"strains": STRAINS[variants], "scale": 0.5},
    }
    initial = {name: {"mean": 0.0, "noise": 1e-3} for name in names}
    return {
        "model": model,
        "grid": GRIDS[dimensions],
        "initial": initial,
        "time": {"end": 1.0, "step": 0.1},
        "seed": 2,
        **sections,
    }


def followed(simulation):
    theory = LinearStability(simulation.model, dict.fromkeys(simulation.split.names, 0.0))
    return FollowedModes(simulation, theory), theory


def plain_power(simulation, chosen):
    """|y_i|² from a transform of the fields, eigenvectors of the symbol at every chosen mode."""
    axes = range(1, simulation.grid.dimensions + 1)
    phi = np.fft.fftn(np.stack(list(simulation.state.values())), axes=axes, norm="forward")
    at = phi[(slice(None), *chosen.index.T)]
    _, vectors = eigensystem(simulation.model, simulation.grid, chosen.index)
    return np.abs(np.einsum("mpi,pm->mi", vectors, at)[np.arange(len(chosen.index)), chosen.component]) ** 2


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("variants", [1, 2, 3])
def test_power_is_that_of_a_plain_transform(simulate, variants, dimensions):
    simulation = simulate(scenario(variants, dimensions))
    chosen, theory = followed(simulation)
    power = chosen.power(simulation)
    expected = plain_power(simulation, chosen)
    np.testing.assert_allclose(power, expected, rtol=1e-9, atol=1e-12 * expected.max())
    k2 = symbol_of_modes(chosen.index, simulation.model, simulation.grid)
    np.testing.assert_allclose(k2, chosen.k2, rtol=1e-12)
    # All of them: what is left out is beyond the range, however small its elastic part.
    values = eigensystem(simulation.model, simulation.grid, chosen.index)[0][np.arange(len(k2)), chosen.component]
    K2, excess = variables(theory, k2, values)
    assert not np.any(excess)
    hard = chosen.hard[chosen.shell]
    limit = (modes.RANGE_IN_CUTOFFS * theory.cutoff_wavenumber) ** 2
    assert np.all(K2[~hard] <= limit * (1 + 1e-12))
    assert np.all(K2[hard] > limit)
    assert np.all(values[hard] - theory.elastic_part <= modes.HARDEST * 0.6 * (1 + 1e-9))
    # Shells are narrow in K.
    for s in np.unique(chosen.shell):
        assert (
            np.ptp(np.sqrt(K2[chosen.shell == s])) <= modes.RANGE_IN_CUTOFFS * theory.cutoff_wavenumber / modes.SHELLS
        )


def test_both_halves_of_a_transform_count(simulate):
    """Weights: every mode of the full spectrum below the range, once."""
    simulation = simulate(scenario(1, 2))
    chosen, theory = followed(simulation)
    cells = [a.cells for a in reversed(simulation.grid.axes)]
    index = np.stack([i.ravel() for i in np.indices(cells)], axis=1)
    k2 = symbol_of_modes(index, simulation.model, simulation.grid)
    values = eigensystem(simulation.model, simulation.grid, index[k2 > 0.0])[0][:, 0]
    K2, _ = variables(theory, k2[k2 > 0.0], values)
    limit = (modes.RANGE_IN_CUTOFFS * theory.cutoff_wavenumber) ** 2
    inside = chosen.weight[~chosen.hard[chosen.shell]].sum()
    assert inside == np.count_nonzero(limit >= K2)


def test_many_modes_are_thinned(simulate, monkeypatch):
    monkeypatch.setattr(modes, "MAX_MODES", 60)
    simulation = simulate(scenario(2, 2))
    chosen, _ = followed(simulation)
    assert len(np.unique(chosen.index, axis=0)) <= 60
    expected = plain_power(simulation, chosen)
    np.testing.assert_allclose(chosen.power(simulation), expected, rtol=1e-9, atol=1e-12 * expected.max())


def test_small_box_holds_no_unstable_wave(simulate):
    simulation = simulate(scenario(2, 2, grid={"x": {"cells": 8, "length": 4.0}, "y": {"cells": 8, "length": 4.0}}))
    with pytest.raises(NotApplicable, match="no unstable wave"):
        followed(simulation)


@needs_compiler
@pytest.mark.parametrize(("variants", "dimensions"), [(1, 2), (2, 2), (3, 3)])
def test_power_on_a_gpu(monkeypatch, simulate, variants, dimensions):
    from phasefield.simulation import Simulation

    cpu = simulate(scenario(variants, dimensions))
    fake_cupy.install(monkeypatch)
    try:
        gpu = Simulation.from_scenario(scenario(variants, dimensions), device="gpu")
        powers = [followed(s)[0].power(s) for s in (cpu, gpu)]
        gpu.close()
    finally:
        fake_cupy.forget()
    np.testing.assert_allclose(powers[1], powers[0], rtol=1e-8, atol=1e-12 * powers[0].max())
