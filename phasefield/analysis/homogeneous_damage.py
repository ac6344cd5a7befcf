"""The homogeneous state of a scenario of damage with a viscosity: its mean strain, its equilibrium, and its stability."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from phasefield.analysis.damage_stability import DamageStability
from phasefield.analysis.modes import NotApplicable
from phasefield.energy.fracture import Degradation
from phasefield.mechanics.crack_loading import CrackLoad, Start
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.splits import Split, make_split
from phasefield.models.fracture import Fracture
from phasefield.scenario import LoadedScenario

# Rules that leave fluctuations of damage alone as long as it stays between 0 and 1, and nothing is broken.
FREE_RULES = ("reversible", "crack_set")
# Where the tangent changes by more than the second within the first, relative to the mean strain, it has a kink.
NEIGHBOURHOOD, SMOOTH = 1e-3, 0.05
# Passes to the equilibrium of the mean, and the change of φ in the last one.
MOST_PASSES, SETTLED = 5000, 1e-13


def damage_stability(loaded: LoadedScenario, phi: float | None = None) -> DamageStability:
    """Stability of the state of damage φ under the load at the start; that of equilibrium when φ is absent.

    Raises:
        NotApplicable: the scenario has no such state, or no linear theory of its fluctuations.
    """
    model = loaded.model
    assert isinstance(model, Fracture)
    p, d = model.parameters, loaded.grid.dimensions
    if p.viscosity is None:
        raise NotApplicable("damage in equilibrium has no rates: they need model.viscosity")
    if p.faces is not None or p.mean is None:
        raise NotApplicable("the body has faces: homogeneous states are those of periodic cells")
    if p.irreversibility not in FREE_RULES:
        raise NotApplicable(
            f"irreversibility: {p.irreversibility} holds damage that would heal, so that waves are none of a linear theory; "
            f"{' and '.join(FREE_RULES)} leave them free"
        )
    material = model.material(loaded.grid, loaded.folder)
    if not material.solid.all() or {"young_modulus", "poisson_ratio", "toughness"} - set(material.uniform):
        raise NotApplicable("the material differs from place to place")
    load = model.load.initial()
    if load == 0.0:
        raise NotApplicable("nothing is loaded at the start")
    name, options = model.split_name
    split = make_split(name, float(material.lame.flat[0]), float(material.shear.flat[0]), d, p.plane, **options)
    if not split.variational:
        raise NotApplicable(f"the split {name} has no energy, of which this would be the stability")
    flags, values = model.mean_control(d)
    mandel = load * np.asarray(values) * np.where(np.arange(len(values)) < d, 1.0, math.sqrt(2.0))
    control = MeanControl(["stress" if flag else "strain" for flag in flags], list(mandel))

    def state(phi: float, own: float | None) -> DamageStability:
        """At the strains of a damage; with `own` as its damage, with that of equilibrium at these strains when None."""
        return DamageStability(
            split,
            mean_strain(split, control, float(Degradation(p.residual_stiffness).value(np.array(phi)))),
            material.uniform["toughness"],
            p.length,
            p.dissipation,
            phi=own,
            viscosity=float(p.viscosity or 1.0),
            residual_stiffness=p.residual_stiffness,
            control=control,
        )

    found = _equilibrium(state) if phi is None else state(phi, phi)
    _require_smooth(found)
    return found


def mean_strain(split: Split, control: MeanControl, g: float) -> np.ndarray:
    """ε̄ of a homogeneous body with the degradation g, (m,): the strains that are given, and mean stresses with σ(ε̄) = σ̄.

    Newton's method; the stress of a split is piecewise smooth and monotonic.
    """
    F, m, strain = control.free, split.components, np.array(control.strain)
    if F.shape[1] == 0:
        return strain
    out, scratch, tangent = np.empty((m, 1)), np.empty((2, 1)), np.empty((m, m))
    scale = max(float(np.abs(control.stress).max()), g * split_scale(split) * float(np.abs(strain).max()), 1e-300)
    for _ in range(100):
        split.stress(strain[:, None], np.array([g]), out, scratch[0], scratch[1])
        excess = F.T @ (out[:, 0] - control.stress)
        if np.linalg.norm(excess) <= 1e-13 * scale:
            return strain
        split.tangent(np.repeat(strain[:, None], m, axis=1), np.full(m, g), np.eye(m), tangent)
        strain = strain - F @ np.linalg.solve(F.T @ tangent @ F, excess)
    raise NotApplicable("no mean strain was found for the mean stress")


def split_scale(split: Split) -> float:
    """λ + 2μ, the size of a stress per strain."""
    return float(np.max(split.lame) + 2.0 * np.max(split.shear))


def steady_until(load: CrackLoad, end: float) -> float:
    """Until when the load stays what it is at time 0; 0 where phases of steps or dissipation follow each other."""
    if load.any_dissipation:
        return 0.0
    first, start, last = load.initial(), Start(0.0, load.initial(), 0.0), 0.0
    for time in (*(t for t in load.corners if t < end), end):
        if load.value(time, 0, start) != first:
            return last
        last = time
    return last


def _equilibrium(state: Callable[[float, float | None], DamageStability]) -> DamageStability:
    """Alternately the strain at given damage and the damage at given strain, from the body without damage on."""
    phi = 0.0
    for _ in range(MOST_PASSES):
        found = state(phi, None)
        if abs(found.damage - phi) <= SETTLED:
            return found
        phi = found.damage
    raise NotApplicable("no homogeneous damage is in equilibrium under the load at the start")


def _require_smooth(found: DamageStability) -> None:
    """Refuse mean strains at which the tangent jumps: one as small as you like takes a fluctuation across."""
    strain, scale = found.strain, NEIGHBOURHOOD * float(np.linalg.norm(found.strain))
    tangent, generator = found.tangent, np.random.default_rng(0)
    for _ in range(8):
        direction = generator.normal(size=strain.size)
        near = DamageStability(
            found.split,
            strain + scale * direction / np.linalg.norm(direction),
            found.toughness,
            found.ell,
            found.dissipation,
            phi=found.phi,
            residual_stiffness=found.residual_stiffness,
        )
        if np.linalg.norm(near.tangent - tangent) > SMOOTH * np.linalg.norm(tangent):
            raise NotApplicable(
                f"the stress of the split {found.split.name} has a kink at the mean strain: fluctuations are not linear"
            )
