import shutil
import subprocess
import sys

import h5py
import matplotlib
import numpy as np
import pytest
from figures import assert_tidy, curve, data_of, texts
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

import phasefield as pf
from phasefield import runner
from phasefield.analysis.coarsening import mean_wavelength
from phasefield.analysis.growth import NotApplicable, growth_curve
from phasefield.errors import InputError
from phasefield.output.reader import Run
from phasefield.scenario import load_scenario
from phasefield.visual.fields import chosen_frames
from phasefield.visual.plot import (
    FIGURES,
    figure_energy,
    figure_fields,
    figure_growth,
    figure_overview,
    figure_radius,
    figure_spectrum,
    plot,
)

MODEL = {"name": "cahn_hilliard", "gradient_energy": 0.5, "free_energy": "0.25*(c**2 - 1)**2"}
DISC = {"shapes": [{"disc": {"centre": [8.0, 8.0], "radius": 5.0}}], "inside": 1.0, "outside": -1.0}
SCENARIOS = {
    "line": {
        "title": "A line for $5 and $6",
        "model": MODEL,
        "grid": {"x": {"cells": 512, "length": 512.0}},
        "initial": {"c": {"mean": 0.0, "noise": 1e-3}},
        "time": {"end": 14.0, "step": 0.05},
        "output": {"fields": {"every": 2.0}, "history": {"every": 0.1}},
        "verify": {"linear_stability": {}},
        "seed": 1,
    },
    "plane": {
        "model": MODEL,
        "grid": {"x": {"cells": 64, "length": 64.0}, "y": {"cells": 32, "length": 32.0}},
        "initial": {"c": {"mean": 0.1, "noise": 0.2}},
        "time": {"end": 40.0, "step": 0.1},
        "output": {"fields": {"every": 1.0}, "history": {"every": 0.4}},
        "verify": False,
        "seed": 2,
    },
    "box": {
        "model": MODEL,
        "grid": {
            "x": {"cells": 16, "length": 16.0},
            "y": {"cells": 12, "length": 12.0},
            "z": {"cells": 8, "length": 8.0},
        },
        "initial": {"c": {"mean": 0.0, "noise": 0.05}},
        "time": {"end": 10.0, "step": 0.1},
        "output": {"fields": {"every": 5.0}, "history": {"every": 0.5}},
    },
    "disc": {
        "model": {"name": "allen_cahn", "gradient_energy": 0.25},
        "grid": {"x": {"cells": 32, "length": 16.0}, "y": {"cells": 32, "length": 16.0}},
        "initial": {"phi": {**DISC, "interface_width": 0.7}},
        "time": {"end": 20.0, "step": 0.1},
        "output": {"fields": {"every": 2.0}, "history": {"every": 0.2}},
        "verify": {"shrinking_radius": 0.1},
    },
    "constant": {
        "model": MODEL,
        "grid": {"x": {"cells": 8, "length": 8.0}, "y": {"cells": 8, "length": 8.0}},
        "initial": {"c": {"mean": 0.9}},
        "time": {"end": 1.0, "step": 0.5},
        "verify": False,
    },
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {name: pf.run(s, output=folder / name, threads=1) for name, s in SCENARIOS.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_figure_of_every_run_is_made(runs, name):
    for make in FIGURES.values():
        assert isinstance(make(runs[name]), Figure)


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_in_an_overview_is_clipped_or_overlaps(runs, name):
    assert_tidy(figure_overview(runs[name]))


def test_files_are_written_into_the_run_folder_and_replaced(runs):
    run = runs["disc"]
    files = plot(run)
    assert [f.stem for f in files] == ["overview", "fields", "energy", "spectrum", "radius"]
    assert {f.parent for f in files} == {run.folder / "plots"}
    files[2].write_text("not a picture")
    assert plot(str(run.folder), what=["energy"]) == [files[2]]
    assert imread(files[2]).ndim == 3


def test_figures_that_do_not_apply_are_left_out(runs, tmp_path):
    everywhere = ["overview", "fields", "energy", "spectrum"]
    assert [f.stem for f in plot(runs["constant"], tmp_path)] == everywhere
    assert "growth" in [f.stem for f in plot(runs["line"], tmp_path)]
    chosen = plot(runs["constant"], tmp_path, ["radius", "growth", "radius"])
    assert [f.stem for f in chosen] == ["radius", "growth"]


def test_energies_over_a_logarithmic_time_fill_their_panel(tmp_path):
    scenario = {
        "model": {"name": "allen_cahn", "gradient_energy": 2.0},
        "grid": {"x": {"cells": 48, "length": 32.0, "boundary": "fixed", "values": {"phi": [1.0, -1.0]}}},
        "initial": {"phi": {"expression": "cos(pi*x/Lx)", "noise": 0.3}},
        "time": {"end": 80.0},
    }
    upper = figure_energy(pf.run(scenario, output=tmp_path / "run", threads=1)).axes[0]
    assert upper.get_xscale() == "log"
    after = max(float(np.max(line.get_ydata()[1:])) for line in upper.lines)
    low, high = upper.get_ylim()
    assert after < high < after + 0.1 * (high - low)


def test_unknown_figure_names_the_nearest_and_writes_nothing(runs, tmp_path):
    with pytest.raises(InputError, match="unknown figure 'spectra'; did you mean 'spectrum'"):
        plot(runs["box"], tmp_path / "new", ["energy", "spectra"])
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_an_input_error(runs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        plot(runs["constant"], tmp_path / "file", ["energy"])


def test_unknown_field_and_impossible_number_of_frames(runs):
    with pytest.raises(InputError, match="unknown field"):
        figure_fields(runs["plane"], "d")
    with pytest.raises(InputError, match="at least 1"):
        figure_fields(runs["plane"], frames=0)


def test_settings_of_the_user_neither_leak_in_nor_change(runs):
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30.0}):
        figure = figure_energy(runs["plane"])
        assert matplotlib.rcParams["font.size"] == 30.0
    assert figure.axes[0].get_facecolor() == (1.0, 1.0, 1.0, 1.0)


def test_the_title_is_taken_as_it_is(runs):
    figure = figure_energy(runs["line"])
    (title,) = [t for t in figure.findobj(Text) if t.get_text() == "A line for $5 and $6"]
    assert not title.get_parse_math()
    assert figure_energy(runs["box"]).get_suptitle() == "box"


# ------------------------------------------------------------ fields


def test_line_plots_hold_the_frames(runs):
    run = runs["line"]
    axes = figure_fields(run, frames=3).axes
    for each, index in zip(axes, chosen_frames(run, 3), strict=True):
        x, c = data_of(each.get_lines()[0])
        np.testing.assert_allclose(x, np.arange(512) + 0.5)
        np.testing.assert_array_equal(c, run.frame("c", index))
        assert each.get_title(loc="right") == f"t = {run.times[index]:.4g}"


def test_images_hold_the_frames_in_lengths_of_the_box_on_one_scale(runs):
    run = runs["plane"]
    shown = [a for a in figure_fields(run).axes if a.images]
    assert len(shown) == 4
    for axes, index in zip(shown, chosen_frames(run, 4), strict=True):
        image = axes.images[0]
        np.testing.assert_array_equal(image.get_array(), run.frame("c", index))
        assert image.origin == "lower"
        assert image.get_extent() == [0.0, 64.0, 0.0, 32.0]
        assert axes.get_aspect() == 1.0
        assert image.norm is shown[0].images[0].norm
    # Wells at ±1: white is 0, although the extremes of the field are not symmetric about it.
    norm = shown[0].images[0].norm
    largest = max(np.abs(run.frame("c", i)).max() for i in chosen_frames(run, 4))
    assert norm.vmin == pytest.approx(-largest, abs=3e-3)
    assert norm.vmax == pytest.approx(largest, abs=3e-3)


def test_mid_planes_of_a_box(runs):
    run = runs["box"]
    shown = [a for a in figure_fields(run, frames=2).axes if a.images]
    first, last = run.frame("c", 0), run.frame("c", -1)
    expected = [first[4], last[4], first[:, 6], last[:, 6], first[:, :, 8], last[:, :, 8]]
    labels = [("x", [0, 16, 0, 12])] * 2 + [("x", [0, 16, 0, 8])] * 2 + [("y", [0, 12, 0, 8])] * 2
    for axes, plane, (label, extent) in zip(shown, expected, labels, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), plane)
        assert axes.get_xlabel() == label
        assert axes.images[0].get_extent() == extent


def test_a_constant_field_has_a_scale_of_some_width(runs):
    low, high = figure_fields(runs["constant"]).axes[0].images[0].get_clim()
    assert low is not None
    assert high is not None
    assert low < 0.9 < high


def test_a_single_frame_is_enough(runs):
    assert len([a for a in figure_fields(runs["plane"], frames=1).axes if a.images]) == 1
    assert chosen_frames(runs["plane"], 1) == [40]
    assert chosen_frames(runs["plane"], 3) == [0, 20, 40]
    assert chosen_frames(runs["constant"], 9) == [0, 1]


# --------------------------------------------------------- histories


def test_energy_holds_the_history(runs):
    run = runs["plane"]
    figure = figure_energy(run)
    for label, column in (("total", "energy"), ("bulk", "energy_bulk"), ("gradient", "energy_gradient")):
        t, energy = curve(figure.axes[0], label)
        np.testing.assert_array_equal(t, run.history["time"].values)
        np.testing.assert_array_equal(energy, run.history[column].values)
    t, step = data_of(figure.axes[1].get_lines()[0])
    np.testing.assert_array_equal(t, run.history["time"].values[1:])
    np.testing.assert_allclose(step, 0.1)
    assert "400 steps, 0 rejected" in texts(figure)


def test_time_is_logarithmic_over_decades_with_an_early_fall_only(runs):
    # The disc loses energy faster and faster: a logarithmic axis would show next to nothing of it.
    assert figure_energy(runs["disc"]).axes[0].get_xscale() == "linear"
    assert figure_energy(runs["plane"]).axes[0].get_xscale() == "log"


def test_spectra_keep_the_total_power(runs):
    run = runs["plane"]
    axes = figure_spectrum(run).axes[0]
    data = run.spectrum
    k, power = curve(axes, "t = 40")
    c = run.frame("c").astype(float)
    # Parseval: the mean square fluctuation is Σ S modes / V; bands and corners of k-space keep the order of magnitude.
    widths = np.gradient(k)
    total = np.sum(power * 2 * np.pi * k * widths) / (2 * np.pi) ** 2
    assert total == pytest.approx(c.var(), rel=0.1)
    assert k[0] == pytest.approx(data["wavenumber"].values[1])


def test_spectra_of_a_line_are_the_means_over_bands(runs):
    run = runs["line"]
    k, power = curve(figure_spectrum(run).axes[0], "t = 0")
    data = run.spectrum
    shells, modes = data["wavenumber"].values, data["modes"].values
    np.testing.assert_allclose(power[:3], 512.0 * data["power_c"].values[0, 1:4], rtol=1e-12)
    assert len(k) < 0.5 * len(shells)
    assert k[-1] == pytest.approx(shells[modes > 0][-1], rel=0.06)


def test_wavelength_with_a_law_of_coarsening_where_it_may_hold(runs):
    axes = figure_spectrum(runs["plane"]).axes[1]
    time, wavelength = curve(axes, r"$2\pi")
    expected = mean_wavelength(runs["plane"], "c")
    np.testing.assert_array_equal(time, expected[0][1:])
    np.testing.assert_array_equal(wavelength, expected[1][1:])
    t, guide = curve(axes, "$t^{1/3}")
    assert t[0] == pytest.approx(4.0)
    assert np.diff(np.log(guide)) == pytest.approx(np.diff(np.log(t)) / 3)
    assert curve(axes, r"$\lambda^*")[1][0] == pytest.approx(2 * np.pi / np.sqrt(1 - 3 * 0.1**2), rel=1e-3)
    for name in ("line", "disc", "box"):
        assert not any("t^" in str(each.get_label()) for each in figure_spectrum(runs[name]).axes[1].get_lines())


def test_mean_wavelength_of_one_wave(tmp_path):
    wave = {**SCENARIOS["plane"], "initial": {"c": "0.1*sin(2*pi*x/16)"}, "time": {"end": 0.1, "step": 0.1}}
    run = pf.run(wave, output=tmp_path / "wave", threads=1)
    assert mean_wavelength(run, "c")[1] == pytest.approx(16.0, rel=1e-3)


# ------------------------------------------------------------ growth


def test_growth_shows_the_measured_curve_and_theory(runs):
    run = runs["line"]
    scenario = load_scenario(run.scenario)
    expected = growth_curve(run, scenario, scenario)
    axes, errors = figure_growth(run).axes
    order = np.argsort(expected.wavenumber)
    for label, rate in (
        ("measured", expected.rate),
        ("theory, binned", expected.predicted),
        ("exact factors", expected.predicted_discrete),
    ):
        k, shown = curve(axes, label)
        np.testing.assert_array_equal(k, expected.wavenumber[order])
        np.testing.assert_array_equal(shown, rate[order])
    k, rate = curve(axes, "theory:")
    np.testing.assert_allclose(rate, k**2 * (1.0 - 0.5 * k**2), atol=1e-12)
    legend = axes.get_legend()
    assert legend is not None
    labels = " ".join(t.get_text() for t in legend.get_texts())
    assert rf"\lambda^* = {2 * np.pi:.4g}" in labels
    assert rf"\lambda^* = {expected.fitted_wavelength:.4g}" in labels
    assert rf"\sigma^* = {expected.fitted_rate:.4g}" in labels
    difference = 100 * (expected.rate - expected.predicted) / 0.5
    np.testing.assert_allclose(curve(errors, "against theory")[1], difference)


@pytest.mark.parametrize("name", ["disc", "constant"])
def test_growth_says_why_there_is_nothing_to_show(runs, name):
    scenario = load_scenario(runs[name].scenario)
    with pytest.raises(NotApplicable) as reason:
        growth_curve(runs[name], scenario, scenario)
    assert f"Growth rates were not measured: {reason.value}." in texts(figure_growth(runs[name]))


def test_radius_against_the_law(runs):
    axes = figure_radius(runs["disc"]).axes[0]
    t, square = curve(axes, "measured")
    # tanh(d/δ) discs: R = 5 at the start, and R² falls by 2 L κ per time.
    assert square[0] == pytest.approx(25.0, rel=0.02)
    np.testing.assert_allclose(curve(axes, "theory")[1], square[0] - 0.5 * t)
    assert square[-1] == pytest.approx(square[0] - 0.5 * t[-1], abs=1.0)
    assert any("No radius to follow" in t for t in texts(figure_radius(runs["plane"])))


def test_overview_puts_them_together(runs):
    figure = figure_overview(runs["line"])
    written = texts(figure)
    assert {"t = 0", "t = 8", "t = 14", "total"} <= set(written)
    assert any(t.startswith("measured:") for t in written)
    assert any("512 cells" in t and "checks passed" in t for t in written)
    assert any("radius squared" in t for t in texts(figure_overview(runs["disc"])))
    assert any("not measured" in t for t in texts(figure_overview(runs["constant"])))


def test_overwriting_a_run_removes_every_figure():
    assert set(runner.FIGURES) == set(FIGURES)


def test_no_display_is_asked_for():
    code = "import sys, phasefield.visual.plot; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_without_spectra_says_so(runs, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(runs["line"].folder, folder, ignore=shutil.ignore_patterns("plots"))
    with h5py.File(folder / "fields.vtkhdf", "a") as file:
        del file["spectrum"], file["growth"]
    run = Run(folder)
    assert "The file holds no spectra." in texts(figure_spectrum(run))
    assert len(plot(run)) == 4
