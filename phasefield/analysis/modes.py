"""Single modes that are followed through the linear regime: which ones, what their rates depend on, and their power.

Without coupling a mode is a Fourier coefficient φ̂_k. Fields coupled by a matrix symbol Λ(k) grow independently in its
eigenbasis: a mode is a component y_i = Σ_p V_pi φ̂_p, with rate −m(k̃) (A + κk̃² + λ_i). V and λ are evaluated anew from the
symbol, not taken from the arrays of the run, so that wrong arrays show as wrong rates.

Several fields without a coupling depend on each other through f alone. Of each wavevector the projection y = l·φ̂ on the left
eigenvector l of the largest eigenvalue σ of the growth matrix G(k̃²) is followed: l·G = σ l, so that it grows as e^{σt} whatever
the other combinations do. Its σ is a function of k̃², and there is no excess.

Rates depend on k̃² and on the excess δ = λ_i − λ*, λ* the smallest eigenvalue there is (`LinearStability.elastic_part`):

    non-conserved   −L (A + λ* + κ K²),  K² = k̃² + δ/κ        one variable: elasticity acts like a larger wavenumber
    conserved       −M k̃² (A + λ* + κk̃² + δ)                  two variables
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from phasefield.analysis.stability import LinearStability
from phasefield.models.base import Model
from phasefield.spectral.grid import Grid

# Modes followed one by one: all below this multiple of the cut-off, thinned shell by shell when there are more than MAX_MODES.
RANGE_IN_CUTOFFS = 1.3
MAX_MODES = 200_000
SHELLS = 40
# A shell holds modes whose excess is a like share of κk̃² + δ: so many classes of shares.
CLASSES = 32
# Hard modes, those beyond the range on account of their excess alone, are followed up to this multiple of |A + λ*|: harder
# ones are gone before the first sample.
HARDEST = 5.0


class NotApplicable(Exception):
    """A check has nothing to compare; the message says why."""


class FollowedModes:
    """The modes chosen in a simulation; `power` reads them off its present state.

    index: FFT index along the axes, slowest first, (modes, axes); component: i; k2, weight, shell: (modes,);
    hard: (shells,) those of modes that only their excess keeps from growing: they say whether the coupling is right.

    Raises:
        NotApplicable: no mode in the box is unstable.
    """

    def __init__(self, simulation: Any, theory: LinearStability):
        self._fields = len(simulation.split.names)
        cutoff = theory.cutoff_wavenumber
        limit = RANGE_IN_CUTOFFS * cutoff
        modes = simulation.stepper.modes
        wanted = (modes.k2 <= limit**2) & (modes.k2 > 0.0) & (modes.multiplicity[None, :] > 0.0)
        rows, columns = np.nonzero(wanted)
        # Single modes grow without scatter, so a shell may hold few of them: its width need not be a fundamental.
        width = limit / SHELLS
        k2 = modes.k2[rows, columns]
        kept = _thin(_shell(k2, width), MAX_MODES // self._fields)
        self._rows, self._columns, k2 = rows[kept].astype(np.int64), columns[kept].astype(np.int64), k2[kept]
        x, middle = simulation.sweep.mode_index
        # Integer wave numbers in the order z, y, x; `verify` computes k̃² from them and the box anew.
        slow = {1: [], 2: [self._rows], 3: [self._rows, middle[self._columns]]}[simulation.grid.dimensions]
        index = np.stack([*slow, x[self._columns]], axis=1).astype(np.int32)
        values, self._vectors = eigensystem(simulation.model, simulation.grid, index)
        if mixed(simulation.model):
            values, self._vectors = values[:, :1], dominant_left_vectors(theory, k2)[:, :, None]
        excess = values - theory.elastic_part
        effective = k2[:, None] + excess / theory.gradient_coefficient
        scale = abs(theory.curvature(next(iter(theory.base))) + theory.elastic_part)
        self._mode, self.component = np.nonzero((effective <= limit**2) | (excess <= HARDEST * scale))
        smallest = float(effective.min()) if effective.size else math.inf
        if not smallest < cutoff**2:
            raise NotApplicable(
                f"the box holds no unstable wave: cut-off wavelength {theory.cutoff_wavelength:.4g}, "
                f"longest axis {max(a.length for a in simulation.grid.axes):.4g}"
            )
        self.index, self.k2 = index[self._mode], k2[self._mode]
        self.weight = modes.multiplicity[self._columns[self._mode]]
        effective = effective[self._mode, self.component]
        variable, _ = variables(theory, self.k2, values[self._mode, self.component])
        share = np.clip(np.floor(CLASSES * (1.0 - self.k2 / effective) + 1e-6), 0, CLASSES - 1).astype(np.int64)
        hard = effective > limit**2
        key = (hard * 10**6 + _shell(variable, width)) * CLASSES + share
        first, self.shell = np.unique(key, return_index=True, return_inverse=True)[1:]
        self.hard = hard[first]

    def power(self, simulation: Any) -> np.ndarray:
        """|y_i|² of every followed mode, (modes,)."""
        stepper, backend = simulation.stepper, simulation.backend
        width = stepper.state_hat.shape[3]
        place = (self._columns // width, self._rows, self._columns % width)
        on_device = tuple(backend.xp.asarray(a) for a in place)
        phi = backend.to_host(stepper.state_hat[(slice(None), *on_device)])
        y = np.einsum("mpi,pm->mi", self._vectors, phi)[self._mode, self.component]
        return y.real**2 + y.imag**2


def mixed(model: Model) -> bool:
    """Whether there are several fields that only f couples."""
    return len(model.fields) > 1 and model.coupling is None


def dominant_left_vectors(theory: LinearStability, k2: np.ndarray) -> np.ndarray:
    """The left eigenvector l of the growth matrix that belongs to its largest eigenvalue, at k̃² > 0 (modes,), (modes, N).

    G = −DA with the kinetics D = diag(m_p) and a symmetric A: √D⁻¹ G √D is symmetric, with eigenvectors v = √D l.
    """
    unique, where = np.unique(k2, return_inverse=True)
    root = np.sqrt(np.stack([kinetics.rate(unique) for kinetics in theory.model.fields.values()], axis=-1))
    symmetric = theory.growth_matrix(unique) * root[:, None, :] / root[:, :, None]
    vectors = np.linalg.eigh(symmetric)[1][:, :, -1]
    return (vectors / root)[where.ravel()]


def eigensystem(model: Model, grid: Grid, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, ascending, (modes, N), and eigenvectors, columns, (modes, N, N), of the coupling at FFT indices (modes, axes).

    Without a coupling the eigenvalues are 0 and the vectors those of the fields.
    """
    fields = len(model.fields)
    if model.coupling is None:
        return np.zeros((len(index), fields)), np.broadcast_to(np.eye(fields), (len(index), fields, fields))
    axes = reversed(grid.axes)
    numbers = [np.fft.fftfreq(a.cells, 1.0 / a.cells)[index[:, i]].round().astype(int) for i, a in enumerate(axes)]
    return np.linalg.eigh(model.coupling.symbol(grid, tuple(reversed(numbers))))


def variables(theory: LinearStability, k2: np.ndarray, elastic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the rate of a mode depends on, from k̃² and its eigenvalue: (K², 0) or, where the fields are conserved, (k̃², δ)."""
    excess = elastic - theory.elastic_part
    # Rounding where B is the same in all directions must not look like a second variable.
    excess = np.where(np.abs(excess) <= 1e-9 * np.abs(elastic).max(), 0.0, excess)
    if not theory.kinetics.conserved:
        return k2 + excess / theory.gradient_coefficient, np.zeros_like(k2)
    return k2, excess


def symbol_of_modes(index: np.ndarray, model: Model, grid: Grid) -> np.ndarray:
    """k̃² of modes given by their FFT indices (modes, axes slowest first), in plain NumPy, independent of the run's own."""
    total = np.zeros(index.shape[0])
    for column, axis in enumerate(reversed(grid.axes)):
        # Half waves along the axis.
        n = {
            "periodic": 2.0 * np.fft.fftfreq(axis.cells, 1.0 / axis.cells),
            "no_flux": np.arange(axis.cells),
            "fixed": np.arange(axis.cells) + 1.0,
        }[axis.boundary][index[:, column]]
        if model.laplacian == "finite_difference":
            total += (2.0 * axis.cells / axis.length * np.sin(0.5 * np.pi * n / axis.cells)) ** 2
        else:
            total += (np.pi * n / axis.length) ** 2
    return total


def _shell(k2: np.ndarray, width: float) -> np.ndarray:
    return np.floor(np.sqrt(np.maximum(k2, 0.0)) / width + 0.5).astype(np.int64)


def _thin(shell: np.ndarray, limit: int) -> np.ndarray:
    """Indices of about `limit` modes, all when there are fewer: shells with few modes keep all, others every n-th."""
    if shell.size <= limit:
        return np.arange(shell.size)
    counts = np.bincount(shell)
    share = limit // max(1, np.count_nonzero(counts))
    kept = []
    for s in np.nonzero(counts)[0]:
        members = np.nonzero(shell == s)[0]
        kept.append(members[:: max(1, math.ceil(members.size / share))])
    return np.sort(np.concatenate(kept))
