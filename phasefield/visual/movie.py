"""Moving pictures of a run: one field frame by frame on one colour scale, as GIF, or as MP4 where matplotlib finds an ffmpeg.

from phasefield.visual.movie import animate
animate("runs/spinodal", output="spinodal.gif")
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.animation import FFMpegWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from phasefield.errors import InputError, unknown
from phasefield.output.reader import Run
from phasefield.visual.crack_curves import crack_measure
from phasefield.visual.fields import box, colour_scale, even_frames, field_label, height_ratio, plane_values
from phasefield.visual.style import caption, load_run, new_figure, styled

# Of a picture, in inches and pixels per inch.
WIDTH, DPI = 6.0, 110
# Colours of a GIF; the palette is that of so many frames.
COLOURS, SAMPLES = 96, 8
# The last picture stays for so many seconds before a GIF begins again.
STAY = 1.5
# Of the values in a body that cracks: those at tips are beyond the ends of the scale.
BEYOND = 0.1
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@styled
def animate(
    run: Run | str | os.PathLike[str],
    field: str | None = None,
    output: str | os.PathLike[str] | None = None,
    *,
    limits: tuple[float, float] | None = None,
    frames: int = 100,
    fps: float = 12.0,
) -> Path:
    """Write a movie of one field: in space of the plane through the middle of the box, of a vector the magnitude.

    All pictures have one colour scale. In a body that cracks, damage goes from 0 to 1, and over other fields cracks are black.

    Args:
        run: the run, its folder or its fields file.
        field: the first field of the file when absent.
        output: a file that ends in .gif or .mp4; `plots/<field>.gif` in the run folder when absent.
        limits: values at the ends of the colour scale; extremes of all frames when absent (all but 0.1 % where cracks are drawn).
        frames: how many frames at most: every frame of the file, or every second one (third, …), and the last.
        fps: frames per second.

    Returns:
        The file written.

    Raises:
        InputError: an unknown field or kind of file, a run on a line, no ffmpeg for .mp4, or a file that cannot be written.
    """
    run = load_run(run)
    first = "phi" if crack_measure(run) is not None and "phi" in run.names else run.names[0]
    name = first if field is None else field
    path = run.folder / "plots" / f"{name}.gif" if output is None else Path(output)
    _writer(path)
    indices = even_frames(run, frames)
    figure, update = moving_figure(run, name, indices, limits)
    return write_movie(figure, update, indices, path, fps=fps)


def moving_figure(
    run: Run, name: str, indices: list[int], limits: tuple[float, float] | None = None
) -> tuple[Figure, Callable[[int], None]]:
    """A figure of one field, and what shows another frame in it."""
    if name not in run.names:
        raise unknown("field", name, run.names)
    lengths = box(run)
    if len(lengths) == 1:
        raise InputError("movies are for runs in two and three dimensions")
    normal = "z" if len(lengths) == 3 else ""
    cracks = name != "phi" and crack_measure(run) is not None and "phi" in run.names
    options: dict[str, Any] = {"origin": "lower", "extent": (0.0, lengths["x"], 0.0, lengths["y"])}
    figure = new_figure(run, WIDTH, min((WIDTH - 1.6) * height_ratio(lengths, "xy"), 8.0) + 1.0)
    axes = figure.subplots()
    norm, colours, beyond = _colours(run, name, indices, normal, cracks, limits)
    shown = axes.imshow(plane_values(run, name, indices[0], normal), norm=norm, cmap=colours, **options)
    over = axes.imshow(_black(run, indices[0], normal), **options) if cracks else None
    figure.colorbar(shown, ax=axes, label=field_label(run, name), extend=beyond, pad=0.02, aspect=20)
    axes.set(xlabel="x", ylabel="y")
    axes.locator_params(nbins=5)
    label = common_time_label(run.times[indices])
    if normal:
        caption(figure, f"plane z = {0.5 * lengths['z']:.4g}")

    def update(index: int) -> None:
        shown.set_data(plane_values(run, name, index, normal))
        if over is not None:
            over.set_data(_black(run, index, normal))
        # Centred, it would shake.
        axes.set_title(label(run.times[index]), loc="left")

    update(indices[0])
    return figure, update


def _colours(
    run: Run, name: str, indices: list[int], normal: str, cracks: bool, limits: tuple[float, float] | None
) -> tuple[Normalize, Any, str]:
    """One scale for all frames, and at which ends values lie beyond it."""
    share = BEYOND if cracks else 0.0
    ends = np.array([np.percentile(plane_values(run, name, i, normal), (share, 100.0 - share)) for i in indices])
    low, high = limits if limits is not None else (float(ends.min()), float(ends.max()))
    norm, colours = colour_scale(run, name, [np.array([low, high])])
    return (norm if limits is None else Normalize(*limits)), colours, "both" if cracks or limits else "neither"


def _black(run: Run, index: int, normal: str) -> np.ndarray:
    """Cracks, black and ever less transparent the more is broken, (ny, nx, 4)."""
    phi = plane_values(run, "phi", index, normal)
    picture = np.zeros((*phi.shape, 4))
    picture[..., 3] = np.clip(phi, 0.0, 1.0) ** 2
    return picture


def common_time_label(times: np.ndarray) -> Callable[[float], str]:
    """t = … with the digits that tell all these times apart, and one power of ten for all of them."""
    last, apart = float(np.max(np.abs(times))), np.diff(np.unique(times))
    power = 3 * math.floor(math.log10(last) / 3.0) if last > 0.0 and not 0.1 <= last < 1e5 else 0
    finest = float(apart.min()) / 10.0**power if apart.size else 1.0
    digits = min(max(0, math.ceil(-math.log10(finest) - 1e-6)), 6)
    scaled = np.asarray(times) / 10.0**power
    # One more digit where times would else be seen to be unevenly apart: 0, 0.25, 0.5.
    digits += int(np.abs(np.round(scaled, digits) - scaled).max() > 0.02 * finest)
    unit = f" × 10{str(power).translate(_SUPERSCRIPTS)}" if power else ""
    return lambda time: f"t = {time / 10.0**power:.{digits}f}{unit}"


# --- files ------------------------------------------------------------------------------------------------------------


@styled
def write_movie(
    figure: Figure,
    update: Callable[[int], None],
    indices: list[int],
    path: str | os.PathLike[str],
    *,
    fps: float = 12.0,
    colours: int = COLOURS,
    dpi: int = DPI,
) -> Path:
    """Write a figure at every frame, to which `update` takes it, in the format that the file's name ends in.

    Args:
        figure: with an Agg canvas; its layout stays that of the first frame.
        fps: frames per second, which GIF rounds to hundredths of a second per frame.
        colours: of a GIF, at most 256.

    Raises:
        InputError: an unknown kind of file, no ffmpeg for .mp4, or a file that cannot be written.
    """
    path = Path(path)
    write = _writer(path)
    if not fps > 0.0:
        raise InputError(f"the number of frames per second must be positive, got {fps:g}")
    figure.set_dpi(dpi)
    update(indices[0])
    figure.canvas.draw()
    figure.set_layout_engine("none")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(figure, update, indices, path, fps, colours)
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror or error}") from None
    return path


def _gif(
    figure: Figure, update: Callable[[int], None], indices: list[int], path: Path, fps: float, colours: int
) -> None:
    """One palette for all frames: what stays the same need not be written again."""
    few = [indices[i] for i in sorted({round(i) for i in np.linspace(0, len(indices) - 1, min(SAMPLES, len(indices)))})]
    palette = common_palette([_picture(figure, update, i) for i in few], colours)

    def pictures() -> Iterator[Image.Image]:
        for index in indices:
            picture = Image.fromarray(_picture(figure, update, index))
            yield picture.quantize(palette=palette, dither=Image.Dither.NONE)

    rest = pictures()
    first = next(rest)
    each = max(round(100.0 / fps), 2) * 10
    durations = [each] * (len(indices) - 1) + [each + round(1000 * STAY)]
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=durations, loop=0, optimize=False)


def common_palette(pictures: list[np.ndarray], colours: int) -> Image.Image:
    """An image with a palette for pictures (height, width, 3): black, white, the most frequent colours, and twice as many that
    cover all there are, so that a colour bar keeps those which the field rarely has.
    """
    every, count = np.unique(np.concatenate([p.reshape(-1, 3) for p in pictures]), axis=0, return_counts=True)
    frequent = every[np.argsort(-count, kind="stable")][: (colours - 2) // 3]
    rest = colours - 2 - len(frequent)
    others = Image.fromarray(every[None]).quantize(rest, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([0, 0, 0, 255, 255, 255, *frequent.ravel().tolist(), *others[: 3 * rest]])
    return palette


def _mp4(
    figure: Figure, update: Callable[[int], None], indices: list[int], path: Path, fps: float, colours: int
) -> None:
    writer = FFMpegWriter(fps=fps)  # type: ignore[arg-type]
    with writer.saving(figure, str(path), figure.dpi):
        for index in indices:
            update(index)
            writer.grab_frame()


WRITERS: dict[str, Callable[[Figure, Callable[[int], None], list[int], Path, float, int], None]] = {
    ".gif": _gif,
    ".mp4": _mp4,
}


def _writer(path: Path) -> Callable[[Figure, Callable[[int], None], list[int], Path, float, int], None]:
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise unknown("kind of movie", suffix, WRITERS)
    if suffix == ".mp4" and not FFMpegWriter.isAvailable():
        program = matplotlib.rcParams["animation.ffmpeg_path"]
        raise InputError(f"an .mp4 needs the program {program}, which is not found; write a .gif")
    return WRITERS[suffix]


def _picture(figure: Figure, update: Callable[[int], None], index: int) -> np.ndarray:
    """RGB of a frame, (height, width, 3)."""
    update(index)
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
