"""What the written frames say, computed anew in plain NumPy: energies and means that do not come from the solver.

The solver's own numbers are right by construction (the mean is copied, a growing energy is rejected); these are not, and a
broken transform, symbol or file shows in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from phasefield.analysis.conditions import steady
from phasefield.analysis.modes import NotApplicable
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario
from phasefield.scenario.fields import fixed_fields

# Frames looked at, spread over the run; all when there are fewer.
MOST_FRAMES = 12
# Relative accuracy of energies and means computed from stored values.
TOLERANCES = {"double": 1e-9, "single": 1e-5}
# Below this part of the largest energy of the run, an energy is rounding of the transforms: a body that has vanished.
ROUNDING = 1e-12


@dataclass(frozen=True)
class FrameCheck:
    """Energies from frames against the history, and means; `tolerance` is that of the stored precision.

    energy_growth: the largest growth from one frame to the next, loads and temperature being constant between them, beyond what
    seeds put in; falling: whether there are two such frames.
    """

    times: np.ndarray
    energies: np.ndarray
    energy_error: float
    energy_growth: float
    falling: bool
    mean_drift: dict[str, float]
    tolerance: float


def check_frames(run: Run, scenario: LoadedScenario) -> FrameCheck:
    """Recompute energies and means from the frames.

    Raises:
        NotApplicable: not all fields were written, or no frame falls on a row of the history.
    """
    model, fields = scenario.model, list(scenario.model.fields)
    missing = [name for name in fields if name not in run.names]
    if missing:
        raise NotApplicable(f"field {missing[0]} was not written")
    history = run.history
    frame_times, row_times = run.times, np.asarray(history["time"])
    recorded, scale = np.asarray(history["energy"]), energy_scale(run)
    rows = {i: int(np.argmin(np.abs(row_times - t))) for i, t in enumerate(frame_times)}
    shared = [i for i, row in rows.items() if abs(row_times[row] - frame_times[i]) <= 1e-9 * abs(frame_times[i])]
    if len(shared) < 2:
        raise NotApplicable("fewer than two frames fall on rows of the history")
    chosen = sorted({shared[round(k)] for k in np.linspace(0, len(shared) - 1, MOST_FRAMES)})
    frozen = model.frozen_fields(scenario.grid, fixed_fields(scenario))
    energies, means = [], {name: [] for name in fields}
    largest = dict.fromkeys(fields, 0.0)
    # The last frame of a run that blew up may hold anything.
    with np.errstate(all="ignore"):
        for i in chosen:
            state = {name: run.frame(name, i).astype(float) for name in fields}
            terms = model.terms_at(float(frame_times[i]))
            energies.append(sum(term.energy({**state, **frozen}, scenario.grid) for term in terms))
            for name, u in state.items():
                means[name].append(u.mean())
                largest[name] = max(largest[name], float(np.abs(u).max()))
    values = np.array(energies)
    index = [rows[i] for i in chosen]
    floor = ROUNDING * np.max(scale, initial=0.0, where=np.isfinite(scale))
    magnitude = np.maximum(scale[index], floor + np.finfo(float).tiny)
    # Thermal noise and motion give energy back.
    alike = [scenario.loses_energy and steady(model, a, b) for a, b in pairwise(frame_times[chosen].tolist())]
    with np.errstate(all="ignore"):
        error = np.max(np.abs(values - recorded[index]) / magnitude)
        growth = np.max(np.where(alike, np.diff(values - energy_added(run)[index]) / magnitude[1:], 0.0))
        drift = {n: float(np.abs(np.array(m) - m[0]).max()) / (largest[n] or 1.0) for n, m in means.items()}
    precise = scenario.settings.precision == "double" and scenario.settings.output.fields.precision == "double"
    return FrameCheck(
        frame_times[chosen],
        values,
        float(error),
        float(np.maximum(growth, 0.0)),
        any(alike),
        drift,
        TOLERANCES["double" if precise else "single"],
    )


def energy_added(run: Run) -> np.ndarray:
    """Energy put in by seeds up to every row of the history."""
    history = run.history
    return np.asarray(history["energy_added"]) if "energy_added" in history else np.zeros(history["time"].size)


def energy_scale(run: Run) -> np.ndarray:
    """A magnitude of the energies in every row of the history: the sum of those of the terms."""
    history = run.history
    terms = [name for name in ("energy_bulk", "energy_gradient", "energy_elastic") if name in history]
    return np.sum([np.abs(np.asarray(history[name])) for name in terms], axis=0)
