"""Small runs: martensite (twins, a shape-memory cycle, a box of variants, a line), and bodies that crack, also in motion."""

import pytest

import phasefield as pf
from phasefield.errors import NumericalError
from phasefield.output.reader import Run

STIFFNESS = {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}}
PAIR = [[3.0, -3.0, 0.0], [-3.0, 3.0, 0.0]]
TWINS = {
    "name": "martensite",
    "gradient_energy": 2.0,
    "landau": {"name": "landau_234", "A": -0.5},
    "stiffness": STIFFNESS,
    "transformation": {"strains": PAIR},
}
SQUARE = {"x": {"cells": 32, "length": 32.0}, "y": {"cells": 32, "length": 32.0}}
STEP = {"scheme": "imex1", "step": 0.1}
NOISE = {"mean": 0.0, "noise": 0.1}
SCENARIOS = {
    "twins": {
        "model": TWINS,
        "grid": SQUARE,
        "initial": {"eta_1": NOISE, "eta_2": NOISE},
        "time": {"end": 30.0, **STEP},
        "stabilisation": 12.0,
        "output": {"fields": {"every": 10.0}, "history": {"every": 1.0}},
        "seed": 1,
    },
    # Quench clamped, load, unload, heat: the shape-memory cycle in little time.
    "cycle": {
        "title": "Cycle",
        "model": {
            "name": "martensite",
            "gradient_energy": 2.0,
            "landau": {"name": "landau_246", "a": {"slope": 0.25, "temperature_A": 0.0}, "b": 1.0, "c": 1.0},
            "temperature": [[0, -1.0], [140, -1.0], [180, 1.5], [200, 1.5]],
            "stiffness": STIFFNESS,
            "transformation": {"strains": PAIR[:1]},
            "load": [
                {"until": 60, "strain": {}},
                {"until": 110, "stress": {"xx": 0.03, "yy": -0.03}},
                {"until": 130, "stress": {}},
            ],
        },
        "grid": SQUARE,
        "initial": {"eta": {"mean": 0.0, "noise": 0.05}},
        "time": {"end": 200.0, **STEP},
        "stabilisation": 3.5,
        "output": {"fields": {"every": 10.0}, "history": {"every": 1.0}},
        "seed": 1,
    },
    "box": {
        "model": {
            **TWINS,
            "transformation": {"generate": {"strain": [2.0, -1.0, -1.0], "parent": "cubic"}},
        },
        "grid": {a: {"cells": n, "length": float(n)} for a, n in (("x", 16), ("y", 12), ("z", 8))},
        "initial": {f"eta_{p}": NOISE for p in (1, 2, 3)},
        "time": {"end": 20.0, **STEP},
        "stabilisation": 12.0,
        "output": {"fields": {"every": 5.0}, "history": {"every": 1.0}},
        "seed": 1,
    },
    "line": {
        "model": {**TWINS, "load": "stress"},
        "grid": {"x": {"cells": 64, "length": 64.0}},
        "initial": {"eta_1": NOISE, "eta_2": NOISE},
        "time": {"end": 20.0, **STEP},
        "stabilisation": 12.0,
        "output": {"fields": {"every": 10.0}, "history": {"every": 1.0}},
        "seed": 2,
    },
}


@pytest.fixture(scope="session")
def martensite(tmp_path_factory):
    """The runs by name."""
    folder = tmp_path_factory.mktemp("martensite")
    return {name: pf.run(s, output=folder / name, threads=1) for name, s in SCENARIOS.items()}


@pytest.fixture
def twins_scenario():
    """The scenario of the twins, to be changed."""
    return SCENARIOS["twins"]


def slit(x, y, width, height):
    """An expression that is 1 in a rectangle about (x, y), 0 elsewhere."""
    step = "0.5*(1 + tanh(1e6*({0} - sqrt(({1} - {2})**2))))"
    return f"{step.format(0.5 * width, 'x', x)}*{step.format(0.5 * height, 'y', y)}"


DISPLACEMENTS = {"names": ["phi", "displacement_x", "displacement_y"]}
SQUARE_WITH_FACES = {axis: {"cells": 32, "length": 1.0, "boundary": "no_flux"} for axis in "xy"}
NOTCHED = {
    "model": {
        "name": "fracture",
        "dissipation": "AT2",
        "toughness": 2.7e-3,
        "length": 0.08,
        "young_modulus": 210.0,
        "poisson_ratio": 0.3,
        "faces": {"y": {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 1.0}}}},
        "load": [[0, 0], [1, 8e-3]],
    },
    "grid": SQUARE_WITH_FACES,
    "initial": {"phi": {"expression": slit(0.0, 17 / 32 - 1 / 64, 1.0, 0.03)}},
    "time": {"end": 1.0, "step": 0.1},
    "output": {"fields": {"every": 0.1, **DISPLACEMENTS}},
}
CRACKS = {
    # A flat periodic strip: given dissipation, so that the load goes back when the crack meets its own image.
    "strip": {
        "model": {
            "name": "fracture",
            "toughness": 1.0,
            "length": 4.0,
            "young_modulus": 1000.0,
            "poisson_ratio": 0.0,
            "mean": {"strain": {"yy": 1.0, "xy": 0.0}, "stress": {"xx": 0.0}},
            "load": [{"until": 1.0, "dissipation": 34.0}],
        },
        "grid": {"x": {"cells": 64, "length": 64.0}, "y": {"cells": 16, "length": 16.0}},
        "initial": {"phi": {"expression": slit(32.0, 7.5, 24.4, 1.2)}},
        "time": {"end": 1.0, "step": 0.1},
        "output": {"fields": {"every": 0.1, **DISPLACEMENTS}},
    },
    # Given displacements: the crack jumps.
    "square": NOTCHED,
    # Given forces, then given dissipation.
    "pulled": {
        **NOTCHED,
        "model": {
            **NOTCHED["model"],
            "faces": {"y": {"low": "clamped", "high": {"traction": {"y": 1.0}}}},
            "load": [{"until": 0.5, "factor": 0.1}, {"until": 1.0, "dissipation": 5e-4}],
        },
        "output": {"fields": {"every": 0.5}},
    },
    "block": {
        **NOTCHED,
        "model": {
            **NOTCHED["model"],
            "length": 0.2,
            "faces": {"y": {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 1.0, "z": 0.0}}}},
            "load": [[0, 0], [1, 3e-3]],
        },
        "grid": {
            a: {"cells": n, "length": n / 12, "boundary": "no_flux"} for a, n in zip("xyz", (12, 12, 6), strict=True)
        },
        "initial": {"phi": {"expression": slit(0.0, 7 / 12 - 1 / 24, 1.0, 0.08)}},
        "time": {"end": 1.0, "step": 0.5},
        "output": {"fields": {"every": 1.0}},
    },
    # Ends before its first step: one frame, one row.
    "begun": {**NOTCHED, "model": {**NOTCHED["model"], "minimisation": {"most_passes": 1}}},
}


@pytest.fixture(scope="session")
def cracks(tmp_path_factory):
    """Runs of bodies that crack by name."""
    folder = tmp_path_factory.mktemp("cracks")
    runs = {name: pf.run(s, output=folder / name, threads=1) for name, s in CRACKS.items() if name != "begun"}
    with pytest.raises(NumericalError, match="has not converged"):
        pf.run(CRACKS["begun"], output=folder / "begun", threads=1)
    return {**runs, "begun": Run(folder / "begun")}


def pulled_apart(stress):
    """Tractions on the faces of y from the start."""
    ends = (("low", -stress), ("high", stress))
    return [{"face": f"y.{end}", "traction": {"y": value}} for end, value in ends]


GLASS = {
    "name": "dynamic_fracture",
    "dissipation": "AT2",
    "split": "spectral",
    "young_modulus": 32.0e9,
    "poisson_ratio": 0.2,
    "density": 2450.0,
    "toughness": 3.0,
    "length": 1.5e-3,
    "residual_stiffness": 1e-6,
}
# The crack starts at 8 µs and forks at 29 µs.
FORKING = {
    "title": "Plate",
    "model": {**GLASS, "loads": pulled_apart(1.5e6)},
    "grid": {
        "x": {"cells": 80, "length": 0.06, "boundary": "no_flux"},
        "y": {"cells": 31, "length": 0.023, "boundary": "no_flux"},
    },
    "initial": {"phi": {"shapes": [{"slit": {"from": [-0.01, 0.0115], "to": [0.015, 0.0115]}}]}},
    "time": {"end": 4e-5},
    "output": {"fields": {"every": 4e-6, **DISPLACEMENTS}, "history": {"every": 2e-7}},
}
FEW = {"fields": {"every": 1e-6, "names": ["phi", "velocity_y"]}, "history": {"every": 2e-7}}
MOTIONS = {
    "forking": FORKING,
    # A wave and no crack.
    "whole": {
        **FORKING,
        "model": {**GLASS, "damping": 1e4, "loads": pulled_apart(1e5)},
        "initial": {"phi": 0.0},
        "time": {"end": 4e-6},
        "output": FEW,
    },
    "stopped": {**FORKING, "output": FEW},
}


class Stop:
    """A reporter that ends a run at its first step."""

    def start(self, simulation):
        raise NumericalError("stopped")

    def update(self, simulation):
        raise NumericalError("stopped")

    def finish(self, simulation):
        pass


class InMotion(Run):
    """A run in equilibrium with the columns of one with inertia: nothing moves, and heat does all the work."""

    @property
    def history(self):
        found = super().history
        nothing = 0.0 * found["time"]
        known = found.drop_vars(["jumps", "load", "force", "passes", "released", "deflection"])
        heat = known["energy_elastic"] - known["energy_elastic"][0] + known["dissipated"]
        return known.assign(energy_kinetic=nothing, damped=nothing, imbalance=nothing, work=nothing, heat_work=heat)


@pytest.fixture(scope="session")
def motions(tmp_path_factory, cracks):
    """Runs of bodies with inertia that crack by name."""
    folder = tmp_path_factory.mktemp("motions")
    runs = {name: pf.run(s, output=folder / name, threads=1) for name, s in MOTIONS.items() if name != "stopped"}
    with pytest.raises(NumericalError, match="stopped"):
        pf.run(MOTIONS["stopped"], output=folder / "stopped", threads=1, reporter=Stop())
    return {**runs, "stopped": Run(folder / "stopped"), "block": InMotion(cracks["block"].folder)}
