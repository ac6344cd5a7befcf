"""Small runs of martensite: twins, a shape-memory cycle, a box of three variants, a line."""

import pytest

import phasefield as pf

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
