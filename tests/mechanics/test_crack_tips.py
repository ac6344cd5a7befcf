"""Tips, forks and speeds of cracks with the profile exp(−distance/ℓ) on known lines."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.mechanics.crack_motion import tip_speed
from phasefield.mechanics.crack_tips import branches, crack_angle, find_forks, find_tips, front
from phasefield.spectral.grid import Axis, Grid

ELL, PROMINENCE = 4.0, 12.0
# φ = ¾ lies so far ahead of the end of a line.
AHEAD = -ELL * np.log(0.75)
GRID = Grid((Axis("x", 200, 200.0), Axis("y", 120, 120.0)))
NOTCH = np.zeros(GRID.shape, bool)
NOTCH[59:61, :50] = True
START = np.array([50.0, 60.0])


def unit(angle: float) -> np.ndarray:
    return np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])


def damage(*lines, grid: Grid = GRID, wide: float = 0.0, ell: float = ELL) -> np.ndarray:
    """φ of polygons [(x, y), …]; wide: half the width of a band with φ = 1."""
    x, y = grid.coordinates()["x"], grid.coordinates()["y"]
    distance = np.full(grid.shape, np.inf)
    for line in lines:
        for p, q in pairwise(line):
            d = np.subtract(q, p)
            share = np.clip(((x - p[0]) * d[0] + (y - p[1]) * d[1]) / (d @ d), 0.0, 1.0)
            distance = np.minimum(distance, np.hypot(x - p[0] - share * d[0], y - p[1] - share * d[1]))
    return np.exp(-np.maximum(distance - wide, 0.0) / ell)


OLD = [(0.0, 60.0), START]
# Lengths start at the middle of the last cell of the notch.
EDGE = 0.5


# --- one crack --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("angle", [0, 5, 15, 30, 45, 67, 80, -30])
def test_a_straight_crack_has_one_tip_well_within_a_cell(angle):
    """Within 0.1 of a cell along the crack (scatter 0.03; 0.12 between two rows at 0°), 0.2 across; the length follows."""
    along, across, excess = [], [], []
    for length in np.arange(30.0, 33.0, 0.27):
        end = START + length * unit(angle)
        (tip,) = find_tips(damage(OLD, [START, end]), GRID, NOTCH, PROMINENCE)
        off = np.subtract(tip.position, end + AHEAD * unit(angle))
        along.append(off @ unit(angle))
        across.append(off @ unit(angle + 90.0))
        excess.append(tip.length - length - AHEAD)
        assert (tip.crack, tip.forks) == (0, 0)
    assert np.abs(along).max() < 0.15
    assert np.abs(across).max() < 0.25
    assert np.std(along) < 0.05
    assert np.std(excess) < 0.05
    assert np.abs(np.mean(excess)) < 0.55
    assert crack_angle(damage(OLD, [START, end]), GRID, NOTCH, PROMINENCE) == pytest.approx(angle, abs=0.3)


def test_a_crack_along_an_axis_is_exact():
    """Between cells φ is linear: a ramp that falls through ¾ at 90.3 has its tip there, on the mirror line."""
    x = GRID.coordinates()["x"]
    phi = np.zeros(GRID.shape)
    phi[59:61] = np.clip(0.75 + (90.3 - x) * 0.1, 0.0, 1.0)
    (tip,) = find_tips(phi, GRID, NOTCH, PROMINENCE)
    assert tip.position == (pytest.approx(90.3, rel=1e-14), 60.0)
    assert tip.length == pytest.approx(90.3 - 50.0 + EDGE, rel=1e-14)
    assert front(phi, GRID) == pytest.approx(90.3, rel=1e-14)


@pytest.mark.parametrize("half", [1.0, 4.0, 8.0])
@pytest.mark.parametrize("angle", [0, 20, 45])
def test_wide_and_blunt_bands_have_one_tip(half, angle):
    """Bands of 4 to 18 cells; the end of the box-shaped one has corners."""
    end = START + 50.0 * unit(angle)
    (tip,) = find_tips(damage(OLD, [START, end], wide=half), GRID, NOTCH, 20.0)
    assert np.hypot(*np.subtract(tip.position, end + (half + AHEAD) * unit(angle))) < 0.1 * half + 0.6
    if angle == 0:
        phi = np.zeros(GRID.shape)
        phi[59 - int(half) : 61 + int(half), :100] = 1.0
        (tip,) = find_tips(phi, GRID, NOTCH, 20.0)
        assert tip.position == (99.75, 60.0)


def test_rough_flanks_have_no_tips():
    random = np.random.default_rng(5)
    phi = damage(OLD, [START, START + 80.0 * unit(10)], wide=3.0)
    flank = (phi > 0.4) & (phi < 0.95)
    phi[flank] = np.where(random.random(flank.sum()) < 0.5, 1.0, 0.5)
    tips = find_tips(phi, GRID, NOTCH, 16.0)
    assert [t.forks for t in tips if t.crack == 0] == [0]


def test_kinked_crack():
    """As in the impact of Kalthoff and Winkler: 67° to the notch, downwards; the length counts both parts."""
    turn = START + 40.0 * unit(-67)
    end = turn + 60.0 * unit(0)
    phi = damage(OLD, [START, turn, end])
    (tip,) = find_tips(phi, GRID, NOTCH, PROMINENCE)
    assert tip.length == pytest.approx(100.0 + AHEAD, abs=1.0)
    assert crack_angle(phi, GRID, NOTCH, PROMINENCE, reach=35.0) == pytest.approx(-67.0, abs=0.7)
    assert abs(crack_angle(phi, GRID, NOTCH, PROMINENCE)) < 50.0


def test_curved_crack():
    """A quarter of a circle of radius 50."""
    turn = np.linspace(-90.0, 0.0, 61)
    arc = [START + np.array([0.0, 50.0]) + 50.0 * unit(a) for a in turn]
    (tip,) = find_tips(damage(OLD, arc), GRID, NOTCH, PROMINENCE)
    assert tip.length == pytest.approx(25.0 * np.pi + AHEAD + EDGE, abs=0.5)
    assert tip.position == pytest.approx(tuple(START + np.array([50.0, 50.0 + AHEAD])), abs=0.5)


def test_cells_that_are_not_square():
    grid = Grid((Axis("x", 200, 200.0), Axis("y", 150, 120.0)))
    notch = np.zeros(grid.shape, bool)
    notch[74:76, :50] = True
    end = START + 40.0 * unit(25)
    (tip,) = find_tips(damage(OLD, [START, end], grid=grid), grid, notch, PROMINENCE)
    assert tip.length == pytest.approx(40.0 + AHEAD, abs=0.5)
    assert tip.position == pytest.approx(tuple(end + AHEAD * unit(25)), abs=0.5)


def test_a_crack_through_the_box_ends_at_its_face():
    phi = damage([(0.0, 60.0), (200.0, 60.0)])
    (tip,) = find_tips(phi, GRID, NOTCH, PROMINENCE)
    assert tip.position == (200.0, 60.0)
    assert tip.length == pytest.approx(150.0 + EDGE, rel=1e-14)
    assert front(phi, GRID) == 200.0


def test_too_short_cracks_have_no_tip():
    for length, count in ((PROMINENCE - AHEAD - 1.0, 0), (PROMINENCE + 1.0, 1)):
        phi = damage(OLD, [START, START + length * unit(0)])
        assert len(find_tips(phi, GRID, NOTCH, PROMINENCE)) == count
    nothing = np.zeros(GRID.shape)
    assert find_tips(nothing, GRID, NOTCH, PROMINENCE) == []
    assert find_tips(nothing, GRID, nothing > 0, PROMINENCE) == []


# --- several tips -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half", [10, 30])
def test_forks(half):
    """The angle within 1°, the tips as of single cracks; the bands separate where the lines are about a band apart."""
    place = START + 30.0 * unit(0)
    ends = [place + 70.0 * unit(a) for a in (half, -half)]
    phi = damage(OLD, [START, place], *([place, end] for end in ends))
    tips = find_tips(phi, GRID, NOTCH, PROMINENCE)
    assert [(t.crack, t.forks) for t in tips] == [(0, 1), (0, 1)]
    assert tips[0].length == tips[1].length == pytest.approx(100.0 + AHEAD + EDGE, abs=0.6)
    for tip, angle in zip(tips, (-half, half), strict=True):
        assert tip.position == pytest.approx(tuple(place + (70.0 + AHEAD) * unit(angle)), abs=0.5)
    (fork,) = find_forks(phi, GRID, NOTCH, PROMINENCE, reach=40.0)
    assert fork.angle == pytest.approx(2.0 * half, abs=1.0)
    assert fork.position[1] == 60.0
    gap = fork.position[0] - place[0]
    assert 0.0 <= gap < (AHEAD + 1.5) / np.sin(np.radians(half))
    assert fork.length == pytest.approx(30.0 + gap + EDGE, rel=1e-12)


@pytest.mark.parametrize("half", [10, 30])
def test_lengths_through_forks_of_wide_bands(half):
    """Bands of ten cells separate late and at once; the length is that of the lines, not of the jump to the side."""
    place = START + 40.0 * unit(0)
    phi = damage(OLD, [START, place], *([place, place + 85.0 * unit(a)] for a in (half, -half)), wide=4.0)
    for tip in find_tips(phi, GRID, NOTCH, PROMINENCE):
        assert tip.length == pytest.approx(125.0 + 4.0 + AHEAD + EDGE, abs=0.8)


def test_arms_count_from_the_prominence_on():
    place = START + 50.0 * unit(0)
    for length, count in ((10.0, 1), (22.0, 2)):
        phi = damage(OLD, [START, START + 120.0 * unit(0)], [place, place + length * unit(60)])
        assert len(find_tips(phi, GRID, NOTCH, PROMINENCE)) == count
        assert len(find_forks(phi, GRID, NOTCH, PROMINENCE)) == count - 1


def test_forks_of_forks():
    first, second = START + 25.0 * unit(0), START + 25.0 * unit(0) + 45.0 * unit(30)
    phi = damage(
        OLD,
        [START, first, second, second + 45.0 * unit(60)],
        [second, second + 50.0 * unit(0)],
        [first, first + 60.0 * unit(-30)],
    )
    tips = find_tips(phi, GRID, NOTCH, PROMINENCE)
    assert [t.forks for t in tips] == [2, 2, 1]
    forks = find_forks(phi, GRID, NOTCH, PROMINENCE)
    assert [f.angle for f in forks] == pytest.approx([60.0, 60.0], abs=3.0)
    assert [f.length for f in forks] == pytest.approx([28.0, 73.0], abs=3.0)


def test_a_notch_inside_has_two_tips():
    notch = np.zeros(GRID.shape, bool)
    notch[59:61, 80:120] = True
    tips = find_tips(damage([(50.0, 60.0), (160.0, 60.0)]), GRID, notch, PROMINENCE)
    assert [t.length for t in tips] == pytest.approx([40.0 + AHEAD + EDGE, 30.0 + AHEAD + EDGE], abs=0.15)
    assert [t.crack for t in tips] == [0, 0]
    assert find_forks(damage([(50.0, 60.0), (160.0, 60.0)]), GRID, notch, PROMINENCE) == []


def test_new_cracks_have_two_tips_each():
    """Measured from their middle; small spots are no cracks."""
    new = [(120.0, 95.0), (170.0, 95.0)]
    phi = damage(OLD, [START, START + 40.0 * unit(0)], new, [(30.0, 20.0), (32.0, 20.0)])
    tips = find_tips(phi, GRID, NOTCH, PROMINENCE)
    assert len(tips) == 3
    assert [t.crack > 0 for t in tips] == [False, True, True]
    assert [t.length for t in tips[1:]] == pytest.approx([25.0 - EDGE + AHEAD] * 2, abs=0.15)
    assert sorted(t.position[0] for t in tips[1:]) == pytest.approx([120.0 - AHEAD, 170.0 + AHEAD], abs=0.2)


@pytest.mark.parametrize("seed", range(4))
def test_mirrored_fields_have_mirrored_tips(seed):
    """The same bits of length, whatever the mirror; positions to rounding. The notch is a void without damage."""
    random = np.random.default_rng(seed)
    place = START + 40.0 * unit(random.uniform(-30, 30))
    arms = [[place, place + random.uniform(20, 45) * unit(a)] for a in random.uniform(-80, 80, 2)]
    x, y = random.uniform(120, 170), random.choice([15.0, 105.0])
    phi = damage([START, place], *arms, [(x, y), (x + 20.0, y + 5.0)], wide=random.uniform(0.0, 1.5))
    phi = np.where(random.random(phi.shape) < 0.02, np.minimum(phi, 0.7), phi)
    phi[NOTCH] = 0.0
    tips, forks = (f(phi, GRID, NOTCH, PROMINENCE) for f in (find_tips, find_forks))
    assert len(tips) >= 3
    for mirror in (np.s_[::-1], np.s_[:, ::-1], np.s_[::-1, ::-1]):
        image, notch = np.ascontiguousarray(phi[mirror]), NOTCH[mirror]
        ends = find_tips(image, GRID, notch, PROMINENCE)
        assert sorted((t.crack, t.length, t.forks) for t in ends) == sorted((t.crack, t.length, t.forks) for t in tips)
        assert len(find_forks(image, GRID, notch, PROMINENCE)) == len(forks)
        assert [f.length for f in find_forks(image, GRID, notch, PROMINENCE)] == [f.length for f in forks]


def test_positions_in_a_mirror():
    phi = damage(OLD, [START, START + 60.0 * unit(13)])
    (tip,) = find_tips(phi, GRID, NOTCH, PROMINENCE)
    (below,) = find_tips(phi[::-1], GRID, NOTCH[::-1], PROMINENCE)
    (left,) = find_tips(phi[:, ::-1], GRID, NOTCH[:, ::-1], PROMINENCE)
    x, y = tip.position
    assert below.position == pytest.approx((x, 120.0 - y), rel=1e-15)
    assert left.position == pytest.approx((200.0 - x, y), rel=1e-15)
    assert tip.length == below.length == left.length


# --- fronts and runs --------------------------------------------------------------------------------------------------


def test_front_in_space_and_along_other_axes():
    grid = Grid((Axis("x", 6, 3.0), Axis("y", 5, 5.0), Axis("z", 4, 8.0)))
    phi = np.zeros(grid.shape)
    phi[1, 2, :3] = 1.0
    phi[1, 2, 3] = 0.8
    phi[1, 2, 4] = 0.6
    assert front(phi, grid) == pytest.approx((3.5 + 0.25) * 0.5)
    assert front(phi, grid, "y") == pytest.approx(2.5 + 0.25)
    assert front(phi, grid, "z") == pytest.approx((1.5 + 0.25) * 2.0)
    assert np.isnan(front(0.5 * phi, grid))
    with pytest.raises(InputError, match="unknown axis 'w'"):
        front(phi, grid, "w")


def test_runs_across_an_axis():
    place = START + 30.0 * unit(0)
    phi = damage(OLD, [START, place], [place, place + 70.0 * unit(30)], [place, place + 70.0 * unit(-30)])
    counts = branches(phi, GRID)
    assert isinstance(counts, np.ndarray)
    assert counts[:80].tolist() == [1] * 80
    assert counts[90:140].tolist() == [2] * 50
    assert counts[145:].tolist() == [0] * 55
    assert branches(phi, GRID, "x", 100.0) == 2
    assert branches(phi, GRID, "y", 60.0) == 1
    with pytest.raises(InputError, match="outside"):
        branches(phi, GRID, "x", 201.0)


# --- in time ----------------------------------------------------------------------------------------------------------


def test_tip_speed():
    """Exact for a steady crack; a change of speed is spread over one window."""
    t = np.linspace(0.0, 10.0, 101)
    middles, speeds = tip_speed(t, np.where(t < 5.0, 2.0 * t, 10.0 + 7.0 * (t - 5.0)), 1.0)
    assert middles[0] == pytest.approx(0.5)
    assert middles[-1] == pytest.approx(9.5)
    np.testing.assert_allclose(speeds[middles < 4.49], 2.0, rtol=1e-12)
    np.testing.assert_allclose(speeds[middles > 5.51], 7.0, rtol=1e-12)
    assert speeds[np.abs(middles - 5.0) < 1e-9] == pytest.approx(4.5)
    noisy = 2.0 * t + 0.01 * np.random.default_rng(6).standard_normal(101)
    assert np.abs(tip_speed(t, noisy, 1.0)[1] - 2.0).max() < 4.0 * 0.01 * np.sqrt(12.0 / 11.0)
    with pytest.raises(InputError, match="five points"):
        tip_speed(t, t, 0.3)
    with pytest.raises(InputError, match="ascend"):
        tip_speed(t[::-1], t, 1.0)
    assert len(tip_speed(t, t, 20.0)[0]) == 0


def test_speed_of_a_growing_oblique_crack():
    """0.9 cells per unit of time at 25°, over windows of ten cells: within 1 %."""
    times = np.arange(0.0, 60.0, 2.0)
    lengths = []
    for t in times:
        phi = damage(OLD, [START, START + np.array([15.0 + 0.9 * t]) * unit(25)])
        lengths.append(find_tips(phi, GRID, NOTCH, PROMINENCE)[0].length)
    _, speeds = tip_speed(times, lengths, 12.0)
    np.testing.assert_allclose(speeds, 0.9, rtol=0.012)


def test_bad_input():
    phi = damage(OLD)
    with pytest.raises(InputError, match="at least two cells"):
        find_tips(phi, GRID, NOTCH, 1.0)
    with pytest.raises(InputError, match="shape"):
        find_tips(phi, GRID, NOTCH[1:], PROMINENCE)
    grid = Grid((Axis("x", 4, 4.0), Axis("y", 4, 4.0), Axis("z", 4, 4.0)))
    with pytest.raises(InputError, match="in the plane"):
        find_tips(np.zeros(grid.shape), grid, np.zeros(grid.shape, bool), PROMINENCE)
    with pytest.raises(InputError, match="no crack has grown"):
        crack_angle(phi, GRID, NOTCH, PROMINENCE)
    spot = np.zeros(GRID.shape, bool)
    spot[58:62, 46:50] = True
    with pytest.raises(InputError, match="no direction"):
        crack_angle(damage([START, START + 40.0 * unit(0)]), GRID, spot, PROMINENCE)
