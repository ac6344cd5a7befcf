"""Landau polynomials of martensite and their closed forms, against quadrature, root finding, minimisation and relaxation."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.integrate import quad, solve_bvp
from scipy.optimize import brentq, minimize, minimize_scalar

from phasefield.analysis import landau
from phasefield.energy.landau_martensite import (
    Coupling,
    CouplingFunction,
    Landau24,
    Landau234,
    Landau246,
    LandauPolynomial,
)
from phasefield.errors import InputError

# Fe₇₀Pd₃₀ in SI: f = ½A₂e² − ¼A₄e⁴ + ⅙A₆e⁶, A₂ = 212 GPa (T − 265 K)/265 K, and κ. Dhote et al. 2014.
SLOPE, T_A, A4, A6, K = 212e9 / 265.0, 265.0, 1.7e13, 3.0e16, 3.15e-8

POLYNOMIALS = [
    Landau246(a=0.3, b=2.0, c=3.0),
    Landau246(a=-0.5, b=1.0, c=1.0),
    Landau246.model_validate(Landau246.example),
    Landau234(A=0.15),
    Landau234(A=-1.0, delta_f=3.0),
    Landau234(A=-3.0),
    Landau234(A=1.0, B=5.0, C=2.0),
    Landau234.model_validate(Landau234.example),
    Landau24(W=2.0),
]
# Below T₀ and T_A of the examples.
T = 263.0


class Scenario(BaseModel):
    model_config = ConfigDict(extra="forbid")

    landau: LandauPolynomial = Landau24()
    coupling: CouplingFunction = Coupling()


def of_one(polynomial, temperature=T):
    """f as a function of one number."""
    f, values = polynomial.expression(), polynomial.parameter_values(temperature)
    return lambda x: f.evaluate(eta=x, **values)


def label(polynomial):
    return f"{polynomial.name}-{getattr(polynomial, 'a', getattr(polynomial, 'A', ''))}".replace(" ", "")


# Polynomials.


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_246_of_several_fields(count):
    names = [f"eta_{i}" for i in range(1, count + 1)]
    polynomial = Landau246(a=-0.4, b=2.0, c=3.0)
    f = polynomial.expression(names)
    assert f.variables == tuple(names)
    x = np.random.default_rng(1).uniform(-1, 1, (count, 50))
    got = f.evaluate(**dict(zip(names, x, strict=True)), **polynomial.parameter_values())
    s = (x**2).sum(0)
    np.testing.assert_allclose(got, -0.2 * s - 0.5 * (x**4).sum(0) + 0.5 * s**3, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("count", [1, 2, 12])
def test_234_of_several_fields(count):
    names = [f"eta_{i}" for i in range(1, count + 1)]
    polynomial = Landau234(A=0.15, delta_f=2.0)
    x = np.random.default_rng(2).uniform(-1, 1, (count, 50))
    got = polynomial.expression(names).evaluate(**dict(zip(names, x, strict=True)), **polynomial.parameter_values())
    s = (x**2).sum(0)
    expected = 2.0 * (0.075 * s - 4.15 * (x**3).sum(0) + 3.075 * s**2)
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("polynomial", POLYNOMIALS, ids=label)
def test_derivatives_are_differences(polynomial):
    names = ["eta"] if polynomial.name == "landau_24" else ["u", "v", "w"]
    f, values = polynomial.expression(names, shift="a_shift"), polynomial.parameter_values(T)
    assert set(f.parameters) == set(values) == set(polynomial.parameters)
    assert f.variables == (*names, "a_shift")
    rng = np.random.default_rng(3)
    state = {n: rng.uniform(-1, 1, 20) for n in names} | {"a_shift": rng.uniform(-1, 1, 20)}
    h = 1e-5
    for _ in range(2):
        up, down = ({**state, names[0]: state[names[0]] + d} for d in (h, -h))
        numeric = (f.evaluate(**up, **values) - f.evaluate(**down, **values)) / (2 * h)
        f = f.derivative(names[0])
        np.testing.assert_allclose(f.evaluate(**state, **values), numeric, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("polynomial", POLYNOMIALS, ids=label)
def test_shift_is_added(polynomial):
    names = ["u"] if polynomial.name == "landau_24" else ["u", "v"]
    values = polynomial.parameter_values(T)
    state = {n: np.linspace(-1, 1.2, 9) ** (i + 1) for i, n in enumerate(names)}
    shift = np.linspace(-2, 3, 9)
    with_shift = polynomial.expression(names, shift="d").evaluate(**state, d=shift, **values)
    without = polynomial.expression(names).evaluate(**state, **values)
    expected = without + 0.5 * shift * sum(x**2 for x in state.values())
    np.testing.assert_allclose(with_shift, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("polynomial", POLYNOMIALS, ids=label)
def test_well_is_a_minimum(polynomial):
    f, well = of_one(polynomial), polynomial.well(T)
    found = minimize_scalar(f, bounds=(0.7 * well, 1.3 * well), method="bounded", options={"xatol": 1e-12})
    assert found.x == pytest.approx(well, rel=1e-7)
    low, high = polynomial.range(T)
    assert low < 0.0 < well < high
    # All stationary points of f lie in the range, so that a relaxation without load stays there.
    x = np.linspace(-3 * well, 3 * well, 200_001)
    slope = np.gradient(f(x), x)
    crossings = x[1:][np.sign(slope[1:]) != np.sign(slope[:-1])]
    assert low < crossings.min()
    assert crossings.max() < high


@pytest.mark.parametrize(
    "polynomial",
    [Landau246(a=0.1, b=1.0, c=1.0), Landau246(a=-1.0, b=1.0, c=2.0), Landau234(A=0.15), Landau234(A=-1.0)],
    ids=label,
)
def test_wells_of_three_fields_lie_on_the_axes(polynomial):
    names = ["u", "v", "w"]
    f, values, well = polynomial.expression(names), polynomial.parameter_values(), polynomial.well()
    depth = f.evaluate(u=well, v=0.0, w=0.0, **values)
    slopes = [f.derivative(n) for n in names]

    def density(x):
        return float(f.evaluate(u=x[0], v=x[1], w=x[2], **values))

    def gradient(x):
        return np.array([float(g.evaluate(u=x[0], v=x[1], w=x[2], **values)) for g in slopes])

    rng = np.random.default_rng(4)
    ends = [
        minimize(
            density, rng.uniform(-1, 1, 3), jac=gradient, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10}
        )
        for _ in range(20)
    ]
    deepest = min(ends, key=lambda r: r.fun)
    assert deepest.fun == pytest.approx(depth, rel=1e-9)
    assert np.sort(np.abs(deepest.x)) == pytest.approx([0.0, 0.0, well], abs=1e-4)
    # Curvature towards another variant: b e₀² and Δf B η₀.
    across = f.derivative("v").derivative("v").evaluate(u=well, v=0.0, w=0.0, **values)
    expected = values["b"] * well**2 if "b" in values else values["B"] * well
    assert across == pytest.approx(expected, rel=1e-12)


def test_234_minimum():
    for A in (-3.9, -1.0, 0.0, 0.15, 0.2, 5.0):
        polynomial = Landau234(A=A, delta_f=7.0)
        f = of_one(polynomial)
        assert polynomial.well() == pytest.approx(1.0, rel=1e-14)
        assert f(1.0) == pytest.approx(-7.0, rel=1e-14)
        slope = polynomial.expression().derivative("eta")
        assert slope.evaluate(eta=1.0, **polynomial.parameter_values()) == pytest.approx(0.0, abs=1e-13)
        x = np.linspace(-5, 5, 10_001)
        assert f(x).min() == pytest.approx(-7.0, rel=1e-12)
    # The published example: A2 = 0.2, A3 = −12.6, A4 = 12.4.
    assert Landau234(A=0.2).coefficients == pytest.approx((0.2, 12.6, 12.4))
    assert Landau234(A=0.15).coefficients == pytest.approx((0.15, 12.45, 12.3))


def test_234_without_a_deep_well():
    """4 AC < B² < 4.5 AC: a well above austenite."""
    shallow = Landau234(A=1.0, B=math.sqrt(4.25), C=1.0)
    assert of_one(shallow)(shallow.well()) > 0.0
    deep = Landau234(A=1.0, B=math.sqrt(4.75), C=1.0)
    assert of_one(deep)(deep.well()) < 0.0


def test_temperature():
    linear = Landau246.model_validate({"a": {"slope": 2.0, "temperature_A": 300.0}, "b": 1.0, "c": 1.0})
    assert linear.temperature_dependent
    assert linear.parameter_values(299.0) == {"a": -2.0, "b": 1.0, "c": 1.0}
    reduced = Landau246.model_validate({"a": {"tau": 0.75}, "b": 2.0, "c": 3.0})
    assert not reduced.temperature_dependent
    assert reduced.quadratic() == pytest.approx(landau.transitions(2.0, 3.0).coexistence)
    assert reduced.tau() == pytest.approx(0.75)
    assert reduced.parameter_values(123.0) == reduced.parameter_values()
    # Fe–31 % Ni: Δf = 3.5e8 (405 − T)/405 J/m³, 4.3e7 at 355 K.
    nickel = Landau234.model_validate({"A": 0.15, "delta_f": {"scale": 3.5e8, "temperature_0": 405.0}})
    assert nickel.temperature_dependent
    assert nickel.parameter_values(355.0)["delta_f"] == pytest.approx(3.5e8 * 50 / 405)
    assert Landau234(A=0.15, delta_f=2).parameter_values()["delta_f"] == 2.0
    for call in (nickel.parameter_values, linear.parameter_values, linear.well, linear.range):
        with pytest.raises(InputError, match="needs a temperature, and none is given"):
            call()
    with pytest.raises(InputError, match="needs a temperature, got nan"):
        linear.well(math.nan)
    with pytest.raises(
        InputError, match="landau_234: needs a temperature below temperature_0 = 405 for delta_f > 0, got 405"
    ):
        nickel.parameter_values(405.0)


def test_no_martensite_above_its_spinodal():
    for tau, exists in ((0.999999, True), (1.0, True), (1.000001, False)):
        polynomial = Landau246.model_validate({"a": {"tau": tau}, "b": 2.0, "c": 3.0})
        assert (polynomial.well() > 0.0) is exists
        assert polynomial.range()[1] == pytest.approx(1.1 * math.sqrt(1 / 3), rel=2e-3)
        assert math.isnan(landau.martensite_strain(polynomial.quadratic(), 2.0, 3.0)) is not exists


@pytest.mark.parametrize(
    ("polynomial", "variables", "shift", "message"),
    [
        (Landau24(), ("u", "v"), None, "landau_24 is a function of one order parameter, not of u, v"),
        (Landau24(), (), None, "not of none"),
        (Landau234(A=0.1), (), None, "landau_234 needs at least one order parameter"),
        (Landau246(a=0.1, b=1.0, c=1.0), ("a",), None, "parameter 'a' has the name of a variable"),
        (Landau246(a=0.1, b=1.0, c=1.0), ("u",), "u", "declared twice"),
        (Landau246(a=0.1, b=1.0, c=1.0), ("u",), "b", "parameter 'b' has the name of a variable"),
        (Landau246(a=0.1, b=1.0, c=1.0), tuple(f"u{i}" for i in range(60)), None, "more than 500"),
    ],
)
def test_variables_that_do_not_fit(polynomial, variables, shift, message):
    with pytest.raises(InputError, match=message):
        polynomial.expression(variables, shift)


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        (None, (), "needs 'name' (landau_24, landau_234, landau_246)"),
        ({}, (), "needs 'name'"),
        ({"name": "landau_245"}, (), "unknown Landau polynomial 'landau_245'; did you mean 'landau_24"),
        ({"name": "landau_246", "a": 1.0, "b": 1.0}, ("c",), "Field required"),
        ({"name": "landau_246", "a": 1.0, "b": 0.0, "c": 1.0}, ("b",), "greater than 0"),
        ({"name": "landau_246", "a": 1.0, "b": 1.0, "c": -1.0}, ("c",), "greater than 0"),
        (
            {"name": "landau_246", "a": "1", "b": 1.0, "c": 1.0},
            ("a",),
            "number, or {tau: …} or {slope: …, temperature_A: …}",
        ),
        ({"name": "landau_246", "a": True, "b": 1.0, "c": 1.0}, ("a",), "must be a number, or {tau"),
        ({"name": "landau_246", "a": math.inf, "b": 1.0, "c": 1.0}, ("a",), "must be a number, or {tau"),
        ({"name": "landau_246", "a": {"ta": 1.0}, "b": 1.0, "c": 1.0}, ("a",), "must be a number, or {tau"),
        ({"name": "landau_246", "a": {"tau": 1.0, "slope": 1.0}, "b": 1.0, "c": 1.0}, ("a", "slope"), "Extra inputs"),
        ({"name": "landau_246", "a": {"slope": 1.0}, "b": 1.0, "c": 1.0}, ("a", "temperature_A"), "Field required"),
        (
            {"name": "landau_246", "a": {"slope": -1.0, "temperature_A": 1.0}, "b": 1.0, "c": 1.0},
            ("a", "slope"),
            "greater than 0",
        ),
        ({"name": "landau_246", "a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}, ("d",), "Extra inputs"),
        ({"name": "landau_234"}, ("A",), "Field required"),
        ({"name": "landau_234", "A": -4.0}, ("A",), "no well of martensite with A = -4: needs A > -4"),
        ({"name": "landau_234", "A": 1.0, "B": 5.0}, ("C",), "B and C have to be given together"),
        ({"name": "landau_234", "A": 1.0, "C": 5.0}, ("C",), "B and C have to be given together"),
        ({"name": "landau_234", "A": 1.0, "B": 2.0, "C": 1.0}, ("A",), "B = 2, C = 1: needs B, C > 0 and B^2 > 4 A C"),
        ({"name": "landau_234", "A": 1.0, "B": -3.0, "C": 1.0}, ("A",), "needs B, C > 0"),
        ({"name": "landau_234", "A": -1.0, "B": 3.0, "C": -1.0}, ("A",), "needs B, C > 0"),
        ({"name": "landau_234", "A": 0.1, "delta_f": 0.0}, ("delta_f",), "must be greater than 0: the energy has no"),
        ({"name": "landau_234", "A": 0.1, "delta_f": "x"}, ("delta_f",), "a number, or {scale: …, temperature_0: …}"),
        ({"name": "landau_234", "A": 0.1, "delta_f": {"scale": 1.0}}, ("delta_f", "temperature_0"), "Field required"),
        ({"name": "landau_24", "W": 0.0}, ("W",), "greater than 0"),
    ],
)
def test_mistakes_are_located(value, place, message):
    with pytest.raises(ValidationError) as error:
        Scenario.model_validate({"landau": value})
    found = [(e["loc"][1:], e["msg"]) for e in error.value.errors()]
    assert len(found) == 1
    assert found[0][0] == place
    assert message in found[0][1]


@pytest.mark.parametrize("polynomial", POLYNOMIALS, ids=label)
def test_round_trip(polynomial):
    written = json.loads(json.dumps(Scenario(landau=polynomial).model_dump(mode="json")))
    assert Scenario.model_validate(written).landau == polynomial
    assert "const" in json.dumps(Scenario.model_json_schema())
    with pytest.raises(ValidationError, match="frozen"):
        polynomial.name = "x"  # type: ignore[misc]


# Coupling.


@pytest.mark.parametrize(
    "coupling", [Coupling(), Coupling(name="quadratic"), *(Coupling(name="levitas", p=p) for p in range(7))]
)
def test_coupling(coupling):
    h, values = coupling.expression("u"), coupling.parameter_values()
    x, d = np.linspace(-0.2, 1.2, 29), 1e-6
    assert h.evaluate(u=np.array([0.0, 1.0]), **values) == pytest.approx([0.0, 1.0], abs=1e-15)
    numeric = (h.evaluate(u=x + d, **values) - h.evaluate(u=x - d, **values)) / (2 * d)
    np.testing.assert_allclose(h.derivative("u").evaluate(u=x, **values), numeric, atol=1e-8)
    written = json.loads(json.dumps(Scenario(coupling=coupling).model_dump(mode="json")))
    assert Scenario.model_validate(written).coupling == coupling
    assert coupling.linear is (coupling.name == "linear")


@pytest.mark.parametrize("p", [0.0, 1.0, 3.0, 6.0])
def test_levitas_leaves_wells_where_they_are(p):
    coupling = Coupling(name="levitas", p=p)
    h, slope = coupling.expression(), coupling.expression().derivative("eta")
    ends = np.array([0.0, 1.0])
    assert slope.evaluate(eta=ends, p=p) == pytest.approx([0.0, 0.0], abs=1e-14)
    assert slope.derivative("eta").evaluate(eta=ends, p=p) == pytest.approx([2 * p, 2 * (p - 6)], abs=1e-12)
    x = np.linspace(0, 1, 1001)
    assert (np.diff(h.evaluate(eta=x, p=p)) > 0).all()
    if p == 3.0:
        np.testing.assert_allclose(h.evaluate(eta=x, p=p), 3 * x**2 - 2 * x**3, atol=1e-15)


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        (1.0, (), "must be linear, quadratic, levitas, or {name: levitas, p: …}"),
        ({"p": 1.0}, (), "must be linear, quadratic"),
        ("quadratc", (), "unknown coupling 'quadratc'; did you mean 'quadratic'?"),
        ({"name": "linear", "p": 2.0}, ("p",), "belongs to coupling 'levitas' only"),
        ({"name": "levitas", "p": 6.5}, ("p",), "less than or equal to 6"),
        ({"name": "levitas", "q": 2.0}, ("q",), "Extra inputs"),
    ],
)
def test_mistakes_in_the_coupling(value, place, message):
    with pytest.raises(ValidationError) as error:
        Scenario.model_validate({"coupling": value})
    (found,) = error.value.errors()
    assert found["loc"][1:] == place
    assert message in found["msg"]


# Homogeneous states of 2-4-6.

SETS_246 = [(1.0, 1.0), (2.0, 3.0), (A4, A6)]


@pytest.mark.parametrize(("b", "c"), SETS_246)
def test_transitions(b, c):
    t = landau.transitions(b, c)
    unit = b**2 / c
    assert 4 * c / b**2 * np.array([t.coexistence, t.martensite_spinodal, t.hysteresis_end]) == pytest.approx(
        [0.75, 1, 1.8]
    )
    scale = math.sqrt(b / c)
    e = np.linspace(1e-3, 1.5, 20_001) * scale

    def lowest(a):
        return landau.energy_density(e, a, b, c).min()

    # Coexistence: the well reaches the energy of austenite.
    a_c = brentq(lowest, 0.1 * unit, 0.19 * unit, xtol=1e-12 * unit)
    assert a_c == pytest.approx(t.coexistence, rel=1e-6)
    # Martensite spinodal and end of the hysteresis: the smallest secant and tangent modulus vanish.
    secant = (landau.stress(e, 0.0, b, c) / e).min()
    tangent = np.gradient(landau.stress(e, 0.0, b, c), e).min()
    assert -secant == pytest.approx(t.martensite_spinodal, rel=1e-6)
    assert -tangent == pytest.approx(t.hysteresis_end, rel=1e-5)


@pytest.mark.parametrize(("b", "c"), SETS_246)
@pytest.mark.parametrize("tau", [-2.0, 0.0, 0.5, 0.75, 0.99])
def test_stress_and_strain(b, c, tau):
    a = 0.25 * tau * b**2 / c
    e0 = landau.martensite_strain(a, b, c)
    polynomial = Landau246.model_validate({"a": {"tau": tau}, "b": b, "c": c})
    assert polynomial.well() == pytest.approx(e0, rel=1e-12)
    unit = c * (b / c) ** 2.5
    assert landau.stress(e0, a, b, c) == pytest.approx(0.0, abs=1e-13 * unit)
    values = polynomial.parameter_values()
    e = np.linspace(-1.2, 1.2, 25) * e0
    f = polynomial.expression()
    np.testing.assert_allclose(
        landau.energy_density(e, a, b, c), f.evaluate(eta=e, **values), rtol=1e-12, atol=1e-14 * unit
    )
    np.testing.assert_allclose(
        landau.stress(e, a, b, c), f.derivative("eta").evaluate(eta=e, **values), rtol=1e-11, atol=1e-13 * unit
    )


def test_critical_stresses_are_extrema():
    for a in (0.05, 0.125, 0.2, 0.3, 0.44):
        got = landau.critical_stresses(a, 1.0, 1.0)
        e_u = math.sqrt(0.3)
        top = minimize_scalar(
            lambda e, a=a: -landau.stress(e, a, 1.0, 1.0), bounds=(0, e_u), method="bounded", options={"xatol": 1e-12}
        )
        bottom = minimize_scalar(
            lambda e, a=a: landau.stress(e, a, 1.0, 1.0), bounds=(e_u, 1.2), method="bounded", options={"xatol": 1e-12}
        )
        assert (got.loading, got.unloading) == pytest.approx((-top.fun, bottom.fun), rel=1e-10)
        assert (got.loading_strain, got.unloading_strain) == pytest.approx((top.x, bottom.x), rel=1e-6)
    # No austenite to load below its spinodal; what is left is the coercive stress between variants.
    below = landau.critical_stresses(-0.5, 1.0, 1.0)
    assert math.isnan(below.loading)
    assert below.unloading < 0.0
    assert math.isnan(landau.critical_stresses(0.451, 1.0, 1.0).unloading)
    assert landau.critical_stresses(0.25, 1.0, 1.0).unloading == pytest.approx(0.0, abs=1e-15)
    # Units scale out.
    unit = A6 * (A4 / A6) ** 2.5
    iron = landau.critical_stresses(0.3 * A4**2 / A6, A4, A6)
    plain = landau.critical_stresses(0.3, 1.0, 1.0)
    assert (iron.loading, iron.unloading) == pytest.approx((plain.loading * unit, plain.unloading * unit), rel=1e-12)


def held(e: float, load: float, a: float) -> float:
    """Where de/dt = load − σ(e), b = c = 1, comes to rest from e."""
    for _ in range(200_000):
        rate = load - e * (a - e * e * (1.0 - e * e))
        if abs(rate) < 1e-9:
            break
        e += 0.3 * rate
    return e


@pytest.mark.parametrize("tau", [0.5, 1.2, 1.5])
def test_critical_stresses_of_a_relaxing_point(tau):
    """Hold and bisect: the smallest load that turns austenite into martensite, the largest that lets it return."""
    a = 0.25 * tau
    theory = landau.critical_stresses(a, 1.0, 1.0)
    middle = math.sqrt(0.3)
    for start, low, high, expected in (
        (0.0, 0.0, 0.2, theory.loading),
        (0.9, -0.2, 0.12, theory.unloading),
    ):
        while high - low > 1e-6:
            load = 0.5 * (low + high)
            if held(start, load, a) > middle:
                high = load
            else:
                low = load
        assert 0.5 * (low + high) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("a", [0.19, 0.25, 0.3, 0.4])
def test_maxwell_stress(a):
    s = landau.maxwell_stress(a, 1.0, 1.0)
    limits = landau.critical_stresses(a, 1.0, 1.0)
    assert max(0.0, limits.unloading) < s < limits.loading
    depths = [
        minimize_scalar(
            lambda e: landau.energy_density(e, a, 1.0, 1.0) - s * e,
            bounds=bounds,
            method="bounded",
            options={"xatol": 1e-12},
        ).fun
        for bounds in ((0.0, limits.loading_strain), (limits.unloading_strain, 1.5))
    ]
    assert depths[0] == pytest.approx(depths[1], abs=1e-12)
    # Equal areas under σ(e), from quadrature.
    roots = np.roots([1.0, 0.0, -1.0, 0.0, a, -s])
    real = np.sort(roots[np.abs(roots.imag) < 1e-9].real)
    low, high = real[real > 0][0], real[-1]
    area = quad(lambda e: landau.stress(e, a, 1.0, 1.0) - s, low, high, epsabs=1e-14)[0]
    assert area == pytest.approx(0.0, abs=1e-10)


def test_maxwell_stress_has_limits():
    t = landau.transitions(2.0, 3.0)
    assert landau.maxwell_stress(t.coexistence, 2.0, 3.0) == pytest.approx(0.0, abs=1e-12)
    end = landau.critical_stresses(t.hysteresis_end * (1 - 1e-12), 2.0, 3.0)
    assert landau.maxwell_stress(t.hysteresis_end, 2.0, 3.0) == pytest.approx(end.loading, rel=1e-9)
    for a in (0.99 * t.coexistence, 1.01 * t.hysteresis_end, -1.0):
        with pytest.raises(InputError, match="no equal-energy stress for a = "):
            landau.maxwell_stress(a, 2.0, 3.0)


# Walls.


def energy_of(f, kappa, low, high, least):
    """∫ √(2κ (f − f_min)) dη."""
    return quad(lambda e: math.sqrt(max(0.0, 2 * kappa * (f(e) - least))), low, high, epsabs=1e-14, epsrel=1e-12)[0]


def check_wall(wall, f, kappa, low, high, least):
    """Energy by quadrature, profile by κ/2 η′² = f − f_min, width from the profile."""
    assert wall.energy == pytest.approx(energy_of(f, kappa, low, high, least), rel=1e-9)
    x = np.linspace(-6, 6, 41) * wall.length
    h = 1e-5 * wall.length
    slope = (wall.profile(x + h) - wall.profile(x - h)) / (2 * h)
    excess = np.maximum(f(wall.profile(x)) - least, 0.0)
    np.testing.assert_allclose(0.5 * kappa * slope**2, excess, rtol=1e-6, atol=1e-9 * excess.max())
    ends = [
        brentq(lambda x, v=low + t * (high - low): wall.profile(x) - v, -60 * wall.length, 60 * wall.length)
        for t in (0.1, 0.9)
    ]
    assert wall.width == pytest.approx(ends[1] - ends[0], rel=1e-8)
    far = wall.profile(np.array([-1e4, 1e4]) * wall.length)
    assert far == pytest.approx([low, high], abs=1e-12 * high)
    assert wall.cells(wall.width / 3) == pytest.approx(3.0)


@pytest.mark.parametrize(("b", "c", "kappa"), [(1.0, 1.0, 1.0), (2.0, 3.0, 0.5), (A4, A6, K)])
def test_austenite_martensite_wall(b, c, kappa):
    wall = landau.austenite_martensite_wall(b, c, kappa)
    a = landau.transitions(b, c).coexistence
    e0 = landau.martensite_strain(a, b, c)
    check_wall(wall, lambda e: landau.energy_density(e, a, b, c), kappa, 0.0, e0, 0.0)
    assert wall.length == pytest.approx(math.sqrt(3 * kappa / c) / e0**2)
    assert wall.energy == pytest.approx(math.sqrt(kappa * c / 3) * e0**4 / 4)


@pytest.mark.parametrize(("b", "c", "kappa"), [(1.0, 1.0, 1.0), (2.0, 3.0, 0.5), (A4, A6, K)])
@pytest.mark.parametrize("tau", [-2.0, 0.0, 0.4, 0.7, 0.749])
def test_twin_wall(b, c, kappa, tau):
    a = 0.25 * tau * b**2 / c
    e0 = landau.martensite_strain(a, b, c)
    wall = landau.twin_wall(a, b, c, kappa)
    least = landau.energy_density(e0, a, b, c)
    check_wall(wall, lambda e: landau.energy_density(e, a, b, c), kappa, -e0, e0, least)


@pytest.mark.parametrize(("a", "energy"), [(-0.5, 1.501415), (0.0, 0.637410), (0.1, 0.424318), (0.15, 0.297083)])
def test_twin_energies_of_the_table(a, energy):
    assert landau.twin_wall(a, 1.0, 1.0, 1.0).energy == pytest.approx(energy, abs=5e-7)


def test_twin_wall_splits_at_coexistence():
    a = landau.transitions(1.0, 1.0).coexistence
    half = landau.austenite_martensite_wall(1.0, 1.0, 1.0)
    walls = [landau.twin_wall(a * (1 - d), 1.0, 1.0, 1.0) for d in (1e-6, 1e-8, 1e-10)]
    assert walls[-1].energy == pytest.approx(2 * half.energy, rel=1e-8)
    # The layer of austenite grows by the same amount for every factor: w ln 100 / 2 on each side.
    growth = np.diff([wall.width for wall in walls])
    assert growth == pytest.approx([half.length * math.log(100)] * 2, rel=1e-3)
    with pytest.raises(InputError, match=r"no twin wall at rest for a = 0\.1875: needs a < 3b²/16c = 0\.1875"):
        landau.twin_wall(a, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(("W", "kappa"), [(1.0, 1.0), (5.0, 0.3)])
def test_double_well_wall(W, kappa):
    wall = landau.double_well_wall(W, kappa)
    f = of_one(Landau24(W=W))
    check_wall(wall, f, kappa, -1.0, 1.0, 0.0)
    assert wall.energy == pytest.approx(2 * math.sqrt(2) / 3 * math.sqrt(kappa * W))


@pytest.mark.parametrize("A", [-1.0, 0.0, 0.15])
def test_variant_wall_on_its_line(A):
    """Along η₁ + η₂ = 1 the gradient energy is κ |∇η₁|²: a single field with 2κ."""
    polynomial, kappa = Landau234(A=A, delta_f=2.0), 0.7
    f, values = polynomial.expression(("u", "v")), polynomial.parameter_values()
    wall = landau.variant_wall(A, 2.0, kappa)
    check_wall(wall, lambda u: f.evaluate(u=u, v=1.0 - u, **values), 2 * kappa, 0.0, 1.0, -2.0)


@pytest.mark.parametrize(("A", "excess", "tolerance"), [(0.0, 0.0, 1e-9), (0.15, 9.64e-5, 1e-6), (-1.0, 6.22e-3, 1e-4)])
def test_variant_wall_of_two_free_fields(A, excess, tolerance):
    B, C = 3 * A + 12, 2 * A + 12
    wall = landau.variant_wall(A, 1.0, 1.0)

    def right_hand_side(x, y):
        u, v, du, dv = y
        s = u * u + v * v
        return np.array([du, dv, u * (A - B * u + C * s), v * (A - B * v + C * s)])

    def ends(y0, y1):
        return np.array([y0[0] - y0[1], y0[2] + y0[3], y1[0] - 1.0, y1[1]])

    x = np.linspace(0.0, 12 * wall.length, 401)
    u = wall.profile(x)
    start = np.array([u, 1 - u, np.gradient(u, x), -np.gradient(u, x)])
    solution = solve_bvp(right_hand_side, ends, x, start, tol=1e-8, max_nodes=20_000)
    assert solution.success
    x = np.linspace(0.0, 12 * wall.length, 40_001)
    u, v, du, dv = solution.sol(x)
    s = u * u + v * v
    f = 0.5 * A * s - B / 3 * (u**3 + v**3) + 0.25 * C * s * s + 1.0
    energy = 2 * np.trapezoid(f + 0.5 * (du**2 + dv**2), x)
    assert 1 - energy / wall.energy == pytest.approx(excess, abs=tolerance)


# 2-3-4.


@pytest.mark.parametrize("A", [-3.0, -1.0, 0.15, 0.2, 4.0])
def test_barrier(A):
    b = landau.barrier(A)
    f = of_one(Landau234(A=A))
    h = 1e-4 * max(abs(b.position), 0.01)
    assert (f(b.position + h) - f(b.position - h)) / (2 * h) == pytest.approx(0.0, abs=1e-7)
    assert f(b.position) == pytest.approx(b.height, rel=1e-11)
    h = 1e-4
    curvatures = [(f(x + h) - 2 * f(x) + f(x - h)) / h**2 for x in (0.0, 1.0)]
    assert curvatures == pytest.approx([b.austenite_curvature, b.martensite_curvature], rel=1e-5, abs=1e-6)
    if A == 0.15:
        assert b.position == pytest.approx(0.0122, abs=5e-5)
        assert b.height == pytest.approx(3.7e-6, abs=5e-8)


@pytest.mark.parametrize("A", [-1.0, 0.15, 3.0])
def test_transformation_front(A):
    """−v η′ = L (κη″ − f′), and the speed of a simulated front."""
    delta_f, kappa, mobility = 2.0, 0.7, 1.3
    front = landau.transformation_front(A, delta_f, kappa, mobility)
    slope = Landau234(A=A, delta_f=delta_f).expression().derivative("eta")
    values = Landau234(A=A, delta_f=delta_f).parameter_values()
    x, h = np.linspace(-8, 8, 33) * front.length, 1e-3 * front.length
    left, middle, right = (front.profile(x + d) for d in (-h, 0.0, h))
    force = kappa * (right - 2 * middle + left) / h**2 - slope.evaluate(eta=middle, **values)
    np.testing.assert_allclose(-front.speed * (right - left) / (2 * h), mobility * force, atol=1e-5 * delta_f)
    ten, ninety = (brentq(lambda x, v=v: front.profile(x) - v, -50, 50) for v in (0.1, 0.9))
    assert front.width == pytest.approx(ten - ninety, rel=1e-8)


def test_a_front_travels():
    front = landau.transformation_front(0.15, 1.0, 1.0)
    slope = Landau234(A=0.15).expression().derivative("eta")
    values = Landau234(A=0.15).parameter_values()
    h = front.length / 8
    x = (np.arange(480) - 160) * h
    eta, dt, times = front.profile(x), 0.2 * h**2, []
    for step in range(6001):
        if step in (3000, 6000):
            times.append((step * dt, np.interp(-0.5, -eta, x)))
        eta[1:-1] += dt * ((eta[2:] - 2 * eta[1:-1] + eta[:-2]) / h**2 - slope.evaluate(eta=eta[1:-1], **values))
    (t0, x0), (t1, x1) = times
    assert (x1 - x0) / (t1 - t0) == pytest.approx(front.speed, rel=5e-3)


# Fe–Pd.


def test_iron_palladium():
    alloy = Landau246.model_validate({"a": {"slope": SLOPE, "temperature_A": T_A}, "b": A4, "c": A6})
    t = landau.transitions(A4, A6).temperatures(SLOPE, T_A)
    assert t.austenite_spinodal == T_A
    assert t.coexistence == pytest.approx(267.26, abs=5e-3)
    assert t.martensite_spinodal == pytest.approx(268.0, abs=5e-2)
    assert t.hysteresis_end == pytest.approx(270.4, abs=5e-2)
    for temperature, strain in ((T_A, 0.0238), (t.coexistence, 0.0206), (250.0, 0.0312)):
        assert alloy.well(temperature) == pytest.approx(strain, abs=5e-5)
    wall = landau.austenite_martensite_wall(A4, A6, K)
    assert wall.length == pytest.approx(4.2e-9, abs=5e-11)
    assert wall.energy == pytest.approx(0.80e-3, abs=5e-6)
    assert landau.maxwell_slope(SLOPE, A4, A6) == pytest.approx(8.246e6, rel=1e-4)
    # Secant slopes σ_M/(T − T_c) in MPa/K.
    for dT, secant in ((0.05, 8.28), (0.2, 8.38), (0.5, 8.54), (1.0, 8.79)):
        a = alloy.quadratic(t.coexistence + dT)
        assert landau.maxwell_stress(a, A4, A6) / dT * 1e-6 == pytest.approx(secant, abs=6e-3)
    a = alloy.quadratic(t.coexistence + 1e-4)
    assert landau.maxwell_stress(a, A4, A6) / 1e-4 == pytest.approx(landau.maxwell_slope(SLOPE, A4, A6), rel=1e-4)


def test_scales_of_iron_palladium():
    s = landau.scales(A4, A6, K, density=1e4, mobility=2.0)
    assert s.strain == pytest.approx(0.02380, abs=5e-6)
    assert s.length == pytest.approx(1.808e-9, abs=5e-13)
    assert s.stress == pytest.approx(2.3e8, abs=1e6)
    assert s.energy == pytest.approx(5.46e6, abs=5e3)
    assert s.inertial_time == pytest.approx(1.84e-12, abs=5e-15)
    assert 140e9 / s.modulus == pytest.approx(14.5, abs=0.05)
    assert 280e9 / s.modulus == pytest.approx(29.1, abs=0.05)
    assert s.relaxation_time == pytest.approx(1 / (2 * s.modulus))
    assert math.isnan(landau.scales(A4, A6, K).relaxation_time)
    # In these units b = c = κ = 1, walls included.
    plain, real = landau.austenite_martensite_wall(1.0, 1.0, 1.0), landau.austenite_martensite_wall(A4, A6, K)
    assert real.energy == pytest.approx(plain.energy * s.wall_energy, rel=1e-12)
    assert real.length == pytest.approx(plain.length * s.length, rel=1e-12)
    a = 0.1 * s.modulus
    assert landau.twin_wall(a, A4, A6, K).energy == pytest.approx(
        landau.twin_wall(0.1, 1.0, 1.0, 1.0).energy * s.wall_energy, rel=1e-12
    )
    assert landau.stress(0.5 * s.strain, a, A4, A6) == pytest.approx(landau.stress(0.5, 0.1, 1.0, 1.0) * s.stress)
