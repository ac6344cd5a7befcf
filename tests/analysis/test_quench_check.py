"""`verify.crack_row`: the scenario thermal_shock, small, and what makes the check fail or not apply."""

from __future__ import annotations

from pathlib import Path

import pytest

import phasefield as pf

SCENARIO = Path(__file__).parents[2] / "scenarios" / "thermal_shock.yaml"


@pytest.fixture(scope="module")
def quenched(tmp_path_factory):
    return pf.run(SCENARIO, output=tmp_path_factory.mktemp("quench") / "run", test=True, threads=1)


def found(run, **theory):
    checks = pf.verify(run, theory).checks
    return next(c for c in checks if c.name == "spacing of cracks")


def test_the_first_cracks_have_the_wavelength_of_the_instability(quenched):
    check = found(quenched)
    assert check.status == "pass"
    assert check.expected == pytest.approx(4.33, abs=0.02)
    assert check.measured == pytest.approx(4.0)


def test_another_theory_fails(quenched):
    """With four times the toughness the shock is half as hard, and the cracks would be 70 % further apart."""
    check = found(quenched, **{"model.toughness": 4 * 2.6666667})
    assert check.status == "fail"
    assert check.expected == pytest.approx(7.32, abs=0.05)
    assert found(quenched, **{"verify.crack_row": {"face": "y.low", "depth": 9.0}}).status == "fail"
    assert "is not cooled" in found(quenched, **{"verify.crack_row": {"face": "y.high", "depth": 1.0}}).detail


def test_theory_is_for_one_model(quenched):
    assert found(quenched, **{"model.dissipation": "AT2"}).status == "not applicable"
    assert found(quenched, **{"model.plane": "strain"}).status == "not applicable"
