"""Movies: frames, colours, times and formats."""

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from phasefield.cli import _run
from phasefield.errors import InputError
from phasefield.visual.movie import COLOURS, animate, common_palette, common_time_label, moving_figure, write_movie


def pictures(path):
    """All frames of a GIF in RGB, and the milliseconds each of them stays."""
    with Image.open(path) as image:
        shown, times = [], []
        for index in range(image.n_frames):
            image.seek(index)
            shown.append(np.asarray(image.convert("RGB")))
            times.append(image.info["duration"])
    return shown, times


def test_every_frame_of_a_run(motions, tmp_path):
    run = motions["forking"]
    path = animate(run, output=tmp_path / "new" / "crack.gif", fps=20)
    shown, times = pictures(path)
    assert path == tmp_path / "new" / "crack.gif"
    assert len(shown) == run.times.size == 11
    assert times == [50] * 10 + [1550]
    assert all(len(np.unique(p.reshape(-1, 3), axis=0)) <= COLOURS for p in shown)
    # White paper stays white, and the crack grows: more and more dark pixels.
    assert (shown[0][0, 0] == 255).all()
    dark = [(p.sum(axis=2) < 150).sum() for p in (shown[0], shown[5], shown[10])]
    assert dark[0] < dark[1] < dark[2]


def test_frames_a_whole_number_apart(motions, tmp_path):
    """Of 11 frames at most 4: every fourth, and the last."""
    shown, _ = pictures(animate(motions["forking"], "phi", tmp_path / "few.gif", frames=4))
    assert len(shown) == 4
    assert len(pictures(animate(motions["stopped"], "phi", tmp_path / "one.gif"))[0]) == 1


def test_fields_in_cracked_bodies_have_the_crack_over_them(motions):
    run = motions["forking"]
    figure, update = moving_figure(run, "displacement_y", [0, 10])
    field, crack = figure.axes[0].images
    update(10)
    np.testing.assert_allclose(field.get_array(), run.frame("displacement_y", 10))
    np.testing.assert_allclose(crack.get_array()[..., 3], np.clip(run.frame("phi", 10).astype(float), 0, 1) ** 2)
    assert np.all(crack.get_array()[..., :3] == 0.0)
    # Up and down are alike, and so are the ends of the scale.
    assert field.norm.vmin == -field.norm.vmax
    assert 0.0 < field.norm.vmax <= np.abs(run.frame("displacement_y", 10)).max()
    assert figure.axes[0].get_title(loc="left") == "t = 40 × 10⁻⁶"
    (damage,) = moving_figure(run, "phi", [0, 10])[0].axes[0].images
    assert (damage.norm.vmin, damage.norm.vmax) == (0.0, 1.0)
    limited = moving_figure(run, "displacement_y", [0, 10], (-1e-6, 3e-6))[0].axes[0].images[0]
    assert (limited.norm.vmin, limited.norm.vmax) == (-1e-6, 3e-6)


def test_the_middle_plane_of_a_body_in_space(martensite, motions):
    run = motions["block"]
    figure, update = moving_figure(run, "phi", [0, 1])
    update(1)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), run.frame("phi", 1)[3])
    box = martensite["box"]
    figure, _ = moving_figure(box, "eta_1", [0, 4])
    every = box.fields["eta_1"].values[[0, 4]][:, 4]
    norm = figure.axes[0].images[0].norm
    assert norm.vmin <= every.min()
    assert norm.vmax >= every.max()


def test_times_have_one_power_of_ten_and_enough_digits():
    label = common_time_label(np.linspace(0.0, 8e-5, 81))
    assert [label(t) for t in (0.0, 5.2e-5, 8e-5)] == ["t = 0 × 10⁻⁶", "t = 52 × 10⁻⁶", "t = 80 × 10⁻⁶"]
    label = common_time_label(np.array([0.0, 0.25, 20.0]))
    assert [label(t) for t in (0.0, 0.25, 20.0)] == ["t = 0.00", "t = 0.25", "t = 20.00"]
    label = common_time_label(np.array([0.0, 2.5e6]))
    assert label(2.5e6) == "t = 2.5 × 10⁶"
    assert common_time_label(np.zeros(1))(0.0) == "t = 0"


def test_rare_colours_are_kept():
    """One red pixel among many greys is as red in 32 colours, and black and white stay what they are."""
    ramp = np.repeat(np.linspace(60, 200, 100).astype(np.uint8)[None, :, None], 3, axis=2).repeat(50, axis=0)
    ramp[0, :3] = [[255, 0, 0], [0, 0, 0], [255, 255, 255]]
    palette = common_palette([ramp], 32)
    shown = np.asarray(Image.fromarray(ramp).quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB"))
    np.testing.assert_array_equal(shown[0, :3], ramp[0, :3])
    assert np.abs(shown.astype(int) - ramp).max() <= 10


def test_any_figure_can_move(tmp_path):
    figure = Figure((2.0, 1.0))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    image = axes.imshow(np.zeros((1, 1)), vmin=0.0, vmax=2.0, cmap="gray", aspect="auto")
    axes.set_axis_off()
    path = write_movie(figure, lambda i: image.set_data([[float(i)]]), [0, 1, 2], tmp_path / "a.GIF", dpi=50)
    shown, _ = pictures(path)
    assert [p.shape for p in shown] == [(50, 100, 3)] * 3
    assert [int(p[25, 50, 0]) for p in shown] == [0, 128, 255]


def test_what_cannot_be_made_says_so(motions, martensite, tmp_path, monkeypatch):
    run = motions["forking"]
    with pytest.raises(InputError, match=r"unknown kind of movie '\.git'; did you mean '\.gif'"):
        animate(run, "phi", tmp_path / "a.git")
    with pytest.raises(InputError, match="unknown field 'phy'; did you mean 'phi'"):
        animate(run, "phy", tmp_path / "a.gif")
    with pytest.raises(InputError, match="two and three dimensions"):
        animate(martensite["line"], None, tmp_path / "a.gif")
    with pytest.raises(InputError, match="frames per second must be positive"):
        animate(run, "phi", tmp_path / "a.gif", fps=0.0)
    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", "no-such-program")
    with pytest.raises(InputError, match=r"needs the program no-such-program, which is not found; write a \.gif"):
        animate(run, "phi", tmp_path / "a.mp4")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        animate(run, "phi", tmp_path / "file" / "a.gif")


def test_command_line(motions, tmp_path, capsys):
    run = motions["stopped"]
    assert _run(["movie", str(run.folder), "-o", str(tmp_path / "a.gif"), "--field", "velocity_y"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "a.gif")]
    assert _run(["movie", str(run.folder)]) == 0
    assert (run.folder / "plots" / "phi.gif").stat().st_size > 0
