"""Time schemes as tables.

All of them integrate ∂û/∂t = ℓ û + N(u) with ℓ = −m(S + κk̃²) implicit or exact and N = −m(F̂ − S û) explicit; z = Δt ℓ.
The growth factor of an infinitesimal mode, N = n û, follows from the same table that the kernels are made of.

| name | order | update | error estimate |
|---|---|---|---|
| `imex1` | 1 | (1 − z) û⁺ = û + Δt N | ½Δt² of its own second derivative |
| `sbdf2` | 2 | (γ − z) û⁺ = (1+ω) û − ω²/(1+ω) û⁻ + Δt[(1+ω)N − ωN⁻] | distance from cubic Hermite extrapolation, filtered |
| `etdrk2` | 2 | a = e^z û + Δt φ₁ N(u), û⁺ = a + Δt φ₂ (N(a) − N(u)) | û⁺ − a, the first-order scheme |
| `etdrk4` | 4 | Cox and Matthews, four stages | distance from the midpoint rule of order 2 |

ω = Δt/Δt⁻ is the ratio of successive steps and γ = (1+2ω)/(1+ω). Multistep schemes start with one step of `imex1`, whose local
error is of the order of theirs globally.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from phasefield.kernels.expressions import Expression, parse
from phasefield.kernels.stages import Stage, is_multistep
from phasefield.registry import lookup, register


@dataclass(frozen=True)
class Scheme:
    """A scheme: declared order, stages, and the source.

    start: stages of the first step of a multistep scheme; error_order: the local error estimate is of order Δt^error_order.
    """

    name: str
    order: int
    stages: tuple[Stage, ...]
    reference: str
    error_order: int
    start: tuple[Stage, ...] = ()
    # S over max f″ at which long steps are stable: the limit Δt → ∞ of the growth factor of a mode without gradient energy
    # stays within [−1, 1]. ½ for the one-step schemes; extrapolation over two steps costs (1+2ω)/(2+2ω): ¾ at constant
    # steps, 5/6 at ω = 2, the largest ratio the control allows.
    stabilisation: float = 0.5

    @property
    def multistep(self) -> bool:
        """Whether a step looks back at the one before."""
        return is_multistep(self.stages)

    @property
    def estimates_error(self) -> bool:
        """False for a scheme made by `without_error`."""
        return bool(self.stages[-1].error)

    def without_error(self) -> Scheme:
        """The same scheme for fixed steps: no error estimate, and no memory of the step before that only it needed."""
        stages = tuple(replace(stage, error={}) for stage in self.stages)
        return replace(self, stages=stages, start=self.start if is_multistep(stages) else ())

    def linear_step(
        self,
        z: np.ndarray,
        n: np.ndarray,
        u: np.ndarray,
        previous: np.ndarray | None = None,
        ratio: float = 1.0,
    ) -> np.ndarray:
        """One step of the linear problem N = n u.

        Args:
            z: Δt ℓ per mode.
            n: Δt n per mode.
            u: the modes.
            previous: the modes one step before; None takes the first step.
            ratio: this step over the last one.
        """
        z, n = np.asarray(z, float), np.asarray(n, float)
        quantities = {"u": u}
        stages = self.stages
        if self.multistep and previous is None:
            stages = self.start
        elif previous is not None:
            quantities |= {"u_previous": previous, "N_previous": n * previous}
        values = {**(function_values(z) if _exponential(stages) else {"z": z}), "ratio": np.full_like(z, ratio)}
        value = u
        for i, stage in enumerate(stages):
            quantities[f"N{i}"] = n * value
            value = sum(
                (coefficient(text, values) * quantities[q] for q, text in stage.result.items()), np.zeros_like(z)
            )
        return value

    def increment(
        self,
        z: np.ndarray,
        n: np.ndarray,
        functions: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None,
    ) -> np.ndarray:
        """D = (G − 1)/(z + n) of a one-step scheme, without cancellation: accurate where z + n → 0 and G → 1.

        A state with N = −ℓu is stationary in every stage, so a stage value is v_i = (1 + (z + n) D_i) u and its table gives
        D_i = Σ_j c_ij(z) (1 + n D_j), c_ij the coefficient of N_j. 1/(1 − z) for `imex1`, φ₁(1 + nφ₂) for `etdrk2`.

        Args:
            z: Δt ℓ per mode.
            n: Δt n per mode.
            functions: what evaluates the functions of z by name; `function_values` when absent.

        Raises:
            ValueError: a multistep scheme.
        """
        if self.multistep:
            raise ValueError(f"{self.name} looks back at the step before")
        z, n = np.asarray(z, float), np.asarray(n, float)
        values = (functions or function_values)(z) if _exponential(self.stages) else {"z": z}
        # Tables may name the ratio of steps, on which a one-step scheme does not depend.
        values = {**values, "ratio": np.ones_like(z)}
        D, factors = np.zeros_like(z), {}
        for i, stage in enumerate(self.stages):
            factors[f"N{i}"] = 1.0 + n * D
            D = sum(
                (coefficient(stage.result[q], values) * x for q, x in factors.items() if q in stage.result), 0.0 * z
            )
        return D

    def growth_factor(self, z: np.ndarray, n: np.ndarray) -> np.ndarray:
        """G with û⁺ = G û for N = n û at constant steps; of a multistep scheme the dominant root.

        For small Δt that is the root which tends to 1. Strongly damped modes may have a pair of complex roots; their modulus
        is returned.
        """
        z, n = np.asarray(z, float), np.asarray(n, float)
        one, zero = np.ones_like(z), np.zeros_like(z)
        if not self.multistep:
            return self.linear_step(z, n, one)
        a = self.linear_step(z, n, one, zero)
        b = self.linear_step(z, n, zero, one)
        discriminant = a * a + 4.0 * b
        larger = 0.5 * (a + np.copysign(np.sqrt(np.abs(discriminant)), a))
        return np.where(discriminant >= 0.0, larger, np.sqrt(np.abs(b)))


def _exponential(stages: Sequence[Stage]) -> bool:
    """Whether any value needs the φ-functions, which are dear."""
    return any("phi" in text or "exp" in text for stage in stages for text in stage.result.values())


def coefficient(text: str, values: dict[str, np.ndarray]) -> np.ndarray:
    """A coefficient of a table at given z."""
    return _parsed(text, tuple(values)).evaluate(**values)


@cache
def _parsed(text: str, names: tuple[str, ...]) -> Expression:
    return parse(text, variables=names, what="coefficient")


def function_values(z: np.ndarray) -> dict[str, np.ndarray]:
    """z, e^z, φ₁, φ₂, φ₃ and the same of z/2, by means over circles of radius 1 (32 points on their upper halves).

    Independent of the kernels' series, and accurate for every real z: A.-K. Kassam, L. N. Trefethen, SIAM J. Sci.
    Comput. 26 (2005) 1214, doi:10.1137/S1064827502410633, section 3.
    """
    result = {"z": z}
    for suffix, x in (("", z), ("_h", 0.5 * z)):
        points = x[..., None] + np.exp(1j * np.pi * (np.arange(1, 33) - 0.5) / 32)
        phi1 = (np.exp(points) - 1.0) / points
        phi2 = (phi1 - 1.0) / points
        phi3 = (phi2 - 0.5) / points
        means = [p.mean(axis=-1).real for p in (phi1, phi2, phi3)]
        names = (f"exp{suffix or '_z'}", f"phi1{suffix}", f"phi2{suffix}", f"phi3{suffix}")
        result |= dict(zip(names, (np.exp(x), *means), strict=True))
    return result


_EULER = {"u": "1/(1 - z)", "N0": "1/(1 - z)"}

IMEX1 = register("scheme", "imex1")(
    Scheme(
        name="imex1",
        order=1,
        stages=(
            Stage(
                _EULER,
                # ½Δt²(ℓu′ − N′) by differences, over 1 − z like the step itself.
                error={
                    "result": "z/(2*(1 - z))",
                    "u": "-z/(2*(1 - z))",
                    "N0": "-ratio/(2*(1 - z))",
                    "N_previous": "ratio/(2*(1 - z))",
                },
            ),
        ),
        start=(Stage(_EULER),),
        error_order=2,
        reference="J. Zhu, L.-Q. Chen, J. Shen, V. Tikare, Phys. Rev. E 60 (1999) 3564, doi:10.1103/PhysRevE.60.3564",
    )
)

_GAMMA = "((1 + 2*ratio)/(1 + ratio) - z)"
_MULTIPLE = "(1 + (1/(1 + 2*ratio) + 3 + 2*ratio)/ratio)"
_FILTER = f"({_MULTIPLE}*(1 - z))"

SBDF2 = register("scheme", "sbdf2")(
    Scheme(
        name="sbdf2",
        order=2,
        stages=(
            Stage(
                {
                    "u": f"(1 + ratio)/{_GAMMA}",
                    "u_previous": f"-ratio*ratio/(1 + ratio)/{_GAMMA}",
                    "N0": f"(1 + ratio)/{_GAMMA}",
                    "N_previous": f"-ratio/{_GAMMA}",
                },
                # û⁺ minus the cubic through û, û′ and û⁻, û⁻′, extrapolated. Asymptotically that is `_MULTIPLE` times the local
                # error: the step before left its own on û. 1/(1 − z) keeps stiff modes from dominating.
                error={
                    "result": f"1/{_FILTER}",
                    "u": f"-(1 - ratio*ratio*(3 + 2*ratio) + (1 + ratio)*(1 + ratio)*z)/{_FILTER}",
                    "u_previous": f"-(ratio*ratio*(3 + 2*ratio) + ratio*(1 + ratio)*z)/{_FILTER}",
                    "N0": f"-(1 + ratio)*(1 + ratio)/{_FILTER}",
                    "N_previous": f"-ratio*(1 + ratio)/{_FILTER}",
                },
            ),
        ),
        start=(Stage(_EULER),),
        stabilisation=5.0 / 6.0,
        error_order=3,
        reference="U. M. Ascher, S. J. Ruuth, B. T. R. Wetton, SIAM J. Numer. Anal. 32 (1995) 797, doi:10.1137/0732037",
    )
)

ETDRK2 = register("scheme", "etdrk2")(
    Scheme(
        name="etdrk2",
        order=2,
        stages=(
            Stage({"u": "exp_z", "N0": "phi1"}),
            Stage({"u": "exp_z", "N0": "phi1 - phi2", "N1": "phi2"}, error={"N0": "-phi2", "N1": "phi2"}),
        ),
        error_order=2,
        reference="S. M. Cox, P. C. Matthews, J. Comput. Phys. 176 (2002) 430, doi:10.1006/jcph.2002.6995",
    )
)

ETDRK4 = register("scheme", "etdrk4")(
    Scheme(
        name="etdrk4",
        order=4,
        # The published third stage starts from the first one; e^{z/2} φ₁(z/2)/2 = φ₁(z) − φ₁(z/2)/2 puts it in terms of u.
        stages=(
            Stage({"u": "exp_h", "N0": "phi1_h/2"}, time=0.5),
            Stage({"u": "exp_h", "N1": "phi1_h/2"}, time=0.5),
            Stage({"u": "exp_z", "N0": "phi1 - phi1_h", "N2": "phi1_h"}),
            Stage(
                {
                    "u": "exp_z",
                    "N0": "phi1 - 3*phi2 + 4*phi3",
                    "N1": "2*phi2 - 4*phi3",
                    "N2": "2*phi2 - 4*phi3",
                    "N3": "4*phi3 - phi2",
                },
                # Minus e^z u + Δt (φ₁ − 2φ₂) N0 + 2Δt φ₂ N1, of order 2.
                error={"N0": "4*phi3 - phi2", "N1": "-4*phi3", "N2": "2*phi2 - 4*phi3", "N3": "4*phi3 - phi2"},
            ),
        ),
        error_order=3,
        reference="S. M. Cox, P. C. Matthews, J. Comput. Phys. 176 (2002) 430, doi:10.1006/jcph.2002.6995, eqs 26–29",
    )
)


def leapfrog(viscosity: float) -> Scheme:
    """The scheme of a field with inertia, ∂²u/∂t² = −m (F + κk̃²u + A′ ∂u/∂t), for fixed steps.

    (û⁺ − 2û + û⁻)/Δt² = −m [F̂ − S û + (S + κk̃²)(û⁺ + û⁻)/2 + A′ (û⁺ − û⁻)/(2Δt)]: of order 2, and stable for every step where
    S ≥ ½ max f″, because a mode of stiffness f ≤ 2S + κk̃² has growth factors of modulus one or less. It starts from rest.
    Steps of unequal length, before an output time, are of first order.

    Args:
        viscosity: A′, per unit of m and time.
    """
    damping = f"dt*m*{float(viscosity)!r}/2"
    stiff = "(1 + ratio)/(4*ratio)*dt*z"
    D = f"(1 - {stiff} + {damping})"
    return Scheme(
        name="leapfrog",
        order=2,
        stages=(
            Stage(
                {
                    "u": f"(1 + ratio)/{D}",
                    "u_previous": f"({stiff} + {damping} - ratio)/{D}",
                    "N0": f"dt*(1 + ratio)/(2*ratio)/{D}",
                }
            ),
        ),
        start=(Stage({"u": "1/(1 - dt*z/2)", "N0": "dt/2/(1 - dt*z/2)"}),),
        error_order=2,
        reference="equation: G. S. Bales, R. J. Gooding, Phys. Rev. Lett. 67 (1991) 3412, doi:10.1103/PhysRevLett.67.3412",
    )


def find_scheme(name: str, model: Any) -> Scheme:
    """The scheme of a scenario: by its name, or, for a model with inertia, the one with its viscosity."""
    return leapfrog(model.viscosity) if name == "leapfrog" else lookup("scheme", name)
