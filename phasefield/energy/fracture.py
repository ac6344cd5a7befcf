"""Energy of cracks: degradation of the elastic energy, and the dissipation of AT1 and AT2.

    E(u, φ) = ∫ g(φ) ψ⁺(ε) + ψ⁻(ε) + c₁φ + ½c₂φ² + κ/2 |∇φ|² dV,    g = (1 − η)(1 − φ)² + η,    φ = 0 intact, φ = 1 broken.

| | c₁ | c₂ | κ | profile | elastic limit of ψ⁺ |
|---|---|---|---|---|---|
| `AT1` | 3Gc/(8ℓ) | 0 | ¾Gcℓ | (1 − \\|x\\|/2ℓ)²₊ | 3Gc/(16ℓ) |
| `AT2` | 0 | Gc/ℓ | Gcℓ | exp(−\\|x\\|/ℓ) | 0 |

A crack costs Gc per area in both. Others write AT2 as Gc[φ²/(4ε) + ε|∇φ|²]: then ℓ = 2ε. κ/2 |∇φ|² is the shared term, with the
finite-difference Laplacian: cracks are a few cells wide, and k² makes them several per cent dearer (docs/theory/fracture.md).

B. Bourdin, G. A. Francfort, J.-J. Marigo, J. Mech. Phys. Solids 48 (2000) 797, doi:10.1016/S0022-5096(99)00028-9 (AT2);
K. Pham, H. Amor, J.-J. Marigo, C. Maurini, Int. J. Damage Mech. 20 (2011) 618, doi:10.1177/1056789510386852 (AT1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.term import State, Term
from phasefield.errors import InputError
from phasefield.registry import lookup, register
from phasefield.spectral.grid import Grid

# Cells per ℓ below which a crack is not resolved at all, and below which the user is told.
REFUSED, WARNED = 2.0, 4.0
_ROUNDING = 1e-9

Toughness = float | np.ndarray


@dataclass(frozen=True)
class Degradation:
    """g(φ) = (1 − η)(1 − φ)² + η: what is left of ψ⁺. η: the residual stiffness of broken material, 0 ≤ η < 1."""

    residual_stiffness: float = 1e-9

    def __post_init__(self) -> None:
        if not 0.0 <= self.residual_stiffness < 1.0:
            raise InputError(f"the residual stiffness must be at least 0 and below 1, got {self.residual_stiffness:g}")

    def value(self, phi: np.ndarray) -> np.ndarray:
        """g."""
        eta = self.residual_stiffness
        return (1.0 - eta) * (1.0 - phi) ** 2 + eta

    def derivative(self, phi: np.ndarray) -> np.ndarray:
        """g′ = −2(1 − η)(1 − φ)."""
        return -2.0 * (1.0 - self.residual_stiffness) * (1.0 - phi)

    def drive(self, psi: np.ndarray) -> np.ndarray:
        """H = (1 − η)ψ⁺, with which ∂(gψ⁺)/∂φ = −2H(1 − φ)."""
        return (1.0 - self.residual_stiffness) * psi


class Dissipation(ABC):
    """Coefficients of a dissipation for a toughness Gc, a number or one per cell, and a length ℓ."""

    name: str

    @abstractmethod
    def linear(self, Gc: Toughness, ell: float) -> Toughness:
        """c₁, energy density."""

    @abstractmethod
    def quadratic(self, Gc: Toughness, ell: float) -> Toughness:
        """c₂, energy density."""

    @abstractmethod
    def gradient(self, Gc: Toughness, ell: float) -> Toughness:
        """κ, energy per length."""

    @abstractmethod
    def penalty(self, Gc: Toughness, ell: float, tolerance: float) -> Toughness:
        """γ of ½γ⟨φₙ − φ⟩₊², which holds irreversibility to a relative tolerance.

        T. Gerasimov, L. De Lorenzis, Comput. Methods Appl. Mech. Eng. 354 (2019) 990, doi:10.1016/j.cma.2019.05.038.
        """

    @abstractmethod
    def numerical_toughness(self, ell: float, spacing: float) -> float:
        """Energy of a crack along the grid, over Gc: of a plane of cells with φ = 1 and the finite-difference Laplacian."""

    @abstractmethod
    def critical_strain(self, modulus: float, Gc: float, ell: float) -> float:
        """ε_c at which the stress of a homogeneous body is largest, for η = 0."""


@register("dissipation", "AT1")
class AT1(Dissipation):
    """c₁ = 3Gc/(8ℓ), κ = ¾Gcℓ: no damage below an elastic limit; needs φ ≥ φₙ ≥ 0."""

    name = "AT1"

    def linear(self, Gc: Toughness, ell: float) -> Toughness:
        return 3.0 * Gc / (8.0 * ell)

    def quadratic(self, Gc: Toughness, ell: float) -> Toughness:
        return 0.0 * Gc

    def gradient(self, Gc: Toughness, ell: float) -> Toughness:
        return 0.75 * Gc * ell

    def penalty(self, Gc: Toughness, ell: float, tolerance: float) -> Toughness:
        return Gc / ell * (27.0 / (64.0 * tolerance**2))

    def numerical_toughness(self, ell: float, spacing: float) -> float:
        """1 + h²/32ℓ², exact where 2ℓ/h is a whole number, to about 1e-4 elsewhere."""
        return 1.0 + (spacing / ell) ** 2 / 32.0

    def critical_strain(self, modulus: float, Gc: float, ell: float) -> float:
        """√(3Gc/(8Mℓ)), the elastic limit."""
        return float(np.sqrt(3.0 * Gc / (8.0 * modulus * ell)))


@register("dissipation", "AT2")
class AT2(Dissipation):
    """c₂ = Gc/ℓ, κ = Gcℓ: damage from the first load on."""

    name = "AT2"

    def linear(self, Gc: Toughness, ell: float) -> Toughness:
        return 0.0 * Gc

    def quadratic(self, Gc: Toughness, ell: float) -> Toughness:
        return Gc / ell

    def gradient(self, Gc: Toughness, ell: float) -> Toughness:
        return Gc * ell

    def penalty(self, Gc: Toughness, ell: float, tolerance: float) -> Toughness:
        return Gc / ell * (1.0 / tolerance**2 - 1.0)

    def numerical_toughness(self, ell: float, spacing: float) -> float:
        """√(1 + h²/4ℓ²)."""
        return float(np.sqrt(1.0 + 0.25 * (spacing / ell) ** 2))

    def critical_strain(self, modulus: float, Gc: float, ell: float) -> float:
        """√(Gc/(3Mℓ)), where φ = ¼."""
        return float(np.sqrt(Gc / (3.0 * modulus * ell)))


@register("term", "dissipation")
class DissipationEnergy(Term):
    """c₁φ + ½c₂φ², the local part of the energy of cracks; coefficients are numbers or one per cell, shape `grid.shape`."""

    name = "dissipation"

    def __init__(self, linear: Toughness, quadratic: Toughness, field: str = "phi"):
        self.linear, self.quadratic, self.field = linear, quadratic, field
        self.fields = (field,)

    def density(self, state: State, grid: Grid) -> np.ndarray:
        phi = state[self.field]
        return (self.linear + 0.5 * self.quadratic * phi) * phi

    def derivative(self, state: State, grid: Grid) -> dict[str, np.ndarray]:
        return {self.field: self.linear + self.quadratic * state[self.field]}

    def hessian(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> dict[tuple[str, str], np.ndarray]:
        if np.ndim(self.quadratic):
            raise InputError("a toughness that differs from cell to cell has no symbol")
        return {(self.field, self.field): np.full(np.shape(k2), float(self.quadratic))}

    def latex(self) -> str:
        return r"c_1 \varphi + \frac{c_2}{2} \varphi^2"


class CrackEnergy:
    """The dissipation of a body as two terms: `local`, c₁φ + ½c₂φ², and `gradient`, the shared κ/2 |∇φ|².

    Args:
        grid: with periodic and no-flux axes.
        toughness: Gc, energy per area: a number, or one per cell, shape `grid.shape`.
        ell: ℓ, length.
        dissipation: `AT1` or `AT2`.
        solid: (grid.shape, bool), False in empty cells: they dissipate nothing, and nothing flows through their faces.
        face_mean: of κ between cells of different toughness, see `energy.gradient`.

    Raises:
        InputError: Gc or ℓ that is not positive, ℓ below two cells, arrays of another shape.
    """

    def __init__(
        self,
        grid: Grid,
        toughness: Toughness,
        ell: float,
        dissipation: str = "AT2",
        solid: np.ndarray | None = None,
        face_mean: str = "harmonic",
    ):
        if grid.fixed:
            raise InputError("damage needs axes that are periodic or no_flux")
        if not np.all(np.asarray(toughness) > 0.0) or not np.isfinite(toughness).all():
            raise InputError("the toughness must be finite and greater than 0")
        for what, array in (("toughness", toughness), ("solid", solid)):
            if array is not None and np.ndim(array) and np.shape(array) != grid.shape:
                raise InputError(f"the {what} has the shape {np.shape(array)}, the grid {grid.shape}")
        check_resolution(grid, ell)
        self.model: Dissipation = lookup("dissipation", dissipation)()
        self.grid, self.toughness, self.ell, self.solid = grid, toughness, float(ell), solid
        Gc: Toughness = toughness
        if solid is not None:
            Gc = np.where(solid, toughness, 0.0)
        self.local = DissipationEnergy(self.model.linear(Gc, ell), self.model.quadratic(Gc, ell))
        self.gradient = GradientEnergy(self.model.gradient(Gc, ell), "phi", "finite_difference", face_mean)
        self._faces = self.gradient.faces(grid)

    @property
    def terms(self) -> tuple[DissipationEnergy, GradientEnergy]:
        return self.local, self.gradient

    def energy(self, phi: np.ndarray) -> float:
        """The energy of cracks in a field φ (grid.shape)."""
        return sum(self.energies(phi))

    def energies(self, phi: np.ndarray) -> tuple[float, float]:
        """Its two parts, ∫ c₁φ + ½c₂φ² dV and ∫ κ/2 |∇φ|² dV, the second face by face: it is never negative."""
        volume = self.grid.cell_volume
        across = 0.0
        for position, face in enumerate(self._faces):
            along = self.grid.dimensions - 1 - position
            difference = np.diff(phi, axis=along, append=np.take(phi, [0], axis=along))
            across += float((face * difference * difference).sum())
        return self.local.energy({"phi": phi}, self.grid), 0.5 * volume * across

    def length(self, phi: np.ndarray) -> float:
        """Area of the cracks in a field φ, length in the plane: its energy over what a crack along the grid costs per area,

        γ of each cell counted with the Gc of that cell, on the coarsest axis.
        """
        if not np.ndim(self.toughness):
            return self.energy(phi) / float(self.toughness) / self.numerical_toughness
        Gc = np.broadcast_to(self.toughness, self.grid.shape)
        here = self.local.density({"phi": phi}, self.grid)
        for position, face in enumerate(self._faces):
            along = self.grid.dimensions - 1 - position
            flow = 0.5 * face * np.diff(phi, axis=along, append=np.take(phi, [0], axis=along)) ** 2
            here = here + 0.5 * (flow + np.roll(flow, 1, along))
        total = float((here / Gc).sum()) * self.grid.cell_volume
        return total / self.numerical_toughness

    @property
    def numerical_toughness(self) -> float:
        """Energy of a crack along the grid over Gc; with unequal cells for the widest."""
        return self.model.numerical_toughness(self.ell, max(self.grid.spacing))

    def penalty(self, tolerance: float) -> np.ndarray:
        """γ of the penalty for irreversibility, per cell."""
        return np.broadcast_to(self.model.penalty(self.toughness, self.ell, tolerance), self.grid.shape)


def check_resolution(grid: Grid, ell: float) -> str:
    """What to tell the user of an ℓ of fewer than four cells along any axis; nothing from four on.

    Raises:
        InputError: ℓ is below two cells or not positive.
    """
    if not (ell > 0.0 and np.isfinite(ell)):
        raise InputError(f"the length ℓ must be finite and greater than 0, got {ell:g}")
    widest = max(grid.axes, key=lambda axis: axis.spacing)
    cells = ell / widest.spacing
    message = f"ℓ = {ell:g} is {cells:.3g} cells of {widest.spacing:.4g} along {widest.name}"
    if cells < REFUSED * (1.0 - _ROUNDING):
        raise InputError(f"{message}: cracks need at least {REFUSED:g}, better {WARNED:g}")
    well = cells >= WARNED * (1.0 - _ROUNDING)
    return "" if well else f"{message}: the energy of cracks depends on the grid below {WARNED:g}"


@dataclass(frozen=True)
class HomogeneousResponse:
    """A body that is damaged everywhere alike: φ(ε) and σ(ε) under an increasing strain, and its strength.

    Args:
        modulus: M of ψ⁺ = ½Mε² and σ = gMε: Young's modulus in uniaxial stress, E/(1 − ν²) in plane strain with free sides,
            λ + 2μ in uniaxial strain.
        toughness, ell, dissipation, residual_stiffness: Gc, ℓ, `AT1` or `AT2`, η.

    AT2: φ = 2H/(Gc/ℓ + 2H); AT1: φ = ⟨1 − 3Gc/(16ℓH)⟩₊, with H = (1 − η)½Mε². With η = 0 the stress is largest at

        AT2: ε_c = √(Gc/(3Mℓ)), σ_c = (9/16)√(MGc/(3ℓ));    AT1: ε_c = √(3Gc/(8Mℓ)), σ_c = √(3MGc/(8ℓ)).
    """

    modulus: float
    toughness: float
    ell: float
    dissipation: str = "AT2"
    residual_stiffness: float = 0.0

    def damage(self, strain: np.ndarray) -> np.ndarray:
        """φ(ε)."""
        H = Degradation(self.residual_stiffness).drive(0.5 * self.modulus * np.asarray(strain, float) ** 2)
        c1, c2 = self._model.linear(self.toughness, self.ell), self._model.quadratic(self.toughness, self.ell)
        total = c2 + 2.0 * H
        return np.maximum(2.0 * H - c1, 0.0) / np.where(total > 0.0, total, 1.0)

    def stress(self, strain: np.ndarray) -> np.ndarray:
        """σ(ε) = g(φ(ε)) M ε."""
        strain = np.asarray(strain, float)
        return Degradation(self.residual_stiffness).value(self.damage(strain)) * self.modulus * strain

    @property
    def critical_strain(self) -> float:
        """ε_c for η = 0."""
        return self._model.critical_strain(self.modulus, self.toughness, self.ell)

    @property
    def strength(self) -> float:
        """σ_c for η = 0."""
        bare = HomogeneousResponse(self.modulus, self.toughness, self.ell, self.dissipation)
        return float(bare.stress(np.array(self.critical_strain)))

    @property
    def _model(self) -> Dissipation:
        return lookup("dissipation", self.dissipation)()
