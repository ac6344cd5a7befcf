"""From a scenario to a verified run folder.

    runs/spinodal/  scenario.yaml  run.json  run.log  fields.vtkhdf  checkpoint.h5

The folder is written while the run goes on: a run that is interrupted or fails leaves every frame and history row so far, the
last good state as a checkpoint, and its reason in `run.json`.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from phasefield.analysis.damage_regime import DamageRegime
from phasefield.analysis.predict import require_memory
from phasefield.analysis.spectra import LinearRegime, StructureFactor
from phasefield.analysis.verify import Verdict, verify
from phasefield.crack_growth import CrackGrowth
from phasefield.errors import InputError, Interrupted, NumericalError, PhasefieldError
from phasefield.gradient_flow import GradientFlow
from phasefield.output import checkpoint, provenance
from phasefield.output.fields import FieldsFile, FieldSpec
from phasefield.output.history import HistoryWriter
from phasefield.output.reader import FILE_NAME, Run
from phasefield.scenario import LoadedScenario, load_scenario
from phasefield.scenario.schema import HISTORY_ROWS
from phasefield.simulation import Simulation
from phasefield.stepping.schedule import At, Every, EveryStep, Never, Schedule

logger = logging.getLogger(__name__)

# Files of a run folder: `--overwrite` removes these, the figures of the earlier run, and nothing else.
RUN_FILES = (
    "scenario.yaml",
    "run.json",
    "run.log",
    FILE_NAME,
    "checkpoint.h5",
    "checkpoint.previous.h5",
)
FIGURES = (
    *("overview", "fields", "energy", "spectrum", "growth", "radius", "loop", "orientation"),
    *("load", "crack", "tip", "deformed", "surface"),
)


class Reporter(Protocol):
    """Tells somebody how the run goes."""

    def start(self, simulation: Simulation) -> None: ...

    def update(self, simulation: Simulation) -> None: ...

    def finish(self, simulation: Simulation) -> None: ...


class _Frames:
    """Writes a frame, and of a gradient flow the spectrum, at every output time."""

    def __init__(self, file: FieldsFile, schedule: Schedule, names: list[str], history: HistoryWriter):
        self.schedule = schedule
        self.spectrum: StructureFactor | None = None
        self._file, self._names, self._history = file, names, history
        self.last_time: float | None = None

    def start(self, simulation: Simulation) -> None:
        if isinstance(simulation, GradientFlow):
            self.spectrum = StructureFactor(simulation)
        self.observe(simulation)

    def observe(self, simulation: Simulation) -> None:
        state = simulation.state
        state |= simulation.derived([n for n in self._names if n not in state])
        self._file.append(simulation.time, simulation.steps, {n: state[n] for n in self._names})
        if self.spectrum is not None:
            self.spectrum.sample()
        self._history.flush()
        self.last_time = simulation.time


class _History:
    """Adds a row of scalars at every history time."""

    def __init__(self, writer: HistoryWriter, schedule: Schedule):
        self.writer, self.schedule = writer, schedule
        self.last_time: float | None = None

    def observe(self, simulation: Simulation) -> None:
        self.writer.add(simulation.history_row())
        self.last_time = simulation.time


def run(
    scenario: str | Path | Mapping[str, Any] | LoadedScenario,
    overrides: Mapping[str, Any] | None = None,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    threads: int | None = None,
    test: bool = False,
    reporter: Reporter | None = None,
) -> Run:
    """Run a scenario, verify it, and return the run.

    Args:
        scenario: path of a YAML file, or its content as a dict.
        overrides: dotted key paths and values.
        output: run folder; `runs/<name of the scenario>` when absent.
        overwrite: replace an earlier run in that folder.
        device: auto, cpu or gpu.
        threads: CPU threads; all that the process may use when absent.
        test: apply the scenario's `test:` overrides.
        reporter: is told about progress.

    Raises:
        InputError: a mistake in the scenario, or the folder exists.
        NumericalError: NaN or incurable energy growth; the last good state is on disk.
        Interrupted: Ctrl-C or a signal; the state is on disk.
    """
    began = time.perf_counter()
    loaded = load_scenario(scenario, overrides, test=test)
    folder = Path(output) if output is not None else Path("runs") / loaded.name
    check_folder(folder, overwrite)
    if device != "gpu":
        require_memory(loaded)
    simulation = Simulation.from_scenario(loaded, device=device, threads=threads)
    try:
        prepare_folder(folder)
        with _log_file(folder / "run.log"), _signals() as stop:
            return _run_in(folder, simulation, reporter, began, stop)
    finally:
        simulation.close()


def check_folder(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that cannot be made, or that holds something and may not be overwritten."""
    for parent in folder.absolute().parents:
        if parent.exists() and not parent.is_dir():
            raise InputError(f"cannot make the run folder '{folder}': '{parent}' is a file")
    try:
        if not folder.exists() and not folder.is_symlink():
            return
        if not folder.is_dir():
            raise InputError(f"'{folder}' exists and is not a folder; choose another one with -o FOLDER")
        content = {p.name for p in folder.iterdir()}
    except OSError as error:
        raise InputError(f"cannot look into '{folder}': {error.strerror}") from None
    # A file `scenario.yaml` alone may be the user's own.
    is_run = bool(content & {FILE_NAME, "run.json"})
    if content and not is_run:
        raise InputError(f"'{folder}' already holds files but no run; choose another folder with -o FOLDER")
    if content and not overwrite:
        raise InputError(
            f"'{folder}' already holds a run; replace it with --overwrite, or choose another folder with -o FOLDER"
        )


def prepare_folder(folder: Path) -> None:
    """Make the folder, and remove the files of an earlier run in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in RUN_FILES:
            (folder / name).unlink(missing_ok=True)
        for name in FIGURES:
            (folder / "plots" / f"{name}.png").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to '{folder}': {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write to '{folder}': permission denied")


def _run_in(folder: Path, simulation: Simulation, reporter: Reporter | None, began: float, stop: _Stop) -> Run:
    loaded, settings = simulation.scenario, simulation.scenario.settings
    text = loaded.resolved_yaml()
    record = provenance.collect(text, simulation.device, simulation.threads, simulation.engine_name, settings.seed)
    _write_text(folder / "scenario.yaml", text)
    status: dict[str, Any] = {"status": "running", **record}
    _write_status(folder, status)
    names = settings.output.fields.names or list(loaded.model.fields)
    file = FieldsFile.create(
        folder / FILE_NAME,
        loaded.grid,
        {n: FieldSpec(long_name=n) for n in names},
        precision=settings.output.fields.precision,
        title=settings.title or loaded.name,
        source=f"phasefield {record['version']}",
        history_names=simulation.history_names(),
    )
    file.write_provenance(text, json.dumps(record))
    history = _History(
        HistoryWriter(file, simulation.history_names()), _history_schedule(settings, loaded.model.history_every_step)
    )
    frames = _Frames(file, _frame_schedule(settings), names, history.writer)
    observers: list[Any] = [history, frames]
    regime = _regime(simulation)
    if regime is not None:
        observers.append(regime)
    history.observe(simulation)
    frames.start(simulation)
    saver = _Saver(folder, simulation, settings.checkpoint.every_seconds)
    logger.info("%s: %s on %s", loaded.name, loaded.model.equation, simulation.where)
    if reporter is not None:
        reporter.start(simulation)
    first_step = time.perf_counter() - began
    outcome = "failed"
    try:

        def after_step(sim: Simulation) -> None:
            if reporter is not None:
                reporter.update(sim)
            saver.maybe()
            if stop.signal is not None:
                name = signal.Signals(stop.signal).name
                raise Interrupted(f"stopped by {name} at t = {sim.time:g}; everything so far is in '{folder}'")

        simulation.on_wait = after_step
        simulation.advance(observers=observers, on_step=after_step)
        outcome = "finished"
    except Interrupted as reason:
        outcome = "interrupted"
        status["reason"] = str(reason)
        raise
    except KeyboardInterrupt:
        outcome = "interrupted"
        status["reason"] = f"interrupted twice at t = {simulation.time:g}"
        raise
    except NumericalError as reason:
        status["reason"] = str(reason)
        raise NumericalError(f"{reason}; the last good state is in '{folder}'") from None
    except PhasefieldError as reason:
        status["reason"] = str(reason)
        raise
    finally:
        if reporter is not None:
            reporter.finish(simulation)
        if outcome != "finished":
            logger.error("%s: %s", outcome, status.get("reason", "unexpected error"))
        status |= {"status": outcome, "time": simulation.time, "steps": simulation.steps}
        if simulation.stopped:
            status["stopped"] = simulation.stopped
        status |= {"seconds_to_first_step": first_step, "seconds": time.perf_counter() - began, **provenance.at_end()}
        _write_status(folder, status)
        _finish(file, simulation, history, frames, regime)
        saver.save()
    result = Run(folder)
    verdict = verify(result)
    store_verdict(result, verdict)
    status |= {"verified": verdict.passed, "seconds": time.perf_counter() - began}
    _write_status(folder, status)
    return result


def _regime(simulation: Simulation) -> LinearRegime | DamageRegime | None:
    """What follows the modes of the linear regime, where `verify` wants to compare them."""
    settings = simulation.scenario.settings
    if settings.verify is False or settings.verify.linear_stability is False:
        return None
    if isinstance(simulation, GradientFlow):
        return LinearRegime(simulation)
    if isinstance(simulation, CrackGrowth) and simulation.model.damage_viscosity is not None:
        return DamageRegime(simulation)
    return None


def _finish(
    file: FieldsFile,
    simulation: Simulation,
    history: _History,
    frames: _Frames,
    regime: LinearRegime | DamageRegime | None,
) -> None:
    """Last row, last frame, spectra: whatever way the run ended."""
    if history.last_time != simulation.time:
        history.observe(simulation)
    history.writer.flush()
    if frames.last_time != simulation.time:
        frames.observe(simulation)
    if frames.spectrum is not None:
        file.write_group("spectrum", frames.spectrum.datasets(), {})
    if regime is not None:
        file.write_group("growth", regime.datasets(), regime.attributes())


def store_verdict(run: Run, verdict: Verdict) -> None:
    """Write a verdict into the run's file as the group `/verification`."""
    checks = verdict.checks
    columns: dict[str, Any] = {"check": (("check",), [c.name for c in checks], {})}
    for name in ("status", "detail"):
        columns[name] = (("check",), [getattr(c, name) for c in checks], {})
    for name in ("measured", "expected", "error", "tolerance"):
        columns[name] = (("check",), np.array([getattr(c, name) for c in checks], float), {})
    FieldsFile(run.file).write_group("verification", columns, {"passed": int(verdict.passed)})


class _Saver:
    """Writes checkpoints every so many seconds of wall time."""

    def __init__(self, folder: Path, simulation: Simulation, every: float):
        self._path, self._simulation, self._every = folder / "checkpoint.h5", simulation, every
        self._due = time.monotonic() + every

    def maybe(self) -> None:
        if time.monotonic() >= self._due:
            self.save()
            self._due = time.monotonic() + self._every

    def save(self) -> None:
        arrays, meta = self._simulation.checkpoint()
        checkpoint.save(self._path, arrays, meta)


class _Stop:
    signal: int | None = None


@contextmanager
def _signals() -> Iterator[_Stop]:
    """Ctrl-C, SIGTERM and SIGUSR1 end the run between two steps; a second one at once."""
    stop = _Stop()
    kinds = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, n)]

    def handle(number: int, frame: Any) -> None:
        if stop.signal is not None:
            raise KeyboardInterrupt
        stop.signal = number

    try:
        previous = {kind: signal.signal(kind, handle) for kind in kinds}
    except ValueError:  # not the main thread: signals are somebody else's
        yield stop
        return
    try:
        yield stop
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Everything the package logs goes into the run folder too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("phasefield")
    level = root.level
    root.addHandler(handler)
    root.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()


def _frame_schedule(settings: Any) -> Schedule:
    fields = settings.output.fields
    if fields.every is not None:
        return Every(fields.every)
    return At(tuple(fields.at)) if fields.at is not None else Never()


def _history_schedule(settings: Any, every_step: bool) -> Schedule:
    if every_step and settings.output.history.every is None:
        return EveryStep()
    return Every(settings.output.history.every or settings.time.end / HISTORY_ROWS)


def _write_status(folder: Path, status: Mapping[str, Any]) -> None:
    _write_text(folder / "run.json", json.dumps(status, indent=1) + "\n")


def _write_text(path: Path, text: str) -> None:
    aside = path.with_name(path.name + ".tmp")
    try:
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, path)
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror}") from None
