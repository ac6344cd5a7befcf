"""Acceleration of fixed-point iterations, on linear contractions whose fixed point is known."""

from __future__ import annotations

import numpy as np
import pytest

import phasefield.stepping.acceleration  # noqa: F401 - fills the registry
from phasefield.registry import lookup, names


def contraction(n: int, radius: float = 0.95, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A symmetric A with eigenvalues from 0.1 to `radius`, b, and the solution of x = Ax + b."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(n, n)))
    A = basis @ np.diag(np.linspace(0.1, radius, n)) @ basis.T
    b = rng.normal(size=n)
    return A, b, np.linalg.solve(np.eye(n) - A, b)


def errors(acceleration, A, b, solution, evaluations: int, shape=(-1,)) -> list[float]:
    """max |x − solution| of every iterate, the first included."""
    x, found = np.zeros_like(b).reshape(shape), []
    for _ in range(evaluations):
        found.append(float(np.abs(x.reshape(-1) - solution).max()))
        x = acceleration.propose(x, (A @ x.reshape(-1) + b).reshape(shape))
    return [*found, float(np.abs(x.reshape(-1) - solution).max())]


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_anderson_is_exact_after_as_many_steps_as_unknowns(n):
    A, b, solution = contraction(n)
    found = errors(lookup("acceleration", "anderson")(depth=n), A, b, solution, n + 2)
    # The first step has nothing to combine. The regularisation leaves 1e-10 of conditioned differences.
    assert found[n + 1] < 1e-5 * found[0]
    assert found[n + 2] < 1e-8 * found[0]
    plain = errors(lookup("acceleration", "none")(), A, b, solution, n + 2)
    assert n == 1 or plain[-1] > 0.1 * plain[0]


def test_anderson_is_what_least_squares_say():
    """One proposal against `numpy.linalg.lstsq` over differences of residuals."""
    A, b, _ = contraction(12, seed=3)
    rng, depth = np.random.default_rng(4), 3
    acceleration = lookup("acceleration", "anderson")(depth=depth)
    points = [rng.normal(size=(3, 4)) for _ in range(7)]
    images = [(A @ x.reshape(-1) + b).reshape(3, 4) for x in points]
    for x, image in zip(points, images, strict=True):
        found = acceleration.propose(x, image)
    last = slice(-depth - 1, None)
    residuals = np.array([(g - x).reshape(-1) for x, g in zip(points[last], images[last], strict=True)])
    weights, *_ = np.linalg.lstsq(np.diff(residuals, axis=0).T, residuals[-1], rcond=None)
    expected = images[-1] - np.tensordot(weights, np.diff(np.array(images[last]), axis=0), axes=1)
    assert found.shape == (3, 4)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


def test_anderson_of_less_depth_is_still_faster():
    A, b, solution = contraction(30, radius=0.98)
    plain = errors(lookup("acceleration", "none")(), A, b, solution, 40)[-1]
    mixed = errors(lookup("acceleration", "anderson")(depth=5), A, b, solution, 40)[-1]
    assert mixed < 1e-2 * plain


def test_anderson_forgets_at_reset_and_takes_iterates_that_stand_still():
    A, b, solution = contraction(3)
    acceleration = lookup("acceleration", "anderson")(depth=3)
    errors(acceleration, A, b, solution, 3)
    acceleration.reset()
    x = np.ones(3)
    image = A @ x + b
    assert acceleration.propose(x, image) is image
    for _ in range(3):
        np.testing.assert_array_equal(acceleration.propose(solution, solution.copy()), solution)


def test_over_relaxation_shrinks_errors_by_its_factor():
    """x − x* shrinks by 1 + ω(λ − 1) where G does by λ: at once with ω = 1/(1 − λ), by 0.68 with λ = 0.8 and ω = 1.6."""
    b, solution = np.array([1.0, -2.0]), np.array([5.0, -10.0])
    exact = errors(lookup("acceleration", "over_relaxation")(relaxation=5.0), 0.8 * np.eye(2), b, solution, 1)
    assert exact[1] < 1e-14
    found = errors(lookup("acceleration", "over_relaxation")(relaxation=1.6), 0.8 * np.eye(2), b, solution, 6)
    np.testing.assert_allclose(np.divide(found[1:], found[:-1]), 0.68, rtol=1e-12)


def test_without_acceleration_the_image_is_next():
    image = np.ones(4)
    assert lookup("acceleration", "none")().propose(np.zeros(4), image) is image


def test_models_know_the_same_names():
    """`models` do not see the registry of `stepping`: their list is kept by hand."""
    from phasefield.models.fracture_sections import ACCELERATIONS

    assert sorted(ACCELERATIONS) == sorted(names("acceleration"))
