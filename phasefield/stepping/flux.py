"""The flux of a mobility that depends on composition, within the passes of a step.

With M = M₀ + (M − M₀), m = M₀k̃² and K = κk̃² (with the matrix symbol Λ of elastic misfit, K = κk̃² + Λ)

    ∂ĉ/∂t = −m μ̂ + R̂′ = −m (F̂ + K ĉ),   R′ = ∇·(M(c) − M₀)∇μ,   μ̂ = f̂′ + K ĉ,   F̂ = f̂′ − R̂′/m,

which is the form every scheme expects, with M₀ as mobility and F̂ in the place of f̂′: N = −m(F̂ − Sĉ). `imex1` then reads
(1 + Δt m (S + K)) (ĉ⁺ − ĉ) = Δt R̂, R = ∇·M∇μ. First derivatives vanish at Nyquist modes, so that these move with M₀; −R̂ stays a
symmetric, non-negative operator on μ, the energy of the exact flow falls, and a constant M changes nothing at all.

Source: J. Zhu, L.-Q. Chen, J. Shen, V. Tikare, Phys. Rev. E 60 (1999) 3564, doi:10.1103/PhysRevE.60.3564.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from phasefield.kernels import flux as kernels
from phasefield.kernels.stages import GRADIENT, RATE_LAPLACIAN
from phasefield.models.mobility import Mobility
from phasefield.spectral.derivatives import DerivativeTables, derivative_tables, partner_grid


@dataclass(frozen=True)
class _Component:
    """One component of the flux: the sweep whose modes it is made of, its transform, kernels and tables of its derivatives.

    gradient takes μ̂ to the block of the component, divergence what the component holds to the block of F̂.
    """

    sweep: Any
    values: np.ndarray
    gradient: tuple[Callable[..., None], tuple[np.ndarray, ...]]
    divergence: tuple[Callable[..., None], tuple[np.ndarray, ...]]


class Flux:
    """F̂ with the flux of M(c) in it, for one conserved field.

    Args:
        mobility: M(c).
        sweep: that of the stepper; its `work` array is borrowed.
        compiled: apply(u, parameters, out), M of a block of cells.
        geometry: k0, kr, weight as stage kernels take them.
        rates: those of the stepper; M₀ is read where it is needed.
        coupling: numbers of a matrix symbol of one field as stage kernels take them, or None.
    """

    def __init__(
        self,
        mobility: Mobility,
        sweep: Any,
        compiled: Callable[[Any, Any, Any], None],
        geometry: tuple[np.ndarray, ...],
        rates: np.ndarray,
        coupling: np.ndarray | None = None,
    ):
        self.mobility, self._sweep, self._compiled, self._rates = mobility, sweep, compiled, rates
        self._k0, self._kr = geometry[:2]
        self._parameters = mobility.values.astype(sweep.dtype)
        self._M = sweep.freeze(np.zeros((1, *sweep.grid.shape)))
        self._potential = sweep.real_view(sweep.empty_hat())
        width = self._potential.shape[3]
        self._elastic = np.zeros((1, 1, width), sweep.dtype) if coupling is None else coupling[0]
        self._u: np.ndarray = self._potential
        self._components = [self._component(axis, width) for axis in range(sweep.grid.dimensions)]

    def _component(self, axis: int, width: int) -> _Component:
        main = self._sweep
        grid, sweep = partner_grid(main.grid, axis), main
        if grid.axes[axis].boundary != main.grid.axes[axis].boundary:
            # Along an axis without flux its waves are sines: other transforms, on arrays of the same shapes.
            sweep = type(main)(grid, 1, main.kernels, main.engine, main.threads, main.dtype)
        values = sweep.real_view(sweep.empty_hat())
        to, back = derivative_tables(main.grid, main.layout, axis), derivative_tables(grid, sweep.layout, axis)
        if to.of_pairs:
            arrays = (to.slow_coefficient, to.coefficient)
            pair = kernels.load_derivative_of_pairs, kernels.subtract_divergence_of_pairs
            return _Component(sweep, values, (pair[0], arrays), (pair[1], arrays))
        gradient = (kernels.load_derivative, _gathering(to, width))
        return _Component(sweep, values, gradient, (kernels.subtract_divergence, _gathering(back, width)))

    @property
    def reference(self) -> float:
        """M₀."""
        return float(self._rates[0, RATE_LAPLACIAN])

    def measure(self, u: np.ndarray, first: int) -> None:
        """Take M of a block of real values (1, cells) that begins with a given cell: what a real pass does beforehand."""
        block = self._M[first // self._M[0].shape[1]]
        self._compiled(u, self._parameters, block[0])

    def evaluate(self, u_hat: Any) -> None:
        """From f′ in `work` and the M that `measure` has taken to all components (M − M₀)∂μ; spoils `work`.

        u_hat: the state to which both belong; it has to stay until `load` has been used.
        """
        self._u = self._sweep.real_view(u_hat)
        kappa = self._rates[0, GRADIENT]
        arguments = (self._u, kappa, self._k0, self._kr, self._elastic, self._potential)
        self._sweep.spectral_pass(kernels.store_potential, arguments, backward=False)
        reference = np.array([self.reference])
        for c in self._components:
            kernel, tables = c.gradient
            c.sweep.spectral_pass(kernel, (self._potential, *tables), forward=False)
            c.sweep.real_pass(kernels.multiply_excess, reference, self._M)
            c.sweep.spectral_pass(c.sweep.kernels.store_block, (c.values,), backward=False)

    def load(self, block: np.ndarray, b: int) -> None:
        """block = F̂: what a spectral pass without a forward transform does beforehand."""
        symbol = (self._rates[0, GRADIENT], self._k0, self._kr, self._elastic)
        kernels.load_explicit(block, b, self._potential, self._u, *symbol)
        for c in self._components:
            kernel, tables = c.divergence
            kernel(block, b, c.values, *tables, self.reference, self._k0, self._kr)

    @property
    def _own_sweeps(self) -> list[Any]:
        return [c.sweep for c in self._components if c.sweep is not self._sweep]

    @property
    def memory_bytes(self) -> int:
        """Bytes of μ̂, of the components with sweeps of their own, and of M."""
        arrays = [self._potential, *(c.values for c in self._components), *self._M]
        return sum(a.nbytes for a in arrays) + sum(sweep.buffer_bytes for sweep in self._own_sweeps)

    def close(self) -> None:
        """End the threads."""
        for sweep in self._own_sweeps:
            sweep.close()


def _gathering(tables: DerivativeTables, width: int) -> tuple[np.ndarray, ...]:
    """Tables as the gathering kernels take them, places as (block, column in a block of `width` real numbers)."""
    return tables.slow_coefficient, tables.slow_place, tables.coefficient, *np.divmod(tables.place, width)
