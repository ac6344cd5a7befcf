"""Elastic stiffness of a crystal: what a scenario says of it, and tensors in their common notations.

```yaml
stiffness: {cubic: {C11: 140.0, C12: 84.0, C44: 28.0}}
stiffness: {isotropic: {young: 200.0, poisson: 0.3}, orientation: [30, 0, 0]}
stiffness: {voigt: [[…], …]}               # 6x6, or 3x3 in the plane
```

Components are counted xx, yy, zz, yz, xz, xy. Three notations of six numbers occur; they differ in the shear components:

| notation | strain | stress | used for |
|---|---|---|---|
| tensor | ε_xy | σ_xy | scenarios and results |
| Voigt | γ_xy = 2 ε_xy (engineering shear) | σ_xy | matrices of elastic constants |
| Mandel | √2 ε_xy | √2 σ_xy | computation: scalar products and eigenvalues are those of the tensors |

Arrays of tensors carry the tensor axes first: (3, 3, …) and (6, …).
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError

COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")
# Pairs (i, j) of the components, in the plane and in space.
PAIRS = {2: ((0, 1, 0), (0, 1, 1)), 3: ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))}
# Those of the plane among the six.
IN_PLANE = (0, 1, 5)
_I, _J = (np.array(index) for index in PAIRS[3])
# Where (i, j) is found among the six components.
_POSITION = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
_ENGINEERING = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
_MANDEL = np.sqrt(_ENGINEERING)
# A matrix typed with four digits is still a rotation; a wrong one is further away than this.
_ROTATION_TOLERANCE = 1e-3
_SYMMETRY_TOLERANCE = 1e-9


# six components and tensors


def to_components(tensor: np.ndarray) -> np.ndarray:
    """The six components (tensor notation) of symmetric tensors: (3, 3, …) → (6, …)."""
    return np.asarray(tensor)[_I, _J]


def from_components(components: np.ndarray) -> np.ndarray:
    """Symmetric tensors from their six components (tensor notation): (6, …) → (3, 3, …)."""
    return np.asarray(components)[_POSITION]


def strain_to_voigt(strain: np.ndarray) -> np.ndarray:
    """Voigt strain (ε_xx, ε_yy, ε_zz, 2ε_yz, 2ε_xz, 2ε_xy) of strain tensors: (3, 3, …) → (6, …)."""
    return _scaled(to_components(strain), _ENGINEERING)


def strain_from_voigt(voigt: np.ndarray) -> np.ndarray:
    """Strain tensors from Voigt strain with engineering shear: (6, …) → (3, 3, …)."""
    return from_components(_scaled(voigt, 1.0 / _ENGINEERING))


def to_mandel(tensor: np.ndarray) -> np.ndarray:
    """Mandel vectors, shear times √2, of symmetric tensors: (3, 3, …) → (6, …)."""
    return _scaled(to_components(tensor), _MANDEL)


def from_mandel(vector: np.ndarray) -> np.ndarray:
    """Symmetric tensors from Mandel vectors: (6, …) → (3, 3, …)."""
    return from_components(_scaled(vector, 1.0 / _MANDEL))


def _scaled(components: np.ndarray, factors: np.ndarray) -> np.ndarray:
    components = np.asarray(components)
    return components * factors.reshape(6, *[1] * (components.ndim - 1))


# stiffness tensors


def voigt_matrix(stiffness: np.ndarray) -> np.ndarray:
    """C_IJ of C_ijkl, (3, 3, 3, 3) → (6, 6): stress = C_IJ × engineering strain."""
    return np.asarray(stiffness)[_I[:, None], _J[:, None], _I, _J]


def tensor_from_voigt(matrix: np.ndarray) -> np.ndarray:
    """C_ijkl of the Voigt matrix C_IJ, (6, 6) → (3, 3, 3, 3)."""
    return np.asarray(matrix, float)[_POSITION[:, :, None, None], _POSITION]


def mandel_matrix(stiffness: np.ndarray, dimensions: int = 3) -> np.ndarray:
    """C_ijkl as a matrix over Mandel vectors, (3, 3, 3, 3) → (6, 6); its eigenvalues are those of the tensor.

    In two dimensions its part in the plane, (3, 3, 3, 3) or (2, 2, 2, 2) → (3, 3).
    """
    i, j = (np.array(index) for index in PAIRS[dimensions])
    factors = np.where(i == j, 1.0, np.sqrt(2.0))
    return np.asarray(stiffness)[i[:, None], j[:, None], i, j] * np.outer(factors, factors)


def tensor_from_mandel(matrix: np.ndarray) -> np.ndarray:
    """C_ijkl of its matrix over Mandel vectors, (6, 6) → (3, 3, 3, 3)."""
    return tensor_from_voigt(np.asarray(matrix) / np.outer(_MANDEL, _MANDEL))


def compliance(stiffness: np.ndarray) -> np.ndarray:
    """S with S:C = 1 on symmetric tensors, (3, 3, 3, 3) → (3, 3, 3, 3); raises `InputError` as `check_stiffness`."""
    return tensor_from_mandel(np.linalg.inv(mandel_matrix(check_stiffness(stiffness))))


def cubic_stiffness(C11: float, C12: float, C44: float) -> np.ndarray:
    """C_ijkl of a cubic crystal in its own axes, (3, 3, 3, 3)."""
    matrix = np.diag([C11 - C12] * 3 + [C44] * 3)
    matrix[:3, :3] += C12
    return tensor_from_voigt(matrix)


def isotropic_stiffness(lame: float, shear: float) -> np.ndarray:
    """C_ijkl = λ δ_ij δ_kl + μ (δ_ik δ_jl + δ_il δ_jk), (3, 3, 3, 3)."""
    return cubic_stiffness(lame + 2.0 * shear, lame, shear)


def zener_ratio(stiffness: np.ndarray) -> float:
    """A = 2 C₄₄ / (C₁₁ − C₁₂) of a cubic crystal in its own axes; 1 where it is isotropic.

    Raises:
        InputError: the tensor has no cubic symmetry about x, y and z.
    Source: C. Zener, Elasticity and Anelasticity of Metals (1948).
    """
    matrix = voigt_matrix(stiffness)
    C11, C12, C44 = matrix[0, 0], matrix[0, 1], matrix[3, 3]
    cubic = voigt_matrix(cubic_stiffness(C11, C12, C44))
    if np.abs(matrix - cubic).max() > _SYMMETRY_TOLERANCE * np.abs(matrix).max():
        raise InputError("the Zener ratio is defined for cubic crystals, with the axes x, y, z along the cube's edges")
    return float(2.0 * C44 / (C11 - C12))


def check_stiffness(stiffness: np.ndarray) -> np.ndarray:
    """The tensor as float64 (3, 3, 3, 3), if it has both symmetries of a stiffness and is positive definite.

    Raises:
        InputError: wrong shape, not symmetric or not positive definite (with the offending eigenvalue).
    """
    C = np.asarray(stiffness, float)
    if C.shape != (3, 3, 3, 3):
        raise InputError(f"a stiffness has the shape (3, 3, 3, 3), got {C.shape}")
    if not np.isfinite(C).all():
        raise InputError("the stiffness is not finite")
    for other in (C.transpose(1, 0, 2, 3), C.transpose(2, 3, 0, 1)):
        if np.abs(C - other).max() > _SYMMETRY_TOLERANCE * np.abs(C).max():
            raise InputError("the stiffness is not symmetric: C_ijkl = C_jikl = C_klij must hold")
    if message := _indefinite(mandel_matrix(C)):
        raise InputError(f"the stiffness is {message}")
    return C


def _indefinite(mandel: np.ndarray) -> str | None:
    """What is wrong with a matrix over Mandel vectors that is not positive definite; None if it is."""
    lowest, *_, highest = np.linalg.eigvalsh(mandel)
    if lowest > 1e-14 * highest:
        return None
    return f"not positive definite: the smallest eigenvalue is {lowest:.6g} (shear strain counted as √2 ε_xy)"


# rotations


def rotate(tensor: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """A tensor of any rank, axes (3, 3, …, 3) only, with its crystal axes turned by R: t_ij = R_ia R_jb t_ab."""
    tensor = np.asarray(tensor, float)
    for _ in range(tensor.ndim):
        # Contracts the first axis and puts the new one last: after all of them the order is the old one.
        tensor = np.tensordot(tensor, rotation, axes=(0, 1))
    return tensor


def euler_rotation(phi1: float, Phi: float, phi2: float) -> np.ndarray:
    """R = R_z(φ₁) R_x(Φ) R_z(φ₂) of Bunge's Euler angles in degrees, (3, 3); its columns are the crystal axes in x, y, z.

    The transpose of Bunge's orientation matrix g, which takes components in x, y, z to components in crystal axes.
    Source: H.-J. Bunge, Texture Analysis in Materials Science (1982), doi:10.1016/C2013-0-11769-2.
    """
    (c1, c, c2), (s1, s, s2) = np.cos(np.radians([phi1, Phi, phi2])), np.sin(np.radians([phi1, Phi, phi2]))
    about_z1 = np.array([[c1, -s1, 0.0], [s1, c1, 0.0], [0.0, 0.0, 1.0]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    about_z2 = np.array([[c2, -s2, 0.0], [s2, c2, 0.0], [0.0, 0.0, 1.0]])
    return about_z1 @ about_x @ about_z2


# the section of a scenario


class Section(BaseModel):
    """Strict and frozen, as every section of a scenario.

    Not `models.base.Strict`: importing that imports all models, and those that need elasticity import this module.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def complaint(kind: str, message: str) -> PydanticCustomError:
    """An error for a validator to raise; of kind `kind`, messages end with the value that was found."""
    return PydanticCustomError(kind, "{message}", {"message": message})  # type: ignore[arg-type]


def read_numbers(value: Any, shapes: tuple[tuple[int, ...], ...], expected: str) -> Any:
    """Nested lists (or an array) of numbers in one of `shapes`, as nested lists of floats.

    Raises an error that pydantic reports at the place of the value: must be `expected`.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not _all_numbers(value):
        raise complaint("kind", f"must be {expected}")
    try:
        array = np.array(value, float)
    except ValueError:
        raise complaint("shape", f"must be {expected}; the rows have different lengths") from None
    except OverflowError:
        raise complaint("finite", "must be finite") from None
    if array.shape not in shapes:
        raise complaint("shape", f"must be {expected} (got {'x'.join(map(str, array.shape))} numbers)")
    if not np.isfinite(array).all():
        raise complaint("finite", "must be finite")
    return array.tolist()


def _all_numbers(value: Any) -> bool:
    """True for lists of numbers, nested or not; text and `true` are no numbers."""
    if not isinstance(value, list | tuple) or not len(value):
        return False
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in value) or all(map(_all_numbers, value))


def check_symmetric(value: list[list[float]]) -> None:
    """For validators: raises unless a matrix equals its transpose."""
    matrix = np.array(value)
    difference = np.abs(matrix - matrix.T)
    if difference.max() > _SYMMETRY_TOLERANCE * np.abs(matrix).max():
        i, j = np.unravel_index(difference.argmax(), difference.shape)
        one, other = matrix[i, j], matrix[j, i]
        where = f"row {i + 1}, column {j + 1} is {one:g}, row {j + 1}, column {i + 1} is {other:g}"
        raise complaint("symmetry", f"not symmetric: {where}")


def _read_voigt(value: Any) -> Any:
    if value is None:
        return None
    matrix = read_numbers(value, ((6, 6), (3, 3)), "a 6x6 matrix (xx, yy, zz, yz, xz, xy) or a 3x3 one (xx, yy, xy)")
    check_symmetric(matrix)
    scale = _MANDEL if len(matrix) == 6 else _MANDEL[list(IN_PLANE)]
    if message := _indefinite(np.array(matrix) * np.outer(scale, scale)):
        raise complaint("definite", message)
    return matrix


def _read_orientation(value: Any) -> Any:
    if value is None:
        return None
    numbers = read_numbers(value, ((3, 3), (3,)), "a 3x3 rotation matrix or three Euler angles in degrees")
    matrix = np.array(numbers)
    if matrix.ndim == 2:
        error = np.abs(matrix @ matrix.T - np.eye(3)).max()
        if error > _ROTATION_TOLERANCE:
            raise complaint("rotation", f"not a rotation: R Rᵀ differs from the unit matrix by {error:.3g}")
        if np.linalg.det(matrix) < 0:
            raise complaint("rotation", "not a rotation: the determinant is −1, a reflection")
    return numbers


class CubicConstants(Section):
    """Elastic constants of a cubic crystal."""

    C11: float = Field(description="C₁₁, pressure")
    C12: float = Field(description="C₁₂, pressure")
    C44: float = Field(description="C₄₄, pressure")

    @model_validator(mode="after")
    def _definite(self) -> CubicConstants:
        conditions = {
            "C11 − C12": self.C11 - self.C12,
            "C11 + 2 C12": self.C11 + 2.0 * self.C12,
            "C44": self.C44,
        }
        if wrong := [f"{name} = {value:.6g}" for name, value in conditions.items() if not value > 0]:
            raise complaint("definite", f"not positive definite: {' and '.join(wrong)} must be greater than 0")
        return self


_PAIRS = (("young", "poisson"), ("bulk", "shear"), ("lame", "shear"))


class IsotropicConstants(Section):
    """Two elastic constants of an isotropic body: young and poisson, bulk and shear, or lame and shear."""

    young: float | None = Field(None, description="Young's modulus E, pressure")
    poisson: float | None = Field(None, description="Poisson's ratio ν")
    bulk: float | None = Field(None, description="bulk modulus K, pressure")
    lame: float | None = Field(None, description="Lamé's first constant λ, pressure")
    shear: float | None = Field(None, description="shear modulus μ, pressure")

    @model_validator(mode="after")
    def _pair(self) -> IsotropicConstants:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if not any(set(given) == set(pair) for pair in _PAIRS):
            pairs = ", ".join(" and ".join(pair) for pair in _PAIRS)
            raise complaint("pair", f"needs one of the pairs {pairs} (got {' and '.join(given) or 'nothing'})")
        # Before the conversion, which divides by 1 + ν and 1 − 2ν.
        if self.poisson is not None and not -1.0 < self.poisson < 0.5:
            raise complaint("definite", f"not positive definite: poisson = {self.poisson:g} must be between −1 and 0.5")
        lame, shear = self.lame_shear
        conditions = {"young": self.young} if self.young is not None else {}
        conditions = conditions or {"shear": shear, "bulk modulus": lame + 2.0 * shear / 3.0}
        if wrong := [f"{name} = {value:.6g}" for name, value in conditions.items() if not value > 0]:
            raise complaint("definite", f"not positive definite: {' and '.join(wrong)} must be greater than 0")
        return self

    @property
    def lame_shear(self) -> tuple[float, float]:
        """(λ, μ)."""
        if self.young is not None and self.poisson is not None:
            shear = self.young / (2.0 * (1.0 + self.poisson))
            return 2.0 * shear * self.poisson / (1.0 - 2.0 * self.poisson), shear
        assert self.shear is not None
        if self.bulk is not None:
            return self.bulk - 2.0 * self.shear / 3.0, self.shear
        assert self.lame is not None
        return self.lame, self.shear


class Stiffness(Section):
    """Elastic stiffness: exactly one of cubic, isotropic and voigt, and the orientation of the crystal.

    A 3x3 `voigt` matrix (xx, yy, xy; plane strain) is embedded with the out-of-plane constants decoupled and set to the
    mean of its diagonal: in a plane problem whose eigenstrains lie in the plane, nothing depends on them.
    """

    cubic: CubicConstants | None = Field(None, description="C11, C12, C44 in the cube's own axes")
    isotropic: IsotropicConstants | None = Field(None, description="two of young, poisson, bulk, lame, shear")
    voigt: Annotated[list[list[float]] | None, BeforeValidator(_read_voigt)] = Field(
        None, description="C_IJ, 6x6 in the order xx, yy, zz, yz, xz, xy, or 3x3 in the order xx, yy, xy"
    )
    orientation: Annotated[list[float] | list[list[float]] | None, BeforeValidator(_read_orientation)] = Field(
        None,
        description="rotation of the crystal axes: three Bunge Euler angles in degrees, or a 3x3 matrix whose columns "
        "are the crystal axes",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Stiffness:
        given = [name for name in ("cubic", "isotropic", "voigt") if getattr(self, name) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            raise complaint("one_of", f"needs exactly one of cubic, isotropic and voigt (got {got})")
        if self.voigt is not None and len(self.voigt) == 3 and abs(self.rotation()[2, 2] - 1.0) > 1e-12:
            raise complaint("rotation", "a 3x3 voigt matrix can only be turned about z, as by orientation: [30, 0, 0]")
        return self

    def rotation(self) -> np.ndarray:
        """R of the crystal axes, (3, 3); the unit matrix without `orientation`."""
        if self.orientation is None:
            return np.eye(3)
        values = np.array(self.orientation)
        if values.ndim == 1:
            return euler_rotation(*values)
        # The nearest rotation to a matrix that was typed with a few digits.
        left, _, right = np.linalg.svd(values)
        return left @ right

    def crystal_tensor(self) -> np.ndarray:
        """C_ijkl in crystal axes, (3, 3, 3, 3)."""
        if self.cubic is not None:
            return cubic_stiffness(self.cubic.C11, self.cubic.C12, self.cubic.C44)
        if self.isotropic is not None:
            return isotropic_stiffness(*self.isotropic.lame_shear)
        matrix = np.array(self.voigt)
        # Exactly symmetric, whatever the last digit of what was typed.
        matrix = 0.5 * (matrix + matrix.T)
        if len(matrix) == 3:
            whole = np.eye(6) * matrix.trace() / 3.0
            whole[np.ix_(IN_PLANE, IN_PLANE)] = matrix
            matrix = whole
        return tensor_from_voigt(matrix)

    def tensor(self) -> np.ndarray:
        """C_ijkl in the axes of the grid, (3, 3, 3, 3)."""
        return self.crystal_tensor() if self.orientation is None else rotate(self.crystal_tensor(), self.rotation())

    def voigt_matrix(self) -> np.ndarray:
        """C_IJ in the axes of the grid, (6, 6)."""
        return voigt_matrix(self.tensor())

    def compliance(self) -> np.ndarray:
        """S_ijkl in the axes of the grid, (3, 3, 3, 3)."""
        return compliance(self.tensor())

    def zener_ratio(self) -> float:
        """2 C₄₄ / (C₁₁ − C₁₂) in crystal axes; raises `InputError` for a crystal that is not cubic."""
        return zener_ratio(self.crystal_tensor())
