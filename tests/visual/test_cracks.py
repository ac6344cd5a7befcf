"""Pictures of bodies that crack: damage, force against load, the balance of energy, the deformed body."""

from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from figures import assert_tidy, curve, data_of, texts
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from xarray import Dataset

from phasefield.visual.crack_curves import NO_CRACKS, jump_rows
from phasefield.visual.deformed import BROKEN, corner_means, exaggeration
from phasefield.visual.fields import stacked, telling_frames
from phasefield.visual.plot import (
    APPLIES,
    FIGURES,
    figure_crack,
    figure_deformed,
    figure_energy,
    figure_fields,
    figure_load,
    figure_overview,
    plot,
)
from phasefield.visual.style import DAMAGE, DIVERGING

RUNS = ("strip", "square", "pulled", "block", "begun")


def images(figure):
    return [a.images[0] for a in figure.axes if a.images]


def columns(run, *names):
    return [np.asarray(run.history[name].values) for name in names]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("figure", ["overview", "fields", "energy", "load", "crack", "deformed", "surface", "loop"])
def test_every_figure_is_made_and_tidy(cracks, name, figure):
    made = FIGURES[figure](cracks[name])
    assert isinstance(made, Figure)
    assert_tidy(made)


def test_figures_that_apply(cracks, martensite, tmp_path):
    expected = {"strip": {"loop", "deformed"}, "pulled": set(), "block": {"surface"}}
    for name, others in expected.items():
        assert {f for f in APPLIES if APPLIES[f](cracks[name])} == {"load", "crack", *others}
    assert {f for f in APPLIES if APPLIES[f](martensite["line"])} == {"spectrum", "loop"}
    assert [f.stem for f in plot(cracks["begun"], tmp_path, ["load", "crack"])] == ["load", "crack"]


def test_figures_that_do_not_apply_say_why(cracks, martensite):
    for name in ("load", "crack", "deformed", "surface"):
        assert NO_CRACKS in texts(FIGURES[name](martensite["line"]))
    missing = "The file holds no displacement_x, displacement_y: output.fields.names says what is written."
    assert missing in texts(FIGURES["deformed"](cracks["pulled"]))
    assert "Only bodies in the plane are drawn deformed." in texts(FIGURES["deformed"](cracks["block"]))
    assert "Surfaces of cracks are for bodies in space." in texts(FIGURES["surface"](cracks["strip"]))


# -------------------------------------------------------------- curves


def test_mean_stress_against_mean_strain_of_a_periodic_cell(cracks):
    run = cracks["strip"]
    strain, stress = columns(run, "mean_strain_yy", "mean_stress_yy")
    axes = figure_load(run).axes[0]
    for shown, expected in zip(curve(axes, "steps"), (strain, stress), strict=True):
        np.testing.assert_array_equal(shown, expected)
    assert axes.get_xlabel() == r"mean strain $\bar\varepsilon_{yy}$"
    assert axes.get_ylabel() == r"mean stress $\bar\sigma_{yy}$"
    # The load goes back while the force falls, and so does the line: it is drawn in the order of the steps.
    assert strain[-1] < 0.97 * strain.max()
    line = next(
        each for each in axes.get_lines() if each.get_linestyle() == "-" and len(data_of(each)[0]) == strain.size
    )
    np.testing.assert_array_equal(data_of(line)[0], strain)


def test_force_against_load_with_jumps(cracks):
    run = cracks["square"]
    load, force, jumps = columns(run, "load", "force", "jumps")
    after = jump_rows(run)
    assert list(after) == [row for row in range(1, load.size) if jumps[row] > jumps[row - 1]]
    assert after.size > 0
    axes = figure_load(run).axes[0]
    np.testing.assert_array_equal(curve(axes, "steps"), [load, force])
    shown = [data_of(each) for each in axes.get_lines() if each.get_marker() == "v"]
    for (x, y), row in zip(shown, after, strict=True):
        np.testing.assert_array_equal(x, load[row - 1 : row + 1])
        np.testing.assert_array_equal(y, force[row - 1 : row + 1])
    # The line of the equilibria is broken there.
    line = next(
        data_of(each) for each in axes.get_lines() if each.get_linestyle() == "-" and len(data_of(each)[0]) > load.size
    )
    assert np.isnan(line[0]).sum() == after.size
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("load", "force")
    row, count = int(np.argmax(force)), f"{after.size} jump" + "s" * (after.size > 1)
    caption = f"{len(load) - 1} steps, {count}, largest force {force[row]:.4g} at {load[row]:.4g}"
    assert caption in texts(figure_load(run))


def test_load_against_deflection_where_forces_are_given(cracks):
    axes = figure_load(cracks["pulled"]).axes[0]
    np.testing.assert_array_equal(curve(axes, "steps"), columns(cracks["pulled"], "deflection", "load"))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("deflection", "load")


def test_the_crack_against_time_and_load(cracks):
    run = cracks["square"]
    time, load, length, dissipated = columns(run, "time", "load", "crack_length", "dissipated")
    grid = np.reshape(figure_crack(run).axes, (2, 2))
    for column, x in enumerate((time, load)):
        np.testing.assert_array_equal(data_of(grid[0, column].get_lines()[0]), [x, length])
        np.testing.assert_array_equal(curve(grid[1, column], "dissipated"), [x, dissipated])
        law = curve(grid[1, column], "$G_c$")[1]
        np.testing.assert_allclose(law, 2.7e-3 * (length - length[0]))
        # A crack of AT2 costs √(1 + h²/4ℓ²) of what it would without a grid.
        np.testing.assert_allclose(dissipated, np.sqrt(1 + (1 / 32) ** 2 / (4 * 0.08**2)) * law, rtol=1e-9, atol=1e-15)
    assert grid[0, 0].get_ylabel() == "crack length"
    assert figure_crack(cracks["block"]).axes[0].get_ylabel() == "crack area"


def test_the_balance_shows_what_a_jump_releases(cracks):
    run = cracks["square"]
    elastic, dissipated, work, released = columns(run, "energy_elastic", "dissipated", "work", "released")
    figure = figure_energy(run)
    axes = figure.axes[1]
    np.testing.assert_array_equal(curve(axes, "work")[1], work)
    np.testing.assert_array_equal(curve(axes, r"$\Delta E + D")[1], elastic - elastic[0] + dissipated)
    (gap,) = axes.collections
    assert gap.get_label() == "released"
    assert released[-1] == pytest.approx(work[-1] - elastic[-1] - dissipated[-1], rel=1e-6)
    assert released[-1] > 0.02 * work[-1]
    # Terms of the energy and steps stand above and below.
    np.testing.assert_array_equal(curve(figure.axes[0], "elastic")[1], elastic)
    assert len(figure.axes) == 3
    assert not figure_energy(cracks["pulled"]).axes[1].collections


# -------------------------------------------------------------- frames


def test_frames_are_chosen_by_the_length_of_the_crack(cracks):
    run = cracks["strip"]
    time, length = columns(run, "time", "crack_length")
    first, middle, last = (np.interp(run.times[i], time, length) for i in telling_frames(run, 3))
    assert (first, last) == (length[0], length[-1])
    assert (middle - first) / (last - first) == pytest.approx(0.5, abs=0.12)


def test_shares_of_the_length_and_not_of_time():
    def chosen(length, energy, count):
        times = np.arange(11.0)
        values = {"time": times, "crack_length": length, "energy_elastic": energy, "dissipated": length}
        return telling_frames(
            SimpleNamespace(times=times, history=Dataset({n: ("row", v) for n, v in values.items()})), count
        )

    late = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0.3, 0.52, 1])
    assert chosen(late, np.ones(11), 3) == [0, 9, 10]
    assert chosen(late, np.ones(11), 4) == [0, 8, 9, 10]
    # A jump between two frames: as near to the middle as each other, and the one that stores most is before it.
    jump = np.where(np.arange(11) > 6, 1.0, 0.0)
    assert chosen(jump, np.arange(11.0) * (1.0 - jump), 3) == [0, 6, 10]
    assert chosen(np.ones(11), np.ones(11), 3) == [0, 5, 10]


def test_where_a_crack_jumps_the_frame_before_is_shown(cracks):
    run = cracks["square"]
    time, energy = columns(run, "time", "energy_elastic")
    broken = int(np.argmax(np.diff(run.history["crack_length"].values)))
    chosen = run.times[telling_frames(run, 3)]
    assert chosen[0] == 0.0
    assert chosen[1] <= time[broken] < chosen[2]
    assert np.interp(chosen[1], time, energy) > 0.5 * energy.max()


def test_frames_without_growth_and_a_single_one(cracks):
    assert telling_frames(cracks["begun"], 3) == [0]
    assert len(images(figure_overview(cracks["begun"]))) == 1


def test_damage_is_white_to_black_from_0_to_1(cracks):
    for image in images(figure_fields(cracks["square"], "phi")):
        assert (image.norm.vmin, image.norm.vmax) == (0.0, 1.0)
        assert image.get_cmap() is DAMAGE
    grey = DAMAGE(np.linspace(0.0, 1.0, 101))[:, :3] @ [0.299, 0.587, 0.114]
    assert (grey[0], grey[-1]) == (pytest.approx(1.0), pytest.approx(0.0))
    assert np.all(np.diff(grey) < 0.0)


def test_fields_of_both_signs_diverge_from_nothing(cracks):
    run = cracks["strip"]
    first = images(figure_fields(run, "displacement_y"))[0]
    assert first.get_cmap() is DIVERGING
    assert (
        first.norm.vmax == -first.norm.vmin == pytest.approx(np.abs(run.fields["displacement_y"].values).max(), rel=0.2)
    )


def test_frames_of_flat_bodies_stand_above_each_other(cracks):
    assert stacked(cracks["strip"])
    assert not any(stacked(cracks[name]) for name in ("square", "block"))
    for figure in (figure_fields(cracks["strip"], "phi"), figure_overview(cracks["strip"])):
        boxes = [a.get_position() for a in figure.axes if a.images]
        assert len(boxes) >= 3
        assert len({round(box.x0, 3) for box in boxes}) == 1


def test_overview_puts_them_together(cracks):
    run = cracks["square"]
    figure = figure_overview(run)
    written = texts(figure)
    time, length = columns(run, "time", "crack_length")
    for index in telling_frames(run, 3):
        at = run.times[index]
        assert f"t = {at:.4g}, length {np.interp(at, time, length):.4g}" in written
    assert {"load", "force", "jump", "frames", "crack length", "passes", "released"} <= set(written)
    assert any("32 × 32 cells" in t and "checks passed" in t for t in written)
    assert not any("Growth rates" in t or "spectra" in t for t in written)
    passes = next(a for a in figure.axes if a.get_ylabel() == "passes")
    steps, total = columns(run, "steps", "passes")
    np.testing.assert_array_equal(data_of(passes.get_lines()[0])[1], np.diff(total) / np.diff(steps))
    written = texts(figure_overview(cracks["block"]))
    assert {"surfaces φ = ½", "crack area"} <= set(written)
    assert any("frames in the plane z = 0.25" in t for t in written)


# ------------------------------------------------------- deformed bodies


def test_corners_take_the_mean_of_whole_cells():
    u = np.arange(12.0).reshape(3, 4)
    whole = np.ones((3, 4), bool)
    whole[1] = False
    corners = corner_means(u, whole)
    np.testing.assert_array_equal(corners[0], [0.0, 0.5, 1.5, 2.5, 3.0])
    # Both flanks of the broken row belong to their own side.
    np.testing.assert_array_equal(corners[1], corners[0])
    np.testing.assert_array_equal(corners[2], corners[3])
    np.testing.assert_array_equal(corners[2], [8.0, 8.5, 9.5, 10.5, 11.0])
    whole[:, :2] = False
    assert np.isnan(corner_means(u, whole)[:, :2]).all()


def test_exaggeration_is_a_round_number():
    lengths = {"x": 1.0, "y": 1.0}
    for largest, expected in ((0.12, 1.0), (0.007, 10.0), (0.002, 50.0), (3.0, 0.02), (0.0, 1.0)):
        moved = np.array([[[0.0, largest], [np.nan, 0.5 * largest]]])
        assert exaggeration([moved], lengths) == pytest.approx(expected)


def test_an_open_crack_in_the_deformed_body(cracks):
    run = cracks["strip"]
    figure = figure_deformed(run)
    meshes = [a.collections[0] for a in figure.axes if a.collections and a.get_title().startswith("t =")]
    chosen = telling_frames(run, 3)
    assert len(meshes) == 3
    (caption,) = [t for t in texts(figure) if t.startswith("displacements ×")]
    factor = float(caption.split()[2].rstrip(";"))
    for mesh, index in zip(meshes, chosen, strict=True):
        phi = run.frame("phi", index)
        np.testing.assert_array_equal(np.ma.getmaskarray(mesh.get_array()), phi >= BROKEN)
        corners = mesh.get_coordinates()
        opening = corners[8, 32, 1] - corners[7, 32, 1] - 1.0
        uy = run.frame("displacement_y", index).astype(float)
        # The crack is row 7; its flanks are the corners below and above, which belong to rows 6 and 8.
        expected = factor * (uy[8, 31:33].mean() - uy[6, 31:33].mean())
        assert opening == pytest.approx(expected, abs=1e-6)
    assert opening > 1.0
    # What is whole is told from what is left out.
    assert np.linalg.norm(np.array(meshes[0].cmap(0.0)[:3]) - to_rgb("white")) > 0.2


def test_settings_of_the_user_do_not_leak_in(cracks):
    with matplotlib.rc_context({"axes.facecolor": "black"}):
        assert figure_load(cracks["strip"]).axes[0].get_facecolor() == (1.0, 1.0, 1.0, 1.0)
