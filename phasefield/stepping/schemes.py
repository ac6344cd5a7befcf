"""Time schemes as tables.

All of them integrate ∂û/∂t = ℓ û + N(u) with ℓ = −m(S + κk̃²) implicit or exact and N = −m(F̂ − S û) explicit; z = Δt ℓ.
The growth factor of an infinitesimal mode, N = n û, follows from the same table that the kernels are made of.

| name | order | update | source |
|---|---|---|---|
| `imex1` | 1 | (1 − z) û⁺ = û + Δt N | Zhu, Chen, Shen, Tikare, doi:10.1103/PhysRevE.60.3564 |
| `etdrk2` | 2 | a = e^z û + Δt φ₁ N(u), û⁺ = a + Δt φ₂ (N(a) − N(u)) | Cox, Matthews, doi:10.1006/jcph.2002.6995, eqs 20–22 |

The embedded error of `etdrk2` is û⁺ − a, its difference from the first-order scheme.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.kernels.expressions import parse
from phasefield.kernels.stages import Stage
from phasefield.registry import register


@dataclass(frozen=True)
class Scheme:
    """A one-step scheme: declared order, stages, and the bibliography entry of its source."""

    name: str
    order: int
    stages: tuple[Stage, ...]
    reference: str
    # Local error of the embedded estimate is of order Δt^error_order.
    error_order: int = 0

    @property
    def adaptive(self) -> bool:
        """True when the scheme estimates its own error."""
        return bool(self.stages[-1].error)

    def growth_factor(self, z: np.ndarray, n: np.ndarray) -> np.ndarray:
        """G with û⁺ = G û for N = n û; `z` = Δt ℓ and `n` = Δt n are arrays of equal shape."""
        z, n = np.asarray(z, float), np.asarray(n, float)
        values = phi_values(z)
        value: np.ndarray = np.ones_like(z)
        nonlinear: list[np.ndarray] = []
        for stage in self.stages:
            nonlinear.append(n * value)
            value = _coefficient(stage.base, values)
            for weight, N in zip(stage.weights, nonlinear, strict=True):
                value = value + _coefficient(weight, values) * N
        return value


def _coefficient(text: str, values: dict[str, np.ndarray]) -> np.ndarray:
    return parse(text, variables=tuple(values), what="coefficient").evaluate(**values)


def phi_values(z: np.ndarray) -> dict[str, np.ndarray]:
    """z, e^z, φ₁, φ₂ and φ₃ by the mean over a circle of radius 1 around z (32 points on its upper half).

    Independent of the kernels' series, and accurate for every real z: A.-K. Kassam, L. N. Trefethen, SIAM J. Sci.
    Comput. 26 (2005) 1214, doi:10.1137/S1064827502410633, section 3.
    """
    points = z[..., None] + np.exp(1j * np.pi * (np.arange(1, 33) - 0.5) / 32)
    e = np.exp(points)
    phi1 = (e - 1.0) / points
    phi2 = (phi1 - 1.0) / points
    phi3 = (phi2 - 0.5) / points
    means = [p.mean(axis=-1).real for p in (phi1, phi2, phi3)]
    return {"z": z, "exp_z": np.exp(z), "phi1": means[0], "phi2": means[1], "phi3": means[2]}


IMEX1 = register("scheme", "imex1")(
    Scheme(
        name="imex1",
        order=1,
        stages=(Stage(base="1/(1 - z)", weights=("1/(1 - z)",)),),
        reference="J. Zhu, L.-Q. Chen, J. Shen, V. Tikare, Phys. Rev. E 60 (1999) 3564, doi:10.1103/PhysRevE.60.3564",
    )
)

ETDRK2 = register("scheme", "etdrk2")(
    Scheme(
        name="etdrk2",
        order=2,
        stages=(
            Stage(base="exp_z", weights=("phi1",)),
            Stage(base="exp_z", weights=("phi1 - phi2", "phi2"), error=("-phi2", "phi2")),
        ),
        reference="S. M. Cox, P. C. Matthews, J. Comput. Phys. 176 (2002) 430, doi:10.1006/jcph.2002.6995",
        error_order=2,
    )
)
