"""The energy balance of a run whose loads or temperature change or that is seeded: what steps gave up, what the changes put in.

A step lowers the energy under the loads and the temperature of its beginning; the sum of that is the column `dissipation` D.
Changes of the load then do work on the state: with M, g and c of the load (`models.base.Coupling`),

    E(b) − E(a) = −[D(b) − D(a)] + W,    W = V ∫ (½ ū·dM·ū − dg·ū + dc).

Only means of the fields enter W, which are columns too. It is integrated from row to row with the mean of ū at both ends, exact
where ū is linear in between; at a switch of control ū is interpolated. To W comes what seeds put in, the column `energy_added`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from phasefield.analysis.frames import energy_added, energy_scale
from phasefield.analysis.modes import NotApplicable
from phasefield.models.base import Coupling, Model
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario
from phasefield.scenario.fields import fixed_fields


@dataclass(frozen=True)
class Balance:
    """Both sides of the balance over the rows in use, and what they are judged by; everything below `change` is relative to the
    turnover, the largest of dissipation, sum of |W| and span of energies.

    change: E(b) − E(a), summed; expected: W − D, summed; error: largest deviation of one from the other up to any row;
    resolution: how far W can be off because ū may take any monotone way between two rows; rounding: units of rounding in the
    energies; rows: intervals between rows in use; left_out: those in which the temperature changes, whose work the history
    does not tell; backwards: the largest drop of D.
    """

    change: float
    expected: float
    error: float
    resolution: float
    rounding: float
    backwards: float
    rows: int
    left_out: int


def energy_balance(run: Run, scenario: LoadedScenario) -> Balance:
    """Follow the balance through the history of a run.

    Raises:
        NotApplicable: an explicit force, the history has fewer than two rows, or the temperature changes between all of them.
    """
    model, history = scenario.model, run.history
    if model.explicit:
        raise NotApplicable("the work of loads on explicit forces is not followed")
    times, energy = np.asarray(history["time"]), np.asarray(history["energy"])
    dissipation = np.asarray(history["dissipation"])
    means = np.stack([np.asarray(history[f"mean_{name}"]) for name in model.fields], axis=1)
    if times.size < 2:
        raise NotApplicable("the history has fewer than two rows")
    # The driving force of the load depends on the mean of a fixed eigenstrain, which the model learns here.
    model.frozen_fields(scenario.grid, fixed_fields(scenario))
    same = np.array([_same_parameters(model, a, b) for a, b in pairwise(times.tolist())])
    if not same.any():
        raise NotApplicable("the temperature changes between all rows of the history")
    volume = scenario.grid.volume
    work, doubt = np.zeros(times.size - 1), np.zeros(times.size - 1)
    for i in np.nonzero(same)[0]:
        if model.coupling is not None:
            work[i], doubt[i] = _work(model, model.coupling, times[i : i + 2], means[i : i + 2])
    # The state jumps where a seed appears, at an energy that the run took down.
    work, doubt = volume * work + np.diff(energy_added(run)), volume * doubt
    given, change = np.diff(dissipation), np.diff(energy)
    residual = np.where(same, change + given - work, 0.0)
    scale = float(energy_scale(run).max())
    turnover = max(float(np.abs(given).sum()), float(np.abs(work).sum()), float(np.ptp(energy)), np.finfo(float).tiny)
    eps = float(np.finfo(np.float64 if scenario.settings.precision == "double" else np.float32).eps)
    return Balance(
        float(change[same].sum()),
        float((work - given)[same].sum()),
        float(np.abs(np.cumsum(residual)).max()) / turnover,
        float(doubt.sum()) / turnover,
        eps * scale / turnover,
        float(max(0.0, -given.min())) / turnover,
        int(np.count_nonzero(same)),
        int(np.count_nonzero(~same)),
    )


def _work(model: Model, coupling: Coupling, span: np.ndarray, means: np.ndarray) -> tuple[float, float]:
    """W per volume between two rows, and what it could be off for a ū that is monotone between them."""
    start, end = map(float, span)
    corners = [start, *(t for t in model.events if start < t < end), end]
    share = (np.array(corners) - start) / (end - start)
    at = means[0] + share[:, None] * (means[1] - means[0])
    total = doubt = 0.0
    for (a, b), (u, v) in zip(pairwise(corners), pairwise(at), strict=True):
        phase, following = coupling.phase(a), coupling.phase(b)
        change = coupling.drive(b, phase) - coupling.drive(a, phase)
        total += coupling.constant(b, phase) - coupling.constant(a, phase) - change @ (0.5 * (u + v))
        doubt += 0.5 * float(np.abs(change) @ np.abs(means[1] - means[0]))
        if following != phase:
            total += _of_load(coupling, b, following, v) - _of_load(coupling, b, phase, v)
    return float(total), doubt


def _of_load(coupling: Coupling, time: float, phase: int, means: np.ndarray) -> float:
    """½ ū·M·ū − g·ū + c."""
    quadratic = 0.5 * means @ coupling.mean_symbol(phase) @ means
    return float(quadratic - coupling.drive(time, phase) @ means + coupling.constant(time, phase))


def _same_parameters(model: Model, start: float, end: float) -> bool:
    corners = [start, *(t for t in model.events if start < t < end), end]
    values = [list(model.parameters_at(t).values()) for t in corners]
    return all(np.allclose(v, values[0], rtol=1e-12, atol=0.0) for v in values[1:])
