"""Continuing a run from a checkpoint, and any number of threads: bit for bit."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from crack_scenarios import cell, plate

from phasefield.output import checkpoint

DISSIPATION = [{"until": 0.4, "factor": 0.08}, {"until": 1.0, "dissipation": 2.0}]
STRIP = {"mean": {"strain": {"yy": 1.0, "xy": 0.0}, "stress": {"xx": 0.0}}, "length": 2.0}
SLIT = {"initial": {"phi": {"shapes": [{"slit": {"from": [3.0, 8.5], "to": [11.0, 8.5]}}]}}}
HOLE = [{"name": "hole", "shapes": [{"box": {"from": [6, 6], "to": [9, 9]}}], "void": True}]
SUPPORT = [{"from": [0, 6], "to": [2, 10], "displacement": {"x": 0.0}}]
ADAPTIVE = {"time": {"end": 1.0, "step": {"first": 0.1, "min": 0.01, "max": 0.15}}}

CASES: dict[str, dict[str, Any]] = {
    "faces": plate(load=[[0, 0], [1, 0.14]]),
    "faces, spectral": plate(load=[[0, 0], [1, 0.14]], split="spectral"),
    "faces, dissipation": plate(load=DISSIPATION),
    "faces, dissipation, spectral": plate((12, 12), load=DISSIPATION, split="spectral", dissipation="AT2"),
    "faces, adaptive, over-relaxed": plate(
        load=[[0, 0], [1, 0.15]], section=ADAPTIVE, minimisation={"acceleration": "over_relaxation"}
    ),
    "faces, history": plate(load=[[0, 0], [0.5, 0.14], [1, 0.05]], irreversibility="history"),
    "faces, penalty": plate(load=[[0, 0], [0.5, 0.12], [1, 0.05]], irreversibility="penalty", dissipation="AT2"),
    "faces, crack set": plate(load=[[0, 0], [0.5, 0.12], [1, 0.05]], irreversibility="crack_set"),
    "faces, hybrid": plate(load=[[0, 0], [1, 0.12]], split="hybrid"),
    "faces, void and support": plate(load=[[0, 0], [1, 0.14]], regions=HOLE, supports=SUPPORT, crack=0.0),
    "faces, viscous": plate(load=[[0, 0], [0.3, 0.15]], viscosity=0.05),
    "faces, traction": plate(
        load=[[0, 0], [1, 0.3]], faces={"y": {"low": "clamped", "high": {"traction": {"y": 5.0}}}}, stop={"force": 0.1}
    ),
    "faces, reversed": plate(load=[[0, 0], [0.3, 0.08], [1.0, -0.1]], split="volumetric_deviatoric", dissipation="AT2"),
    "faces, space": plate((6, 8, 4), load=[[0, 0], [1, 0.14]], split="spectral"),
    "cell, strain": cell((16, 16), load=[[0, 0], [1, 0.02]], section=SLIT, length=2.0),
    "cell, dissipation, spectral": cell((16, 16), load=[{"until": 1.0, "dissipation": 3.0}], split="spectral",
                                        section=SLIT, **STRIP),
    "cell, dissipation": cell((16, 16), load=[{"until": 1.0, "dissipation": 6.0}], section=SLIT, **STRIP),
    "cell, fourier": cell((16, 16), load=[[0, 0], [1, 0.02]], section=SLIT, elastic_scheme="fourier", **STRIP),
    "cell, adaptive, history": cell((16, 16), load=[[0, 0], [1, 0.008]], irreversibility="history",
                                    section={**SLIT, "time": {"end": 1.0, "step": {"max": 0.12}}}, **STRIP),
    "cell, space": cell((8, 8, 4), load=[[0, 0], [1, 0.02]], split="star_convex", regions=[
        {"name": "soft", "shapes": [{"box": {"from": [0, 3, 0], "to": [3, 5, 4]}}], "young_modulus": 300.0}
    ]),
}  # fmt: skip


def last(simulation) -> tuple[dict[str, float], np.ndarray, dict[str, np.ndarray]]:
    return simulation.history_row(), simulation.phi, simulation.derived(simulation.model.derived_names())


def assert_same_bits(a, b) -> None:
    (row, phi, fields), (other_row, other_phi, other_fields) = last(a), last(b)
    assert row == other_row
    np.testing.assert_array_equal(phi, other_phi)
    for name in fields:
        np.testing.assert_array_equal(fields[name], other_fields[name], err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_a_run_goes_on_bit_for_bit(simulate, tmp_path, case):
    """Steps up to the 5th, a checkpoint on disk, a new simulation from it: rows, damage and fields of the end are the same."""
    data = CASES[case]
    whole = simulate(copy.deepcopy(data), threads=1)
    path, steps = tmp_path / "checkpoint.h5", []

    def on_step(simulation):
        steps.append(simulation.history_row())
        if len(steps) == 5:
            checkpoint.save(path, *simulation.checkpoint())

    whole.advance(on_step=on_step)
    assert len(steps) > 6
    again = simulate(copy.deepcopy(data), threads=1)
    again.restore(*checkpoint.load(path))
    assert again.history_row() == steps[4]
    later: list[dict[str, float]] = []
    again.advance(on_step=lambda s: later.append(s.history_row()))
    assert later == steps[5:]
    assert_same_bits(again, whole)
    assert again.stopped == whole.stopped


def test_a_checkpoint_does_not_change_afterwards(simulate):
    simulation = simulate(plate(load=[[0, 0], [1, 0.14]], irreversibility="history"))
    simulation.advance(until=0.5)
    arrays, meta = simulation.checkpoint()
    before, kept = {name: a.copy() for name, a in arrays.items()}, copy.deepcopy(meta)
    copies = {name: np.array(a) for name, a in arrays.items()}
    simulation.advance()
    again = simulate(plate(load=[[0, 0], [1, 0.14]], irreversibility="history"))
    again.restore(copies, kept)
    again.advance()
    assert_same_bits(again, simulation)
    assert meta == kept
    for name in before:
        if name != "history":  # goes on with the run: a checkpoint is written at once
            np.testing.assert_array_equal(arrays[name], before[name], err_msg=name)


@pytest.mark.parametrize(
    "case",
    ["faces", "faces, spectral", "faces, space", "cell, dissipation", "cell, dissipation, spectral", "cell, space"],
)
def test_same_bits_for_any_number_of_threads(simulate, monkeypatch, case):
    for name in ("bounded_passes", "periodic", "damage_operator"):
        monkeypatch.setattr(f"phasefield.mechanics.{name}.SERIAL_CELLS", 0)
    monkeypatch.setattr("phasefield.spectral.sweep.SERIAL_CELLS", 0)
    found = []
    for threads in (1, 2, 3):
        simulation = simulate(copy.deepcopy(CASES[case]), threads=threads)
        simulation.advance(until=0.5)
        found.append(simulation)
        assert simulation.threads == threads
    assert found[1].problem.damage.operator._pool.threads == 2
    for other in found[1:]:
        assert_same_bits(other, found[0])
