"""Stiffness that depends on variant or place, the section `inhomogeneity:` of a martensite.

```yaml
stiffness: {cubic: {C11: 140.0, C12: 84.0, C44: 28.0}}                     # that of austenite
inhomogeneity:
  variants: {cubic: {C11: 120.0, C12: 90.0, C44: 20.0}}                    # of martensite
  interpolation: levitas                                                   # w(η) in between
  region: {stiffness: {isotropic: {young: 400.0, poisson: 0.25}}, transforms: false}     # where fixed.region is 1
```
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from phasefield.energy.landau_martensite import Coupling, CouplingFunction
from phasefield.mechanics.stiffness import Section, Stiffness, complaint, mandel_matrix, rotate
from phasefield.mechanics.transformation import TransformationStrains, point_group
from phasefield.mechanics.transforming_body import TransformingBody

# Tensors closer than this, relative to the largest component, are the same.
_SAME = 1e-9


def _read_variants(value: Any) -> Any:
    if isinstance(value, list) and not value:
        raise complaint("variants", "must be a stiffness such as {cubic: …}, or a list with one for each variant")
    return value


class Region(Section):
    """Another material, where the fixed field `region` is 1."""

    stiffness: Stiffness = Field(description="C_r, in the axes of the grid")
    transforms: bool = Field(True, description="whether transformation strains are there, too, or none")


class Inhomogeneity(Section):
    """C(x) = (1 − r) [C₀ + Σ_p v_p (C_p − C₀)] + r C_r, v_p = w(η_p) Π_{q≠p} (1 − w(η_q)), C₀ being `stiffness`.

    Constants of variants are in the axes of the parent crystal and turn with it; an orientation of theirs is within these axes.
    A single stiffness is that of the first variant, turned like its strain, where variants are generated, and of all of them
    otherwise. r is the fixed field `region`, between 0 and 1.
    """

    variants: Annotated[Stiffness | list[Stiffness] | None, BeforeValidator(_read_variants)] = Field(
        None, description="C_p of the variants: one stiffness, or a list with one for each"
    )
    interpolation: CouplingFunction | None = Field(
        None,
        description="w(η) between austenite and a variant: levitas (default), or quadratic (where −η is a variant, too), linear",
    )
    region: Region | None = Field(None, description="another material where the fixed field region is 1")
    discretisation: Literal["fourier", "rotated"] = Field(
        "fourier",
        description="of displacements: fourier is exact for smooth fields, rotated does not ring at sharp boundaries of a region",
    )

    @model_validator(mode="after")
    def _something(self) -> Inhomogeneity:
        if self.variants is None and self.region is None:
            raise complaint("nothing", "needs variants or region; without either the stiffness is the same everywhere")
        if self.variants is None and self.interpolation is not None:
            raise complaint("interpolation", "interpolation belongs to variants")
        return self

    def variant_tensors(self, parent: Stiffness, transformation: TransformationStrains) -> np.ndarray | None:
        """C_p in the axes of the grid, (N, 3, 3, 3, 3), or None where all variants have C₀.

        Raises an error that pydantic reports at the place of the value: a list of the wrong length, or a stiffness that the
        symmetry of the first variant does not leave alone.
        """
        count = len(transformation.variants())
        if self.variants is None:
            return None
        if isinstance(self.variants, list):
            if len(self.variants) != count:
                raise complaint(
                    "variants", f"needs one stiffness for each of {count} variants (got {len(self.variants)})"
                )
            tensors = [C.tensor() for C in self.variants]
        elif transformation.generate is not None:
            tensors = _turned(self.variants.tensor(), transformation)
        else:
            tensors = [self.variants.tensor()] * count
        return np.array([rotate(C, parent.rotation()) for C in tensors])


def _turned(stiffness: np.ndarray, transformation: TransformationStrains) -> list[np.ndarray]:
    """The stiffness of the first variant, turned with its strain by the rotations of the parent that generate the others."""
    assert transformation.generate is not None
    strains = transformation.generate.strains()
    result: list[np.ndarray | None] = [None] * len(strains)
    scale, size = np.abs(strains).max(), np.abs(stiffness).max()
    for Q in point_group(transformation.generate.parent):
        p = int(np.argmin(np.abs(strains - Q @ strains[0] @ Q.T).max(axis=(1, 2)) > _SAME * scale))
        turned = rotate(stiffness, Q)
        known = result[p]
        if known is not None and np.abs(turned - known).max() > 1e-6 * size:
            raise complaint(
                "symmetry",
                f"one stiffness for all variants has to keep the symmetry of the first one, which two rotations of the parent "
                f"turn into variant {p + 1}; give a list with one for each variant",
            )
        result[p] = turned if known is None else known
    return [C for C in result if C is not None]


def make_body(
    stiffness: Stiffness,
    transformation: TransformationStrains,
    coupling: CouplingFunction,
    inhomogeneity: Inhomogeneity | None,
    signed: bool = False,
) -> TransformingBody:
    """The body that these sections of a scenario describe; `signed`: whether −η is a variant as η is."""
    strains = transformation.variants(None if stiffness.orientation is None else stiffness.rotation())
    if inhomogeneity is None:
        return TransformingBody(stiffness.tensor(), strains, coupling.coefficients)
    between = inhomogeneity.interpolation or Coupling(name="quadratic" if signed else "levitas")
    return TransformingBody(
        stiffness.tensor(),
        strains,
        coupling.coefficients,
        between.coefficients,
        inhomogeneity.variant_tensors(stiffness, transformation),
        None if inhomogeneity.region is None else inhomogeneity.region.stiffness.tensor(),
        inhomogeneity.region is None or inhomogeneity.region.transforms,
    )


def first_indefinite(body: TransformingBody, low: float, high: float) -> tuple[int, float] | None:
    """The first variant p, and an η between `low` and `high`, for which C₀ + w(η) (C_p − C₀) is not positive definite."""
    if body.variants is None:
        return None
    eta = np.linspace(low, high, 201)
    weight = np.polynomial.Polynomial([0.0, *body.stiffness_function])(eta)
    root = np.linalg.inv(np.linalg.cholesky(mandel_matrix(body.stiffness)))
    for p, C in enumerate(body.variants):
        relative = np.linalg.eigvalsh(root @ mandel_matrix(C) @ root.T) - 1.0
        least = (1.0 + weight[:, None] * relative).min(axis=1)
        if least.min() <= 0.0:
            return p, float(eta[np.argmin(least)])
    return None
