"""Transformation strains of the variants of a martensite: listed, or generated from one by the symmetry of the parent.

```yaml
transformation: {strains: [[0.1322, -0.1994, 0], [-0.1994, 0.1322, 0]]}               # ε_xx, ε_yy, ε_xy of each
transformation: {generate: {strain: [-0.1994, 0.1322, 0.1322], parent: cubic}}        # the 3 tetragonal variants
transformation: {generate: {stretch: [[0.9563, -0.0427, -0.0427], [-0.0427, 1.0243, 0.058], [-0.0427, 0.058, 1.0243]],
                            parent: cubic}}                                           # the 12 monoclinic ones of NiTi
```
All components are tensor components: the shear is ε_xy, not the engineering shear 2 ε_xy.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from phasefield.mechanics.stiffness import Section, check_symmetric, complaint, from_components, read_numbers, rotate

# Variants closer than this, in units of the largest component, are the same one.
_SAME = 1e-9

_FOUR_Z = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_TWO_X = np.diag([1.0, -1.0, -1.0])
_TWO_Z = np.diag([-1.0, -1.0, 1.0])
_THREE_111 = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
_C60, _S60 = 0.5, np.sqrt(0.75)
_SIX_Z = np.array([[_C60, -_S60, 0.0], [_S60, _C60, 0.0], [0.0, 0.0, 1.0]])

Parent = Literal["cubic", "hexagonal", "tetragonal", "square", "trigonal", "orthorhombic", "monoclinic"]
# Rotations that generate the group of each parent. Inversion leaves strains alone, so a mirror acts as the half turn
# about its normal, and the square with its mirrors is the tetragonal group. Six-, four- and threefold axes of other than
# cubic groups lie along z, so does the monoclinic axis; x is a twofold axis.
_GENERATORS: dict[str, tuple[np.ndarray, ...]] = {
    "cubic": (_FOUR_Z, _THREE_111),
    "hexagonal": (_SIX_Z, _TWO_X),
    "tetragonal": (_FOUR_Z, _TWO_X),
    "square": (_FOUR_Z, _TWO_X),
    "trigonal": (_SIX_Z @ _SIX_Z, _TWO_X),
    "orthorhombic": (_TWO_Z, _TWO_X),
    "monoclinic": (_TWO_Z,),
}


def point_group(parent: str) -> np.ndarray:
    """Rotations of the parent's point group, the unit matrix first, shape (order, 3, 3).

    Order 24 for cubic, 12 hexagonal, 8 tetragonal and square, 6 trigonal, 4 orthorhombic, 2 monoclinic.
    """
    group = [np.eye(3)]
    # The list grows while it is walked through, until every product with a generator is in it.
    for element in group:
        for generator in _GENERATORS[parent]:
            product = generator @ element
            if not any(np.abs(product - known).max() < _SAME for known in group):
                group.append(product)
    return np.array(group)


def orbit(tensor: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """The distinct tensors Q T Qᵀ in the order of `rotations` (K, 3, 3), T (3, 3) itself first; shape (N, 3, 3).

    N is the order of the group divided by that of the subgroup that leaves T alone.
    Source: K. Bhattacharya, Microstructure of Martensite (2003).
    """
    scale = max(float(np.abs(tensor).max()), np.finfo(float).tiny)
    found: list[np.ndarray] = []
    for Q in rotations:
        image = Q @ tensor @ Q.T
        if not any(np.abs(image - known).max() < _SAME * scale for known in found):
            found.append(image)
    return np.array(found)


def _tensor(value: list[Any], out_of_plane: float) -> np.ndarray:
    """3x3 tensor of a matrix that is 2x2 or 3x3; what lies out of the plane is `out_of_plane` times the unit matrix."""
    matrix = np.array(value)
    whole = np.eye(3) * out_of_plane
    whole[: len(matrix), : len(matrix)] = 0.5 * (matrix + matrix.T)
    return whole


def _read_strain(value: Any) -> Any:
    expected = "a symmetric 2x2 or 3x3 matrix, or its 3 (xx, yy, xy) or 6 (xx, yy, zz, yz, xz, xy) components"
    numbers = read_numbers(value, ((2, 2), (3, 3), (3,), (6,)), expected)
    if isinstance(numbers[0], list):
        check_symmetric(numbers)
    return numbers


def _read_tensor(value: Any) -> Any:
    if value is None:
        return None
    expected = "a symmetric 3x3 or 2x2 matrix, or its 3 or 2 diagonal entries"
    numbers = read_numbers(value, ((3, 3), (2, 2), (3,), (2,)), expected)
    if isinstance(numbers[0], list):
        check_symmetric(numbers)
    return numbers


_Tensor = Annotated[list[float] | list[list[float]] | None, BeforeValidator(_read_tensor)]


class Generate(Section):
    """Variants as the orbit of one stretch U or strain ε under the point group of the parent.

    U_i = Q U Qᵀ for the rotations Q of the parent, those that are distinct, and ε_i = U_i − 1 (measure `linear`) or
    (U_i² − 1)/2 (`green`). In the plane, 2x2 matrices and 2 diagonal entries leave the third direction unstretched.
    """

    stretch: _Tensor = Field(None, description="U of one variant: 3x3, 2x2, or the diagonal")
    strain: _Tensor = Field(None, description="instead of stretch, ε⁰ of one variant: 3x3, 2x2, or the diagonal")
    parent: Parent = Field(description="point group of the parent phase, its axes along x, y, z")
    measure: Literal["linear", "green"] | None = Field(None, description="ε⁰ = U − 1 (linear, default) or (U² − 1)/2")

    @model_validator(mode="after")
    def _one(self) -> Generate:
        if (self.stretch is None) == (self.strain is None):
            got = "none" if self.stretch is None else "both"
            raise complaint("one_of", f"needs exactly one of stretch and strain (got {got})")
        if self.strain is not None and self.measure is not None:
            raise complaint("measure", "measure belongs to stretch; a strain is used as it is")
        if self.stretch is not None:
            lowest = np.linalg.eigvalsh(self._first(1.0))[0]
            if lowest <= 0:
                raise complaint("definite", f"stretch is not positive definite: the smallest stretch is {lowest:.6g}")
        return self

    def _first(self, out_of_plane: float) -> np.ndarray:
        value = self.stretch if self.strain is None else self.strain
        assert value is not None
        return _tensor(value if isinstance(value[0], list) else np.diag(value).tolist(), out_of_plane)

    def strains(self) -> np.ndarray:
        """ε⁰ of all variants, (N, 3, 3)."""
        rotations = point_group(self.parent)
        if self.strain is not None:
            return orbit(self._first(0.0), rotations)
        stretches = orbit(self._first(1.0), rotations)
        if self.measure == "green":
            return 0.5 * (stretches @ stretches - np.eye(3))
        return stretches - np.eye(3)


class TransformationStrains(Section):
    """Transformation strains ε⁰ of the variants: exactly one of `strains` and `generate`."""

    strains: (
        Annotated[
            list[Annotated[list[float] | list[list[float]], BeforeValidator(_read_strain)]],
            Field(min_length=1),
        ]
        | None
    ) = Field(
        None,
        description="ε⁰ of each variant: 2x2 or 3x3, or tensor components xx, yy, xy or xx, yy, zz, yz, xz, xy",
    )
    generate: Generate | None = Field(None, description="one variant and the point group of the parent")
    scale: float = Field(1.0, description="factor on all strains")

    @model_validator(mode="after")
    def _one(self) -> TransformationStrains:
        if (self.strains is None) == (self.generate is None):
            got = "none" if self.strains is None else "both"
            raise complaint("one_of", f"needs exactly one of strains and generate (got {got})")
        return self

    def variants(self, rotation: np.ndarray | None = None) -> np.ndarray:
        """ε⁰ of the variants, (N, 3, 3), dimensionless; `rotation` (3, 3) turns the crystal axes, as for the stiffness."""
        if self.generate is not None:
            strains = self.generate.strains()
        else:
            strains = np.array([_strain(value) for value in self.strains or ()])
        if rotation is not None:
            strains = np.array([rotate(strain, rotation) for strain in strains])
        return self.scale * strains


def _strain(value: list[Any]) -> np.ndarray:
    if isinstance(value[0], list):
        return _tensor(value, 0.0)
    components = np.zeros(6)
    components[[0, 1, 5] if len(value) == 3 else slice(None)] = value
    return from_components(components)


def _read_misfit(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and np.isfinite(value) else _read_strain(value)


# A number ε for ε 1, or a strain as in `strains`.
StrainSetting = Annotated[
    float | list[float] | list[list[float]],
    BeforeValidator(_read_misfit, json_schema_input_type=float | list[float] | list[list[float]]),
]


def strain_tensor(value: float | list[Any]) -> np.ndarray:
    """The tensor (3, 3) that a `StrainSetting` stands for."""
    return value * np.eye(3) if isinstance(value, float | int) else _strain(value)
