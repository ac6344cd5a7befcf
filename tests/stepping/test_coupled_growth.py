"""Fields coupled by elasticity: every mode grows by the scheme's exact discrete matrix; orders, symmetry, energy decay.

B(n) and the matrices stand here in dense NumPy, independent of the kernels' eigenbasis and of `mechanics.homogeneous`.
"""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
import pytest
from scipy.linalg import expm

from phasefield.registry import lookup, names
from phasefield.simulation import Simulation

C = {"C11": 1.0, "C12": 0.6, "C44": 0.3}
STRAINS = [[0.9, -1.1, 0.2, 0.1, 0.0, 0.3], [-1.0, 0.8, 0.1, 0.0, 0.2, -0.1], [0.2, 0.1, -0.9, 0.2, 0.1, 0.0]]
KAPPA, L, A = 2.0, 0.7, -0.5
LANDAU = {
    # Linear equations to rounding, at any amplitude.
    "quadratic": {"name": "landau_246", "a": A, "b": 1e-30, "c": 1e-30},
    "2-4-6": {"name": "landau_246", "a": A, "b": 1.0, "c": 1.0},
    "2-3-4": {"name": "landau_234", "A": A},
}
STEPS = 20
# Even and odd counts: Nyquist modes of one and of two axes.
BOXES = {
    2: {"x": {"cells": 16, "length": 19.0}, "y": {"cells": 15, "length": 17.0}},
    3: {"x": {"cells": 9, "length": 11.0}, "y": {"cells": 8, "length": 9.0}, "z": {"cells": 6, "length": 10.0}},
}


def quench(variants, dimensions, scheme, load="strain", landau="2-4-6", noise=1e-7, step=0.05, **sections):
    fields = ["eta"] if variants == 1 else [f"eta_{p + 1}" for p in range(variants)]
    return {
        "model": {
            "name": "martensite",
            "mobility": L,
            "gradient_energy": KAPPA,
            "landau": LANDAU[landau],
            "stiffness": {"cubic": C},
            "transformation": {"strains": STRAINS[:variants]},
            "load": load,
            **sections.pop("model_", {}),
        },
        "grid": BOXES[dimensions],
        # A mean, so that k = 0 takes part.
        "initial": {f: {"mean": 0.5 * noise / (p - 2.5), "noise": noise} for p, f in enumerate(fields)},
        "time": {"end": 1.0, "step": step, "scheme": scheme},
        "seed": 5,
        **sections,
    }


# the matrices, densely


def tensors(variants):
    """C_ijkl and ε⁰_p."""
    stiffness = np.zeros((3, 3, 3, 3))
    for i, j in itertools.product(range(3), repeat=2):
        stiffness[i, i, j, j] = C["C11"] if i == j else C["C12"]
        if i != j:
            stiffness[i, j, i, j] = stiffness[i, j, j, i] = C["C44"]
    place = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    strains = np.zeros((variants, 3, 3))
    for p, components in enumerate(STRAINS[:variants]):
        for (i, j), x in zip(place, components, strict=True):
            strains[p, i, j] = strains[p, j, i] = x
    return stiffness, strains


def dense_kernel(k, nyquist, variants):
    """B_pq (modes, N, N) for wave vectors k (modes, 3), averaged over the signs of Nyquist components; nan at k = 0."""
    stiffness, strains = tensors(variants)
    sigma = np.einsum("ijkl,pkl->pij", stiffness, strains)
    total = np.zeros((len(k), variants, variants))
    for signs in itertools.product((1.0, -1.0), repeat=3):
        v = np.where(nyquist, np.array(signs) * k, k)
        with np.errstate(invalid="ignore"):
            n = v / np.linalg.norm(v, axis=1, keepdims=True)
        n[~np.isfinite(n).all(axis=1)] = 1.0, 0.0, 0.0
        omega = np.linalg.inv(np.einsum("ikjl,mk,ml->mij", stiffness, n, n))
        traction = np.einsum("pij,mj->mpi", sigma, n)
        total += np.einsum("pij,qij->pq", sigma, strains) - np.einsum("mpi,mij,mqj->mpq", traction, omega, traction)
    return total / 8.0


def matrices(simulation, variants, load):
    """k̃² (modes,), Λ (modes, N, N), which are no padding, and û (N, modes) as a function of the stepper."""
    x, middle = simulation.sweep.mode_index
    grid, modes = simulation.grid, simulation.stepper.modes
    index = {1: [x], 2: [x, None], 3: [x, middle, None]}[grid.dimensions]
    k, nyquist = np.zeros((3, *modes.k2.shape)), np.zeros((3, *modes.k2.shape), bool)
    for axis, (a, m) in enumerate(zip(grid.axes, index, strict=True)):
        m = np.arange(a.cells)[:, None] if m is None else m
        m = np.where(m > a.cells / 2, m - a.cells, m)
        k[axis] = 2 * np.pi * m / a.length
        nyquist[axis] = 2 * np.abs(m) == a.cells
    real = np.broadcast_to(modes.weight > 0, modes.k2.shape).ravel()
    symbol = dense_kernel(k.reshape(3, -1).T[real], nyquist.reshape(3, -1).T[real], variants)
    k2 = (k**2).sum(axis=0).ravel()[real]
    stiffness, strains = tensors(variants)
    clamped = np.einsum("pij,ijkl,qkl->pq", strains, stiffness, strains)
    # Stress control on a plane grid leaves the mean strains out of it clamped.
    symbol[k2 == 0.0] = clamped if load == "strain" else 0.0

    def read():
        return simulation.sweep.by_mode(simulation.stepper.state_hat).reshape(variants, -1)[:, real].T[..., None]

    return k2, symbol, read


def step_matrix(scheme, dt, S, k2, symbol):
    """One step of the linear problem, (modes, N, N), in functions of whole matrices; sbdf2 gives the pair for û and û⁻."""
    one = np.eye(symbol.shape[-1])
    implicit = dt * L * ((S + KAPPA * k2)[:, None, None] * one + symbol)
    explicit = dt * L * (S - A)
    if scheme == "imex1":
        return np.linalg.inv(one + implicit) * (1.0 + explicit)
    if scheme == "sbdf2":
        inverse = np.linalg.inv(1.5 * one + implicit)
        return inverse * (2.0 + 2.0 * explicit), inverse * (-0.5 - explicit)
    # φ-functions by linear solves; the implicit part is far enough from 0 for them.
    e, half = expm(-implicit), expm(-0.5 * implicit)
    f1, h1 = (np.linalg.solve(-s * implicit, m - one) for s, m in ((1.0, e), (0.5, half)))
    f2 = np.linalg.solve(-implicit, f1 - one)
    f3 = np.linalg.solve(-implicit, f2 - 0.5 * one)
    first = e + explicit * f1
    if scheme == "etdrk2":
        return first + explicit * f2 @ (first - one)
    a = half + 0.5 * explicit * h1
    b = half + 0.5 * explicit * h1 @ a
    c = half @ a + 0.5 * explicit * h1 @ (2.0 * b - one)
    weights = f1 - 3 * f2 + 4 * f3, 2 * (f2 - 2 * f3), 4 * f3 - f2
    return e + explicit * (weights[0] + weights[1] @ (a + b) + weights[2] @ c)


def march(simulation, dt, S, count=STEPS):
    S = np.full(len(simulation.split.names), S)
    for _ in range(count):
        simulation.stepper.attempt(dt, S)
        simulation.stepper.accept()


def expected_state(scheme, dt, S, k2, symbol, before):
    """û after STEPS steps, and factors per step and eigenvector (modes, N) with the eigenvectors (modes, N, N)."""
    values, vectors = np.linalg.eigh(symbol)
    matrix = step_matrix(scheme, dt, S, k2, symbol)
    if scheme != "sbdf2":
        state = before
        for _ in range(STEPS):
            state = matrix @ state
    else:
        older, state = before, step_matrix("imex1", dt, S, k2, symbol) @ before
        for _ in range(STEPS - 1):
            older, state = state, matrix[0] @ state + matrix[1] @ older
    z, n = -dt * L * (S + KAPPA * k2[:, None] + values), np.full_like(values, dt * L * (S - A))
    return state, np.abs(lookup("scheme", scheme).growth_factor(z, n)), vectors


def compare(simulation, scheme, variants, load, dt, S, tolerance):
    """Every component of every mode that has not decayed away; a step rounds to ε times the largest mode."""
    k2, symbol, read = matrices(simulation, variants, load)
    before = read()
    expected, factor, vectors = expected_state(scheme, dt, S, k2, symbol, before)
    march(simulation, dt, S)
    after = read()
    there, here = (np.einsum("mpi,mpo->mi", vectors, u) for u in (expected, after))
    kept = factor**STEPS > 1e-2
    assert kept.sum() > 0.1 * kept.size
    rounding = 4 * STEPS * np.finfo(float).eps * np.abs(there).max()
    error = np.abs(here - there)[kept] - rounding
    assert np.max(error / np.abs(there)[kept]) < tolerance
    return k2, expected, after


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("variants", [1, 2, 3])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_every_mode_grows_by_the_exact_matrix(simulate, scheme, variants, dimensions):
    """2-4-6 at amplitude 1e-7: 1e-6 is asked for; a quadratic f at any amplitude: 1e-10."""
    for load, landau, noise, tolerance in (("strain", "2-4-6", 1e-7, 1e-9), ("strain", "quadratic", 0.3, 1e-10)):
        simulation = simulate(quench(variants, dimensions, scheme, load, landau, noise))
        # Not so stiff that components decay away, nor so slow that φ-functions cancel.
        compare(simulation, scheme, variants, load, 0.05, 1.1, tolerance)


@pytest.mark.parametrize("scheme", names("scheme"))
def test_two_three_four_at_tiny_amplitude(simulate, scheme):
    """Its quadratic force couples modes: amplitude 1e-9 and 1e-5."""
    simulation = simulate(quench(2, 2, scheme, "strain", "2-3-4", 1e-9))
    compare(simulation, scheme, 2, "strain", 0.05, 1.1, 1e-5)


@pytest.mark.parametrize("variants", [1, 2])
def test_uniform_mode_feels_the_load(simulate, variants):
    """k = 0 grows with ε⁰:C:ε⁰ in a clamped cell, without it in a free one; everything else is the same."""
    means = {}
    for kind, load in (("strain", "strain"), ("stress", ["stress"] * 6)):
        simulation = simulate(quench(variants, 2, "imex1", load))
        k2, expected, after = compare(simulation, "imex1", variants, kind, 0.05, 1.1, 1e-9)
        np.testing.assert_allclose(after[k2 == 0.0], expected[k2 == 0.0], rtol=1e-9)
        means[kind] = np.linalg.norm(after[k2 == 0.0])
    assert means["stress"] > np.linalg.norm(simulation.initial_means)
    assert means["strain"] < 0.95 * means["stress"]


@pytest.mark.parametrize("variants", [1, 2, 3])
@pytest.mark.parametrize("scheme", ["etdrk2", "etdrk4"])
def test_exponential_schemes_are_exact_for_stabilisation_equal_to_curvature(simulate, scheme, variants):
    """S = f″ leaves nothing explicit: û grows by exp(−LΔt (A + κk² + B))."""
    simulation = simulate(quench(variants, 3, scheme))
    k2, symbol, read = matrices(simulation, variants, "strain")
    before = read()
    march(simulation, 0.05, A)
    exponent = -0.05 * STEPS * L * ((A + KAPPA * k2)[:, None, None] * np.eye(variants) + symbol)
    expected, after = expm(exponent) @ before, read()
    size = np.linalg.norm(expected, axis=(1, 2))
    kept = size > 1e-2 * np.linalg.norm(before, axis=(1, 2))
    error = np.linalg.norm(after - expected, axis=(1, 2))
    assert kept.sum() > 40
    assert np.all(error[kept] < 1e-9 * size[kept] + 1e-15 * size.max())


@pytest.mark.parametrize("scheme", names("scheme"))
def test_conserved_field_with_misfit(simulate, scheme):
    """Cahn–Hilliard with misfit: −Mk² (f″ + κk² + B(n)), exactly."""
    grid = {"x": {"cells": 24, "length": 30.0}, "y": {"cells": 20, "length": 25.0}}
    misfit = {"stiffness": {"cubic": {"C11": 2.0, "C12": 1.0, "C44": 1.5}}, "strain": [0.4, -0.1, 0.2]}
    model = {
        "name": "cahn_hilliard",
        "mobility": 0.8,
        "gradient_energy": 2.0,
        "free_energy": "-0.35*c**2",
        "misfit": misfit,
    }
    data = {"model": model, "grid": grid, "initial": {"c": {"mean": 0.2, "noise": 0.1}}}
    simulation = simulate({**data, "time": {"end": 1.0, "step": 0.1, "scheme": scheme}})
    k2, real = simulation.stepper.modes.k2, simulation.stepper.modes.weight > 0
    symbol = simulation.sweep.layout.pack(1, lambda *m: simulation.model.coupling.symbol(simulation.grid, m))[0]
    dt, S, f2 = 0.25, 0.6, -0.7
    z, n = -dt * 0.8 * k2 * (S + 2.0 * k2 + symbol), -dt * 0.8 * k2 * (f2 - S)
    read = lambda: simulation.sweep.by_mode(simulation.stepper.state_hat)[0]  # noqa: E731
    before = read()
    march(simulation, dt, S)
    table = lookup("scheme", scheme)
    expected = older = before
    for i in range(STEPS):
        following = table.linear_step(z, n, expected, older if i and table.multistep else None)
        older, expected = expected, following
    kept = real & (np.abs(expected) > 1e-2 * np.abs(before)) & (k2 > 0.0)
    assert kept.sum() > 20
    # What anisotropy changes is far above the tolerance.
    assert np.ptp(symbol[kept]) > 0.05
    np.testing.assert_allclose(read()[kept], expected[kept], rtol=1e-10, atol=1e-15)


# the whole equations


@cache
def smooth_state(scheme, steps):
    """A smooth state of two variants at t = 1."""
    grid = {"x": {"cells": 12, "length": 20.0}, "y": {"cells": 10, "length": 16.0}}
    first, second = "0.3 + 0.3*sin(2*pi*x/Lx)*cos(2*pi*y/Ly)", "0.2 + 0.4*cos(2*pi*(x/Lx + 2*y/Ly))"
    more = {"grid": grid, "initial": {"eta_1": first, "eta_2": second}, "stabilisation": 3.0}
    simulation = Simulation.from_scenario(
        quench(2, 2, scheme, landau="2-3-4", step=1.0 / steps, **more), device="cpu", threads=1
    )
    simulation.advance()
    simulation.close()
    assert simulation.counters.rejected == 0
    return np.stack(list(simulation.state.values()))


@pytest.mark.parametrize("scheme", names("scheme"))
def test_order_in_time_with_elasticity(scheme):
    counts = np.array([96, 192, 384])
    errors = [np.abs(smooth_state(scheme, n) - smooth_state("etdrk4", 2048)).max() for n in counts]
    orders = -np.diff(np.log(errors)) / np.diff(np.log(counts))
    assert orders == pytest.approx([lookup("scheme", scheme).order] * 2, abs=0.1)


@pytest.mark.parametrize("load", ["strain", "stress"])
def test_quarter_turn_swaps_the_variants(simulate, load):
    """Rotate the state by 90° and exchange the variants: the result does the same, to 1e-10."""
    grid = {a: {"cells": 24, "length": 24.0} for a in "xy"}
    strains = {"transformation": {"generate": {"strain": [1.0, -1.0], "parent": "square"}, "scale": 2.0}}
    data = quench(2, 2, "sbdf2", load, "2-3-4", 0.3, step=0.1, grid=grid, model_=strains, stabilisation=12.0)

    def result(change):
        simulation = simulate({**data, "time": {**data["time"], "end": 8.0}})
        u = np.stack(list(simulation.state.values()))
        simulation.set_state(dict(zip(simulation.split.names, change(u), strict=True)))
        simulation.advance()
        return np.stack(list(simulation.state.values()))

    plain = result(lambda u: u)
    assert np.abs(plain).max() > 0.8
    # The array is (y, x): a quarter turn of the plane.
    turned = result(lambda u: np.rot90(u, axes=(1, 2))[::-1])
    np.testing.assert_allclose(turned, np.rot90(plain, axes=(1, 2))[::-1], atol=1e-10)


@pytest.mark.parametrize("step", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("scheme", ["imex1", "etdrk2"])
def test_energy_decays_for_any_step(simulate, scheme, step):
    """S = ½ max f″ on the attained range: Δt·L|A| from 0.01 to 100 without one rejection, three variants, free mean strain."""
    grid = {"x": {"cells": 20, "length": 20.0}, "y": {"cells": 18, "length": 18.0}}
    step /= L * abs(A)
    # ∂²f/∂η² ≤ 26 where |η| ≤ 1.1.
    data = quench(3, 2, scheme, "stress", "2-3-4", 0.3, step, grid=grid, stabilisation=13.3)
    simulation = simulate({**data, "time": {**data["time"], "end": 60 * step}})
    energies = [simulation.energies.total]
    simulation.advance(on_step=lambda s: energies.append(s.energies.total))
    assert simulation.counters.rejected == 0
    assert len(energies) == 61
    assert np.all(np.diff(energies) <= 1e-12 * max(map(abs, energies)))
    assert energies[-1] < energies[0]
    assert math.isfinite(energies[-1])
