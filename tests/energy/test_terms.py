"""Every registered term: its derivative is the finite difference of its energy, its Hessian that of its derivative."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import BOXES

import phasefield.models
from phasefield.energy.bulk import BulkEnergy
from phasefield.energy.elastic import ElasticEnergy
from phasefield.energy.fracture import DissipationEnergy
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.transforming import TransformingEnergy
from phasefield.kernels import cpu
from phasefield.kernels.expressions import parse
from phasefield.mechanics.control import Control
from phasefield.mechanics.loading import History, Load
from phasefield.mechanics.stiffness import cubic_stiffness, euler_rotation, rotate
from phasefield.mechanics.transforming_body import LINEAR, TransformingBody
from phasefield.models.square_rectangle import CompatibilityEnergy
from phasefield.registry import lookup, names
from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.sweep import Sweep
from phasefield.spectral.transforms import make_engine
from phasefield.spectral.waves import symbol_on_grid

STRAINS = np.array([[[0.3, 0.1, 0.0], [0.1, -0.2, 0.0], [0.0, 0.0, 0.1]], np.diag([-0.1, 0.2, 0.3])])
STIFFNESS = cubic_stiffness(3.0, 1.2, 1.5)


def elastic(control: Control) -> ElasticEnergy:
    return ElasticEnergy(STIFFNESS, STRAINS, ("a", "b"), Load(control, 2))


def transforming(control: Control, h: tuple[float, ...] = LINEAR, **more) -> TransformingEnergy:
    return TransformingEnergy(TransformingBody(STIFFNESS, STRAINS, h, **more), ("a", "b"), Load(control, 2))


QUADRATIC, LEVITAS = (0.0, 1.0, 0.0, 0.0), (0.0, 3.0, -2.0, 0.0)
VARIANTS = np.array([rotate(cubic_stiffness(4.0, 1.0, 0.8), euler_rotation(20.0, 0.0, 0.0)), 0.6 * STIFFNESS])


EXAMPLES = {
    "elastic": [
        lambda: elastic(Control(strain={"xx": 0.2, "xy": 0.1})),
        lambda: elastic(Control(stress={"yy": 0.4})),
        lambda: elastic(Control(strain={"xx": 0.1}, stress={"yy": 0.2, "zz": -0.3})),
    ],
    "transforming": [
        lambda: transforming(Control(stress={"yy": 0.4}), QUADRATIC),
        lambda: transforming(Control(strain={"xx": 0.2}), LEVITAS),
        lambda: transforming(Control(strain={"xx": 0.2}), variants=VARIANTS),
        lambda: transforming(
            Control(stress={"xx": 0.2, "zz": 0.1}), LEVITAS, stiffness_function=LEVITAS, variants=VARIANTS
        ),
    ],
    "compatibility": [lambda: CompatibilityEnergy(2.0, 5.0, History((0.0,), (0.3,)))],
    "dissipation": [lambda: DissipationEnergy(0.7, 0.0), lambda: DissipationEnergy(0.0, 1.9)],
    "gradient": [lambda: GradientEnergy(1.7, "c"), lambda: GradientEnergy(0.3, "c", "finite_difference")],
    "bulk": [
        lambda: BulkEnergy(
            parse("W*c**2*(1 - c)**2 + 0.1*exp(c)", variables=("c",), parameters=("W",)), {"W": 2.0}, ("c",)
        ),
        lambda: BulkEnergy(parse("c**2*eta + (eta**2 - 1)**2", variables=("c", "eta")), {}, ("c", "eta")),
    ],
}


def grid(dimensions: int) -> Grid:
    return Grid(tuple(Axis(n, int(a["cells"]), a["length"]) for n, a in BOXES[dimensions].items()))


def test_every_term_has_an_example():
    assert set(EXAMPLES) == set(names("term"))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("make", [m for group in EXAMPLES.values() for m in group])
def test_derivative_is_the_difference_of_the_energy(make, dimensions):
    term, box = make(), grid(dimensions)
    if term.name == "compatibility" and dimensions != 2:
        return
    rng = np.random.default_rng(5)
    state = {f: 0.4 + 0.2 * rng.normal(size=box.shape) for f in term.fields}
    derivative = term.derivative(state, box)
    for field in term.fields:
        direction = rng.normal(size=box.shape)
        errors = []
        for h in (1e-4, 5e-5):
            plus, minus = ({**state, field: state[field] + s * h * direction} for s in (1, -1))
            difference = (term.energy(plus, box) - term.energy(minus, box)) / (2 * h)
            errors.append(difference - (derivative[field] * direction).sum() * box.cell_volume)
        scale = np.abs(derivative[field] * direction).sum() * box.cell_volume
        # Extrapolated: central differences are off by h².
        assert abs(4 * errors[1] - errors[0]) / 3 < 1e-8 * scale


@pytest.mark.parametrize("make", [m for group in EXAMPLES.values() for m in group])
def test_hessian_is_the_symbol_of_the_derivative(make):
    """A small wave on a uniform state: the derivative answers with hessian(k̃²) times the wave."""
    term, box = make(), grid(2)
    base = dict.fromkeys(term.fields, 0.35)
    x, y = box.coordinates()["x"], box.coordinates()["y"]
    wave = np.cos(2 * math.pi * (3 * x / box.axes[0].length + 2 * y / box.axes[1].length))
    k2 = symbol_on_grid(box, getattr(term, "laplacian", "spectral"))[2, 3]
    n = np.array([3.0 / box.axes[0].length, 2.0 / box.axes[1].length, 0.0])
    hessian = term.hessian(base, np.array([k2]), n / np.linalg.norm(n))
    h = 1e-5
    for p in term.fields:
        for q in term.fields:
            states = [{f: base[f] + (s * h * wave if f == q else 0.0 * wave) for f in term.fields} for s in (1, -1)]
            change = (term.derivative(states[0], box)[p] - term.derivative(states[1], box)[p]) / (2 * h)
            np.testing.assert_allclose(change, hessian.get((p, q), np.zeros(1))[0] * wave, atol=1e-8)


@pytest.mark.parametrize("laplacian", names("laplacian"))
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_kernels_of_the_shared_term_equal_the_plain_form(dimensions, laplacian):
    box = grid(dimensions)
    term = GradientEnergy(1.3, "c", laplacian)
    sweep = Sweep(box, 2, cpu, make_engine(), block_bytes=4096)
    u = np.random.default_rng(1).normal(size=(2, *box.shape))
    u_hat = sweep.empty_hat()
    sweep.forward(u, u_hat)
    geometry, view = sweep.stage_geometry(sweep.modes(laplacian)), sweep.real_view(u_hat)
    for q in range(2):
        fast = term.energy_hat(cpu, view, q, geometry, box.volume)
        assert fast == pytest.approx(term.energy({"c": u[q]}, box), rel=1e-12)
    out = sweep.empty_hat()
    for q in range(2):
        cpu.gradient_potential(view, q, *geometry[:2], term.coefficient, sweep.real_view(out))
    back = np.empty_like(u)
    sweep.backward(out, back)
    for q in range(2):
        np.testing.assert_allclose(back[q], term.derivative({"c": u[q]}, box)["c"], atol=1e-11 * np.abs(back).max())


def test_finite_difference_symbol_is_the_stencil():
    box = grid(2)
    u = np.random.default_rng(2).normal(size=box.shape)
    hx, hy = box.spacing
    stencil = (np.roll(u, 1, 1) - 2 * u + np.roll(u, -1, 1)) / hx**2 + (
        np.roll(u, 1, 0) - 2 * u + np.roll(u, -1, 0)
    ) / hy**2
    result = GradientEnergy(1.5, "c", "finite_difference").derivative({"c": u}, box)["c"]
    np.testing.assert_allclose(result, -1.5 * stencil, atol=1e-11)


def test_only_the_shared_term_forms_a_laplacian():
    """No model and no other term multiplies an order parameter by κ k̃²: the word κ's kernel name occurs where it may."""
    from pathlib import Path

    package = Path(phasefield.models.__file__).parents[1]
    allowed = {"energy/gradient.py"}
    forming = ("gradient_symbol(", "gradient_energy(", "gradient_potential(", "axis_symbol(", "rfftn", "laplace(")
    for folder in ("models", "energy"):
        for path in (package / folder).rglob("*.py"):
            name = path.relative_to(package).as_posix()
            text = path.read_text(encoding="utf-8")
            if name not in allowed:
                assert not [f for f in forming if f in text], name
    # Faces of cells get their κ/h² in one place, whoever works with them.
    assert [p for p in package.rglob("*.py") if 'lookup("face_mean"' in p.read_text(encoding="utf-8")] == [
        package / "energy" / "gradient.py"
    ]
    for name in names("model"):
        model = lookup("model", name)
        built = model(model.Params.model_validate({"name": name, **lookup("model", name).example}))
        assert all(
            isinstance(t, GradientEnergy) for t in built.terms if any(t.gradient_coefficient(f) for f in built.fields)
        )
