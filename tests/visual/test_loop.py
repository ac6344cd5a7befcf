"""Loops of stress, strain and temperature, and the frames shown with them."""

import matplotlib
import numpy as np
from figures import curve, data_of, texts
from matplotlib.collections import LineCollection
from matplotlib.legend import Legend

from phasefield.visual.fields import chosen_frames, telling_frames
from phasefield.visual.paths import Paths, driven, paths_of, varies
from phasefield.visual.plot import figure_energy, figure_loop, figure_overview


def test_what_counts_as_driven(martensite):
    assert driven(martensite["cycle"])
    assert not any(driven(martensite[name]) for name in ("twins", "box", "line"))
    # A clamped box answers with stress, a free one with strain.
    assert paths_of(martensite["twins"]).stress.keys() == {"xx", "yy"}
    assert not paths_of(martensite["twins"]).strain
    assert not paths_of(martensite["line"]).stress
    assert "xx" in paths_of(martensite["line"]).strain
    assert all(varies(run) for run in martensite.values())


def test_components_are_chosen_by_work_and_drawn_once():
    t = np.linspace(0.0, 1.0, 101)
    ramp, wave = 2.0 * t, np.sin(6.0 * t)
    zero = np.zeros_like(t)
    twice = Paths(t, {"xx": ramp, "yy": -ramp, "xy": 0.1 * wave}, {"xx": wave, "yy": -wave, "xy": wave}, None)
    assert twice.loaded == ["xx"]
    both = Paths(t, {"xx": ramp, "xy": 0.5 * ramp}, {"xx": ramp, "xy": ramp + 0.1 * wave}, None)
    assert both.loaded == ["xx", "xy"]
    # Stress while the strain rests, then strain without stress: no work, and still a path to show.
    first = Paths(t, {"xx": np.where(t < 0.5, wave, 0.0)}, {"xx": np.where(t < 0.5, zero, t - 0.5)}, None)
    assert first.loaded == ["xx"]
    assert Paths(t, {"xx": ramp}, {}, None).loaded == []
    assert not Paths(t, {"xx": ramp}, {"yy": ramp}, None).driven
    assert Paths(t, {}, {}, ramp).driven


def test_loops_hold_the_history_coloured_by_time(martensite):
    run = martensite["cycle"]
    history = run.history
    time, stress, strain = (history[n].values for n in ("time", "mean_stress_xx", "mean_strain_xx"))
    temperature = history["temperature"].values
    figure = figure_loop(run)
    loops = [
        a
        for a in figure.axes
        if any(isinstance(c, LineCollection) and len(c.get_segments()) > 5 for c in a.collections)
    ]
    assert [a.get_xlabel() for a in loops[:2]] == [r"mean strain $\bar\varepsilon_{xx}$", "temperature $T$"]
    assert loops[0].get_ylabel() == r"mean stress $\bar\sigma_{xx}$"
    for axes, x, y in zip(loops, (strain, temperature), (stress, strain), strict=True):
        (lines,) = axes.collections
        segments = np.array(lines.get_segments())
        np.testing.assert_array_equal(segments[:, 0], np.stack([x, y], axis=1)[:-1])
        np.testing.assert_array_equal(segments[:, 1], np.stack([x, y], axis=1)[1:])
        np.testing.assert_allclose(lines.get_array(), 0.5 * (time[1:] + time[:-1]))
        (start,) = [each for each in axes.get_lines() if each.get_marker() == "o"]
        (end,) = [each for each in axes.get_lines() if each.get_marker() == "s"]
        assert data_of(start) == (x[0], y[0])
        assert data_of(end) == (x[-1], y[-1])
    assert {"start", "end", "time $t$"} <= set(texts(figure))
    # Detwinning costs work: the loop of stress and strain is open by about the strain of the variant.
    assert strain[time == 130.0] > 0.8 * 3.0
    assert abs(strain[-1]) < 0.1 * 3.0


def test_traces_hold_the_history_with_the_corners_of_the_load(martensite):
    run = martensite["cycle"]
    figure = figure_loop(run)
    by_label = {a.get_ylabel(): a for a in figure.axes}
    for label, column in (("temperature $T$", "temperature"), ("dissipated energy", "dissipation")):
        curves = [data_of(each)[1] for each in by_label[label].get_lines()]
        assert any(np.array_equal(y, run.history[column].values) for y in curves)
    _, strain = curve(by_label["mean strain"], r"$\bar\varepsilon_{yy}$")
    np.testing.assert_array_equal(strain, run.history["mean_strain_yy"].values)
    corners = {
        x for each in by_label["mean stress"].get_lines() for x in data_of(each)[0] if each.get_linestyle() == ":"
    }
    assert corners == {60.0, 110.0, 130.0, 140.0, 180.0}


def test_a_response_alone_has_traces_and_no_loop(martensite):
    figure = figure_loop(martensite["twins"])
    assert [a.get_ylabel() for a in figure.axes] == ["mean stress", "dissipated energy"]
    assert "start" not in texts(figure)


def test_overview_shows_loops_instead_of_spectra(martensite):
    written = texts(figure_overview(martensite["cycle"]))
    assert {"start", "end", "frames", "temperature $T$"} <= set(written)
    assert any("Growth rates were not measured" in t for t in written)
    assert "wavenumber $k$" not in written
    written = texts(figure_overview(martensite["twins"]))
    assert {"wavenumber $k$", "η₁"} <= set(written)
    assert "start" not in written


def test_frames_under_load_are_those_that_differ(martensite):
    run = martensite["cycle"]
    chosen = telling_frames(run, 4)
    times = run.times[chosen]
    assert times[0] == 0.0
    assert times[-1] == 200.0
    # Twins at the end of the clamped stage, one variant at the end of a later one.
    assert times[1] == 60.0
    assert times[2] in (110.0, 130.0, 140.0)
    assert len(telling_frames(run, 7)) == 7
    assert telling_frames(run, 1) == [20]
    assert telling_frames(martensite["twins"], 3) == chosen_frames(martensite["twins"], 3)


def test_time_is_linear_under_load(martensite):
    assert figure_energy(martensite["cycle"]).axes[0].get_xscale() == "linear"


def test_legends_are_the_figures_own(martensite):
    with matplotlib.rc_context({"legend.fontsize": 30.0}):
        figure = figure_loop(martensite["cycle"])
    assert all(t.get_fontsize() < 10.0 for legend in figure.findobj(Legend) for t in legend.get_texts())
