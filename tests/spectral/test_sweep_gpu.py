"""The GPU's sweep on a double of CuPy: same transforms, same geometry, same steps as on the CPU."""

import fake_cupy
import numpy as np
import pytest
from coupled_model import RandomCoupling
from cuda_on_cpu import needs_compiler

from phasefield.backend import make_backend
from phasefield.energy.bulk import BulkEnergy
from phasefield.energy.gradient import GradientEnergy
from phasefield.errors import InputError
from phasefield.kernels.coupled import pack
from phasefield.kernels.expressions import parse
from phasefield.models.base import Model, conserved, non_conserved
from phasefield.models.split import Split
from phasefield.registry import lookup, names
from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.modes import Layout
from phasefield.spectral.sweep import Sweep
from phasefield.spectral.sweep_gpu import MOST_CELLS, GpuSweep
from phasefield.spectral.transforms import make_engine
from phasefield.stepping.stepper import Stepper

GRIDS = {
    "1-D even": (16,),
    "1-D odd": (15,),
    "2-D": (12, 9),
    "2-D odd": (15, 8),
    "3-D": (8, 9, 6),
    "3-D odd": (7, 8, 5),
}
pytestmark = needs_compiler


class TwoFields(Model):
    """A conserved and a non-conserved field, coupled."""

    equation, reference = "", ""

    @property
    def fields(self):
        return {"c": conserved(0.8), "phi": non_conserved(1.3)}

    def __init__(self):
        super().__init__(None)
        formula = "W*(c**2 - 1)**2 + 0.25*(phi**2 - 1)**2 + 0.3*c*phi**2"
        density = parse(formula, variables=("c", "phi"), parameters=["W"])
        self._terms = (
            BulkEnergy(density, {"W": 0.25}, ("c", "phi")),
            GradientEnergy(0.5, "c"),
            GradientEnergy(0.2, "phi"),
        )

    @property
    def terms(self):
        return self._terms


@pytest.fixture
def cupy(monkeypatch):
    yield fake_cupy.install(monkeypatch)
    fake_cupy.forget()


def grid(name):
    return Grid(tuple(Axis(a, n, 0.7 * n + i) for i, (a, n) in enumerate(zip("xyz", GRIDS[name], strict=False))))


def stepper(device, box, scheme, precision="double"):
    backend = make_backend(device, precision, 1)
    sweep = lookup("sweep", device)(box, 2, backend.kernels, make_engine("auto"), 1, backend.dtype)
    return Stepper(Split(TwoFields()), lookup("scheme", scheme), sweep, backend)


def start(box):
    return np.random.default_rng(1).normal(0.1, 0.3, (2, *box.shape))


def by_wavenumber(sweep, u_hat):
    """Coefficients as np.fft.rfftn stores them."""
    u_hat = np.asarray(sweep.by_mode(u_hat)) if u_hat.ndim == 4 else u_hat
    x, middle = sweep.mode_index
    valid = x >= 0
    result = np.full((*u_hat.shape[:2], middle.max() + 1, x.max() + 1), np.nan, u_hat.dtype)
    result[:, :, middle[valid], x[valid]] = u_hat[:, :, valid]
    return result


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", GRIDS)
def test_transforms(cupy, name, precision):
    box, backend = grid(name), make_backend("gpu", precision)
    sweep = GpuSweep(box, 2, backend.kernels, None, 4, backend.dtype)
    assert sweep.threads == 1
    u = start(box).astype(backend.dtype)
    u_hat, back = sweep.empty_hat(), cupy.zeros(u.shape, u.dtype)
    sweep.forward(cupy.asarray(u), u_hat)
    expected = np.fft.rfftn(u, axes=range(1, u.ndim), norm="forward")
    found = by_wavenumber(sweep, cupy.asnumpy(u_hat))
    tolerance = 50 * np.finfo(u.dtype).eps
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=tolerance)
    before = cupy.asnumpy(u_hat)
    sweep.backward(u_hat, back)
    np.testing.assert_allclose(cupy.asnumpy(back), u, atol=tolerance)
    # The inverse transform of cuFFT destroys its input; the state must not be that input.
    np.testing.assert_array_equal(cupy.asnumpy(u_hat), before)


@pytest.mark.parametrize("laplacian", ["spectral", "finite_difference"])
@pytest.mark.parametrize("name", GRIDS)
def test_modes_are_those_of_the_cpu(cupy, name, laplacian):
    box = grid(name)
    ours = GpuSweep(box, 1, make_backend("gpu").kernels)
    theirs = Sweep(box, 1, make_backend("cpu").kernels, make_engine("auto"))
    found, expected = (by_wavenumber(s, s.modes(laplacian).k2[None]) for s in (ours, theirs))
    np.testing.assert_array_equal(found, expected)
    weights = [np.broadcast_to(s.modes(laplacian).weight, (1, *s.modes(laplacian).k2.shape)) for s in (ours, theirs)]
    np.testing.assert_array_equal(by_wavenumber(ours, weights[0]), by_wavenumber(theirs, weights[1]))
    assert ours.modes(laplacian).weight.sum() * ours.shape_hat[2] == box.cells


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("name", GRIDS)
def test_a_matrix_symbol_reaches_its_modes(cupy, name, device):
    """½ Σ û*·Λ·û over the modes of a full transform, and the numbers of k = 0 by themselves."""
    box, backend, coupling = grid(name), make_backend(device, "double", 1), RandomCoupling()
    sweep = lookup("sweep", device)(box, 2, backend.kernels, make_engine("auto"), 1, backend.dtype, block_bytes=2048)
    u, u_hat = start(box), sweep.empty_hat()
    sweep.forward(backend.to_device(u), u_hat)
    view, weight = sweep.real_view(u_hat), sweep.stage_geometry(sweep.modes("spectral"))[2]
    packed = sweep.couple(sweep.layout.pack(2, lambda *n: coupling.symbol(box, n)))
    numbers = np.meshgrid(*(np.fft.fftfreq(n, 1.0 / n) for n in box.shape), indexing="ij")[::-1]
    z = np.fft.fftn(u, axes=range(1, u.ndim), norm="forward").reshape(2, -1)
    symbol = coupling.symbol(box, tuple(numbers)).reshape(-1, 2, 2)
    expected = 0.5 * np.einsum("pm,mpq,qm->", z.conj(), symbol, z).real
    assert backend.kernels.coupling_energy(view, packed, weight) == pytest.approx(expected, rel=1e-13)
    mean = np.array([[3.0, 1.0], [1.0, 2.0]])
    sweep.couple_mean(packed, pack(mean))
    average = u.reshape(2, -1).mean(axis=1)
    expected += 0.5 * average @ (mean - symbol[0]) @ average
    assert backend.kernels.coupling_energy(view, packed, weight) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("name", GRIDS)
def test_frozen_fields_meet_their_cells(cupy, name):
    """A real pass sees every cell once, the frozen field at the same place."""
    box = grid(name)
    density = parse("c*(c - h)", variables=("c", "h"))
    for device in ("cpu", "gpu"):
        backend = make_backend(device, "double", 1)
        sweep = lookup("sweep", device)(
            box, 1, backend.kernels, make_engine("auto"), 1, backend.dtype, block_bytes=2048
        )
        kernels = backend.compile_pointwise(density, [density.derivative("c")])
        u, u_hat = start(box)[:1], sweep.empty_hat()
        sweep.forward(backend.to_device(u), u_hat)
        sweep.load(u_hat)
        frozen = sweep.freeze(u.copy())
        sums = backend.to_host(sweep.real_pass(kernels.potential, backend.to_device(np.zeros(0)), frozen))
        assert abs(sums[:, 0].sum()) < 1e-12
        assert sums[:, 2].max() == pytest.approx(u.max(), rel=1e-13)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("name", GRIDS)
def test_fields_taken_out_of_a_pass_and_given_back(cupy, name, device):
    """The pass is the one that finds them itself; what is done afterwards meets its cells."""
    box, backend = grid(name), make_backend(device, "double", 1)
    density = parse("a*b + a**3", variables=("a", "b"))
    kernels = backend.compile_pointwise(density, [density.derivative(v) for v in "ab"])
    u, parameters, results = backend.to_device(start(box)), backend.to_device(np.zeros(0)), []
    taken = backend.to_device(np.zeros_like(start(box)))
    for takes in (False, True):
        sweep = lookup("sweep", device)(
            box, 2, backend.kernels, make_engine("auto"), 1, backend.dtype, block_bytes=2048
        )
        u_hat, out_hat = sweep.empty_hat(), sweep.empty_hat()
        sweep.forward(u, u_hat)
        sweep.load(u_hat)
        flat = u.reshape(2, -1)

        def after(F, first, flat=flat):
            F += flat[:, first : first + F.shape[1]]

        given = None
        if takes:
            sweep.unload(taken)
            given = taken
        sums = backend.to_host(sweep.real_pass(kernels.potential, parameters, None, after, given)).copy()
        sweep.spectral_pass(backend.kernels.store_block, (sweep.real_view(out_hat),), backward=False)
        results.append((sums, backend.to_host(sweep.by_mode(out_hat)).copy()))
    np.testing.assert_allclose(backend.to_host(taken), start(box), atol=1e-14)
    np.testing.assert_array_equal(results[1][0], results[0][0])
    np.testing.assert_array_equal(results[1][1], results[0][1])
    a, b = start(box)
    mean = results[0][1].reshape(2, -1)[:, 0].real
    np.testing.assert_allclose(mean, [(b + 3 * a**2 + a).mean(), (a + b).mean()], atol=1e-14)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("scheme", names("scheme"))
@pytest.mark.parametrize("name", GRIDS)
def test_steps_are_those_of_the_cpu(cupy, name, scheme, precision):
    box = grid(name)
    cpu, gpu = stepper("cpu", box, scheme, precision), stepper("gpu", box, scheme, precision)
    tolerance = 1e-12 if precision == "double" else 2e-5
    limits = np.array([1.0, 1.0])
    for s in (cpu, gpu):
        s.set_state(s.backend.to_device(start(box)))
    for i in range(3):
        errors = [s.attempt(0.1, np.array([1.1, 0.9]), limits) for s in (cpu, gpu)]
        if errors[0] is not None:
            assert errors[1] == pytest.approx(errors[0], rel=1e3 * tolerance)
        if i == 1:  # a rejected step leaves no trace
            for s in (cpu, gpu):
                s.restore()
            continue
        for s in (cpu, gpu):
            s.accept()
        assert gpu.energies.total == pytest.approx(cpu.energies.total, rel=tolerance)
        assert gpu.energies.gradient == pytest.approx(cpu.energies.gradient, rel=tolerance)
        np.testing.assert_allclose(gpu.ranges, cpu.ranges, rtol=tolerance)
    u, v = (s.backend.to_host(s.real_state()) for s in (cpu, gpu))
    np.testing.assert_allclose(v, u, rtol=0.0, atol=tolerance)
    assert abs(u - start(box)).max() > 0.05
    for q in range(2):
        assert gpu.mean(q) == pytest.approx(cpu.mean(q), abs=tolerance)
        assert gpu.fluctuation(q) == pytest.approx(cpu.fluctuation(q), rel=tolerance)


def test_an_error_above_its_limit_ends_the_attempt(cupy):
    s = stepper("gpu", grid("2-D"), "etdrk2")
    s.set_state(s.backend.to_device(start(grid("2-D"))))
    before = s.backend.to_host(s.real_state())
    error = s.attempt(0.1, np.array([1.0, 1.0]), np.array([1e-9, 1e-9]))
    assert error is not None
    assert error > 1.0
    s.restore()
    np.testing.assert_array_equal(s.backend.to_host(s.real_state()), before)


def test_a_checkpoint_restores_every_bit(cupy):
    box = grid("3-D")
    first, second = stepper("gpu", box, "etdrk2"), stepper("gpu", box, "etdrk2")
    first.set_state(first.backend.to_device(start(box)))
    arrays, meta = first.checkpoint()
    second.restore_checkpoint(arrays, **meta)
    for s in (first, second):
        s.attempt(0.1, np.array([1.0, 1.0]))
        s.accept()
    found, expected = (s.backend.to_host(s.state_hat) for s in (second, first))
    np.testing.assert_array_equal(found, expected)
    assert first.energies == second.energies


def test_both_plans_share_one_work_area(cupy):
    sweep = GpuSweep(grid("2-D"), 1, make_backend("gpu").kernels)
    assert sweep.engine._forward.work_area is sweep.engine._backward.work_area
    assert sweep.buffer_bytes > sweep.work.nbytes + sweep.engine.work_bytes


def test_too_many_cells_are_refused(cupy):
    box = Grid((Axis("x", MOST_CELLS + 1, 1.0),))
    with pytest.raises(InputError, match="too many for one GPU"):
        GpuSweep(box, 1, make_backend("gpu").kernels)


def test_layout_marks_padding():
    layout = Layout(grid("3-D"), row_length=8, columns=80)
    x, middle = layout.mode_index
    assert np.count_nonzero(x >= 0) == 5 * 9
    assert x[5] == -1
    assert middle[72] == -1
    assert layout.modes("spectral").weight[x < 0].sum() == 0.0
