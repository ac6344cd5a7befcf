"""Equilibrium of a stable state with thermal noise: the time average of the written spectra against kT/(V(f″ + κk̃² + B)).

Every shell is averaged over the frames that come later than `EQUILIBRATION` of its relaxation times τ = 1/(m(f″+κk̃²+B)), and
compared with the mean of the same modes in theory. The power of a mode forgets itself as e^{−2t/τ}: n frames hold
n²/Σ_ij e^{−2|t_i−t_j|/τ} independent ones, and a shell of M modes is known to √(2/(M · that number)), because half of the modes
are the conjugates of the others. Only shells known to half the tolerance are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from phasefield.analysis.modes import NotApplicable, eigensystem, symbol_of_modes
from phasefield.analysis.stability import LinearStability
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario

# In units of the relaxation time; e^{−10} of the power is then still that of the initial state.
EQUILIBRATION = 5.0
LEAST_SHELLS = 6


@dataclass(frozen=True)
class Equilibrium:
    """Per shell in use: wavenumber (its centre), measured and expected mean power, and the statistical error, relative.

    frames: the smallest and the largest number of frames that a shell is averaged over; shells: how many there are in all.
    """

    wavenumber: np.ndarray
    power: np.ndarray
    expected: np.ndarray
    scatter: np.ndarray
    frames: tuple[int, int]
    shells: int

    @property
    def ratio(self) -> np.ndarray:
        """Measured over expected: the temperature of a shell over that of the bath."""
        return self.power / self.expected

    @property
    def error(self) -> float:
        """Root mean square over shells of ratio − 1."""
        return float(np.sqrt(np.mean((self.ratio - 1.0) ** 2)))


def equilibrium(run: Run, scenario: LoadedScenario, recorded: LoadedScenario, tolerance: float) -> Equilibrium:
    """Average the spectra of a run.

    Args:
        scenario: from which theory is made.
        recorded: the run's own, by whose k̃² its spectra are binned.
        tolerance: for the rms error; decides which shells are known well enough.

    Raises:
        NotApplicable: no thermal noise, parameters that change, faces that leave no uniform state, a state that is not stable, or
            too few independent frames.
    """
    model, data = scenario.model, run.spectrum
    if not model.thermal_energy:
        raise NotApplicable("the model has no thermal noise (model.thermal_energy)")
    if len(model.fields) > 1 or model.frozen or model.explicit:
        raise NotApplicable(
            "fluctuations of several fields, or about fields that differ from place to place, are not predicted"
        )
    if data is None:
        raise NotApplicable("the file holds no spectra")
    (name,) = model.fields
    _require_uniform_equilibrium(scenario, name)
    means, rows = np.asarray(run.history[f"mean_{name}"]), np.asarray(run.history["time"])
    base = {name: float(means[rows >= 0.5 * rows[-1]].mean())}
    theory = LinearStability(model, base)
    wavenumber, count, measured = (np.asarray(data[n]) for n in ("wavenumber", "modes", f"power_{name}"))
    shell, rate, stiffness = _modes(scenario, recorded, theory, float(wavenumber[1]), wavenumber.size)
    softest = float(stiffness.min())
    if softest <= 0.0:
        raise NotApplicable(
            f"the uniform state {name} = {base[name]:.4g} is not stable: the smallest second derivative of F is {softest:.4g}"
        )
    shells = wavenumber.size
    modes = np.bincount(shell, minlength=shells)
    variance = model.thermal_energy / (scenario.grid.volume * stiffness)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.bincount(shell, variance, shells) / modes
    # The slowest mode of a shell speaks for all.
    decay = np.full(shells, math.inf)
    np.minimum.at(decay, shell, rate * stiffness)
    decay = np.where(modes > 0, decay, 0.0)
    times = np.asarray(data["time"])
    frames, independent, mean = _averages(times, measured, decay)
    with np.errstate(divide="ignore"):
        scatter = np.sqrt(2.0 / (count * independent))
    used = (modes > 0) & (frames > 0) & (scatter <= 0.5 * tolerance)
    total = int(np.count_nonzero(modes))
    if np.count_nonzero(used) < LEAST_SHELLS:
        raise NotApplicable(
            f"only {np.count_nonzero(used)} of {total} shells are known to {0.5 * tolerance:.2g}: run longer, write frames more "
            "often, or take more cells"
        )
    return Equilibrium(
        wavenumber[used],
        mean[used],
        expected[used],
        scatter[used],
        (int(frames[used].min()), int(frames[used].max())),
        total,
    )


def _require_uniform_equilibrium(scenario: LoadedScenario, name: str) -> None:
    """Raise `NotApplicable` unless fluctuations are about a uniform state that stays: spectra do not tell a profile from them."""
    model, grid = scenario.model, scenario.grid
    if model.changing:
        raise NotApplicable("parameters of f change with time: there is no equilibrium to compare with")
    if not grid.fixed:
        return
    start, slope = grid.lift(name)
    if np.any(slope):
        raise NotApplicable("the values given at the faces differ: fluctuations are not about a uniform state")
    drive = model.potential_of_uniform(name, {name: start})
    if not model.fields[name].conserved and abs(drive) > 1e-12:
        raise NotApplicable(f"f′ = {drive:.3g} at the value given at the faces: the field between them is not uniform")


def _modes(
    scenario: LoadedScenario, recorded: LoadedScenario, theory: LinearStability, width: float, shells: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shell, m(k̃) and f″ + κk̃² + B of all modes of the full spectrum but the mean, in plain NumPy; (modes,) each."""
    grid, model = scenario.grid, scenario.model
    index = np.indices(grid.shape).reshape(grid.dimensions, -1).T
    index = index[symbol_of_modes(index, model, grid) > 0.0]
    k2 = symbol_of_modes(index, model, grid)
    (name, kinetics), *_ = model.fields.items()
    stiffness = theory.curvature(name) + theory.gradient_coefficient * k2 + eigensystem(model, grid, index)[0][:, 0]
    shell = (np.sqrt(symbol_of_modes(index, recorded.model, grid)) / width + 0.5).astype(int)
    kept = shell < shells
    return shell[kept], kinetics.rate(k2[kept]), stiffness[kept]


def _averages(times: np.ndarray, power: np.ndarray, decay: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames after equilibration, how many independent ones they are worth, and their mean power, per shell.

    decay: 1/τ per shell; 0 where a shell has no modes.
    """
    frames, total, pairs, earlier = (np.zeros(decay.size) for _ in range(4))
    for i, t in enumerate(times):
        here = t * decay >= EQUILIBRATION
        gap = t - times[i - 1] if i else 0.0
        # Σ_{j<i} e^{−2(t_i−t_j)/τ}, from that of the frame before.
        earlier = np.where(here, np.exp(-2.0 * gap * decay) * (earlier + (frames > 0)), 0.0)
        pairs += np.where(here, 1.0 + 2.0 * earlier, 0.0)
        frames += here
        total += np.where(here, power[i], 0.0)
    some = np.maximum(frames, 1.0)
    return frames.astype(int), frames**2 / np.maximum(pairs, 1.0), total / some
