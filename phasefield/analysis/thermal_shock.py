"""When the damage of a quenched face breaks up into cracks, and how far they are apart: the stability of a cold layer.

A half space y > 0 of AT1 material in plane stress, whose face is cooled by ΔT at t = 0, is damaged where it is cold enough if ΔT
is greater than ΔT_c = √(3Gc/8Eℓ)/α. The damage φ(y) that is alike along the face x, with the stress σ_xx = −g(φ) Eαθ, minimises

    ∫ ½(1 − φ)² Eα²θ² + c₁φ + ½κφ'² dy,    φ ≥ 0,    θ = −ΔT erfc(y/2√(Dt)),

and is stable as long as the second variation of the energy is positive for all u = (U(y) sin kx, V(y) cos kx), A(y) cos kx:

    ∫ g ε:C:ε + 2g'Aσ·ε + ½g''A² Eα²θ² + κ(A'² + k²A²) dy,    ε = (kU, V', ½(U' − kV)),    σ = (−Eαθ, 0, 0),

with A = 0 where nothing is damaged. U and V are eliminated. Nothing here knows of inertia. That the first cracks are those of the
wavelength that becomes unstable first is exact for slow changes and small disturbances.

Units: lengths in ℓ, times in ℓ²/D, stress in E, temperature in ΔT_c; then α = 1, c₁ = 1, κ = 2.

P. Sicsic, J.-J. Marigo, C. Maurini, J. Mech. Phys. Solids 63 (2014) 256, doi:10.1016/j.jmps.2013.09.003.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg as dense
import scipy.sparse as sparse
from scipy.sparse.linalg import splu

from phasefield.errors import InputError, NumericalError
from phasefield.mechanics.conduction import Cooling, half_space

_SLOPE, _KAPPA = 1.0, 2.0
# Depth of the part that is computed, over 2√(Dt) and at least in ℓ; elements grow from an eighth of it on.
_DEPTHS, _LEAST_DEPTH, _GROWTH = 16.0, 16.0, 1.03
_LATEST, _LARGEST_SET = 1e4, 200


@dataclass(frozen=True)
class FirstCracks:
    """Of the moment when damage stops being alike along the face: time, wavelength, depth of the damage and φ at the face."""

    time: float
    wavelength: float
    depth: float
    damage: float


class ColdLayer:
    """Damage that is alike along the face, at one time.

    Args:
        ratio: ΔT/ΔT_c. time: Dt/ℓ². poisson_ratio: ν. spacing: h of the linear elements at the face, over ℓ.

    Attributes: y, their ends; phi at y; damaged, the numbers of those with φ > 0.
    """

    def __init__(self, ratio: float, time: float, poisson_ratio: float, spacing: float):
        front = 2.0 * math.sqrt(time)
        depth, h, y = max(_DEPTHS * front, _LEAST_DEPTH), spacing, [0.0]
        while y[-1] < depth:
            y.append(y[-1] + h)
            h = min(_GROWTH * h, 0.5) if y[-1] > depth / 8.0 else h
        self.y, self.h = np.array(y), np.diff(y)
        cooling = Cooling(-ratio)
        self._theta = half_space(0.5 * (self.y[1:] + self.y[:-1]), 0.5 * front, cooling)
        elements, n = np.arange(len(self.h)), len(y)
        both = (np.concatenate([elements, elements]), np.concatenate([elements, elements + 1]))
        self._mean = sparse.csr_array((np.full(2 * n - 2, 0.5), both), (n - 1, n))
        self._slope = sparse.csr_array((np.concatenate([-1.0 / self.h, 1.0 / self.h]), both), (n - 1, n))
        self._share = 0.5 * (np.append(self.h, 0.0) + np.insert(self.h, 0, 0.0))
        self.phi = self._homogeneous(half_space(self.y, 0.5 * front, cooling) ** 2)
        self.damaged = np.nonzero(self.phi > 0.0)[0]
        young = 1.0 / (1.0 - poisson_ratio**2)
        self._elastic = young, young * poisson_ratio, 0.5 / (1.0 + poisson_ratio)

    def _homogeneous(self, energy: np.ndarray) -> np.ndarray:
        """φ for twice the elastic energy density, by the set of nodes that are damaged."""
        stiff = _KAPPA * self._slope.T @ sparse.diags_array(self.h) @ self._slope
        A = sparse.csr_array(sparse.diags_array(self._share * energy) + stiff)
        b = self._share * (energy - _SLOPE)
        phi, free = np.zeros(len(energy)), energy > _SLOPE
        for _ in range(_LARGEST_SET):
            phi[:] = 0.0
            inside = np.nonzero(free)[0]
            if len(inside):
                phi[inside] = splu(sparse.csc_array(A[inside][:, inside])).solve(b[inside])
            wanted = np.where(free, phi > 0.0, A @ phi - b < -1e-12)
            if (wanted == free).all():
                return phi
            free = wanted
        raise NumericalError("the damaged layer was not found")

    def second_variation(self, k: float) -> np.ndarray:
        """Matrix of the quadratic form in A at the damaged nodes, for the displacements that make it least."""
        n, W = len(self.y), sparse.diags_array(self.h)
        whole = 1.0 - self._mean @ self.phi
        nothing = sparse.csr_array(self._mean.shape)
        xx, yy = sparse.hstack([k * self._mean, nothing]), sparse.hstack([nothing, self._slope])
        shear = sparse.hstack([self._slope, -k * self._mean])
        stiff, cross, mu = self._elastic
        G = sparse.diags_array(self.h * (whole**2 + 1e-9))
        K = stiff * (xx.T @ G @ xx + yy.T @ G @ yy) + cross * (xx.T @ G @ yy + yy.T @ G @ xx) + mu * shear.T @ G @ shear
        A, slope = self._mean[:, self.damaged], self._slope[:, self.damaged]
        coupling = xx.T @ sparse.diags_array(self.h * 2.0 * whole * self._theta) @ A
        own = A.T @ sparse.diags_array(self.h * self._theta**2) @ A + _KAPPA * (
            slope.T @ W @ slope + k * k * A.T @ W @ A
        )
        # Far inside nothing moves.
        free = np.delete(np.arange(2 * n), [n - 1, 2 * n - 1])
        K, coupling = sparse.csc_array(sparse.csr_array(K)[free][:, free]), sparse.csr_array(coupling)[free].toarray()
        return own.toarray() - coupling.T @ splu(K).solve(coupling)

    def least(self, k: float) -> float:
        """The lowest eigenvalue of the second variation, per ∫ A² dy: negative where the layer is unstable."""
        scale = 1.0 / np.sqrt(self._share[self.damaged])
        S = self.second_variation(k) * np.multiply.outer(scale, scale)
        return float(dense.eigh(0.5 * (S + S.T), eigvals_only=True, subset_by_index=[0, 0])[0])


def first_cracks(ratio: float, poisson_ratio: float = 0.2, spacing: float = 0.05) -> FirstCracks:
    """Time and wavelength at which the damage of a quenched face becomes unstable, in ℓ²/D and ℓ; see the module.

    Args:
        ratio: ΔT/ΔT_c > 1. spacing: of the elements at the face, over ℓ.

    Raises:
        InputError: a ratio of 1 or less, for which there is no damage.
        NumericalError: no instability was found.
    """
    if not ratio > 1.0:
        raise InputError(f"the face is damaged only above ΔT_c: ΔT/ΔT_c must be greater than 1, got {ratio:g}")

    def state(time: float, waves: np.ndarray) -> tuple[float, float, ColdLayer]:
        layer = ColdLayer(ratio, time, poisson_ratio, spacing)
        if len(layer.damaged) < 3:
            return 1.0, waves[0], layer
        found = [layer.least(k) for k in waves]
        return min(found), float(waves[int(np.argmin(found))]), layer

    waves = np.geomspace(0.15, 6.0, 25)
    stable, unstable = 0.0, 0.3 / ratio**2
    while state(unstable, waves)[0] > 0.0:
        stable, unstable = unstable, 1.6 * unstable
        if unstable > _LATEST:
            raise NumericalError(f"no instability was found up to Dt/ℓ² = {_LATEST:g}")
    k = state(unstable, waves)[1]
    for _ in range(12):
        # The wave number of the first instability is near that of the last one found.
        near = k * np.geomspace(0.7, 1.4, 9)
        middle = 0.5 * (stable + unstable)
        lowest, wave, _layer = state(middle, near)
        if lowest > 0.0:
            stable = middle
        else:
            unstable, k = middle, wave
    layer = ColdLayer(ratio, unstable, poisson_ratio, spacing)
    around = k * np.array([0.88, 0.94, 1.0, 1.06, 1.12])
    curvature, slope, _ = np.polyfit(around, [layer.least(wave) for wave in around], 2)
    k = -0.5 * slope / curvature
    return FirstCracks(unstable, 2.0 * math.pi / float(k), float(layer.y[layer.damaged[-1]]), float(layer.phi[0]))
