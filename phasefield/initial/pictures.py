"""Pictures as numbers: PNG and TIFF, grey or colours turned into grey, 0 for black and 1 for white.

The first row of a picture is its top: rows are turned round, so that y points upwards as in a viewer. The pages of a TIFF are the
layers of a three-dimensional grid, the first one at the smallest z. Read with Pillow, which comes with matplotlib.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from phasefield.errors import InputError
from phasefield.spectral.grid import Grid

PICTURES = (".png", ".tif", ".tiff")
_MOST_PAGES = 4096
# White in Pillow's modes of grey; all others are turned into 8 bits. 16-bit PNGs were "I" before Pillow 12.
_WHITE = {"1": 1.0, "L": 255.0, "I;16": 65535.0, "I;16B": 65535.0, "I;16L": 65535.0, "I": 65535.0}


def read_picture(path: Path, grid: Grid, limit: int, stretch: bool, where: str) -> np.ndarray:
    """Grey values in [0, 1], float64, (y, x), or (z, y, x) of a TIFF with several pages.

    Args:
        limit: of pixels, checked before any are read.
        stretch: whether the proportions may differ from those of the grid; its axes x and y count.

    Raises:
        InputError: not a picture, damaged, too large, transparent, of other proportions.
    """
    from PIL import Image

    try:
        # Sizes are checked here, not by Pillow's warning of "decompression bombs".
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "TIFF")) as picture:
                return _pages(picture, grid, limit, stretch, where)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{where}: {path} is too large: {error}") from None
    except Exception as error:  # Pillow raises many kinds on damaged files
        raise InputError(f"{where}: {path} is not a readable PNG or TIFF picture: {error}") from error


def _pages(picture: Any, grid: Grid, limit: int, stretch: bool, where: str) -> np.ndarray:
    pages, size = picture.n_frames if picture.format == "TIFF" else 1, picture.size
    if pages > _MOST_PAGES or pages * size[0] * size[1] > limit:
        raise InputError(f"{where}: a picture of {size[0]}x{size[1]} pixels ({pages} pages) is too large for this grid")
    if not stretch:
        _check_proportions(size, grid, where)
    layers = []
    for page in range(pages):
        picture.seek(page)
        if picture.size != size:
            raise InputError(f"{where}: the pages of the picture have different sizes")
        layers.append(_grey(picture, where)[::-1])
    return np.array(layers) if pages > 1 else layers[0]


def _check_proportions(size: tuple[int, int], grid: Grid, where: str) -> None:
    """Pixels are square: refuse pictures that are off by more than a pixel."""
    if grid.dimensions < 2:
        return
    width, height = size
    x, y = grid.axes[0].length, grid.axes[1].length
    if abs(width - height * x / y) > 1.0 and abs(height - width * y / x) > 1.0:
        raise InputError(
            f"{where}: the picture has {width}x{height} pixels, the box the lengths {x:g} and {y:g}: crop it, change the box, "
            "or allow it to be distorted by stretch: true"
        )


def _grey(picture: Any, where: str) -> np.ndarray:
    """Rows from top to bottom, 0 to 1."""
    if "A" in picture.getbands() or "transparency" in picture.info:
        whole = picture.convert("RGBA")
        if whole.getchannel("A").getextrema()[0] < 255:
            raise InputError(f"{where}: the picture has transparent pixels, which are neither black nor white")
        picture = whole.convert("L")
    elif picture.mode == "F" or (picture.mode == "I" and picture.format != "PNG"):
        raise InputError(f"{where}: the picture has 32 bits per pixel, without a known white; save its numbers as .npy")
    elif picture.mode not in _WHITE:
        picture = picture.convert("L")
    return np.asarray(picture, dtype=np.float64) / _WHITE[picture.mode]
