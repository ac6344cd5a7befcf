"""Random bodies: they keep their distance, meet the fraction, do not depend on cells, and say when they do not fit."""

import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.initial.placement import Balls, place_balls, random_radii
from phasefield.spectral.grid import Axis, Grid


def grid(d, boundary="periodic", cells=32):
    sizes = zip("xyz"[:d], (1.0, 1.5, 0.8), strict=False)
    return Grid(tuple(Axis(name, cells, length, boundary) for name, length in sizes))


def distances(balls, on):
    """Between centres, nearest image by trying the neighbours."""
    total = 0.0
    for k, axis in enumerate(on.axes):
        apart = balls.centres[:, None, k] - balls.centres[None, :, k]
        shifts = [n * axis.length for n in (-1, 0, 1)] if axis.boundary == "periodic" else [0.0]
        total = total + np.min([np.abs(apart + s) for s in shifts], axis=0) ** 2
    return np.sqrt(total)


@pytest.mark.parametrize("boundary", ["periodic", "no_flux"])
@pytest.mark.parametrize(("d", "fraction"), [(2, 0.4), (3, 0.25)])
def test_bodies_keep_their_distance(d, fraction, boundary):
    on, gap = grid(d, boundary), 0.01
    radii = random_radii(0.04, 0.08, fraction, None, on, 3, "region:a", "here")
    balls = place_balls(on, radii, gap, 3, "region:a", "here")
    apart = distances(balls, on) - balls.radii[:, None] - balls.radii[None, :]
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= gap - 1e-12
    assert apart.min() < 0.02  # dense enough to show something
    assert (np.diff(radii) <= 0).all()
    assert radii.min() >= 0.04
    assert radii.max() <= 0.08
    assert np.ptp(radii) > 0.02
    volume = np.pi * radii**2 if d == 2 else 4 / 3 * np.pi * radii**3
    assert volume.sum() / on.volume == pytest.approx(fraction, abs=0.5 * volume.max() / on.volume)
    lengths = np.array([a.length for a in on.axes])
    if boundary == "no_flux":
        rim = (balls.radii + gap)[:, None]
        assert ((balls.centres >= rim - 1e-12) & (balls.centres <= lengths - rim + 1e-12)).all()
    else:
        assert ((balls.centres < balls.radii[:, None]) | (balls.centres > lengths - balls.radii[:, None])).any()


def test_a_number_of_bodies_of_one_radius():
    radii = random_radii(0.05, 0.05, None, 12, grid(2), 0, "s", "here")
    assert radii.tolist() == [0.05] * 12
    assert len(random_radii(0.05, 0.05, 0.1, None, grid(2), 0, "s", "here")) == round(0.1 * 1.5 / (np.pi * 0.0025))


def test_places_depend_on_seed_and_stream_but_not_on_cells():
    def centres(cells=32, seed=1, stream="a"):
        on = grid(2, cells=cells)
        return place_balls(on, np.full(20, 0.06), 0.0, seed, stream, "here").centres

    assert (centres() == centres(cells=100)).all()
    assert not (centres() == centres(seed=2)).any()
    assert not (centres() == centres(stream="b")).any()
    # The first bodies do not depend on how many follow.
    assert (place_balls(grid(2), np.full(9, 0.06), 0.0, 1, "a", "here").centres == centres()[:9]).all()


@pytest.mark.parametrize("boundary", ["periodic", "no_flux"])
@pytest.mark.parametrize("d", [2, 3])
def test_cells_of_bodies(d, boundary):
    """Against distances over the whole grid; bodies that reach over edges, tiny ones, and one as wide as the box."""
    on = grid(d, boundary, cells=20)
    centres = np.array([[0.02, 1.49, 0.4], [0.5, 0.75, 0.79], [0.31, 0.2, 0.1], [0.5, 0.7, 0.4]])[:, :d]
    for centre, radius in zip(centres, [0.3, 0.02, 0.12, 0.399], strict=True):
        total = 0.0
        for axis, (_, c), p in zip(on.axes, on.coordinates().items(), centre, strict=True):
            shifts = [n * axis.length for n in (-1, 0, 1)] if boundary == "periodic" else [0.0]
            total = total + np.min([np.abs(c - p + s) for s in shifts], axis=0) ** 2
        found = Balls(centre[None], np.array([radius])).cells(on)
        assert (found == (np.sqrt(total) <= radius)).all()


def test_bodies_that_do_not_fit():
    with pytest.raises(
        InputError, match=r"^here: no place is left after \d+ of \d+ bodies, a fraction of 0\.[45]\d*; lower"
    ):
        place_balls(grid(2), np.full(36, 0.125), 0.0, 1, "a", "here")
    with pytest.raises(
        InputError, match=r"^here: a body of radius 0\.45 with a gap of 0\.2 does not fit the axis x of length 1"
    ):
        place_balls(grid(2), np.array([0.45]), 0.2, 1, "a", "here")
    with pytest.raises(InputError, match=r"^here\.fraction: 0\.001 is less than half of one body"):
        random_radii(0.1, 0.1, 0.001, None, grid(2), 1, "a", "here")
    with pytest.raises(InputError, match=r"^here\.fraction: takes up to \d+ bodies; at most 10000"):
        random_radii(0.001, 0.1, 0.5, None, grid(2), 1, "a", "here")
