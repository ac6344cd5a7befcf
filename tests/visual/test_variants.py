"""Pictures of variants: one colour for each, blended by the order parameters."""

import numpy as np
import pytest
from figures import assert_tidy, curve, texts
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from phasefield.models.base import Variants
from phasefield.visual.fields import chosen_frames
from phasefield.visual.plot import APPLIES, FIGURES, figure_fields, figure_overview, figure_spectrum, plot
from phasefield.visual.style import BLUE, ORANGE, RED, math_mode, math_symbol, symbol
from phasefield.visual.variants import FEW, MANY, NEUTRAL, Palette


def variants(count, signed=False, well=1.0):
    fields = ("eta",) if count == 1 else tuple(f"eta_{p + 1}" for p in range(count))
    strains = np.array([np.diag(np.roll([2.0, -1.0, -1.0], p)) for p in range(count)])
    return Variants(fields, strains, lambda time: well, signed, "austenite")


def images(figure):
    return [a.images[0] for a in figure.axes if a.images]


@pytest.mark.parametrize("name", ["twins", "cycle", "box", "line"])
@pytest.mark.parametrize("figure", ["overview", "fields", "spectrum", "loop", "orientation"])
def test_every_figure_is_made_and_tidy(martensite, name, figure):
    made = FIGURES[figure](martensite[name])
    assert isinstance(made, Figure)
    assert_tidy(made)


def test_one_picture_of_all_variants_and_single_ones_when_asked_for(martensite, tmp_path):
    assert [f.stem for f in plot(martensite["twins"], tmp_path, ["fields"])] == ["fields"]
    single = images(figure_fields(martensite["twins"], "eta_2"))[-1]
    np.testing.assert_array_equal(single.get_array(), martensite["twins"].frame("eta_2"))


def test_figures_that_apply(martensite):
    applying = {name: {f for f in APPLIES if APPLIES[f](run)} for name, run in martensite.items()}
    both = {"spectrum", "loop", "orientation"}
    assert applying == {"twins": both, "cycle": both, "box": both, "line": {"spectrum", "loop"}}


# ------------------------------------------------------------- names


def test_letters_with_numbers_are_subscripts():
    assert [symbol(n) for n in ("eta", "eta_1", "eta_12", "e2", "c", "phase_1", "eta_a")] == [
        *("η", "η₁", "η₁₂", "e₂", "c", "phase_1", "eta_a")
    ]
    assert math_symbol("eta_12") == r"\eta_{12}"
    assert math_symbol("phase_1") == r"\mathrm{phase\_1}"
    assert math_mode("eta_1") == r"\hat{\eta}_{1,k}"
    assert math_mode("c") == r"\hat{c}_{k}"
    assert math_mode("long") == r"\widehat{\mathrm{long}}_{k}"


def test_the_spectrum_is_labelled_with_them(martensite):
    assert r"\hat{\eta}_{1,k}" in figure_spectrum(martensite["twins"]).axes[0].get_ylabel()


# ------------------------------------------------------------ colours


@pytest.mark.parametrize(("count", "signed"), [(1, True), (2, False), (3, True), (12, False), (12, True)])
def test_every_variant_has_a_colour_of_its_own(count, signed):
    palette = Palette.of(variants(count, signed))
    assert len(palette.names) == count * (2 if signed else 1)
    distances = np.linalg.norm(palette.colours[:, None] - palette.colours, axis=-1)
    assert distances[~np.eye(len(distances), dtype=bool)].min() > 0.1
    # None of them is taken for the parent phase.
    assert np.linalg.norm(palette.colours - to_rgb(NEUTRAL), axis=-1).min() > 0.2


def test_palettes_hold_as_many_colours_as_they_promise():
    assert len(set(FEW)) == 6
    assert len(set(MANY)) == 12


def test_wells_have_pure_colours_and_what_lies_between_is_blended():
    palette = Palette.of(variants(2, well=0.8))
    eta = [np.array([0.8, 0.0, 0.0, 0.4, 0.8, -0.3]), np.array([0.0, 0.8, 0.0, 0.0, 0.8, 1.6])]
    first, second, neutral = (np.array(to_rgb(c)) for c in (BLUE, ORANGE, NEUTRAL))
    expected = [first, second, neutral, 0.5 * (first + neutral), 0.5 * (first + second), second]
    np.testing.assert_allclose(palette.blend(palette.fractions(eta, 0.0)), expected)


def test_signs_tell_two_variants_of_one_field_apart():
    palette = Palette.of(variants(1, signed=True))
    assert palette.names == ("+η", "−η")
    picture = palette.blend(palette.fractions([np.array([1.0, -1.0, 0.0])], 0.0))
    np.testing.assert_allclose(picture, [to_rgb(RED), to_rgb(BLUE), to_rgb(NEUTRAL)])


def test_numbers_that_are_none_leave_a_picture():
    palette = Palette.of(variants(2))
    picture = palette.blend(palette.fractions([np.array([np.nan, 1.0]), np.array([0.0, np.inf])], 0.0))
    assert np.isfinite(picture).all()


def test_frames_of_the_variants(martensite):
    run = martensite["twins"]
    figure = figure_fields(run)
    palette = Palette.of(variants(2, well=1.0))
    for image, index in zip(images(figure), chosen_frames(run, 4), strict=True):
        values = [run.frame(n, index).astype(float) for n in ("eta_1", "eta_2")]
        np.testing.assert_allclose(image.get_array(), palette.blend(palette.fractions(values, 0.0)), atol=1e-12)
        assert image.origin == "lower"
    assert {"η₁", "η₂", "austenite"} <= set(texts(figure))


def test_legend_names_negative_variants_of_several_fields_where_they_occur(martensite):
    figure = Figure()
    axes = figure.subplots()
    palette = Palette.of(variants(2, signed=True))
    palette.legend(axes, np.array([True, False, False, True]))
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["+η₁", "+η₂", "−η₂", "austenite"]
    assert {"+η", "−η", "austenite"} <= set(texts(figure_overview(martensite["cycle"])))


def test_mid_planes_and_lines_of_variants(martensite):
    run = martensite["box"]
    shown = images(figure_fields(run, frames=1))
    assert [i.get_array().shape for i in shown] == [(12, 16, 3), (8, 16, 3), (8, 12, 3)]
    figure = figure_fields(martensite["line"], frames=1)
    (axes,) = figure.axes
    for label, name, colour in (("η₁", "eta_1", BLUE), ("η₂", "eta_2", ORANGE)):
        _, values = curve(axes, label)
        np.testing.assert_array_equal(values, martensite["line"].frame(name))
        (line,) = [each for each in axes.get_lines() if each.get_label() == label]
        assert line.get_color() == colour
