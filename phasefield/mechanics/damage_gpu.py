"""`damage_operator.DamageOperator` on a GPU: fields stay there, `damage_methods.mprgp` fetches the sums of every pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from phasefield.errors import InputError
from phasefield.kernels.gpu import blocks_for, compiled, load_cupy
from phasefield.kernels.gpu_source import BLOCK
from phasefield.kernels.gpu_sums import DeviceSums
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.damage_cuda import ABOVE, KEEP, NONE, damage_source
from phasefield.mechanics.damage_kernels import SUMS

# The lower bounds that rules of irreversibility set, and whether they keep the largest ψ⁺.
RULES = {"bounds": (KEEP, False), "history": (NONE, True), "crack_set": (ABOVE, False), "reversible": (NONE, False)}


class GpuDamageOperator:
    """Buffers and passes of ½ x·Ax − b·x over lower ≤ x ≤ upper, see `DamageOperator`, whose fields these are, on the device.

    Args:
        solver: the problem, with the grid, the energy of cracks and the degradation.
        rule: a name in `RULES`.

    Attributes: `history`, the largest ψ⁺ so far, for `history`.

    Raises:
        InputError: a rule that the device does not know, more cells than 32 bits count.
    """

    def __init__(self, solver: DamageSolver, rule: str = "bounds"):
        if rule not in RULES:
            raise InputError(f"irreversibility: {rule} runs on the CPU only; use --device cpu or auto")
        if solver.operator.grid.cells >= 2**32:
            raise InputError("the grid has more cells than a GPU kernel can count")
        xp = self._xp = load_cupy()
        cracks, shape = solver.cracks, solver.operator.shape
        self._bound, self._kept = RULES[rule]
        self._threshold = float(getattr(solver.irreversibility, "threshold", 0.0))
        self.upper, self.products = 1.0, 0
        self._kernels: dict[str, Any] = {}
        self._faces = [xp.asarray(face, order="C") for face in solver.operator.faces]
        self._across = xp.asarray(solver.operator.across, order="C")
        weight = solver.degradation.drive(np.ones(1))
        if cracks.solid is not None:
            weight = np.where(cracks.solid, weight, 0.0)
        constants = (cracks.local.linear, cracks.local.quadratic, weight)
        self._constants = [xp.asarray(np.array(c, float).reshape(-1)) for c in constants]
        names = ("x", "g", "z", "p", "q", "lower", "_y", "b", "D", "inverse")
        self.x, self.g, self.z, self.p, self.q, self.lower, self._y, self.b, self.D, self.inverse = (
            xp.zeros(shape, np.float64) for _ in names
        )
        self.history = xp.zeros(shape if self._kept else 1, np.float64)
        self._shape = tuple(np.uint32(n) for n in shape)
        self._cells = np.uint32(self.x.size)
        self._blocks = blocks_for(self.x.size)
        self._sums = DeviceSums(SUMS)

    # --- a step -------------------------------------------------------------------------------------------------

    def prepare(self, phi: Any, before: Any, psi: Any, rate: float) -> None:
        """The numbers of a step from φₙ, φₙ₋₁ and ψ⁺, see `DamageSolver.solve`, and where it begins, as in `DamageSteps`."""
        steps = [np.uint32(c.size > 1) for c in self._constants]
        rule = (np.uint32(self._kept), np.uint32(self._bound), np.float64(self._threshold), np.float64(rate))
        found = (self.D, self.b, self.inverse, self.lower, self.x)
        self._run("prepare", phi, before, psi, self.history, *self._constants, self._across, *steps, *rule, *found)
        self.products = 0

    def settle(self, phi: Any, before: Any) -> float:
        """φₙ₋₁ = φₙ, φₙ = x; returns how much any cell has healed."""
        self._run("settle", self.x, phi, before, self._sums.partial)
        return float(self._sums.fetch(self._blocks, 1, largest=True)[0])

    def keep(self, psi: Any) -> None:
        """A step has been accepted with these ψ⁺."""
        if self._kept:
            self._run("keep_largest", psi, self.history)

    # --- passes, as those of `DamageOperator` -------------------------------------------------------------------

    def clip(self) -> None:
        """x = P(x)."""
        self._run("clip", self.lower, np.float64(self.upper), self.x)

    def gradient_of_state(self) -> np.ndarray:
        """g = Ax − b, z = g/d of free cells; returns the sums of the state."""
        self.products += 1
        numbers = (self.x, self.b, self.lower, np.float64(self.upper), self.inverse, self.g, self.z, self._sums.partial)
        self._run("gradient", self.D, *self._faces, *numbers, shape=self._shape)
        return self._sums.fetch(self._blocks, SUMS)

    def multiply(self) -> tuple[float, float]:
        """q = Ap; returns (p·q, g·p)."""
        self.products += 1
        self._run("product", self.D, *self._faces, self.p, self.g, self.q, self._sums.partial, shape=self._shape)
        pq, gp = self._sums.fetch(self._blocks, 2)
        return float(pq), float(gp)

    def move(self, alpha: float) -> np.ndarray:
        """g −= αq, and x −= αp if all cells stay within their bounds; returns the sums of the new state."""
        fields = (self.x, self.g, self.p, self.q, *self._bounds(), self._y, self.z)
        self._run("advance", np.float64(alpha), *fields, self._sums.partial)
        sums = self._sums.fetch(self._blocks, SUMS)
        if sums[6] == 0.0:
            self.x, self._y = self._y, self.x
        return sums

    def longest_step(self) -> float:
        """The longest step along −p within the bounds."""
        self._run("longest_step", self.x, self.p, self.lower, np.float64(self.upper), self._sums.partial)
        return -float(self._sums.fetch(self._blocks, 1, largest=True)[0])

    def expand(self, back: float, length: float) -> None:
        """To the nearest bound along −p, then one projected step of the free gradient; after a move by `back`, too far."""
        numbers = (np.float64(self.longest_step()), np.float64(back), np.float64(length))
        self._run("expand", *numbers, self.x, self.g, self.p, self.q, *self._bounds())

    def largest(self) -> tuple[float, float]:
        """(max of the projected scaled residual, max of g/d of free cells)."""
        self._run("largest", self.x, self.g, *self._bounds(), self._sums.partial)
        worst, worst_free = self._sums.fetch(self._blocks, 2, largest=True)
        return float(worst), float(worst_free)

    def search(self, beta: float) -> None:
        """p = z − βp."""
        self._run("search", np.float64(beta), self.z, self.p)

    def search_from_z(self) -> None:
        """p = z."""
        self.p[...] = self.z

    def release(self) -> None:
        """p = g/d of cells that want to leave their bound."""
        self._run("release", self.x, self.g, *self._bounds(), self.p)

    def _bounds(self) -> tuple:
        return self.lower, np.float64(self.upper), self.inverse

    def _run(self, name: str, *arguments: Any, shape: tuple | None = None) -> None:
        behind = (self._cells,) if shape is None else shape
        if name not in self._kernels:
            self._kernels[name] = compiled(damage_source(), contracted=False).get_function(name)
        self._kernels[name]((self._blocks,), (BLOCK,), (*arguments, *behind))
