"""Energy splits: which part of the elastic energy drives a crack and is lost when the body breaks.

ψ(ε) = ψ⁺(ε) + ψ⁻(ε) for isotropic bodies; the energy of a damaged body is gψ⁺ + ψ⁻, its stress σ = g ∂ψ⁺/∂ε + ∂ψ⁻/∂ε, with the
degradation g of `energy.fracture`. With t = tr ε, ⟨t⟩± its positive and negative part, K = λ + 2μ/3 and dev ε = ε − t/3 I:

| name | ψ⁺ | ψ⁻ |
|---|---|---|
| `none` | ½λt² + μ\\|ε\\|² | 0 |
| `volumetric_deviatoric` | ½K⟨t⟩₊² + μ\\|dev ε\\|² | ½K⟨t⟩₋² |
| `star_convex` | ½K(⟨t⟩₊² − γ⟨t⟩₋²) + μ\\|dev ε\\|² | (1 + γ) ½K⟨t⟩₋² |
| `spectral` | ½λ⟨t⟩₊² + μ\\|ε₊\\|² | ½λ⟨t⟩₋² + μ\\|ε₋\\|² |
| `hybrid` | that of `spectral` drives damage | the stress is that of `none`: no energy has both |

ε₊ keeps the positive principal strains. Tensors are those of space also in the plane, where ε_zz = 0 (plane strain): pressed in
both directions of the plane, a body has a deviatoric strain, and `volumetric_deviatoric` a ψ⁺ > 0. ψ⁺ vanishes for `spectral`
where no principal strain is positive, for `volumetric_deviatoric` under equal pressure from three sides only. Plane stress, for
`none`: λ is replaced by 2λμ/(λ + 2μ).

Strain and stress are Mandel components (m, cells): xx, yy, √2 xy and xx, yy, zz, √2 yz, √2 xz, √2 xy.

H. Amor, J.-J. Marigo, C. Maurini, J. Mech. Phys. Solids 57 (2009) 1209, doi:10.1016/j.jmps.2009.04.011 (volumetric_deviatoric);
F. Vicentini, C. Zolesi, P. Carrara, C. Maurini, L. De Lorenzis, Int. J. Fract. 247 (2024) 291,
doi:10.1007/s10704-024-00763-w (star_convex); C. Miehe, M. Hofacker, F. Welschinger, Comput. Methods Appl. Mech. Eng. 199 (2010)
2765, doi:10.1016/j.cma.2010.04.011 (spectral); M. Ambati, T. Gerasimov, L. De Lorenzis, Comput. Mech. 55 (2015) 383,
doi:10.1007/s00466-014-1109-y (hybrid).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics import split_kernels as kernels
from phasefield.registry import lookup, register

_ALL = slice(None)


class Split(ABC):
    """Energies, stress and tangent of cells with Lamé's constants λ and μ.

    Args:
        lame, shear: λ and μ, pressure: numbers, or one per cell, flattened.
        dimensions: 2 or 3.
        plane: `strain` or `stress`, in two dimensions; plane stress is for splits that have `allows_plane_stress`.

    Attributes: `lame` and `shear`, the constants that were given, flattened; `linear`, whether the stress is linear in the
    strain; `variational`, whether stress and driving force come from one energy.

    Raises:
        InputError: dimensions, plane or constants that are not possible.
    """

    name: ClassVar[str]
    linear: ClassVar[bool] = False
    variational: ClassVar[bool] = True
    allows_plane_stress: ClassVar[bool] = False

    def __init__(self, lame: float | np.ndarray, shear: float | np.ndarray, dimensions: int, plane: str = "strain"):
        if dimensions not in (2, 3):
            raise InputError(f"a split is for 2 or 3 dimensions, got {dimensions}")
        if plane not in ("strain", "stress"):
            raise InputError(f"plane must be 'strain' or 'stress', got '{plane}'")
        lame, shear = (np.ascontiguousarray(v, float).reshape(-1) for v in (lame, shear))
        if not np.all(shear >= 0.0) or not np.all(3.0 * lame + 2.0 * shear >= 0.0):
            raise InputError("the shear modulus and the bulk modulus must not be negative")
        given = lame
        if plane == "stress":
            if dimensions == 3:
                raise InputError("plane stress is for 2 dimensions")
            if not self.allows_plane_stress:
                raise InputError(f"plane stress needs the split 'none': ε_zz of '{self.name}' depends on the damage")
            solid = lame + 2.0 * shear != 0.0
            lame = np.where(solid, 2.0 * lame * shear / np.where(solid, lame + 2.0 * shear, 1.0), 0.0)
        self.dimensions, self.plane = dimensions, plane
        self.lame, self.shear = given, shear
        self.components = 3 if dimensions == 2 else 6
        self._lame, self._shear = np.broadcast_arrays(lame, shear)

    def stress(
        self,
        strain: np.ndarray,
        g: np.ndarray,
        stress: np.ndarray,
        plus: np.ndarray,
        minus: np.ndarray,
        cells: slice = _ALL,
    ) -> None:
        """Fill in σ = gσ⁺ + σ⁻ (m, n), ψ⁺ and ψ⁻ (n), without g, for strains (m, n) and degradations g (n).

        `cells`: which cells of the body these are, where its constants differ.
        """
        self._stress(strain, g, *self._constants(cells, strain.shape[1]), stress, plus, minus)

    def tangent(
        self,
        strain: np.ndarray,
        g: np.ndarray,
        direction: np.ndarray,
        out: np.ndarray,
        cells: slice = _ALL,
    ) -> None:
        """out = (∂σ/∂ε) direction, (m, n); one of the one-sided derivatives where σ has a kink."""
        self._tangent(strain, g, *self._constants(cells, strain.shape[1]), direction, out)

    def tangent_matrix(self, strain: np.ndarray, g: np.ndarray, out: np.ndarray, cells: slice = _ALL) -> None:
        """∂σ/∂ε, its upper triangle row by row, (m (m + 1)/2, n); see `tangent`."""
        constants = self._constants(cells, strain.shape[1])
        direction, column = np.zeros_like(strain), np.empty_like(strain)
        row = 0
        for i in range(self.components):
            direction[i - 1], direction[i] = 0.0, 1.0
            self._tangent(strain, g, *constants, direction, column)
            out[row : row + self.components - i] = column[i:]
            row += self.components - i

    def energies(self, strain: np.ndarray, cells: slice = _ALL) -> tuple[np.ndarray, np.ndarray]:
        """(ψ⁺, ψ⁻) of strains (m, n)."""
        plus, minus = np.empty(strain.shape[1]), np.empty(strain.shape[1])
        self.stress(strain, np.ones(strain.shape[1]), np.empty_like(strain), plus, minus, cells)
        return plus, minus

    def drive(self, plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
        """The energy that drives damage, of what `stress` gives."""
        return plus

    def stored(self, plus: np.ndarray, minus: np.ndarray, g: np.ndarray) -> np.ndarray:
        """The energy of which the stress is the derivative: gψ⁺ + ψ⁻."""
        return g * plus + minus

    @abstractmethod
    def _stress(self, strain, g, lame, shear, stress, plus, minus) -> None: ...

    @abstractmethod
    def _tangent(self, strain, g, lame, shear, direction, out) -> None: ...

    @property
    def constants(self) -> tuple[np.ndarray, np.ndarray]:
        """λ and μ that stresses follow from, flattened: one number or one per cell; λ* = 2λμ/(λ + 2μ) in plane stress."""
        return self._lame, self._shear

    def _constants(self, cells: slice, n: int) -> tuple[np.ndarray, np.ndarray]:
        """λ and μ of n cells as contiguous arrays, so that kernels are compiled once."""
        if self._lame.size == 1:
            return np.full(n, self._lame[0]), np.full(n, self._shear[0])
        lame, shear = (np.ascontiguousarray(v[cells]) for v in (self._lame, self._shear))
        if lame.size != n:
            raise InputError(f"{n} strains for {lame.size} cells")
        return lame, shear


@register("split", "star_convex")
class StarConvex(Split):
    """ψ⁺ = ½K(⟨t⟩₊² − γ⟨t⟩₋²) + μ|dev ε|²; γ ≥ −1 raises the strength in compression over that in tension."""

    name = "star_convex"

    def __init__(
        self,
        lame: float | np.ndarray,
        shear: float | np.ndarray,
        dimensions: int,
        plane: str = "strain",
        gamma: float = 0.0,
    ):
        super().__init__(lame, shear, dimensions, plane)
        if not (gamma >= -1.0 and np.isfinite(gamma)):
            raise InputError(f"gamma of a star-convex split must be at least −1, got {gamma:g}")
        self.gamma = float(gamma)

    def _stress(self, strain, g, lame, shear, stress, plus, minus) -> None:
        kernel = kernels.star_plane if self.dimensions == 2 else kernels.star_space
        kernel(strain, g, lame, shear, self.gamma, stress, plus, minus)

    def _tangent(self, strain, g, lame, shear, direction, out) -> None:
        kernel = kernels.star_plane_tangent if self.dimensions == 2 else kernels.star_space_tangent
        kernel(strain, g, lame, shear, self.gamma, direction, out)


class _FixedStar(StarConvex):
    """A star-convex split whose γ is a part of its name."""

    fixed: ClassVar[float]

    def __init__(self, lame: float | np.ndarray, shear: float | np.ndarray, dimensions: int, plane: str = "strain"):
        super().__init__(lame, shear, dimensions, plane, self.fixed)


@register("split", "none")
class NoSplit(_FixedStar):
    """All energy drives damage and is lost in it, under pressure too: γ = −1."""

    name = "none"
    linear = True
    allows_plane_stress = True
    fixed = -1.0


@register("split", "volumetric_deviatoric")
class VolumetricDeviatoric(_FixedStar):
    """Volume under pressure keeps its energy, shape does not: γ = 0."""

    name = "volumetric_deviatoric"
    fixed = 0.0


@register("split", "spectral")
class Spectral(Split):
    """Positive principal strains and positive volume drive damage."""

    name = "spectral"

    def _stress(self, strain, g, lame, shear, stress, plus, minus) -> None:
        kernel = kernels.spectral_plane if self.dimensions == 2 else kernels.spectral_space
        kernel(strain, g, lame, shear, stress, plus, minus)

    def _tangent(self, strain, g, lame, shear, direction, out) -> None:
        kernel = kernels.spectral_plane_tangent if self.dimensions == 2 else kernels.spectral_space_tangent
        kernel(strain, g, lame, shear, direction, out)


@register("split", "hybrid")
class Hybrid(NoSplit):
    """σ = g C:ε with the ψ⁺ and ψ⁻ of the spectral split: linear and fast, but no energy decreases.

    Cracks do not close: broken cells have lost their stiffness under pressure too, and faces of cracks go through each other. The
    condition of the source against that, g = 1 where ψ⁺ < ψ⁻, is left out.
    """

    name = "hybrid"
    variational = False
    allows_plane_stress = False

    def __init__(self, lame: float | np.ndarray, shear: float | np.ndarray, dimensions: int, plane: str = "strain"):
        super().__init__(lame, shear, dimensions, plane)
        self._driving = Spectral(lame, shear, dimensions, plane)

    def _stress(self, strain, g, lame, shear, stress, plus, minus) -> None:
        self._driving._stress(strain, g, lame, shear, stress, plus, minus)
        scratch = np.empty((2, strain.shape[1]))
        super()._stress(strain, g, lame, shear, stress, scratch[0], scratch[1])

    def stored(self, plus: np.ndarray, minus: np.ndarray, g: np.ndarray) -> np.ndarray:
        """g(ψ⁺ + ψ⁻), which is not the energy that drives the damage."""
        return g * (plus + minus)


def make_split(
    name: str,
    lame: float | np.ndarray,
    shear: float | np.ndarray,
    dimensions: int,
    plane: str = "strain",
    **parameters: Any,
) -> Split:
    """The split called `name`; `parameters`: γ of `star_convex`. Raises `InputError` for an unknown name or parameter."""
    kind = lookup("split", name)
    if parameters and kind is not StarConvex:
        raise InputError(f"the split '{name}' takes no parameter (got {', '.join(parameters)})")
    if unknown := set(parameters) - {"gamma"}:
        raise InputError(f"the split '{name}' has no parameter {', '.join(sorted(unknown))}; it has: gamma")
    return kind(lame, shear, dimensions, plane, **parameters)
