"""Ready-made free energies: values, derivatives, phase diagram, and how they read and write in a scenario."""

import json

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from scipy.optimize import brentq

from phasefield.energy.free_energies import (
    DoubleWell,
    FloryHuggins,
    Formula,
    FreeEnergy,
    FreeEnergyBase,
    Interaction,
    Landau,
    check_variables,
)
from phasefield.errors import InputError
from phasefield.registry import lookup, names


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    free_energy: FreeEnergy = DoubleWell()

    @field_validator("free_energy")
    @classmethod
    def _of_c(cls, value: FreeEnergyBase) -> FreeEnergyBase:
        return check_variables(value, ("c",))


class Scenario(BaseModel):
    model: Model


def read(value):
    return Scenario.model_validate({"model": {"free_energy": value}}).model.free_energy


def errors(value):
    with pytest.raises(ValidationError) as error:
        read(value)
    return [(e["loc"][2:], e["msg"]) for e in error.value.errors()]


def example(name):
    return lookup("free_energy", name)(**lookup("free_energy", name).example)


@pytest.mark.parametrize("name", names("free_energy"))
def test_derivatives_are_differences(name):
    energy = example(name)
    f = energy.expression(("c",))
    p = energy.parameter_values()
    assert set(f.parameters) == set(p)
    c, h = np.linspace(-0.1, 1.1, 14), 1e-5
    for _ in range(2):
        slope = f.derivative("c")
        numeric = (f.evaluate(c=c + h, **p) - f.evaluate(c=c - h, **p)) / (2 * h)
        exact = slope.evaluate(c=c, **p)
        np.testing.assert_allclose(exact, numeric, atol=1e-8 * abs(exact).max() + 1e-6)
        f = slope


@pytest.mark.parametrize("name", names("free_energy"))
def test_round_trip(name):
    energy = example(name)
    written = json.loads(json.dumps(Model(free_energy=energy).model_dump(mode="json")))
    assert Model(**written).free_energy == energy
    assert read(lookup("free_energy", name).example | {"name": name}) == energy
    assert energy.__doc__
    assert energy.example


def test_double_well():
    assert DoubleWell().expression(("phi",)).variables == ("phi",)
    f = DoubleWell().expression()
    c = np.linspace(-1.5, 1.5, 7)
    np.testing.assert_allclose(f.evaluate(c=c, **DoubleWell().parameter_values()), 0.25 * (c**2 - 1) ** 2)
    well = DoubleWell(barrier=5.0, low=0.3, high=0.7)
    assert well.expression().evaluate(c=0.5, **well.parameter_values()) == pytest.approx(5 * 0.2**4)


def test_landau():
    well = Landau(coefficients={2: -0.5, 4: 0.25})
    f, p = well.expression(), well.parameter_values()
    assert f.evaluate(c=1.0, **p) == -0.25
    assert f.derivative("c").evaluate(c=1.0, **p) == 0.0
    assert f.derivative("c").derivative("c").evaluate(c=1.0, **p) == 2.0


# docs: regular solution, Ω/RT -> binodal and spinodal composition on the dilute side.
@pytest.mark.parametrize(
    ("chi", "binodal", "spinodal"),
    [(2.5, 0.144794, 0.276393), (3.0, 0.070720, 0.211325), (4.0, 0.021248, 0.146447)],
)
def test_regular_solution_phase_diagram(chi, binodal, spinodal):
    energy = FloryHuggins(interaction=Interaction(a=chi))
    p = energy.parameter_values()
    slope = energy.expression().derivative("c")
    curvature = slope.derivative("c")
    assert brentq(lambda c: slope.evaluate(c=c, **p), 1e-3, spinodal) == pytest.approx(binodal, abs=1e-6)
    assert brentq(lambda c: curvature.evaluate(c=c, **p), 1e-3, 0.5) == pytest.approx(spinodal, abs=1e-6)


def test_chains_shift_the_critical_point():
    # Flory: χ_c = ½ (1/√N₁ + 1/√N₂)² at c = √N₂/(√N₁ + √N₂).
    n1, n2 = 16.0, 4.0
    critical = Interaction(a=0.5 * (0.25 + 0.5) ** 2)
    energy = FloryHuggins(length_1=n1, length_2=n2, interaction=critical)
    f, p = energy.expression(), energy.parameter_values()
    second = f.derivative("c").derivative("c")
    assert second.evaluate(c=2 / 6, **p) == pytest.approx(0, abs=1e-12)
    assert second.derivative("c").evaluate(c=2 / 6, **p) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("end", ["c = δ", "c = 1 − δ"])
def test_continuation_is_smooth(end):
    energy = FloryHuggins(interaction=Interaction(a=2.5), continuation=1e-3)
    f, p = energy.expression(), energy.parameter_values()
    join = 1e-3 if end == "c = δ" else 1 - 1e-3
    c = join * (1 + np.array([-1e-12, 1e-12]))
    for _ in range(3):
        left, right = f.evaluate(c=c, **p)
        assert left == pytest.approx(right, rel=1e-8)
        f = f.derivative("c")
    assert np.isfinite(energy.expression().evaluate(c=np.array([-3.0, 0.0, 1.0, 4.0]), **p)).all()


def test_interaction_with_temperature():
    energy = read({"name": "flory_huggins", "interaction": {"a": 0.5, "b": 600.0}, "temperature": 300.0})
    assert energy.parameter_values()["chi"] == 2.5


def test_formula():
    assert read("0.25*(c**2 - 1)**2") == Formula(formula="0.25*(c**2 - 1)**2")
    energy = read({"formula": "W*c**2", "parameters": {"W": 2}})
    assert energy.expression().evaluate(c=3.0, **energy.parameter_values()) == 18.0
    two = Formula(formula="a*b")
    assert two.expression(("a", "b")).derivative("a").evaluate(a=1.0, b=5.0) == 5.0
    with pytest.raises(InputError, match="one field, not of a, b"):
        DoubleWell().expression(("a", "b"))


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        ("x*c", (), "free energy: 'x' in column 1 is not known"),
        ("{c}", (), "'{c}' in column 1 is not allowed"),
        (None, (), "must be a formula, {formula: …} or {name: …}"),
        (True, (), "must be a formula"),
        ({}, (), "needs 'name' (double_well, flory_huggins, formula, landau) or 'formula'"),
        ({"name": "double_wel"}, (), "did you mean 'double_well'?"),
        ({"name": ["double_well"]}, (), "needs 'name'"),
        ({"name": "double_well", "barier": 1.0}, ("barier",), "Extra inputs"),
        ({"name": "double_well", "barrier": 0.0}, ("barrier",), "greater than 0"),
        ({"name": "double_well", "barrier": "1"}, ("barrier",), "valid number"),
        ({"name": "double_well", "barrier": True}, ("barrier",), "valid number"),
        ({"name": "double_well", "barrier": float("nan")}, ("barrier",), ""),
        ({"name": "double_well", "low": 2.0}, ("high",), "must be above low = 2.0"),
        ({"name": "flory_huggins"}, ("interaction",), "Field required"),
        ({"name": "flory_huggins", "interaction": "x"}, ("interaction",), "a number χ, or {a: …, b: …}"),
        ({"name": "flory_huggins", "interaction": {"c": 2.0}}, ("interaction", "c"), "Extra inputs"),
        ({"name": "flory_huggins", "interaction": {"b": 2.0}}, ("temperature",), "is needed"),
        (
            {"name": "flory_huggins", "interaction": 2.0, "length_1": 0.0},
            ("length_1",),
            "greater than or equal to 1",
        ),
        (
            {"name": "landau", "coefficients": {3: 1.0}},
            ("coefficients",),
            "the highest power (3) must be even",
        ),
        ({"name": "landau", "coefficients": {2: -1.0}}, ("coefficients",), "with a positive coefficient"),
        ({"name": "landau", "coefficients": {2: 0.0}}, ("coefficients",), "at least one power"),
        (
            {"name": "landau", "coefficients": {14: 1.0}},
            ("coefficients", 14, "[key]"),
            "less than or equal to 12",
        ),
        ({"formula": "W*c"}, (), "'W' in column 1 is not known"),
        ({"formula": "c", "parameters": {"W": 1.0}}, (), "parameter 'W' does not occur in 'c'"),
        ({"formula": "c", "parameters": {"c": 1.0}}, (), "has the name of a variable"),
        ({"formula": "c", "parameters": {"exp": 1.0}}, ("parameters",), "'exp' is reserved"),
        ({"formula": "c", "parameters": {"2a": 1.0}}, ("parameters",), "not a valid name"),
    ],
)
def test_mistakes_are_located(value, place, message):
    found = errors(value)
    assert found[0][0] == place
    assert message in found[0][1]


def test_schema_shows_the_alternatives():
    schema = json.dumps(Scenario.model_json_schema())
    for name in names("free_energy"):
        assert f'"const": "{name}"' in schema
    Scenario.model_json_schema(mode="serialization")


def test_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        DoubleWell().barrier = 1.0  # type: ignore[misc]
