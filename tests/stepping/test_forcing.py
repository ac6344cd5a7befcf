"""Sources s(x, t): the mean of a conserved field, closed forms, orders, checkpoints, and what takes none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import BOXES, scenario
from stage_reference import DT, RATIO, cases, make_data

import phasefield as pf
from phasefield.backend import CpuBackend
from phasefield.kernels.cell_map import cell_map
from phasefield.registry import lookup, names
from phasefield.scenario.space_time import parse_space_time, values_at
from phasefield.spectral.grid import Axis, Grid
from phasefield.stepping.forcing import Forcing

FIELDS = {"cahn_hilliard": "c", "allen_cahn": "phi"}


def grid_of(dimensions: int) -> Grid:
    return Grid(tuple(Axis(n, int(a["cells"]), float(a["length"])) for n, a in BOXES[dimensions].items()))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_compiled_source_is_the_formula(simulate, monkeypatch, dimensions, threads):
    """Cell by cell, through the transform and back, at several times; blocks are smaller than the box in 2-D and 3-D."""
    monkeypatch.setattr("phasefield.spectral.sweep.SERIAL_CELLS", 0)
    monkeypatch.setattr("phasefield.spectral.sweep.cache_block_bytes", lambda: 2048)
    text = " + ".join(
        [*["exp(-t)*sin(2*pi*x/Lx + t)", "x*cos(2*pi*y/Ly)", "min(z, 3)*t**2"][:dimensions], "0.3*max(t, 0.5)"]
    )
    data = scenario("allen_cahn", dimensions, source={"phi": text})
    simulation = simulate(data, threads=threads)
    formula = simulation.scenario.sources["phi"]
    forcing = simulation.forcing
    assert forcing._sweep.threads == threads
    u = np.empty((1, *simulation.grid.shape))
    for time in (0.0, 0.7, 2.5, 0.7, 0.0):
        hat = simulation.sweep.empty_hat()
        simulation.sweep.real_view(hat)[...] = forcing.at(time)
        simulation.sweep.backward(hat, u)
        np.testing.assert_allclose(u[0], values_at(formula, simulation.grid, time), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_fill_starts_at_any_row(dimensions):
    """A block of rows is a piece of the whole, whichever row it begins with."""
    grid = grid_of(dimensions)
    formula = parse_space_time(
        "sin(x)*y + t" if dimensions == 2 else "sin(x)*y + t*z", tuple(a.name for a in grid.axes)
    )
    whole = values_at(formula, grid, 1.3).ravel()
    fill, order = cell_map(formula)
    values = np.array([{"t": 1.3}.get(n, 0.0) for n in order])
    centres = [a.centres for a in grid.axes] + [np.zeros(1)] * (3 - dimensions)
    nx = grid.axes[0].cells
    for first, rows in ((0, 2), (3 * nx, 5), (grid.cells - nx, 1)):
        block = np.empty(rows * nx)
        fill(block, first, *centres, values)
        np.testing.assert_allclose(block, whole[first : first + block.size], rtol=1e-13, atol=1e-13)


def test_two_times_are_kept(simulate):
    """What a stage holds is not overwritten while it holds two times; the same time gives the same bits."""
    forcing = simulate(scenario("allen_cahn", source={"phi": "sin(x + t)"})).forcing
    a = forcing.at(1.0)
    b = forcing.at(2.0)
    copies = a.copy(), b.copy()
    assert forcing.at(1.0) is not b
    np.testing.assert_array_equal(forcing.at(1.0), copies[0])
    np.testing.assert_array_equal(b, copies[1])
    c = forcing.at(3.0)
    np.testing.assert_array_equal(forcing.at(1.0), copies[0])
    assert not np.array_equal(c, copies[0])
    np.testing.assert_array_equal(forcing.at(2.0), copies[1])


@pytest.mark.parametrize(("scheme", "count"), [("imex1", 9), ("sbdf2", 9), ("etdrk2", 10), ("etdrk4", 20)])
def test_no_time_is_evaluated_twice(simulate, scheme, count):
    """Ten steps; the time 0 was evaluated before them."""
    time = {"end": 1.0, "step": 0.1, "scheme": scheme}
    simulation = simulate(scenario(source={"c": "sin(3*t)*x"}, time=time))
    evaluate, times = simulation.forcing._evaluate, []
    simulation.forcing._evaluate = lambda at, hat: (times.append(at), evaluate(at, hat))
    simulation.advance()
    assert simulation.counters.steps == 10
    assert len(times) == count
    steady = simulate(scenario(source={"c": "x"}, time=time))
    steady.forcing._evaluate = None
    steady.advance()


@pytest.mark.parametrize("scheme", names("scheme"))
def test_mean_of_a_conserved_field_is_the_integral(simulate, scheme):
    """∂c̄/∂t = s̄(t): without a rate every scheme is a quadrature of its own order."""
    errors = []
    for count in (80, 160):
        data = scenario(
            initial={"c": {"mean": 0.1, "noise": 0.05}},
            source={"c": "0.3*cos(2*t) + sin(2*pi*x/Lx)*t"},
            time={"end": 2.0, "step": 2.0 / count, "scheme": scheme},
        )
        simulation = simulate(data)
        start = simulation.stepper.mean(0)
        assert not simulation.scenario.keeps_mean("c")
        simulation.advance()
        errors.append(abs(simulation.stepper.mean(0) - start - 0.15 * math.sin(4.0)))
    order = lookup("scheme", scheme).order
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)
    # The left rectangle rule, the worst of them, is off by ½h times the change of s̄ at most.
    assert errors[1] <= 0.5 * (2.0 / 160) * 0.6


@pytest.mark.parametrize("step", [0.05, {"tolerance": 1e-6}])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_linear_relaxation_under_a_source(simulate, scheme, step):
    """A quadratic f: every mode obeys ȧ = −L(A + κk²) a + s cos ωt, whose solution is closed; fixed and adaptive steps."""
    A, kappa, omega, end = 0.4, 2.0, 1.5, 3.0
    data = scenario(
        "allen_cahn",
        1,
        model_={"free_energy": f"0.5*{A}*phi**2", "gradient_energy": kappa},
        initial={"phi": "0.7*sin(2*pi*x/Lx)"},
        source={"phi": f"0.2*sin(2*pi*x/Lx)*cos({omega}*t) + 0.1"},
        time={"end": end, "step": step, "scheme": scheme},
    )
    simulation = simulate(data)
    x = simulation.grid.axes[0].centres
    length = simulation.grid.axes[0].length
    simulation.advance()
    lam = A + kappa * (2 * np.pi / length) ** 2
    forced = 0.2 * (lam * np.cos(omega * end) + omega * np.sin(omega * end)) / (lam**2 + omega**2)
    free = (0.7 - 0.2 * lam / (lam**2 + omega**2)) * np.exp(-lam * end)
    exact = (forced + free) * np.sin(2 * np.pi * x / length) + 0.1 / A * (1 - np.exp(-A * end))
    order = lookup("scheme", scheme).order
    tolerance = {1: 2e-2, 2: 1e-3, 4: 1e-6}[order] if step == 0.05 else {1: 5e-3, 2: 2e-4, 4: 2e-4}[order]
    error = np.abs(simulation.state["phi"] - exact).max()
    assert error < tolerance
    # The source matters: without it the result is far away.
    assert np.abs(simulation.state["phi"] - 0.7 * np.exp(-lam * end) * np.sin(2 * np.pi * x / length)).max() > 0.1


def test_adaptive_steps_follow_a_source(simulate):
    """A source that jumps up steeply shortens the steps; the tolerance is felt in the error of the mean."""

    def run(tolerance):
        data = scenario(
            "cahn_hilliard",
            1,
            source={"c": "0.5*(1 + tanh(40*(t - 1)))*(1 + 0.1*sin(2*pi*x/Lx))"},
            time={"end": 2.0, "step": {"tolerance": tolerance}},
        )
        simulation = simulate(data)
        start = simulation.stepper.mean(0)
        sizes = []
        simulation.advance(on_step=lambda s: sizes.append((s.time, s.last_step.size)))
        # ∫ ½(1 + tanh 40(t − 1)) dt over [0, 2] is 1.
        return abs(simulation.stepper.mean(0) - start - 1.0), sizes

    coarse, sizes = run(1e-3)
    fine, _ = run(1e-5)
    times, steps = np.array(sizes).T
    assert steps[np.abs(times - 1.0) < 0.05].min() < 0.3 * steps[np.abs(times - 0.5) < 0.2].max()
    assert fine < coarse < 0.05
    assert fine < 1e-3


def test_an_unforced_conserved_field_of_a_forced_program_keeps_its_bits():
    """Zero source, no rate: the mode is not touched, whatever the weights of the scheme add up to."""
    from phasefield.stepping.schemes import SBDF2

    kernel = CpuBackend("double", 1).compile_stages(SBDF2.without_error().stages, True, forced=True)[0]
    rng = np.random.default_rng(1)
    shape = (1, 1, 3, 8)
    base = rng.normal(size=shape)
    zero, out, block, slot = np.zeros(shape), np.zeros(shape), rng.normal(size=shape[1:]), rng.normal(size=shape)
    # m = 0 everywhere: no constant rate, k² = 0.
    geometry = (np.zeros(3), np.zeros(8), np.ones(8), np.array([[0.0, 1.0, 1.0, 0.5]]))
    kernel(block, 0, base, out, slot, base.copy(), zero, zero, *geometry, 0.1, 0.7, np.zeros(8))
    np.testing.assert_array_equal(out, base)
    kernel(block, 0, base, out, slot, base.copy(), zero + 1.0, zero, *geometry, 0.1, 0.7, np.zeros(8))
    assert np.all(out != base)


@pytest.mark.parametrize("step", [0.1, {"tolerance": 1e-3}])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_checkpoint_continues_bit_for_bit(simulate, scheme, step):
    data = scenario(
        source={"c": "0.2*sin(3*t)*cos(2*pi*x/Lx) + 0.05"}, time={"end": 2.0, "step": step, "scheme": scheme}
    )
    simulation, other = simulate(data), simulate(data)
    simulation.advance(until=1.05)
    arrays, meta = simulation.checkpoint()
    kept = {name: a.copy() for name, a in arrays.items()}
    simulation.advance()
    other.restore(kept, meta)
    other.advance()
    assert other.stepper.state_hat.tobytes() == simulation.stepper.state_hat.tobytes()
    assert other.counters.steps == simulation.counters.steps


@pytest.mark.parametrize("scheme", ["sbdf2", "etdrk4"])
def test_a_rejected_step_leaves_no_trace(simulate, scheme):
    data = scenario(source={"c": "sin(3*t)*cos(2*pi*x/Lx)"}, time={"end": 2.0, "step": 0.1, "scheme": scheme})
    plain, disturbed = simulate(data), simulate(data)
    S = np.array([1.0])
    for simulation in (plain, disturbed):
        for i in range(6):
            if simulation is disturbed and i > 2:
                simulation.stepper.attempt(0.37, S)
                simulation.stepper.restore()
            simulation.stepper.attempt(0.1, S)
            simulation.stepper.accept()
    assert plain.stepper.state_hat.tobytes() == disturbed.stepper.state_hat.tobytes()


def test_threads_do_not_change_the_bits(simulate):
    axes = {"x": {"cells": 512, "length": 37.0}, "y": {"cells": 256, "length": 25.0}}
    data = scenario(grid=axes, source={"c": "sin(3*t)*cos(2*pi*x/Lx)*y"}, time={"end": 0.3, "step": 0.1})
    one, two = simulate(data, threads=1), simulate(data, threads=2)
    assert two.forcing._sweep.threads == 2
    one.advance()
    two.advance()
    assert one.stepper.state_hat.tobytes() == two.stepper.state_hat.tobytes()


def test_single_precision(simulate):
    """Positions and times are evaluated in double precision whatever that of the fields."""
    data = scenario("allen_cahn", source={"phi": "sin(2*pi*x/Lx + 1000*t)"}, precision="single")
    simulation = simulate(data)
    hat, u = simulation.sweep.empty_hat(), np.empty((1, *simulation.grid.shape), np.float32)
    simulation.sweep.real_view(hat)[...] = simulation.forcing.at(77.7)
    simulation.sweep.backward(hat, u)
    expected = values_at(simulation.scenario.sources["phi"], simulation.grid, 77.7)
    np.testing.assert_allclose(u[0], expected, atol=2e-6)


def test_a_source_that_is_not_finite_is_named(simulate):
    with pytest.raises(pf.InputError, match=r"scenario: source\.c: is not finite everywhere at t = 0$"):
        simulate(scenario(source={"c": "log(t)"}))
    simulation = simulate(scenario(source={"c": "1/(0.25 - t)**2 + 0*x"}, time={"end": 1.0, "step": 0.125}))
    # Files are on disk by then: the run has failed.
    with pytest.raises(pf.NumericalError, match=r"source\.c: is not finite everywhere at t = 0\.25"):
        simulation.advance()


def test_a_device_without_sources_refuses(simulate):
    simulation = simulate(scenario(source={"c": "1.0"}))

    class OnADevice:
        work = object()

    with pytest.raises(pf.InputError, match=r"^source: runs on the CPU only"):
        Forcing(simulation.scenario.sources, ("c",), OnADevice())


MARTENSITE = {
    "model": {
        "name": "martensite",
        "gradient_energy": 2.0,
        "landau": {"name": "landau_246", "a": {"tau": 1.05}, "b": 1.0, "c": 1.0},
        "stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}},
        "transformation": {"strains": [[[1.0, 0.0], [0.0, -1.0]]], "scale": 3.16},
        "load": "stress",
    },
    "grid": BOXES[2],
    "initial": {"eta": 0.0},
    "time": {"end": 1.0, "step": 0.1},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": {"phi": "1"}}, "source.phi: unknown field 'phi'; valid names: c"),
        ({"source": {"c": "sin(w)"}}, "source.c: 'w' in column 5 is not known"),
        ({"source": {"c": "sin(z)"}}, "source.c: 'z' in column 5 is not known; valid names: Lx, Ly, pi, t, x, y"),
        ({"source": {"c": True}}, "source.c: must be a formula in x, y, z and t, or a number"),
        ({"source": {"c": "1"}, "manufactured": {"c": "t"}}, "source: is derived from manufactured: give one of the two"),
        ({"manufactured": {"c": "t"}}, "initial: is taken from manufactured: at t = 0; leave it out"),
        ({"manufactured": {"c": "t"}, "initial": {}, "verify": {"manufactured": -1}}, "verify.manufactured: must be gre"),
        ({"manufactured": {"b": "t"}, "initial": {}}, "manufactured.b: unknown field 'b'; valid names: c"),
        ({"initial": {}}, "initial.c: is missing; model cahn_hilliard has the field c"),
    ],
)  # fmt: skip
def test_mistakes(changes, message):
    with pytest.raises(pf.InputError) as error:
        pf.load_scenario(scenario(**changes))
    assert f"scenario: {message}" in str(error.value)


def test_coupled_models_take_no_source():
    for section, text in (
        ({"source": {"eta": "t"}}, "source: fields that elasticity couples take no source yet (model martensite)"),
        ({"manufactured": {"eta": "t"}, "initial": {}}, "manufactured: sources are derived for models of local and"),
    ):
        with pytest.raises(pf.InputError) as error:
            pf.load_scenario({**MARTENSITE, **section})
        assert str(error.value).startswith(f"scenario: {text}")


@pytest.mark.parametrize("case", cases(), ids=str)
def test_forced_stage_kernels(case):
    """Where m > 0 a source s is the same as −s/m in F, at every stage and in the step before."""
    backend = CpuBackend("double", 1)
    data = make_data(case, np.float64, 1)
    # A constant rate: m > 0 also at k = 0.
    data.rates[:, 0] = 0.9
    plain, forced = (backend.compile_stages(case.stages, case.multistep, forced=f)[case.number] for f in (False, True))
    m = data.rates[0, 0] + data.rates[0, 1] * np.repeat(data.k0[:, None] + data.kr, 2, axis=1)
    rng = np.random.default_rng(5)
    sources = [rng.normal(size=m.shape) for _ in range(1 + case.multistep)]
    geometry = (data.k0, np.repeat(data.kr, 2), np.repeat(data.weight, 2), data.rates, DT, RATIO)

    def run(kernel, shift, extra):
        arrays = {name: a.copy() for name, a in data.arrays.items()}
        arrays["block"] -= shift[0]
        if case.multistep:
            arrays["slot0"] -= shift[1]
        block, *others = arrays.values()
        sums = np.zeros(16)
        kernel(block, 0, *(a[:, None] for a in others), *(e[None, None] for e in extra), *geometry, sums)
        # The F̂ that is kept for the step after does not hold the source.
        arrays.pop("slot0" if case.multistep else "none", None)
        return [*arrays.values(), sums]

    expected = run(plain, [s / m for s in sources], [])
    for a, b in zip(run(forced, [0.0, 0.0], sources), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_plain_programs_are_what_they_were():
    """The printed source of an unforced stage does not know of sources."""
    from phasefield.kernels.stages import cpu_source
    from phasefield.stepping.schemes import ETDRK4, SBDF2

    for scheme in (SBDF2, ETDRK4):
        for i in range(len(scheme.stages)):
            plain, forced = (cpu_source(i, scheme.stages, scheme.multistep, forced=f) for f in (False, True))
            assert "forcing" not in plain
            assert "unless_still(m, moved, u)" in plain
            assert "row_forcing[j]" in forced


def test_verdict_leaves_out_what_a_source_breaks(tmp_path):
    run = pf.run(
        scenario(source={"c": "0.1"}, output={"fields": {"every": 0.5}, "history": {"every": 0.1}}),
        output=tmp_path / "run",
        device="cpu",
    )
    checks = {c.name: c for c in pf.verify(run).checks}
    assert checks["linear stability"].status == checks["energy decay"].status == "not applicable"
    assert "source" in checks["linear stability"].detail
    assert "source" in checks["energy decay"].detail
    assert not [name for name in checks if name.startswith("mean of")]
    assert checks["energy of the frames"].status == "pass"
    assert float(run.history["mean_c"][-1]) == pytest.approx(0.2, abs=1e-12)
