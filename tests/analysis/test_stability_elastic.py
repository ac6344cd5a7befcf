"""Linear stability with elasticity: directions, coherent spinodal, the uniform mode, and what `check` says of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.interface import flat_interface
from phasefield.analysis.nonlinearity import Nonlinearity
from phasefield.analysis.predict import predict
from phasefield.analysis.stability import LinearStability
from phasefield.analysis.thinnest_wall import thinnest_wall
from phasefield.mechanics.directions import softest_direction, unit_vectors
from phasefield.models.cahn_hilliard import CahnHilliard
from phasefield.models.martensite import Martensite
from phasefield.models.split import Split
from phasefield.scenario import load_scenario
from phasefield.tables import print_prediction

CUBIC = {"cubic": {"C11": 1.4, "C12": 0.84, "C44": 0.28}}
SHEAR = {"strains": [[1.0, -1.0, 0.0]], "scale": 0.05}
TETRAGONAL = {"generate": {"strain": [-0.1994, 0.1322, 0.1322], "parent": "cubic"}}
LANDAU = {"name": "landau_246", "a": -0.3, "b": 1.0, "c": 1.0}


def martensite(dimensions=2, base=0.0, **parameters):
    data = {"name": "martensite", "gradient_energy": 2.0, "mobility": 0.5, "landau": LANDAU, "stiffness": CUBIC}
    model = Martensite(Martensite.Params.model_validate({**data, "transformation": SHEAR, **parameters}), dimensions)
    return LinearStability(model, dict.fromkeys(model.names, base))


def mixture(dimensions=2, base=0.0, **misfit):
    section = {"stiffness": {"cubic": {"C11": 10.0, "C12": 6.0, "C44": 5.0}}, "strain": 0.1, **misfit}
    data = {"name": "cahn_hilliard", "mobility": 1.5, "gradient_energy": 2.0, "misfit": section}
    return LinearStability(CahnHilliard(CahnHilliard.Params.model_validate(data), dimensions), {"c": base})


def test_rate_of_a_square_lattice_depends_on_the_angle():
    """B(θ) = 4C′ε²(1 − C′/C₁₁)cos²2θ, C′ = (C₁₁ − C₁₂)/2: 0.00224 along ⟨10⟩, 0 along ⟨11⟩."""
    theory = martensite()
    assert np.abs(theory.fastest_direction) == pytest.approx([math.sqrt(0.5), math.sqrt(0.5), 0.0], abs=1e-12)
    assert theory.elastic_part == pytest.approx(0.0, abs=1e-15)
    k = np.array([0.0, 0.1, 0.3])
    for degrees in (0.0, 17.0, 45.0, 90.0, 120.0):
        angle = math.radians(degrees)
        B = 0.00224 * math.cos(2 * angle) ** 2
        found = theory.growth_rate(k, [math.cos(angle), math.sin(angle)])
        np.testing.assert_allclose(found, -0.5 * (-0.3 + 2.0 * k**2 + B), rtol=1e-12)
    assert theory.largest_growth_rate == pytest.approx(0.15, rel=1e-12)
    assert theory.fastest_wavelength == math.inf
    assert theory.cutoff_wavenumber == pytest.approx(math.sqrt(0.15), rel=1e-9)


def test_uniform_mode_feels_the_load():
    """ε⁰:C:ε⁰ = 2ε²(C₁₁ − C₁₂) in a clamped cell, nothing in a free one; long waves do not care."""
    clamped, free = martensite(load="strain"), martensite(load="stress")
    assert clamped.uniform_growth_rate == pytest.approx(-0.5 * (-0.3 + 2 * 0.05**2 * 0.56), rel=1e-12)
    assert free.uniform_growth_rate == pytest.approx(0.15, rel=1e-12)
    assert clamped.growth_rate(0.0) == free.growth_rate(0.0) == pytest.approx(0.15, rel=1e-12)
    assert mixture().uniform_growth_rate == 0.0


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_coherent_spinodal(dimensions):
    """f″ → f″ + B: ε²(C₁₁ + 2C₁₂)·2(C₁₁ − C₁₂)/C₁₁ along ⟨100⟩, where this crystal is softest."""
    theory = mixture(dimensions)
    B = 0.01 * 22.0 * 2.0 * 4.0 / 10.0
    assert theory.elastic_part == pytest.approx(B, rel=1e-9)
    assert sorted(np.abs(theory.fastest_direction)) == pytest.approx([0.0, 0.0, 1.0], abs=1e-7)
    f2 = -1.0 + B
    assert theory.curvature("c") == pytest.approx(-1.0)
    assert theory.fastest_wavelength == pytest.approx(2 * math.pi * math.sqrt(2 * 2.0 / abs(f2)), rel=1e-8)
    assert theory.largest_growth_rate == pytest.approx(1.5 * f2**2 / (4 * 2.0), rel=1e-9)
    assert theory.cutoff_wavenumber == pytest.approx(math.sqrt(abs(f2) / 2.0), rel=1e-9)
    if dimensions > 1:
        assert theory.growth_rate(0.3, [1, 1]) < theory.growth_rate(0.3)
    # Inside the chemical spinodal but outside the coherent one.
    assert not mixture(dimensions, base=0.56).unstable
    assert LinearStability(theory.model, {"c": 0.5}).unstable


def test_coherent_phases_share_a_tangent_of_the_stiffened_energy():
    """¼(c² − 1)² + ½Bc²: c = ±√(1 − B), and a double well between them."""
    theory = mixture()
    B = theory.elastic_part
    interface = flat_interface(theory.model, 0.0)
    assert (interface.low, interface.high) == pytest.approx((-math.sqrt(1 - B), math.sqrt(1 - B)), abs=1e-9)
    assert interface.energy == pytest.approx(math.sqrt(2 * 2.0 * 0.25) * (2 * math.sqrt(1 - B)) ** 3 / 6, rel=1e-6)


def test_variants_whose_strains_add_up_to_zero():
    """η₁ = η₂ has no strain and grows alike in all directions; the other combination tells that ⟨11⟩ is the direction."""
    theory = martensite(transformation={"generate": {"strain": [1.0, -1.0], "parent": "square"}}, base=0.0)
    assert np.abs(theory.fastest_direction) == pytest.approx([math.sqrt(0.5), math.sqrt(0.5), 0.0], abs=1e-12)
    np.testing.assert_allclose(theory.elastic_parts(), 0.0, atol=1e-14)
    np.testing.assert_allclose(theory.elastic_parts([1, 0]), [0.0, 2 * 0.00224 / 0.05**2], atol=1e-12)


def test_tetragonal_variants_are_soft_on_their_twin_planes():
    theory = martensite(3, transformation=TETRAGONAL)
    assert sorted(np.abs(theory.fastest_direction)) == pytest.approx([0.0, math.sqrt(0.5), math.sqrt(0.5)], abs=1e-9)
    assert theory.elastic_part == pytest.approx(0.0, abs=1e-15)
    assert theory.isotropic
    G = theory.growth_matrix(np.array([0.2, 0.4]), [0.3, -0.2, 0.9])
    expected = theory.model.growth_matrix(theory.base, np.array([0.2, 0.4]), np.array([0.3, -0.2, 0.9]))
    np.testing.assert_allclose(G, expected, rtol=1e-12)


def test_a_transformed_state_is_not_isotropic():
    theory = martensite(
        transformation={"generate": {"strain": [1.0, -1.0], "parent": "square"}},
        landau={"name": "landau_234", "A": -0.5},
    )
    moved = LinearStability(theory.model, {"eta_1": 1.0, "eta_2": 0.0})
    assert theory.isotropic
    assert not moved.isotropic
    assert not moved.unstable
    H = moved.curvature_matrix
    assert (H[0, 0], H[1, 1], H[0, 1]) == pytest.approx((11.5, 10.5, 0.0))


def test_without_elasticity_there_is_no_direction():
    theory = pf.linear_stability(
        {
            "model": {"name": "allen_cahn"},
            "grid": {"x": {"cells": 8, "length": 8.0}},
            "initial": {"phi": 0.0},
            "time": {"end": 1.0},
        }
    )
    assert not theory.directional
    assert theory.fastest_direction is None
    assert theory.elastic_part == 0.0
    assert theory.uniform_growth_rate == pytest.approx(1.0)


def test_search_finds_isolated_minima_to_rounding():
    """Habit planes have no low indices: (n·a)² + (n·b)² with a, b at random vanishes along a × b."""
    rng = np.random.default_rng(4)
    for _ in range(5):
        a, b = rng.normal(size=(2, 3))

        def matrix(n, a=a, b=b):
            value = (n @ a) ** 2 + (n @ b) ** 2
            return np.stack([value + 1.0, 0.0 * value, 0.0 * value, value + 1.0], axis=-1).reshape(-1, 2, 2)

        n, expected = softest_direction(matrix, 3), np.cross(a, b)
        assert abs(n @ expected) / np.linalg.norm(expected) == pytest.approx(1.0, abs=1e-12)
    angle = 0.2345
    m = np.array([math.cos(angle), math.sin(angle), 0.0])
    n = softest_direction(lambda v: (1.0 - (v @ m) ** 2).reshape(-1, 1, 1), 2)
    assert abs(n @ m) == pytest.approx(1.0, abs=1e-14)
    for dimensions in (1, 2, 3):
        vectors = unit_vectors(dimensions)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)
        assert not np.any(vectors[:, dimensions:])
    assert unit_vectors(3)[:3] == pytest.approx(np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]))


def test_measure_of_nonlinearity():
    """One field: the closed form for ½ae² − ¼be⁴. Two fields of 2-3-4: the quadratic force dominates. Twelve: by sampling."""
    theory = martensite(landau={"name": "landau_246", "a": -0.3, "b": 1.0, "c": 1e-30})
    s = 0.02
    # f″ = a − 3bη²: mean −3bs², variance 18b²s⁴.
    expected = 3 * s**2 / 0.3 + 20 * 18 * s**4 / 0.09
    assert Nonlinearity(Split(theory.model), theory.base, 0.3)(np.array([s])) == pytest.approx(expected, rel=1e-10)
    landau = {"name": "landau_234", "A": -0.5}
    for transformation, rel in (({"generate": {"strain": [1.0, -1.0], "parent": "square"}}, 5e-3), (NITI, 0.05)):
        theory = martensite(3, transformation=transformation, landau=landau)
        count = len(theory.model.names)
        measure = Nonlinearity(Split(theory.model), theory.base, 0.5)(np.full(count, 1e-5))
        # ∂²f/∂η_p² = A − 2Bη_p + …, B = 10.5, on the diagonal alone.
        assert measure == pytest.approx(20 * (21.0 * 1e-5) ** 2 / 0.25, rel=rel)


NITI = {
    "generate": {
        "stretch": [[0.9563, -0.0427, -0.0427], [-0.0427, 1.0243, 0.058], [-0.0427, 0.058, 1.0243]],
        "parent": "cubic",
    }
}


# what `check` says


def whole(theory, **sections):
    grid = {a: {"cells": 16, "length": 16.0} for a in "xyz"[: theory.model.dimensions]}
    model = theory.model.parameters.model_dump(mode="json", exclude_none=True)
    initial = {key: {"mean": 0.0, "noise": 0.01} for key in theory.base}
    return {"model": model, "grid": grid, "initial": initial, "time": {"end": 1.0, "step": 0.1}, **sections}


def test_check_prints_direction_and_elastic_part(capsys):
    for theory, direction, part in (
        (martensite(), "n = (0.707107, 0.707107)", "0 along n"),
        (mixture(), "n = (1, 0)", "0.176 along n"),
    ):
        loaded = load_scenario(whole(theory))
        print_prediction(loaded, predict(loaded))
        shown = capsys.readouterr().out
        assert direction in shown
        assert part in shown
        assert ("uniform mode" in shown) == ("eta" in theory.base)


def test_thin_walls_are_warned_of():
    two = {"generate": {"strain": [1.0, -1.0], "parent": "square"}}
    for kappa, warned in ((1.0, True), (4.0, False)):
        loaded = load_scenario(
            whole(martensite(transformation=two, landau={"name": "landau_234", "A": -0.5}, gradient_energy=kappa))
        )
        prediction = predict(loaded)
        assert prediction.wall.kind == "twin wall"
        # δ = 2√(κ/C), C = 11; 10–90 % is 2 δ artanh 0.8.
        assert prediction.wall.width == pytest.approx(4 * math.sqrt(kappa / 11.0) * math.atanh(0.8), rel=1e-12)
        assert any("across a wall" in w for w in prediction.warnings) == warned


def test_thinnest_wall_over_a_temperature_history():
    """Colder walls are thinner; above coexistence the wall between austenite and martensite stands in."""
    landau = {"name": "landau_246", "a": {"slope": 1.0, "temperature_A": 0.0}, "b": 1.0, "c": 1.0}
    warm = martensite(landau=landau, temperature=0.24).model
    cold = martensite(landau=landau, temperature=[[0, 0.1], [5, -0.5], [9, 0.2]]).model
    assert thinnest_wall(warm).kind == "wall between austenite and martensite"
    assert thinnest_wall(cold).energy == pytest.approx(1.501415 * math.sqrt(2.0), rel=1e-6)
    assert thinnest_wall(mixture().model) is None
