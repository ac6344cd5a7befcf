"""Pictures of bodies with inertia that crack: the balance of energy, speed and path of tips, what applies and what does not."""

import numpy as np
import pytest
from figures import assert_tidy, curve, data_of, texts
from matplotlib.figure import Figure

from phasefield.analysis.running_crack import running_crack
from phasefield.runner import FIGURES as WRITTEN
from phasefield.visual.crack_curves import NO_CRACKS, NO_LOAD
from phasefield.visual.plot import (
    APPLIES,
    FIGURES,
    figure_crack,
    figure_energy,
    figure_load,
    figure_overview,
    figure_tip,
    plot,
)
from phasefield.visual.style import scenario_of

RUNS = ("forking", "whole", "block", "stopped")
KINDS = ("overview", "fields", "energy", "load", "crack", "tip", "deformed", "surface", "loop")


def columns(run, *names):
    return [np.asarray(run.history[name].values) for name in names]


def panel(figure, label):
    """The axes with this label at y."""
    return next(a for a in figure.axes if a.get_ylabel().startswith(label))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("figure", KINDS)
def test_every_figure_is_made_and_tidy(motions, name, figure):
    made = FIGURES[figure](motions[name])
    assert isinstance(made, Figure)
    assert_tidy(made)


def test_the_runs_are_what_they_are_for(motions):
    assert {name: motions[name].history["time"].size for name in RUNS} == {
        "forking": 201,
        "whole": 21,
        "block": motions["block"].history["steps"].values[-1] + 1,
        "stopped": 1,
    }
    assert motions["stopped"].times.size == 1
    assert motions["whole"].history["max_phi"].values[-1] < 0.01
    assert np.ptp(motions["block"].history["crack_area"].values) > 0.0
    crack = running_crack(motions["forking"], scenario_of(motions["forking"]))
    assert np.isfinite(crack.branching)


class Tampered:
    """A run with other columns in its history."""

    def __init__(self, run, **columns):
        self._run, self.history = run, run.history.assign({k: ("time", v) for k, v in columns.items()})

    def __getattr__(self, name):
        return getattr(self._run, name)


def test_no_speed_of_tips_that_jump(motions):
    """A tip that is suddenly further away than any wave has come is that of another crack."""
    run = motions["forking"]
    whole = running_crack(run, scenario_of(run))
    row = int(np.searchsorted(whole.time, np.median(whole.middle)))
    later = np.arange(whole.time.size) >= row
    x, length = columns(run, "tip_x", "tip_length")
    ell = scenario_of(run).model.parameters.length
    for way in (8.0 * ell, -8.0 * ell):
        jumped = Tampered(run, tip_x=x + way * later, tip_length=length + way * later)
        crack = running_crack(jumped, scenario_of(run))
        assert 0 < crack.speed.size < whole.speed.size
        kept = np.isin(whole.middle, crack.middle)
        np.testing.assert_allclose(crack.speed, whole.speed[kept], rtol=1e-9)
        assert not kept[np.argmin(np.abs(whole.middle - whole.time[row]))]


def test_figures_that_apply(motions, tmp_path):
    expected = {
        "forking": {"crack", "tip", "deformed"},
        "whole": {"crack"},
        "block": {"crack", "surface"},
        "stopped": {"crack"},
    }
    for name, figures in expected.items():
        assert {f for f in APPLIES if APPLIES[f](motions[name])} == figures
    assert set(FIGURES) == set(WRITTEN)
    written = {path.stem for path in plot(motions["stopped"], tmp_path)}
    assert written == {"overview", "fields_phi", "fields_velocity_y", "energy", "crack"}


def test_figures_that_do_not_apply_say_why(motions, cracks, martensite):
    assert NO_LOAD in texts(figure_load(motions["forking"]))
    assert NO_CRACKS in texts(figure_tip(martensite["line"]))
    assert "Tips are followed in bodies with inertia." in texts(figure_tip(cracks["strip"]))
    assert "Tips are followed in the plane only." in texts(figure_tip(motions["block"]))
    for name in ("whole", "stopped"):
        assert "No crack has grown." in texts(figure_tip(motions[name]))


# -------------------------------------------------------------- energies


def test_the_balance_adds_up_to_the_work(motions):
    for name in ("forking", "whole"):
        run = motions[name]
        names = ("energy_kinetic", "energy_elastic", "dissipated", "damped", "work")
        kinetic, elastic, dissipated, damped, work = columns(run, *names)
        figure = figure_energy(run)
        upper, lower = figure.axes[1:3]
        total = curve(upper, "$T +")[1]
        np.testing.assert_allclose(total, kinetic + elastic - elastic[0] + dissipated + damped, rtol=1e-14)
        np.testing.assert_array_equal(curve(upper, "kinetic")[1], kinetic)
        np.testing.assert_array_equal(curve(upper, "work")[1], work)
        # The curves lie on one another; one of them without damping, or without kinetic energy, would not.
        assert np.abs(total - work).max() < 0.02 * work.max()
        np.testing.assert_array_equal(curve(lower, "dissipated")[1], dissipated)
        np.testing.assert_array_equal(curve(lower, "elastic")[1], elastic - elastic[0])
        assert ("damped" in texts(figure)) == (name == "whole")


def test_heat_works_too(motions):
    axes = figure_energy(motions["block"]).axes[1]
    np.testing.assert_allclose(curve(axes, "of loads and heat")[1], curve(axes, "$T +")[1], rtol=1e-12)
    assert curve(axes, "of loads and heat")[1][-1] > 0.0


def test_what_the_balance_misses(motions):
    run = motions["forking"]
    missed, work = columns(run, "imbalance", "work")
    figure = figure_energy(run)
    shown = [data_of(line)[1] for line in panel(figure, "missed").get_lines() if len(data_of(line)[1]) == missed.size]
    np.testing.assert_allclose(shown[0], missed / work.max(), rtol=1e-14)
    steps = int(run.history["steps"].values[-1])
    largest = np.abs(missed).max() / work.max()
    assert f"{steps} steps; energy missed by the balance, over the largest work, at most {largest:.2g}" in texts(figure)


# -------------------------------------------------------------- tips


def test_speed_over_that_of_rayleigh_waves_with_the_moments(motions):
    run = motions["forking"]
    crack = running_crack(run, scenario_of(run))
    # The crack is two thirds as fast as Rayleigh waves at most, which run 2125 m/s.
    assert crack.fastest == pytest.approx(0.6 * 2125.0, rel=0.2)
    for figure in (figure_tip(run), figure_overview(run)):
        axes = panel(figure, "speed of the tip $v/c_R$, $c_R = 2125$")
        shown = [data_of(line) for line in axes.get_lines()]
        assert any(
            len(y) == crack.speed.size and np.allclose(y * 2125.214372058795, crack.speed, rtol=1e-12) for _, y in shown
        )
        levels = {y[0] for x, y in shown if len(y) == 2 and y[0] == y[1]}
        assert levels == {0.6, 1.0}
        moments = sorted(x[0] for x, _ in shown if len(x) == 2 and x[0] == x[1])
        np.testing.assert_allclose(moments, [crack.start, crack.branching])
        assert {"start", "fork"} <= set(texts(figure))
        assert "arrival" not in texts(figure)


def test_tips_of_all_frames_and_the_fork(motions):
    run = motions["forking"]
    crack = running_crack(run, scenario_of(run))
    axes = figure_tip(run).axes[0]
    (points,) = axes.collections
    x, y = np.asarray(points.get_offsets()).T
    t = np.asarray(points.get_array())
    # At the end there are two tips, one the mirror image of the other; the longest is that of the history.
    last = t == run.times[-1]
    assert last.sum() == 2
    assert y[last].sum() == pytest.approx(0.023, rel=1e-12)
    assert x[last][0] == pytest.approx(run.history["tip_x"].values[-1], abs=1e-7)
    assert np.all(np.diff(x[t <= crack.branching]) > 0.0)
    assert np.all(y[t <= crack.branching] == pytest.approx(0.0115, rel=1e-12))
    np.testing.assert_allclose(curve(axes, "fork"), np.transpose([crack.forks[0].position]))


def test_lengths_of_the_longest_crack_and_of_all(motions):
    run = motions["forking"]
    time, length, tip = columns(run, "time", "crack_length", "tip_length")
    axes = panel(figure_tip(run), "length grown")
    np.testing.assert_array_equal(curve(axes, "all cracks"), [time, length - length[0]])
    shown = curve(axes, "from the notch")
    np.testing.assert_array_equal(shown, [time[tip > 0.0], tip[tip > 0.0]])


def test_the_crack_against_time_alone(motions):
    run = motions["forking"]
    time, length, dissipated = columns(run, "time", "crack_length", "dissipated")
    upper, lower = figure_crack(run).axes
    np.testing.assert_array_equal(data_of(upper.get_lines()[0]), [time, length])
    np.testing.assert_array_equal(curve(lower, "dissipated"), [time, dissipated])
    np.testing.assert_allclose(curve(lower, "$G_c$")[1], 3.0 * (length - length[0]), rtol=1e-12)
    assert lower.get_xlabel() == "time $t$"


# -------------------------------------------------------------- overview


def test_overview_puts_them_together(motions):
    run = motions["forking"]
    figure = figure_overview(run)
    written = set(texts(figure))
    time, length = columns(run, "time", "crack_length")
    frames = [a.get_title() for a in figure.axes if a.images]
    assert frames[0] == f"t = 0, length {length[0]:.4g}"
    assert frames[-1] == f"t = 4e-05, length {length[-1]:.4g}"
    assert {"work, $W$", "kinetic, $T$", "dissipated, $D$", "crack length", "frames"} <= written
    assert not {"force", "passes", "released"} & written
    assert any("80 × 31 cells" in t and "checks passed" in t for t in written)
    marked = curve(panel(figure, "crack length"), "frames")
    np.testing.assert_allclose(marked[1], np.interp(marked[0], time, length))


def test_overview_of_bodies_in_space_and_of_whole_ones(motions):
    written = texts(figure_overview(motions["block"]))
    assert {"surfaces φ = ½", "crack area"} <= set(written)
    assert not any(t.startswith("speed of the tip") for t in written)
    # Where nothing breaks, waves are shown, if they were written.
    figure = figure_overview(motions["whole"])
    assert "velocity_y" in texts(figure)
    assert not any(t.startswith("speed of the tip") for t in texts(figure))
    assert "φ" in texts(figure_overview(motions["forking"]))
