"""Pictures as values: which way up, grey levels of every kind, resampling, proportions, and files that are no pictures."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from phasefield.errors import InputError
from phasefield.initial import InitialField, evaluate
from phasefield.spectral.grid import Axis, Grid


def grid(cells=(6, 4), lengths=None):
    lengths = lengths or [float(n) for n in cells]
    return Grid(tuple(Axis(*args) for args in zip("xyz", cells, lengths, strict=False)))


def values(tmp_path, spec, on=None):
    return evaluate(spec, "phi", on or grid(), 1, tmp_path)


@pytest.fixture
def grey():
    """Top row first, as painters do: a white corner at the top left."""
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    pixels[0, 0] = 255
    return pixels


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
def test_a_picture_is_the_right_way_up(tmp_path, grey, name):
    Image.fromarray(grey).save(tmp_path / name)
    result = values(tmp_path, {"file": name})
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, grey[::-1] / 255.0)
    assert result[-1, 0] == 1.0  # y high, x low


def saved(path, mode, grey):
    if mode == "I;16":
        Image.fromarray(grey.astype(np.uint16) * 257).save(path)
    elif mode == "P":
        image = Image.fromarray(255 - grey)
        image = image.convert("P")
        image.putpalette([255 - i // 3 for i in range(768)])  # colour number n is the grey 255 - n
        image.save(path)
    elif mode == "1":
        Image.fromarray(grey > 100).save(path)
    elif mode in ("RGB", "RGBA", "LA"):
        Image.fromarray(grey).convert(mode).save(path)


@pytest.mark.parametrize("mode", ["I;16", "P", "1", "RGB", "RGBA", "LA"])
def test_kinds_of_pictures(tmp_path, grey, mode):
    saved(tmp_path / "a.png", mode, grey)
    expected = grey > 100 if mode == "1" else grey / 255.0
    np.testing.assert_allclose(values(tmp_path, {"file": "a.png"}), expected[::-1], rtol=1e-15)


def test_colours_become_grey(tmp_path):
    """ITU-R 601-2 luma: 0.299 R + 0.587 G + 0.114 B, rounded to 8 bits."""
    colours = np.zeros((1, 3, 3), np.uint8)
    colours[0] = 255 * np.eye(3)
    Image.fromarray(colours).save(tmp_path / "a.png")
    result = values(tmp_path, {"file": "a.png"}, grid((3, 1)))
    np.testing.assert_allclose(result[0], [0.299, 0.587, 0.114], atol=0.5 / 255)


def test_levels_and_threshold(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "a.png")
    share = grey[::-1] / 255.0
    result = values(tmp_path, {"file": "a.png", "levels": {"black": 3.0, "white": -1.0}})
    np.testing.assert_allclose(result, 3.0 - 4.0 * share, rtol=1e-14)
    assert result[-1, 0] == -1.0
    assert result[-1, 1] == pytest.approx(3.0 - 4.0 * 10 / 255)
    only_white = values(tmp_path, {"file": "a.png", "levels": {"white": 2.0}})
    np.testing.assert_allclose(only_white, 2.0 * share)
    result = values(tmp_path, {"file": "a.png", "threshold": 120 / 255, "levels": {"black": 0.3, "white": 0.7}})
    np.testing.assert_array_equal(result, np.where(grey[::-1] >= 120, 0.7, 0.3))


def test_resampling(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "a.png")
    share = grey[::-1] / 255.0
    half, double = grid((3, 2), (6.0, 4.0)), grid((12, 8), (6.0, 4.0))
    average = values(tmp_path, {"file": "a.png", "resample": "average"}, half)
    np.testing.assert_allclose(average, share.reshape(2, 2, 3, 2).mean(axis=(1, 3)), rtol=1e-13)
    same = values(tmp_path, {"file": "a.png", "resample": True}, half)
    assert (same == average).all()
    # A centre on the edge between two pixels takes the later one.
    nearest = values(tmp_path, {"file": "a.png", "resample": "nearest"}, half)
    np.testing.assert_array_equal(nearest, share[1::2, 1::2])
    nearest = values(tmp_path, {"file": "a.png", "resample": "nearest"}, double)
    np.testing.assert_array_equal(nearest, np.kron(share, np.ones((2, 2))))
    # The threshold comes last: two values only.
    sharp = values(tmp_path, {"file": "a.png", "resample": "average", "threshold": 0.5}, half)
    np.testing.assert_array_equal(sharp, average >= 0.5)


@pytest.mark.parametrize("cells", [5, 7, 10, 23])
def test_nearest_takes_the_value_that_the_centre_lies_in(tmp_path, cells):
    np.save(tmp_path / "a.npy", np.arange(10.0))
    result = values(tmp_path, {"file": "a.npy", "resample": "nearest"}, grid((cells,)))
    np.testing.assert_array_equal(result, [np.floor((i + 0.5) * 10 / cells + 1e-12) for i in range(cells)])


def test_a_stack_of_pages_is_a_volume(tmp_path, grey):
    pages = [Image.fromarray((grey // k).astype(np.uint8)) for k in (1, 2, 3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    result = values(tmp_path, {"file": "a.tif"}, grid((6, 4, 3)))
    np.testing.assert_array_equal(result, np.stack([(grey // k)[::-1] for k in (1, 2, 3)]) / 255.0)
    with pytest.raises(
        InputError, match=r"the data have the shape \(3, 4, 6\), the grid|more dimensions than the grid"
    ):
        values(tmp_path, {"file": "a.tif", "resample": "nearest"})


def test_proportions(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "a.png")
    square = grid((6, 4), (5.0, 5.0))
    with pytest.raises(InputError, match=r"initial\.phi\.file: the picture has 6x4 pixels.*5 and 5.*stretch: true"):
        values(tmp_path, {"file": "a.png"}, square)
    assert (values(tmp_path, {"file": "a.png", "stretch": True}, square) == grey[::-1] / 255.0).all()
    # Less than a pixel off.
    values(tmp_path, {"file": "a.png"}, grid((6, 4), (6.0, 4.5)))
    line = Image.fromarray(grey[:1])
    line.save(tmp_path / "line.png")
    assert (values(tmp_path, {"file": "line.png"}, grid((6,))) == grey[0] / 255.0).all()


def transparent(path, grey):
    Image.merge("LA", [Image.fromarray(grey), Image.fromarray(255 - grey)]).save(path)


def forged(path, grey):
    """A header of 10^10 pixels, and no pixel."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 10**5, 10**5, 8, 0, 0, 0, 0)
    data = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data + struct.pack(">I", zlib.crc32(b"IDAT")))


def large(path, grey):
    Image.fromarray(np.zeros((1200, 1800), bool)).save(path)


MISTAKES = {
    "transparent": (transparent, {}, "transparent pixels"),
    "forged": (forged, {"resample": "nearest"}, "too large"),
    "large": (large, {"resample": "nearest"}, "1800x1200 pixels .* too large for this grid"),
    "jpeg": (lambda p, g: Image.fromarray(g).save(p, "JPEG"), {}, "not a readable PNG or TIFF"),
    "text": (lambda p, g: p.write_text("no picture"), {}, "not a readable PNG or TIFF"),
    "empty": (lambda p, g: p.write_bytes(b""), {}, "not a readable PNG or TIFF"),
    "cut": (lambda p, g: (Image.fromarray(g).save(p), p.write_bytes(p.read_bytes()[:60])), {}, "not a readable PNG"),
    "other size": (lambda p, g: Image.fromarray(g[:2, :3]).save(p), {}, r"\(2, 3\), the grid \(4, 6\).*; resample:"),
    "frame": (lambda p, g: Image.fromarray(g).save(p), {"frame": 0}, "without a time axis"),
    "float": (lambda p, g: Image.fromarray(g.astype("f4")).save(p, "TIFF"), {}, "32 bits per pixel"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_pictures_that_do_not_fit(tmp_path, grey, mistake):
    make, options, message = MISTAKES[mistake]
    make(tmp_path / "a.png", grey)
    with pytest.raises(InputError, match=message) as caught:
        values(tmp_path, {"file": "a.png", **options})
    caught.match(r"^initial\.phi\.file: ")


@pytest.mark.parametrize("option", [{"levels": {"black": 1}}, {"threshold": 0.5}, {"stretch": True}], ids=str)
def test_options_of_pictures_do_not_fit_numbers(tmp_path, option):
    np.save(tmp_path / "a.npy", np.zeros((4, 6)))
    with pytest.raises(
        InputError, match=rf"{next(iter(option))} is for pictures \(\.png, \.tif, \.tiff\), not for a\.npy"
    ):
        values(tmp_path, {"file": "a.npy", **option})


@pytest.mark.parametrize(
    ("options", "loc"),
    [
        ({"threshold": 1.5}, ("threshold",)),
        ({"levels": {"grey": 1}}, ("levels", "grey")),
        ({"levels": 3}, ("levels",)),
        ({"stretch": "yes"}, ("stretch",)),
        ({"resample": "linear"}, ("resample",)),
    ],
    ids=str,
)
def test_mistakes_in_options(options, loc):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(InitialField).validate_python({"file": "a.png", **options})
    assert [e["loc"] for e in caught.value.errors()] == [loc]
