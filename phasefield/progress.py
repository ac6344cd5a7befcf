"""Progress of a run: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, TextIO

from phasefield.simulation import Simulation

LINES = 10
SECONDS_BETWEEN_LINES = 30.0
UPDATES_PER_SECOND = 8
# Columns of a terminal with room for the scenario's name and the time elapsed.
WIDE = 80


class LineReporter:
    """A line at every tenth of the run, and at least every half minute."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr

    def start(self, simulation: Simulation) -> None:
        self._began = self._last = time.monotonic()
        self._next = simulation.end / LINES
        self._print(simulation)

    def update(self, simulation: Simulation) -> None:
        now = time.monotonic()
        if simulation.time >= self._next or now - self._last > SECONDS_BETWEEN_LINES:
            self._last = now
            self._next = simulation.end / LINES * (int(simulation.time / simulation.end * LINES) + 1)
            self._print(simulation)

    def finish(self, simulation: Simulation) -> None:
        if not simulation.finished:
            self._print(simulation)

    def _print(self, simulation: Simulation) -> None:
        activity = f"  {simulation.activity}" if simulation.activity else ""
        print(
            f"t = {simulation.time:<10.5g} {100 * simulation.time / simulation.end:3.0f} %  "
            f"energy {simulation.energy:<14.8g} step {simulation.step_size:<9.3g} "
            f"steps {simulation.steps}  {time.monotonic() - self._began:.1f} s{activity}",
            file=self._stream,
            flush=True,
        )


class BarReporter:
    """A bar with the share done, time, energy, step size and the seconds left, in one line however narrow the terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.table import Column

        def text(template: str, **options: Any) -> TextColumn:
            return TextColumn(template, table_column=Column(no_wrap=True, **options))

        console = Console(stderr=True)
        # Fixed widths, so that nothing jumps; the bar takes what is left, and on a narrow terminal the name gives way.
        columns = [
            BarColumn(None, table_column=Column(ratio=2, min_width=4)),
            text("{task.percentage:3.0f} %"),
            text("t {task.fields[time]:<7.4g} energy {task.fields[energy]:<10.6g} step {task.fields[step]:<7.2g}"),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            text("left"),
        ]
        if console.width >= WIDE:
            columns.insert(0, text("{task.description}", overflow="ellipsis", ratio=1, max_width=16))
            columns.insert(4, TimeElapsedColumn(Column(no_wrap=True)))
            columns.append(text("{task.fields[activity]}"))
        self._progress = Progress(*columns, console=console, expand=True, refresh_per_second=UPDATES_PER_SECOND)
        self._task: Any = None
        self._last = 0.0

    def start(self, simulation: Simulation) -> None:
        self._progress.start()
        self._task = self._progress.add_task(
            simulation.scenario.name, total=simulation.end, time=0.0, energy=simulation.energy, step=0.0, activity=""
        )

    def update(self, simulation: Simulation) -> None:
        now = time.monotonic()
        if now - self._last >= 1.0 / UPDATES_PER_SECOND or simulation.finished:
            self._last = now
            self._progress.update(
                self._task,
                completed=simulation.time,
                time=simulation.time,
                energy=simulation.energy,
                step=simulation.step_size,
                activity=simulation.activity,
            )

    def finish(self, simulation: Simulation) -> None:
        self._progress.stop()


def make_reporter() -> LineReporter | BarReporter:
    """A bar when standard error is a terminal that can redraw a line, else lines."""
    redraws = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    return BarReporter() if redraws else LineReporter()
