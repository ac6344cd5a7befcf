"""Stage kernels of coupled fields against dense matrices, mode by mode, on random data."""

from __future__ import annotations

import numpy as np
import pytest
from coupled_reference import make_coupled_data, plain_coupled_stage, quantities, rate_and_symbol, variants
from stage_reference import DT, RATIO, cases

from phasefield.backend import CpuBackend
from phasefield.kernels import cpu
from phasefield.kernels.coupled import components, coupled_arguments, coupled_program, pack

MODES = 8


def run(case, precision, fields, conserved, stabilising=False):
    """Stored arrays (fields, blocks, n0, 2 m) by name after the kernel has passed over all blocks, sums, data, `split`."""
    backend = CpuBackend(precision, 1)
    data = make_coupled_data(case, backend.dtype, fields, conserved)
    kernel = backend.compile_coupled_stages(case.stages, fields, case.multistep, stabilising)[case.number]
    plain = data.plain
    n0, blocks = plain.k0.size, plain.kr.size // MODES

    def split(a):
        return np.ascontiguousarray(a.reshape(len(a), n0, blocks, -1).transpose(0, 2, 1, 3))

    stored = {name: split(a) for name, a in data.arrays.items()}
    parts, *arrays = stored.values()
    coupling = np.repeat(split(pack(data.matrices).astype(backend.dtype)), 2, axis=-1)
    geometry = (plain.k0, np.repeat(plain.kr, 2), np.repeat(plain.weight, 2), coupling, data.drive, plain.rates)
    sums = np.zeros(16)
    for b in range(blocks):
        part = np.ascontiguousarray(parts[:, b])
        kernel(part, b, *arrays, *geometry, DT, RATIO, sums)
        parts[:, b] = part
    return stored, sums, data, split


@pytest.mark.parametrize(("case", "precision", "fields", "conserved"), variants(), ids=str)
@pytest.mark.parametrize("stabilising", [False, True])
def test_stage_kernels(case, precision, fields, conserved, stabilising):
    stored, sums, data, split = run(case, precision, fields, conserved, stabilising)
    result, kept, expected_sums = plain_coupled_stage(case, data, stabilising)
    tolerance = 1e-12 if precision == "double" else 1e-5
    target = stored["out" if case.number == 0 else "value"]
    np.testing.assert_allclose(target, split(result), rtol=tolerance, atol=tolerance * np.abs(result).max())
    np.testing.assert_array_equal(stored["block"], target)
    np.testing.assert_allclose(sums[: fields + 2], expected_sums, rtol=100 * tolerance, atol=tolerance)
    assert not sums[fields + 2 :].any()
    assert sums[fields + 1] > 0.0 or stabilising or not case.last
    if case.multistep or not case.last:
        slot = stored[f"slot{case.number}"]
        np.testing.assert_allclose(slot, split(kept), rtol=tolerance, atol=tolerance * np.abs(kept).max())
    # The mean of conserved fields keeps its bits, whatever the driving force.
    still = np.array_equal(target[:, 0, 0, :2], stored["base"][:, 0, 0, :2])
    assert still == conserved


@pytest.mark.parametrize("conserved", [True, False])
def test_the_first_order_step_solves_a_linear_system(conserved):
    """((1 + Δt m (S + κk̃²)) 1 + Δt m Λ) û⁺ = û + Δt N, by elimination."""
    case = next(c for c in cases() if c.name == "imex1")
    stored, _, data, split = run(case, "double", 3, conserved)
    known, _ = quantities(case, data)
    m, symbol = rate_and_symbol(data)
    matrix = DT * m[..., None, None] * data.matrices
    matrix += (1.0 + DT * m * (data.plain.rates[0, 3] + symbol))[..., None, None] * np.eye(3)
    right = np.moveaxis(known["u"] + DT * known["N0"], 0, -1)
    expected = np.moveaxis(np.linalg.solve(matrix, right[..., None])[..., 0], -1, 0)
    expected = np.ascontiguousarray(expected).view(float)
    np.testing.assert_allclose(stored["out"], split(expected), rtol=1e-12, atol=1e-12)


def test_without_coupling_the_stage_is_the_plain_one():
    """Λ = 0 in any basis."""
    backend = CpuBackend("double", 1)
    case = next(c for c in cases() if str(c) == "etdrk4-3")
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(2, 2)))[0]
    results = []
    for coupled in (False, True):
        data = make_coupled_data(case, backend.dtype, 2, False).plain
        block, *arrays = (a if i == 0 else a[:, None] for i, a in enumerate(data.arrays.values()))
        geometry = (data.k0, np.repeat(data.kr, 2), np.repeat(data.weight, 2))
        if coupled:
            numbers = np.array([0.0, 0.0, *rotation.reshape(-1)])
            coupling = np.broadcast_to(numbers[:, None, None, None], (6, 1, data.k0.size, 2 * data.kr.size)).copy()
            stages = backend.compile_coupled_stages(case.stages, 2)
            geometry = (*geometry, coupling, np.zeros(2))
        else:
            stages = backend.compile_stages(case.stages)
        sums = np.zeros(16)
        stages[case.number](block, 0, *arrays, *geometry, data.rates, DT, RATIO, sums)
        results.append((block, sums))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-12)


def test_arguments_and_statements():
    case = next(c for c in cases() if str(c) == "sbdf2-0")
    names = coupled_arguments(0, case.stages, True)
    assert names[names.index("weight") + 1 :][:3] == ["coupling", "drive", "rates"]
    assert coupled_program(0, case.stages, 3, True).matrix[:4] == ("lambda_0", "lambda_1", "lambda_2", "V_0_0")
    assert coupled_program(0, case.stages, 1, True).matrix == ("lambda_0",)


@pytest.mark.parametrize("fields", [1, 2, 3])
def test_packed_matrices(fields):
    rng = np.random.default_rng(4)
    factors = rng.normal(size=(4, 6, fields, fields - 1 or 1))
    matrices = factors @ np.swapaxes(factors, -1, -2)
    packed = pack(matrices)
    assert packed.shape == (components(fields), 4, 6)
    values, vectors = packed[:fields], np.ones((1, 1, 4, 6))
    if fields > 1:
        c, s = packed[2:4]
        vectors = np.array([[c, -s], [s, c]]) if fields == 2 else packed[fields:].reshape(fields, fields, 4, 6)
    assert (values >= 0.0).all()
    np.testing.assert_allclose(np.einsum("piab,iab,qiab->abpq", vectors, values, vectors), matrices, atol=1e-13)
    np.testing.assert_array_equal(pack(matrices[0, 0]), packed[:, 0, 0])
    np.testing.assert_array_equal(pack(-1e-18 * np.eye(fields))[:fields], 0.0)


@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize("fields", [1, 2, 3])
def test_coupling_energy(fields, real):
    rng = np.random.default_rng(5)
    blocks, n0, modes = 3, 4, 8
    factors = rng.normal(size=(blocks, n0, modes, fields, fields))
    matrices = factors @ np.swapaxes(factors, -1, -2)
    u, weight = (
        rng.normal(size=(fields, blocks, n0, 2 * modes)).astype(real),
        rng.choice([0.0, 1.0, 2.0], blocks * modes),
    )
    coupling = np.repeat(pack(matrices), 2, axis=-1).astype(real)
    z = u.astype(float).view(complex)
    expected = 0.5 * np.einsum("bj,pbaj,bajpq,qbaj->", weight.reshape(blocks, modes), z.conj(), matrices, z).real
    tolerance = 1e-13 if real == "float64" else 1e-5
    assert cpu.coupling_energy(u, coupling, np.repeat(weight, 2)) == pytest.approx(expected, rel=tolerance)
