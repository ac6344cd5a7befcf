"""Bodies that move, and their damage, by the kernels of the GPU against the CPU's results, bit for bit."""

import itertools

import numpy as np
import pytest

from phasefield.energy.fracture import CrackEnergy, Degradation
from phasefield.errors import InputError, NumericalError
from phasefield.kernels import gpu, gpu_sums
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.damage_gpu import GpuDamageOperator
from phasefield.mechanics.damage_kernels import SUMS
from phasefield.mechanics.damage_methods import mprgp
from phasefield.mechanics.damage_preconditioners import Jacobi
from phasefield.mechanics.dynamic_cuda import HIGH, WIDE
from phasefield.mechanics.dynamics import MovingBody
from phasefield.mechanics.dynamics_gpu import GpuBody
from phasefield.mechanics.splits import make_split
from phasefield.spectral.grid import Axis, Grid

# Name, parameters and plane of the splits that have kernels of their own, and hybrid, which has both.
SPLITS = {
    "none": ({}, "strain"),
    "none, plane stress": ({}, "stress"),
    "star_convex": ({"gamma": 3.0}, "strain"),
    "spectral": ({}, "strain"),
    "hybrid": ({}, "strain"),
}


def plane(nx, ny, periodic=(False, False)):
    # Unequal spacings; more than one tile of nodes, and not a multiple of it.
    ends = ["periodic" if p else "no_flux" for p in periodic]
    return Grid((Axis("x", nx, 1.25 * nx, ends[0]), Axis("y", ny, 0.75 * ny, ends[1])))


def bodies(grid, split="spectral", scheme="full", *, materials="varying", heated=False, damped=False, seed=1):
    """The same body on the CPU and on the device, in the same random motion, and a random damage."""
    rng = np.random.default_rng(seed)
    parameters, side = SPLITS[split]
    lame, shear, rho = np.array(120.0), np.array(80.0), 2.0
    if materials == "varying":
        solid = np.ones(grid.shape)
        solid[3:6, 5:9] = 0.0
        lame, shear = (solid * rng.uniform(50.0, 150.0, grid.shape) for _ in range(2))
        rho = rng.uniform(1.0, 3.0, grid.shape)
    # Not a small strain, so that all parts of the response are met.
    u, v = 0.1 * rng.standard_normal((2, 2, *(n + 1 for n in grid.shape)))
    phi, expansion = rng.uniform(0.0, 1.0, (2, *grid.shape))
    dampers = rng.uniform(0.0, 5.0, u.shape)
    found = []
    for kind in (MovingBody, GpuBody):
        chosen = make_split(split.split(",")[0], lame, shear, 2, side, **parameters)
        body = kind(grid, chosen, rho, scheme=scheme, residual_stiffness=1e-3)
        body.strain[:] = (0.02, -0.01, 0.015) if any(body.periodic) else 0.0
        if heated:
            body.expansion = 0.05 * expansion
        if damped:
            body.damp(dampers)
        start = [a.copy() for a in (u, v)]
        for nodal in start:
            nodal *= body.mass > 0.0
            body.copy_periodic(nodal)
        body.put(*start)
        found.append(body)
    return (*found, phi)


def assert_same_motion(ours, theirs, phi, dt, steps=3):
    for _ in range(steps):
        for body, damage in ((ours, phi), (theirs, theirs._xp.asarray(phi))):
            body.move(dt)
            body.push(damage, dt)
        np.testing.assert_array_equal(theirs.velocity, ours.velocity)
        np.testing.assert_array_equal(theirs.displacement, ours.displacement)
        assert theirs.kinetic == pytest.approx(ours.kinetic, rel=1e-12)
    assert theirs.lost == pytest.approx(ours.lost, rel=1e-12)
    assert theirs.elastic(phi) == pytest.approx(ours.elastic(phi), rel=1e-12)


# A source takes seconds to compile: of each split and each kind of elements one half is quick, cold or heated.
CASES = [
    pytest.param(
        *(split, scheme, heated),
        marks=() if (number + (scheme == "full") + heated) % 2 == 0 or "stress" in split else pytest.mark.slow,
    )
    for (number, split), scheme, heated in itertools.product(enumerate(SPLITS), ("full", "rotated"), (False, True))
    if heated or "stress" not in split
]


@pytest.mark.parametrize(("split", "scheme", "heated"), CASES)
def test_a_body_on_the_device_has_the_bits_of_one_on_the_cpu(cupy, split, scheme, heated):
    # Thermal strains are in the plane for plane stress, in space for plane strain.
    ours, theirs, phi = bodies(plane(70, 19), split, scheme, heated=heated)
    assert ours.nodes[1] > 2 * WIDE
    assert ours.nodes[0] > 2 * HIGH
    assert_same_motion(ours, theirs, phi, 0.1 * ours.critical_step)
    assert ours.kinetic > 0.0
    for driving in (False, True):
        expected, found = np.zeros((2, 19, 70)), cupy.zeros((2, 19, 70), np.float64)
        ours.energies(expected[0], expected[1], driving=driving)
        theirs.energies(found[0], found[1], driving=driving)
        np.testing.assert_array_equal(cupy.asnumpy(found), expected)
        only = cupy.zeros((19, 70), np.float64)
        theirs.energies(only, driving=driving)
        np.testing.assert_array_equal(cupy.asnumpy(only), expected[0])
        assert np.ptp(expected[0]) > 0.0


@pytest.mark.parametrize("damped", [False, True])
@pytest.mark.parametrize("periodic", list(itertools.product((False, True), repeat=2)))
def test_periodic_axes_and_dampers(cupy, periodic, damped):
    # 33 nodes along x without periodicity, 32 with it: a tile that is just full, and one more node.
    ours, theirs, phi = bodies(plane(32, 16, periodic), "spectral", damped=damped)
    assert_same_motion(ours, theirs, phi, 0.1 * ours.critical_step)
    assert (theirs.lost > 0.0) == damped
    if periodic[1]:
        np.testing.assert_array_equal(theirs.velocity[:, -1], theirs.velocity[:, 0])


def test_one_material_and_the_bodies_of_few_cells(cupy):
    for cells in ((1, 1), (2, 3), (31, 7), (64, 8)):
        ours, theirs, phi = bodies(plane(*cells, (cells[0] == 2, False)), "star_convex", materials="uniform")
        assert_same_motion(ours, theirs, phi, 0.1 * ours.critical_step)


def test_more_tiles_than_blocks(cupy, monkeypatch):
    """Blocks then do several tiles, one after the other."""
    monkeypatch.setattr(gpu, "MAX_BLOCKS", 3)
    ours, theirs, phi = bodies(plane(70, 19), damped=True)
    assert_same_motion(ours, theirs, phi, 0.1 * ours.critical_step)


def test_mirror_images_move_as_mirror_images(cupy):
    """To the last bit, in y and x: the arithmetic of the text has the symmetry."""
    ours, theirs, phi = bodies(plane(37, 21), materials="uniform")
    u, v = ours.u.copy(), ours.v.copy()
    phi = np.where(phi < phi[::-1], phi, phi[::-1])
    u, v = (0.5 * (a + np.array([1.0, -1.0])[:, None, None] * a[:, ::-1]) for a in (u, v))
    theirs.put(u, v)
    for _ in range(5):
        theirs.move(1e-3)
        theirs.push(phi, 1e-3)
    found = theirs.velocity
    np.testing.assert_array_equal(found[0], found[0, ::-1])
    np.testing.assert_array_equal(found[1], -found[1, ::-1])
    assert abs(found - v).max() > 0.1 * abs(v).max()
    # The other axis: a body and its mirror image.
    flipped = [np.array([-1.0, 1.0])[:, None, None] * a[:, :, ::-1] for a in (u, v)]
    theirs.put(*flipped)
    for _ in range(5):
        theirs.move(1e-3)
        theirs.push(np.ascontiguousarray(phi[:, ::-1]), 1e-3)
    np.testing.assert_array_equal(theirs.velocity[0], -found[0, :, ::-1])
    np.testing.assert_array_equal(theirs.velocity[1], found[1, :, ::-1])


def test_kernels_whose_bits_count_are_compiled_without_contraction(cupy, monkeypatch):
    seen = []
    module = cupy.RawModule
    monkeypatch.setattr(
        cupy, "RawModule", lambda *, code, options: seen.append((code, options)) or module(code=code, options=options)
    )
    _, body, phi = bodies(plane(5, 4), materials="uniform")
    body.push(phi, 1e-3)
    GpuDamageOperator(solver()).clip()
    bare = {"push" in code or "expand" in code: "--fmad=false" in options for code, options in seen}
    assert bare == {True: True, False: False}


def test_places_on_the_device(cupy):
    ours, theirs, _ = bodies(plane(9, 6))
    index = (1, np.array([0, 3, 6]), np.array([9, 2, 0]))
    a, b = ours.place(index), theirs.place(index)
    np.testing.assert_array_equal(theirs.velocity_at(b), ours.velocity_at(a))
    np.testing.assert_array_equal(theirs.displacement_at(b), ours.displacement_at(a))
    for body, place in ((ours, a), (theirs, b)):
        body.set_velocity(place, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(theirs.velocity, ours.velocity)
    assert theirs.velocity[1, 3, 2] == 2.0


def test_bodies_in_space_are_refused(cupy):
    axes = tuple(Axis(a, 4, 4.0, "no_flux") for a in "xyz")
    with pytest.raises(InputError, match="in the plane only"):
        GpuBody(Grid(axes), make_split("none", 1.0, 1.0, 3), 1.0)


# Sums -----------------------------------------------------------------------------------------------------------------


def test_totals_of_blocks(cupy):
    sums = gpu_sums.DeviceSums(3)
    values = np.random.default_rng(3).standard_normal((3, gpu_sums.MAX_BLOCKS)) - 5.0
    sums.partial[...] = cupy.asarray(values.reshape(-1))
    for blocks in (1, 255, 700, gpu_sums.MAX_BLOCKS):
        np.testing.assert_allclose(sums.fetch(blocks, 2), values[:2, :blocks].sum(axis=1), rtol=1e-13)
        np.testing.assert_array_equal(sums.fetch(blocks, 3, largest=True), values[:, :blocks].max(axis=1))


# Damage ---------------------------------------------------------------------------------------------------------------


def solver(shape=(23, 31), dissipation="AT2", rule="bounds", *, periodic=False, varying=False):
    kind = "periodic" if periodic else "no_flux"
    grid = Grid(tuple(Axis(a, n, 0.9 * n, kind) for a, n in zip("xyz", reversed(shape), strict=False)))
    toughness, solid = 1.0, None
    if varying:
        toughness = np.random.default_rng(5).uniform(0.5, 1.5, shape)
        solid = np.ones(shape, bool)
        solid[..., 3:6, 7:9] = False
    return DamageSolver(CrackEnergy(grid, toughness, 2.0, dissipation, solid), Degradation(1e-6), rule)


def problem(shape, seed=2):
    """φₙ, φₙ₋₁, ψ⁺ (some negative), with a crack."""
    rng = np.random.default_rng(seed)
    phi = 0.5 * rng.uniform(0.0, 1.0, shape) ** 8
    phi[..., shape[-2] // 2, : shape[-1] // 2] = 1.0
    psi = rng.standard_normal(shape) + 0.4
    psi[..., shape[-2] // 3, shape[-1] // 3] = 60.0
    return phi, phi + 0.1 * rng.standard_normal(shape), psi


SHAPES = [(23, 31), (1, 40), (30, 2), (7, 6, 9)]


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize(("shape", "periodic"), [(s, p) for s in SHAPES for p in (False, True) if min(s) > 1 or not p])
def test_passes_over_damage_have_the_bits_of_the_cpu(cupy, shape, periodic, varying):
    varying = varying and min(shape) > 6
    theirs = solver(shape, periodic=periodic, varying=varying)
    ours, rule = theirs.operator, theirs.irreversibility
    device = GpuDamageOperator(theirs)
    phi, before, psi = problem(shape)
    if theirs.cracks.solid is not None:
        phi = np.where(theirs.cracks.solid, phi, 0.0)
    local, rate = theirs.cracks.local, 0.3
    drive = theirs.degradation.drive(rule.drive(np.maximum(psi, 0.0)))
    drive = drive if theirs.cracks.solid is None else np.where(theirs.cracks.solid, drive, 0.0)
    ours.set(local.quadratic + 2.0 * drive + rate, 2.0 * drive - local.linear + rate * phi)
    ours.x[...] = np.clip(phi + (phi - before), phi, 1.0).reshape(ours.shape)
    ours.lower[...] = phi.reshape(ours.shape)
    device.prepare(*(cupy.asarray(a) for a in (phi, before, psi)), rate)

    def same(*names):
        for name in names:
            np.testing.assert_array_equal(cupy.asnumpy(getattr(device, name)), getattr(ours, name), err_msg=name)

    same("x", "b", "D", "inverse", "lower")
    for operator in (ours, device):
        operator.clip()
    close = {"rtol": 1e-11, "atol": 1e-12 * ours.x.size}
    np.testing.assert_allclose(device.gradient_of_state(), ours.gradient_of_state(), **close)
    same("x", "g", "z")
    for operator in (ours, device):
        operator.search_from_z()
    np.testing.assert_allclose(device.multiply(), ours.multiply(), **close)
    same("p", "q")
    np.testing.assert_allclose(device.move(0.01), ours.move(0.01), **close)
    same("x", "g", "z", "_y")
    for alpha in (0.7, 30.0):
        np.testing.assert_allclose(device.move(alpha), ours.move(alpha), **close)
        same("x", "g", "z")
    assert ours.move(30.0)[6] > 0.0
    device.move(30.0)
    assert device.longest_step() == ours.longest_step()
    for operator in (ours, device):
        operator.expand(0.5, 1.0)
    same("x")
    assert device.largest() == ours.largest()
    for operator in (ours, device):
        operator.search(0.4)
    same("p")
    for operator in (ours, device):
        operator.release()
    same("p")
    assert device.products == ours.products == 2
    assert ours.p.any()


@pytest.mark.parametrize("rule", ["bounds", "history", "crack_set", "reversible"])
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_damage_of_a_step_is_that_of_the_cpu(cupy, dissipation, rule):
    theirs = solver(dissipation=dissipation, rule=rule, varying=True)
    device = GpuDamageOperator(theirs, rule)
    phi, before, psi = problem((23, 31))
    phi[~theirs.cracks.solid] = 0.0
    fields = [cupy.asarray(a) for a in (phi, before, psi)]
    most = 0.0
    for rate in (0.0, 0.7):
        expected = theirs.solve(np.clip(phi + (phi - before), phi, 1.0), phi, psi, 1e-9, rate=rate)
        theirs.accept(psi)
        device.prepare(*fields, rate)
        assert mprgp(device, Jacobi(theirs.operator), 1e-9) <= 1e-9
        healed = device.settle(fields[0], fields[1])
        device.keep(fields[2])
        np.testing.assert_allclose(cupy.asnumpy(fields[0]), expected.phi, rtol=0.0, atol=1e-8)
        np.testing.assert_array_equal(cupy.asnumpy(fields[1]), phi)
        assert healed == max(0.0, float((phi - cupy.asnumpy(fields[0])).max()))
        most = max(most, healed)
        phi, before, psi = *(cupy.asnumpy(f) for f in fields[:2]), -0.5 * psi
        fields[2] = cupy.asarray(psi)
    assert (most > 0.0) == (rule != "bounds")


def test_numbers_that_are_not_finite_end_the_solution(cupy):
    device = GpuDamageOperator(solver())
    phi, before, psi = problem((23, 31))
    psi[4, 4] = np.nan
    device.prepare(*(cupy.asarray(a) for a in (phi, before, psi)), 0.0)
    with pytest.raises(NumericalError, match="not finite"):
        mprgp(device, Jacobi(None), 1e-6)


def test_penalties_are_refused(cupy):
    with pytest.raises(InputError, match="penalty runs on the CPU only"):
        GpuDamageOperator(solver(), "penalty")


def test_every_value_of_a_state_has_a_place(cupy):
    assert GpuDamageOperator(solver())._sums.partial.size == SUMS * gpu_sums.MAX_BLOCKS
