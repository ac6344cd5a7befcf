"""A crack that runs along a periodic strip: at which strain, by energies of columns alone.

Every line across a periodic strip of height H is stretched by ε̄H, whether it is broken or not. Far ahead of the tip the body is
whole, with the energy H W(ε̄) per length; far behind it is broken across, with e(ε̄). A crack that advances turns columns of the
first kind into columns of the second, in equilibrium when

    G = H W(ε̄) = e(ε̄).

W is that of a body damaged everywhere alike: ψ = ½E′ε̄² (AT1 below its elastic limit), ψ/(1 + 2ψℓ/Gc) (AT2).

e is the least energy of a column of cells across the crack. It differs from what a crack costs, Gc_num
(`Dissipation.numerical_toughness`), in two ways:

* The cell that breaks holds the whole opening w = ε̄H and goes on to carry a little. With φ = 1 − δ it has the elastic energy
  ½M(w/h)²hδ², and costs D′δ less to first order, D′ = 3/2 Gc (AT1, exactly), 2√(1 + h²/4ℓ²) Gc (AT2). The least is

      δ = D′h/(Mw²) ,    e ≈ Gc_num − D′²h/(2Mw²) ;    with ½E′ε̄²H = Gc    e ≈ Gc_num − D′²/(4Gc) (E′/M) h/H .

  M is the modulus without lateral strain: the broken body behind the tip has none.
* Where damage cannot heal, that of the body ahead of the tip stays behind it, and e is larger (AT2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq, minimize

from phasefield.energy.fracture import Degradation, HomogeneousResponse
from phasefield.registry import lookup

# Cells stay this far from φ = 1, where the column would carry nothing and the start of the search could not move.
_WHOLE = 1e-7


@dataclass(frozen=True)
class StripTheory:
    """A strip of `cells` cells of height h across, with a crack along the middle of one row of them.

    modulus: E′ of the strip; confined: M of a body without lateral strain; heals: whether damage that is no crack may heal.
    """

    cells: int
    spacing: float
    modulus: float
    confined: float
    toughness: float
    ell: float
    dissipation: str
    residual_stiffness: float = 1e-9
    heals: bool = False

    @property
    def height(self) -> float:
        """H."""
        return self.cells * self.spacing

    @property
    def griffith_strain(self) -> float:
        """√(2Gc/(E′H)), of a sharp crack."""
        return float(np.sqrt(2.0 * self.toughness / (self.modulus * self.height)))

    def damage(self, strain: float) -> float:
        """φ of the whole columns."""
        bar = HomogeneousResponse(self.modulus, self.toughness, self.ell, self.dissipation, self.residual_stiffness)
        return float(bar.damage(np.array(strain)))

    def driving(self, strain: float) -> float:
        """H W(ε̄)."""
        phi, psi = self.damage(strain), 0.5 * self.modulus * strain**2
        g = float(Degradation(self.residual_stiffness).value(np.array(phi)))
        return self.height * (g * psi + self._local(np.array(phi)).item())

    def trail(self, strain: float) -> float:
        """e(ε̄): the least energy per length of a column that is broken."""
        lowest = 0.0 if self.heals else self.damage(strain)
        distance = np.abs(np.arange(self.cells) - self.cells // 2)
        x = np.minimum(distance, self.cells - distance) * self.spacing / self.ell
        # Of AT1, near enough for AT2 too; from further away a column would find that it is better off whole.
        start = np.where(x == 0.0, 1.0 - 0.5 * self.spacing / self.height, np.maximum(1.0 - 0.5 * x, 0.0) ** 2)
        found = minimize(
            self._column,
            np.clip(start, lowest, 1.0 - _WHOLE),
            (strain,),
            jac=True,
            method="L-BFGS-B",
            bounds=[(lowest, 1.0 - _WHOLE)] * self.cells,
            options={"maxiter": 20000, "maxfun": 40000, "ftol": 1e-14, "gtol": 1e-9 * self.toughness},
        )
        return float(found.fun)

    @cached_property
    def strain(self) -> float:
        """ε̄ at which a long crack is in equilibrium."""
        unit = self.griffith_strain
        return float(brentq(lambda s: self.driving(s * unit) - self.trail(s * unit), 0.8, 2.0, xtol=1e-7)) * unit  # type: ignore[arg-type]

    @property
    def release(self) -> float:
        """G there."""
        return self.driving(self.strain)

    def _local(self, phi: np.ndarray) -> np.ndarray:
        model = lookup("dissipation", self.dissipation)()
        first, second = model.linear(self.toughness, self.ell), model.quadratic(self.toughness, self.ell)
        return (first + 0.5 * second * phi) * phi

    def _column(self, phi: np.ndarray, strain: float) -> tuple[float, np.ndarray]:
        """Energy of a column and its derivative; the stress is the same in all cells."""
        h, model = self.spacing, lookup("dissipation", self.dissipation)()
        first, second = model.linear(self.toughness, self.ell), model.quadratic(self.toughness, self.ell)
        kappa = model.gradient(self.toughness, self.ell)
        step = np.diff(phi, append=phi[:1])
        energy = h * self._local(phi).sum() + 0.5 * kappa * (step @ step) / h
        slope = h * (first + second * phi) + kappa * (np.roll(step, 1) - step) / h
        degradation = Degradation(self.residual_stiffness)
        g = degradation.value(phi)
        compliance = h * (1.0 / g).sum()
        elastic = 0.5 * self.confined * (strain * self.height) ** 2 / compliance
        slope += elastic / compliance * h * degradation.derivative(phi) / g**2
        return float(energy + elastic), slope
