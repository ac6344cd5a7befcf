"""What tests ask figures: their texts, the data of their lines, and whether everything has its place."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text


def texts(figure):
    """Everything written in a figure."""
    return [t.get_text().replace("\n", " ") for t in figure.findobj(Text)]


def data_of(line):
    """x and y of a line."""
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def curve(axes, label):
    """The data of the line whose legend entry starts with `label`."""
    (line,) = [each for each in axes.get_lines() if str(each.get_label()).startswith(label)]
    return data_of(line)


def assert_tidy(figure):
    """Nothing is clipped, and no axes or legends overlap."""
    figure.draw_without_rendering()
    used, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert used.x0 >= 0.0
    assert used.y0 >= 0.0
    assert used.x1 <= width
    assert used.y1 <= height
    boxes = [a.get_window_extent() for a in figure.findobj(Axes)]
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i])
