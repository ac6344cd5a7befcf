"""Growth of fluctuations of homogeneous damage: the loop of equilibrium and viscous damage against theory, mode by mode."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phasefield.analysis.damage_stability import DamageStability, discrete_symbols
from phasefield.energy.fracture import CrackEnergy, Degradation, HomogeneousResponse
from phasefield.errors import InputError
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.degraded import Degraded
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.periodic import PeriodicElasticity
from phasefield.mechanics.splits import make_split
from phasefield.spectral.grid import Axis, Grid

LAME, SHEAR, GC, ELL, ETA, TAU = 1.3, 0.8, 0.7, 1.2, 1e-3, 2.5
MODULUS = LAME + 2 * SHEAR
PLANE = Grid((Axis("x", 24, 24 * 0.5), Axis("y", 16, 16 * 0.6)))
ODD = Grid((Axis("x", 9, 9 * 0.5), Axis("y", 7, 7 * 0.6)))
SPACE = Grid((Axis("x", 8, 8 * 0.5), Axis("y", 6, 6 * 0.6), Axis("z", 10, 10 * 0.45)))
# Mean strains (Mandel) at which no split has a kink: tr ε, and principal strains where they matter, far from 0 and apart.
STRAIN = {2: np.array([0.62, -0.21, 0.17]), 3: np.array([0.65, -0.2, 0.15, 0.1, -0.07, 0.2])}


def stability(split: str, dissipation: str, d: int, **options) -> DamageStability:
    return DamageStability(
        make_split(split, LAME, SHEAR, d),
        options.pop("strain", STRAIN[d]),
        GC,
        ELL,
        dissipation,
        viscosity=TAU,
        residual_stiffness=ETA,
        **options,
    )


def loop(
    grid: Grid, state: DamageStability, steps, scheme: str, phi: np.ndarray, control: MeanControl
) -> list[np.ndarray]:
    """φ after each step: equilibrium at the present damage, then a step of viscous damage."""
    degradation = Degradation(ETA)
    solver = DamageSolver(CrackEnergy(grid, GC, ELL, state.dissipation), degradation, "crack_set")
    elasticity, solution, found = PeriodicElasticity(grid, scheme=scheme), None, []
    for step in steps:
        g = degradation.value(phi)
        solution = elasticity.solve(Degraded(state.split, g), control, start=solution, tolerance=1e-12)
        psi = state.split.energies(solution.strain.reshape(state.split.components, -1))[0].reshape(grid.shape)
        phi = solver.solve(phi, phi, psi, 1e-14, rate=TAU / step).phi
        found.append(phi)
    return found


def measured_factors(grid, state, steps, scheme, control=None, amplitude=2e-5) -> list[np.ndarray]:
    """By what steps have multiplied every mode: half the difference of runs from φ ± δ, in which even powers of δ cancel."""
    control = control or MeanControl(("strain",) * state.strain.size, state.strain)
    delta = amplitude * np.random.default_rng(3).uniform(-1, 1, grid.shape)
    up, down = (loop(grid, state, steps, scheme, state.phi + s * delta, control) for s in (1, -1))
    start = np.fft.rfftn(delta)
    return [np.fft.rfftn(0.5 * (a - b)) / start for a, b in zip(up, down, strict=True)]


def agree(measured: np.ndarray, predicted: np.ndarray, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(measured, predicted, rtol=0, atol=tolerance * np.abs(predicted).max())


# --- a run, mode by mode -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["rotated", "fourier"])
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("split", ["none", "volumetric_deviatoric", "spectral"])
@pytest.mark.parametrize("grid", [PLANE, ODD, SPACE], ids=["plane", "odd", "space"])
def test_every_mode_of_a_run_grows_by_the_discrete_factor(grid, split, dissipation, scheme):
    """Also over several unequal steps, and to 1e-6 of the largest factor; growing and decaying modes are among them."""
    state, steps = stability(split, dissipation, grid.dimensions), (0.3, 0.8, 2.0)
    measured = measured_factors(grid, state, steps, scheme)
    for n in range(len(steps)):
        agree(measured[n], state.growth_factors(grid, steps[: n + 1], scheme))
    last = state.growth_factors(grid, steps, scheme)
    assert last.max() > 1.05
    assert last.min() < 0.9


@pytest.mark.parametrize("split", ["none", "spectral"])
def test_a_mean_state_that_is_not_at_rest(split):
    """φ below and above its equilibrium: the mean moves as `after` says and the modes follow it."""
    for phi in (0.2, 0.9):
        state, steps = stability(split, "AT2", 2, phi=phi), (0.3, 0.8, 2.0)
        measured = measured_factors(ODD, state, steps, "rotated")
        agree(measured[-1], state.growth_factors(ODD, steps))
        frozen = np.prod([state.growth_factors(ODD, [step]) for step in steps], axis=0)
        assert np.abs(frozen / state.growth_factors(ODD, steps) - 1).max() > 0.01


@pytest.mark.parametrize("split", ["none", "volumetric_deviatoric", "spectral"])
def test_under_mean_stresses_the_uniform_mode_has_a_rate_of_its_own(split):
    """ε_yy and ε_xy free, and a φ that moves: the mean strain goes with it."""
    state = stability(split, "AT2", 2, phi=0.5)
    kinds = ("strain", "stress", "stress")
    out, scratch = np.empty((3, 1)), np.empty((2, 1))
    state.split.stress(state.strain[:, None], Degradation(ETA).value(np.array([0.5])), out, *scratch)
    control = MeanControl(kinds, [state.strain[0], out[1, 0], out[2, 0]])
    state, steps = replace(state, control=control), (0.3, 0.8)
    measured = measured_factors(ODD, state, steps, "rotated", control)
    predicted = state.growth_factors(ODD, steps)
    agree(measured[-1], predicted)
    clamped = replace(state, control=None).growth_factors(ODD, steps)
    assert predicted[0, 0] > 1.01 * clamped[0, 0]


def test_passes_of_alternate_minimisation_are_steps_without_end():
    state, steps = stability("none", "AT2", 2), (np.inf, np.inf)
    agree(measured_factors(ODD, state, steps, "rotated")[-1], state.growth_factors(ODD, steps))
    assert np.array_equal(state.growth_factors(ODD, [np.inf]) > 1, state.growth_rates(ODD) > 0)


# --- closed forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("d", [2, 3])
def test_waves_along_x_under_uniaxial_strain(dissipation, d):
    """τσ = (g′²/g) Mε² − g″Mε²/2 − c₂ − κk̃² written out, on the grid and in a continuum."""
    grid, strain = (PLANE, SPACE)[d - 2], 0.7
    state = stability("none", dissipation, d, strain=strain * np.eye(3 * d - 3)[0])
    c1, c2, kappa = (3 * GC / (8 * ELL), 0, 0.75 * GC * ELL) if dissipation == "AT1" else (0, GC / ELL, GC * ELL)
    H = 0.5 * (1 - ETA) * MODULUS * strain**2
    phi = (2 * H - c1) / (2 * H + c2)
    assert state.phi == pytest.approx(phi, rel=1e-13)
    B = (2 * (1 - ETA) * (1 - phi)) ** 2 * MODULUS * strain**2 / ((1 - ETA) * (1 - phi) ** 2 + ETA)
    x = grid.axes[0]
    k = 2 * np.pi * np.arange(1, x.cells // 2 + 1) / x.length
    for k2, rates in (
        (4 / x.spacing**2 * np.sin(k * x.spacing / 2) ** 2, state.growth_rates(grid)[(0,) * (d - 1)][1:]),
        (k**2, state.growth_rate(k[:, None] * np.eye(d)[0])),
    ):
        expected = (B - 2 * H - c2 - kappa * k2) / TAU
        np.testing.assert_allclose(rates, expected, rtol=1e-12)
        assert expected[0] > 0
    # The mean has no feedback under given strain, and B(0) under given stress along x.
    assert state.growth_rate(np.zeros(d)) == pytest.approx(-(2 * H + c2) / TAU, rel=1e-13)
    control = MeanControl(("stress", *["strain"] * (3 * d - 4)), np.zeros(3 * d - 3))
    assert replace(state, control=control).growth_rate(np.zeros(d)) == pytest.approx((B - 2 * H - c2) / TAU, rel=1e-12)
    assert state.largest_growth_rate == pytest.approx((B - 2 * H - c2) / TAU, rel=1e-12)
    assert state.cutoff_wavelength == pytest.approx(2 * np.pi * np.sqrt(kappa / (B - 2 * H - c2)), rel=1e-12)


def test_in_an_oblique_direction_shear_relaxes_too():
    """B/4 = ε²[M − 4μ(λ+μ)/M sin⁴θ] about the x axis, without residual stiffness: shear and pressure on the plane by hand."""
    state = DamageStability(make_split("none", LAME, SHEAR, 2), np.array([0.7, 0, 0]), GC, ELL, residual_stiffness=0.0)
    theta = np.linspace(0, np.pi, 13)
    B = state.feedback(np.stack([np.cos(theta), np.sin(theta)], axis=-1))
    expected = 4 * 0.7**2 * (MODULUS - 4 * SHEAR * (LAME + SHEAR) / MODULUS * np.sin(theta) ** 4)
    np.testing.assert_allclose(B, expected, rtol=1e-13)
    np.testing.assert_allclose(np.abs(state.fastest_direction), [1, 0], atol=1e-3)


def test_bands_are_inclined_under_uniaxial_stress():
    """Plane strain, free sides: n at cos²θ = 1 − ν, where B = 8ψ, all that there is."""
    nu = LAME / (2 * (LAME + SHEAR))
    strain = 0.7 * np.array([1, -nu / (1 - nu), 0])
    state = DamageStability(make_split("none", LAME, SHEAR, 2), strain, GC, ELL, residual_stiffness=0.0)
    assert state.fastest_direction[0] ** 2 == pytest.approx(1 - nu, abs=1e-6)
    assert state.feedback(state.fastest_direction) == pytest.approx(8 * state.energy, rel=1e-12)


def test_equal_strains_in_two_directions_leave_a_body_more_stable():
    """B = 4ψ/(1 − ν) in all directions of the plane: no band has these strains."""
    nu, split = LAME / (2 * (LAME + SHEAR)), make_split("none", LAME, SHEAR, 2)
    state = DamageStability(split, np.array([0.7, 0.7, 0]), GC, ELL, residual_stiffness=0.0)
    B = state.feedback(np.random.default_rng(2).normal(size=(5, 2)))
    np.testing.assert_allclose(B, 4 * state.energy / (1 - nu), rtol=1e-12)
    critical = GC / ELL / (4 / (1 - nu) - 2)
    assert state.critical_load == pytest.approx(np.sqrt(critical / state.energy), rel=1e-10)


@pytest.mark.parametrize("split", ["none", "volumetric_deviatoric", "spectral"])
@pytest.mark.parametrize("d", [2, 3])
def test_homogeneous_damage_is_unstable_past_the_peak(split, d):
    """Uniaxial strain without residual stiffness: AT2 from φ = ¼ on, AT1 from its limit on; k_cℓ = √(s² − 1) and √(3/2) s."""
    direction = np.eye(3 * d - 3)[0]
    for dissipation in ("AT1", "AT2"):
        peak = HomogeneousResponse(MODULUS, GC, ELL, dissipation).critical_strain
        made = [
            DamageStability(
                make_split(split, LAME, SHEAR, d), s * peak * direction, GC, ELL, dissipation, residual_stiffness=0.0
            )
            for s in (0.9, 1.0, 1.5)
        ]
        assert made[2].critical_load == pytest.approx(1 / 1.5, rel=1e-10)
        assert made[2].unstable
        expected = np.sqrt(1.5**2 - 1) if dissipation == "AT2" else 1.5 * np.sqrt(1.5)
        assert made[2].cutoff_wavelength == pytest.approx(2 * np.pi * ELL / expected, rel=1e-10)
        if dissipation == "AT2":
            assert made[1].phi == pytest.approx(0.25, rel=1e-13)
            assert made[1].largest_growth_rate == pytest.approx(0, abs=1e-12)
            assert not made[0].unstable
            assert made[0].cutoff_wavelength == np.inf


def test_pressure_never_makes_a_body_unstable_with_a_spectral_split():
    state = stability("spectral", "AT2", 2, strain=np.array([-0.5, -0.3, 0.0]), phi=0.3)
    assert state.critical_load == np.inf
    assert state.largest_growth_rate == pytest.approx(-GC / ELL / TAU)


def test_pressure_that_holds_damage_back_is_no_drive():
    """star_convex with ψ⁺ < 0: damage is not driven, and fluctuations of the strain drive it neither."""
    star = make_split("star_convex", LAME, SHEAR, 2, gamma=5.0)
    state = replace(stability("none", "AT2", 2, strain=np.array([-0.5, -0.5, 0]), phi=0.3), split=star)
    assert star.energies(state.strain[:, None])[0] < 0
    assert np.all(state.feedback(np.eye(2)) == 0)
    agree(measured_factors(ODD, state, [0.3], "rotated")[0], state.growth_factors(ODD, [0.3]))


def test_rates_are_the_limit_of_short_steps():
    state = stability("spectral", "AT2", 3)
    rates, errors = state.growth_rates(SPACE), []
    for step in (1e-3, 1e-4):
        errors.append(np.abs(np.log(state.growth_factors(SPACE, [step])) / step - rates).max() / np.abs(rates).max())
    assert errors[0] < 0.02
    assert errors[1] == pytest.approx(0.1 * errors[0], rel=0.05)


@pytest.mark.parametrize("grid", [PLANE, ODD, SPACE], ids=["plane", "odd", "space"])
def test_symbols_are_those_of_differences(grid):
    """The corner differences of a random field, by rolling: |D_j|² and the products D_j D̄_l of every mode; and −∇²."""
    rng, d = np.random.default_rng(1), grid.dimensions
    u = rng.normal(size=grid.shape)
    hat = np.fft.rfftn(u)
    corner = []
    for n, axis in enumerate(grid.axes):
        v = u
        for m in range(d):
            along = d - 1 - m
            v = (np.roll(v, -1, along) - v) / axis.spacing if m == n else (np.roll(v, -1, along) + v) / 2
        corner.append(np.fft.rfftn(v) / hat)
    t, k2 = discrete_symbols(grid, "rotated")
    for j in range(d):
        for i in range(d):
            np.testing.assert_allclose(t[..., j] * t[..., i], corner[j] * corner[i].conj(), rtol=0, atol=1e-11)
    laplace = sum(
        (2 * u - np.roll(u, 1, d - 1 - n) - np.roll(u, -1, d - 1 - n)) / axis.spacing**2
        for n, axis in enumerate(grid.axes)
    )
    np.testing.assert_allclose(k2, np.fft.rfftn(laplace) / hat, rtol=0, atol=1e-11)


# --- bad input ---------------------------------------------------------------------------------------------------------


def test_bad_input_is_said():
    split = make_split("none", LAME, SHEAR, 2)
    with pytest.raises(InputError, match="3 Mandel components"):
        DamageStability(split, np.zeros(6), GC, ELL)
    with pytest.raises(InputError, match="no energy"):
        DamageStability(make_split("hybrid", LAME, SHEAR, 2), STRAIN[2], GC, ELL)
    with pytest.raises(InputError, match="1 strains for 63 cells"):
        DamageStability(make_split("none", np.full(63, LAME), SHEAR, 2), STRAIN[2], GC, ELL)
    with pytest.raises(InputError, match="viscosity"):
        DamageStability(split, STRAIN[2], GC, ELL, viscosity=0.0)
    with pytest.raises(InputError, match="below 1"):
        DamageStability(split, STRAIN[2], GC, ELL, phi=1.0)
    with pytest.raises(InputError, match="control"):
        DamageStability(split, STRAIN[2], GC, ELL, control=MeanControl(("strain",) * 6, np.zeros(6)))
    state = DamageStability(split, STRAIN[2], GC, ELL)
    with pytest.raises(InputError, match="step"):
        state.growth_factors(PLANE, [0.0])
    with pytest.raises(InputError, match="rotated"):
        state.growth_factors(PLANE, [1.0], "rotatd")
    with pytest.raises(InputError, match="periodic"):
        state.growth_rates(Grid((Axis("x", 8, 8.0, "no_flux"), Axis("y", 8, 8.0))))
    with pytest.raises(InputError, match="dimensions"):
        state.growth_rates(SPACE)
    with pytest.raises(InputError, match="mean damage is 0"):
        DamageStability(split, 1e-6 * STRAIN[2], GC, ELL, "AT1").growth_factors(PLANE, [1.0])
