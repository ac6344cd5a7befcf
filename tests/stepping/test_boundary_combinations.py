"""What boundaries do together with several fields, sources, seeds, noise, temperatures and M(c)."""

from __future__ import annotations

from typing import Any

import fake_cupy
import numpy as np
import pytest
from boundaries import section
from cuda_on_cpu import needs_compiler

import phasefield as pf
import phasefield.spectral.sweep as sweeps
from phasefield.analysis.predict import predict
from phasefield.errors import InputError
from phasefield.scenario import load_scenario
from phasefield.simulation import Simulation
from phasefield.spectral.waves import backward, forward, symbol_on_grid

FIELDS = {
    "c": {"kinetics": "conserved", "mobility": 0.7, "gradient_energy": 1.3},
    "eta": {"kinetics": "non_conserved", "mobility": 1.2, "gradient_energy": 2.0},
}
COUPLED = {"name": "multi_field", "fields": FIELDS, "free_energy": "0.5*(c - eta**2)**2 + 0.25*(eta**2 - 1)**2"}


def flory(temperature: Any) -> dict[str, Any]:
    energy = {"name": "flory_huggins", "interaction": {"a": 0.5, "b": 600.0}}
    return {"name": "cahn_hilliard", "gradient_energy": 2.0, "temperature": temperature, "free_energy": energy}


# --- several fields ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [{"eta": [0.1, 0.9]}, {"c": [0.2, 0.6], "eta": 0.5}, {"c": [0.2, 0.6], "eta": [1, 0]}]
)
@pytest.mark.parametrize("mix", [("fixed",), ("fixed", "no_flux"), ("periodic", "fixed", "no_flux")])
def test_a_step_of_fields_with_unlike_faces(simulate, mix, given):
    """A slope in one field, none in the other: a step of `imex1` and the energy, against their plain forms."""
    initial = {"c": {"mean": 0.4, "noise": 0.1}, "eta": {"mean": 0.5, "noise": 0.1}}
    time = {"end": 0.1, "step": 0.1, "scheme": "imex1"}
    data = {"model": COUPLED, "grid": section(mix, **given), "initial": initial, "time": time, "stabilisation": 0.8}
    simulation = simulate(data)
    grid, before = simulation.grid, simulation.state
    axis = next(a for a in grid.axes if a.boundary == "fixed")
    share = grid.coordinates()[axis.name] / axis.length

    def slope_of_c(state):
        return state["c"] - state["eta"] ** 2

    F = {"c": slope_of_c(before), "eta": -2.0 * before["eta"] * slope_of_c(before) + before["eta"] ** 3 - before["eta"]}
    low, high = (slope_of_c({n: axis.ends(n)[side] for n in FIELDS}) for side in (0, 1))
    # A conserved field has the potential of its faces there; the other one has sine waves whatever F is.
    F["c"] = F["c"] - (low + (high - low) * share)
    k2, expected = symbol_on_grid(grid, "spectral"), {}
    for n, rates in (("c", 0.7 * k2), ("eta", 1.2 * np.ones_like(k2))):
        kappa, lift = FIELDS[n]["gradient_energy"], grid.lift_values(n)
        v = forward(before[n] - lift, grid)
        change = -0.1 * rates * (forward(F[n], grid) + kappa * k2 * v) / (1.0 + 0.1 * rates * (0.8 + kappa * k2))
        expected[n] = backward(v + change, grid) + lift
    simulation.advance()
    for n, values in simulation.state.items():
        np.testing.assert_allclose(values, expected[n], atol=1e-13)
    energy = sum(term.energy(expected, grid) for term in simulation.model.terms)
    assert simulation.energies.total == pytest.approx(energy, rel=1e-12)


@pytest.mark.parametrize("ends", [[-0.5, 0.5], [0.5, 0.5], [0.0, 0.0]])
def test_error_is_judged_by_the_whole_field(simulate, ends):
    """Between −½ and ½ the mean is 0 and the deviation from the straight line small: neither is the size of the field."""
    low, high = ends
    model = {"name": "cahn_hilliard", "free_energy": "0.5*c**2", "gradient_energy": 0.1}
    box = {"x": {"cells": 24, "length": 6.0, "boundary": "fixed", "values": {"c": ends}}}
    initial = {"c": f"{low} + {high - low}*x/Lx + 0.01*sin(pi*x/Lx)"}
    time = {"end": 1.0, "step": {"tolerance": 1e-3}}
    simulation = simulate({"model": model, "grid": box, "initial": initial, "time": time})
    x = simulation.grid.axes[0].centres / 6.0
    parts = [low + (high - low) * x, 0.01 * np.sin(np.pi * x)]
    rms = np.sqrt(sum(np.mean(part**2) for part in parts))
    np.testing.assert_allclose(simulation._error_limits(), [1e-3 * rms], rtol=1e-9)


# --- the same bits from a checkpoint and on two threads ------------------------------------------------------------------

SEEDS = {"radius": 4.0, "interface_width": 2.0, "seeds": [{"time": 0.35, "centre": [3.0, 8.0]}]}
WAVE = "0.2*cos(3*t)*cos(pi*x/Lx)"
CASES: dict[str, dict[str, Any]] = {
    "faces at a changing temperature": {"model": flory([[0.0, 300.0], [0.3, 250.0]]), "mix": ("fixed", "no_flux")},
    "several fields": {"model": COUPLED, "mix": ("no_flux", "fixed"), "values": {"eta": [0.1, 0.9]}},
    "M(c) and a source": {"model": {"name": "cahn_hilliard", "mobility": "1 - 0.9*c**2"}, "source": {"c": WAVE}},
    "seeds and a source": {
        "model": {"name": "allen_cahn"},
        "mix": ("fixed", "periodic"),
        "values": {"phi": [0.5, 0.1]},
        "source": {"phi": WAVE},
        "nucleation": {"phi": SEEDS},
    },
    "noise": {"model": {"name": "allen_cahn", "thermal_energy": 0.01}, "scheme": "etdrk4"},
    "noise and open faces": {
        "model": {"name": "cahn_hilliard", "thermal_energy": 0.01},
        "mix": ("fixed", "no_flux"),
        "scheme": "imex1",
    },
}


def case(name: str, scheme: str, step: Any, precision: str) -> dict[str, Any]:
    parts = dict(CASES[name])
    fields = list(load_scenario_fields(parts["model"]))
    values = parts.pop("values", {fields[0]: [0.3, 0.6]})
    time = {"end": 0.8, "step": 0.05 if "scheme" in parts else step, "scheme": parts.pop("scheme", scheme)}
    grid = section(parts.pop("mix", ("no_flux", "periodic")), **values)
    initial = {n: {"mean": 0.45, "noise": 0.05} for n in fields}
    return {"grid": grid, "initial": initial, "time": time, "precision": precision, "seed": 3, **parts}


def load_scenario_fields(model: dict[str, Any]) -> tuple[str, ...]:
    return tuple(model["fields"]) if "fields" in model else {"allen_cahn": ("phi",)}.get(model["name"], ("c",))


SETTINGS = [("sbdf2", {"tolerance": 1e-3}, "double"), ("etdrk4", 0.05, "double"), ("imex1", 0.05, "single")]


@pytest.mark.parametrize(("scheme", "step", "precision"), SETTINGS)
@pytest.mark.parametrize("name", CASES)
def test_checkpoint_continues_bit_for_bit(simulate, name, scheme, step, precision):
    data = case(name, scheme, step, precision)
    simulation, other = simulate(data), simulate(data)
    simulation.advance(until=0.43)
    arrays, meta = simulation.checkpoint()
    kept = {n: np.array(a) for n, a in arrays.items()}
    simulation.advance()
    other.restore(kept, meta)
    other.advance()
    assert other.counters.steps == simulation.counters.steps
    assert other.stepper.state_hat.tobytes() == simulation.stepper.state_hat.tobytes()
    assert simulation.stepper.state_hat.tobytes() != kept["state_hat"].tobytes()


@pytest.mark.parametrize("name", CASES)
def test_bits_do_not_depend_on_threads(simulate, monkeypatch, name):
    monkeypatch.setattr(sweeps, "SERIAL_CELLS", 0)
    monkeypatch.setattr(sweeps, "cache_block_bytes", lambda: 2048)
    runs = [simulate(case(name, "sbdf2", {"tolerance": 1e-3}, "double"), threads=threads) for threads in (1, 2)]
    assert [run.sweep.threads for run in runs] == [1, 2]
    for run in runs:
        run.advance()
    assert runs[0].stepper.state_hat.tobytes() == runs[1].stepper.state_hat.tobytes()


# --- what is known before a run ------------------------------------------------------------------------------------------


def test_a_face_without_a_potential_is_refused():
    box = {"x": {"cells": 16, "length": 16.0, "boundary": "fixed", "values": {"c": [0.5, 0.0]}}}
    data = {"model": {"name": "cahn_hilliard", "free_energy": "c*log(c)"}, "grid": box, "initial": {"c": 0.2}}
    with pytest.raises(InputError, match=r"grid\.x\.values\.c: f′ is not finite where c = 0"):
        Simulation.from_scenario({**data, "time": {"end": 1.0}}, device="cpu")


@pytest.mark.parametrize(("boundary", "warned"), [("periodic", True), ("no_flux", False)])
def test_half_a_wave_fits_between_faces(boundary, warned):
    """f″ = −1, κ = 1: waves longer than 2π grow, and 5 is shorter than that, but twice 5 is not."""
    box = {"x": {"cells": 32, "length": 5.0, "boundary": boundary}}
    data = {"model": {"name": "cahn_hilliard", "free_energy": "-0.5*c**2 + 0.25*c**4"}, "grid": box}
    found = predict(load_scenario({**data, "initial": {"c": 0.0}, "time": {"end": 1.0}})).warnings
    assert any("no wave that fits into the box grows" in text for text in found) == warned


def test_energy_that_comes_with_matter_is_named(tmp_path):
    grid = section(("fixed", "periodic"), c=0.3)
    data = {"model": {"name": "cahn_hilliard"}, "grid": grid, "initial": {"c": 0.3}, "time": {"end": 0.1, "step": 0.1}}
    check = next(c for c in pf.verify(pf.run(data, output=tmp_path / "run")).checks if c.name == "energy decay")
    assert (check.status, check.detail) == (
        "not applicable",
        "matter that passes the fixed faces carries energy in and out",
    )


@pytest.mark.parametrize("gain", ["thermal noise", "matter that passes"])
def test_energy_that_comes_in_is_no_negative_dissipation(tmp_path, gain):
    """With seeds the balance is judged, but steps may gain energy from a bath or a reservoir."""
    seeds = {"radius": 4.0, "interface_width": 2.0, "seeds": [{"time": 0.2, "centre": [16.0, 5.0]}]}
    data = {
        "thermal noise": {
            "model": {"name": "allen_cahn", "gradient_energy": 2.0, "thermal_energy": 0.02},
            "grid": {"x": {"cells": 32, "length": 32.0}, "y": {"cells": 16, "length": 16.0, "boundary": "no_flux"}},
            "initial": {"phi": -1.0},
            "nucleation": {"phi": seeds},
        },
        "matter that passes": {
            "model": COUPLED,
            "grid": section(("fixed", "no_flux"), c=[1.5, 2.0], eta=1.0),
            "initial": {"c": 1.5, "eta": 1.0},
            "nucleation": {"eta": {**seeds, "largest": 1.1}},
        },
    }[gain]
    time = {"end": 1.0, "step": 0.02, "scheme": "imex1"}
    run = pf.run({**data, "time": time, "output": {"history": {"every": 0.02}}}, output=tmp_path / "run")
    checks = {c.name: c for c in pf.verify(run).checks}
    assert np.diff(run.history["dissipation"].values).min() < 0.0
    assert checks["dissipation"].status == "not applicable"
    assert gain in checks["dissipation"].detail
    assert checks["energy balance"].status == "pass"


def test_reservoirs_are_looked_at_at_every_temperature():
    """ln(c/(1 − c)) + χ(1 − 2c) = 0 at 300 K for this c: matter carries no energy then, but it does later."""
    c = 0.2
    chi = np.log((1.0 - c) / c) / (1.0 - 2.0 * c)
    energy = {"name": "flory_huggins", "interaction": {"a": 0.0, "b": 300.0 * chi}}
    base = {"grid": section(("fixed", "periodic"), c=c), "initial": {"c": c}, "time": {"end": 2.0}}
    for history, loses in (([[0.0, 300.0], [9.0, 300.0]], True), ([[0.0, 300.0], [1.0, 250.0]], False)):
        model = {"name": "cahn_hilliard", "temperature": history, "free_energy": energy}
        assert load_scenario({**base, "model": model}).loses_energy == loses


@needs_compiler
@pytest.mark.parametrize("change", [{"model": {"name": "allen_cahn", "thermal_energy": 0.01}}, {"mix": ("no_flux",)}])
def test_automatic_device_is_one_that_can_do_it(monkeypatch, change):
    """A machine with a GPU runs on the CPU what its GPU cannot."""
    fake_cupy.install(monkeypatch)
    try:
        mix = change.get("mix", ("periodic",))
        data = {"model": change.get("model", {"name": "allen_cahn"}), "grid": section(mix), "initial": {"phi": 0.1}}
        simulation = Simulation.from_scenario({**data, "time": {"end": 1.0, "step": 0.1, "scheme": "imex1"}})
        assert simulation.backend.device == "cpu"
        simulation.close()
    finally:
        fake_cupy.forget()
