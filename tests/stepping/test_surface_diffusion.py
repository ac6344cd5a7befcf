"""A mobility that vanishes in both phases: waves on a flat interface decay by the sharp-interface law of surface diffusion."""

from __future__ import annotations

import numpy as np
import pytest

KAPPA, WIDTH, AMPLITUDE = 2.0, 64, 0.5
# f = ¼(c²−1)²: c = tanh(x/δ), δ = √(2κ); γ = 4κ/(3δ), ∫M dn = ∫(1−c²)² dn = 4δ/3, Δc = 2; B = γ ∫M dn/Δc².
B = 4.0 * KAPPA / 9.0


def decay_rate(simulate, length: int) -> float:
    """Of the first wave on the two faces of a slab, between 0.3 and 0.6 times its life."""
    until = 0.3 / (B * (2.0 * np.pi / length) ** 4)
    wave = f"{AMPLITUDE}*cos(2*pi*x/Lx)"
    simulation = simulate(
        {
            "model": {"name": "cahn_hilliard", "mobility": "(1 - c**2)**2", "gradient_energy": KAPPA},
            "grid": {"x": {"cells": length, "length": length}, "y": {"cells": WIDTH, "length": WIDTH}},
            "initial": {"c": f"tanh((y - Ly/4 - {wave})/2) - tanh((y - 3*Ly/4 + {wave})/2) - 1"},
            "time": {"end": 2.0 * until, "step": {"tolerance": 1e-4}},
        }
    )
    amplitudes = []
    for time in (until, 2.0 * until):
        simulation.advance(until=time)
        # How much of the upper phase a column of the lower half holds tells where its interface is.
        place = -0.5 * simulation.state["c"][: WIDTH // 2].sum(axis=0)
        amplitudes.append(2.0 / length * np.abs(np.fft.rfft(place)[1]))
    assert 0.2 < amplitudes[1] < amplitudes[0] < AMPLITUDE
    return float(np.log(amplitudes[0] / amplitudes[1]) / until)


def test_decay_of_a_wave(simulate):
    """B k⁴ up to terms that vanish with the width of the interface over the wavelength."""
    rates = {length: decay_rate(simulate, length) for length in (32, 64)}
    limit = {length: B * (2.0 * np.pi / length) ** 4 for length in rates}
    assert rates[64] == pytest.approx(limit[64], rel=0.02)
    assert 0.02 < abs(rates[32] / limit[32] - 1.0) < 0.15
