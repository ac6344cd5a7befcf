"""The command line. Heavy modules are imported inside commands, so that `--help` answers at once."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from phasefield.errors import InputError, Interrupted, PhasefieldError

app = typer.Typer(
    name="phasefield",
    help="Phase-field simulation by FFT; every run is checked against theory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ScenarioArgument = Annotated[Path, typer.Argument(help="scenario file (.yaml)", show_default=False)]
RunArgument = Annotated[Path, typer.Argument(help="run folder", show_default=False)]
SetOption = Annotated[
    list[str] | None, typer.Option("-s", "--set", metavar="KEY=VALUE", help="override a value, such as -s time.end=10")
]
TestOption = Annotated[bool, typer.Option("--test", help="apply the scenario's own `test:` overrides")]


def main() -> None:
    """Run the command line and exit: 0 ok, 1 verification failed, 2 bad input, 3 numerical failure, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no ∂ gets a question mark, not a traceback.
            stream.reconfigure(errors="replace")
    sys.exit(_run(sys.argv[1:] or ["--help"]))


def _run(arguments: list[str]) -> int:
    """Exit code of a command line; every error a user can make or meet ends here, in one message."""
    try:
        code = app(arguments, prog_name="phasefield", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except PhasefieldError as error:
        _complain(str(error), "" if isinstance(error, Interrupted) else "error: ")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted", "")
        return Interrupted.exit_code
    except MemoryError as error:
        _complain(f"not enough memory{f': {error}' if str(error) else ''}; use a smaller grid")
        return InputError.exit_code
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not our failure, and nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # What the command-line library says of options and arguments.
        if not hasattr(error, "format_message"):
            raise
        _complain(_usage(error))
        return InputError.exit_code


def _usage(error: Any) -> str:
    """A mistake in options or arguments in one line, with the command that explains them."""
    text = " ".join(error.format_message().split()).removesuffix(".")
    text = text.replace("Input should be", "must be").replace("Got unexpected extra", "unexpected")
    command = error.ctx.command_path if getattr(error, "ctx", None) is not None else "phasefield"
    return f"{text[:1].lower()}{text[1:]} (see {command} --help)"


def _complain(message: str, kind: str = "error: ") -> None:
    first, *rest = message.splitlines() or [""]
    print(f"phasefield: {kind}{first}", file=sys.stderr)
    for line in rest:
        print(f"  {line}", file=sys.stderr)


def _overrides(assignments: list[str] | None) -> dict[str, Any]:
    from phasefield.scenario.document import parse_value, split_assignment

    result = {}
    for text in assignments or []:
        key, value = split_assignment(text)
        # Taken out first, so that the last of several for one key is also applied last.
        result.pop(key, None)
        result[key] = parse_value(value, f"-s {text}")
    return result


def _load(scenario: Path, set_: list[str] | None, test: bool) -> Any:
    from phasefield.scenario import load_scenario

    return load_scenario(scenario, _overrides(set_), test=test, override_source="-s")


def _open_run(path: Path) -> Any:
    from phasefield.output.reader import Run

    opened = Run(path)
    if not opened.scenario:
        raise InputError(f"'{opened.file}' is incomplete: it holds no scenario")
    return opened


@app.command()
def run(
    scenario: ScenarioArgument,
    set_: SetOption = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="run folder [default: runs/<scenario>]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an earlier run in that folder")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or gpu")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads [default: all this process may use]")] = None,
    test: TestOption = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="no progress")] = False,
) -> None:
    """Run a scenario, verify it and print the verdict."""
    from phasefield.progress import make_reporter
    from phasefield.runner import run as run_scenario
    from phasefield.tables import print_run

    result = run_scenario(
        _load(scenario, set_, test),
        output=output,
        overwrite=overwrite,
        device=device,
        threads=threads,
        reporter=None if quiet else make_reporter(),
    )
    from phasefield.visual.plot import plot as plot_run

    figures = plot_run(result, what=["overview"])
    print_run(result, figures)


@app.command()
def check(scenario: ScenarioArgument, set_: SetOption = None, test: TestOption = False) -> None:
    """Validate a scenario and print what theory predicts; run nothing."""
    from phasefield.analysis.predict import predict
    from phasefield.tables import print_prediction

    loaded = _load(scenario, set_, test)
    print_prediction(loaded, predict(loaded))


@app.command()
def verify(
    run: RunArgument,
    set_: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", metavar="KEY=VALUE", help="compare with the theory of a changed scenario instead"),
    ] = None,
) -> None:
    """Compare a finished run with theory; exit code 1 when a check fails."""
    from phasefield.analysis.verify import verify as verify_run
    from phasefield.runner import store_verdict
    from phasefield.tables import print_verdict

    opened = _open_run(run)
    overrides = _overrides(set_)
    verdict = verify_run(opened, overrides, override_source="-s")
    if not overrides:
        store_verdict(opened, verdict)
    print_verdict(verdict)
    if not verdict.passed:
        raise typer.Exit(1)


@app.command()
def convergence(
    scenario: ScenarioArgument,
    set_: SetOption = None,
    time: Annotated[int, typer.Option("--time", help="number of steps tried: step, step/2, …")] = 3,
    space: Annotated[int, typer.Option("--space", help="number of grids tried, each with twice the cells")] = 3,
    step: Annotated[float | None, typer.Option("--step", help="largest step [default: time.step]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads [default: all this process may use]")] = None,
    test: TestOption = False,
) -> None:
    """Measure orders of accuracy against a manufactured solution; exit code 1 when the scheme misses its order in time."""
    from phasefield.analysis.convergence import convergence as study
    from phasefield.analysis.convergence import order_confirmed
    from phasefield.tables import print_convergence

    rows = study(_load(scenario, set_, test), time=time, space=space, step=step, threads=threads)
    print_convergence(rows)
    if not order_confirmed(rows):
        raise typer.Exit(1)


@app.command()
def plot(
    run: RunArgument,
    what: Annotated[
        list[str] | None, typer.Argument(help="figures to draw; all when absent", show_default=False)
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="folder [default: <run>/plots]")] = None,
) -> None:
    """Draw fields, energies, spectra and the growth curve as PNG files."""
    from phasefield.visual.plot import plot as plot_run

    for path in plot_run(_open_run(run), output, what):
        print(path)


@app.command()
def movie(
    run: RunArgument,
    field: Annotated[
        str | None, typer.Option(help="field [default: the first of the file]", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=".gif or .mp4 file [default: <run>/plots/<field>.gif]")
    ] = None,
    frames: Annotated[int, typer.Option(help="frames at most")] = 100,
    fps: Annotated[float, typer.Option(help="frames per second")] = 12.0,
) -> None:
    """Write one field as a movie: GIF, or MP4 where ffmpeg is found."""
    from phasefield.visual.movie import animate

    print(animate(_open_run(run), field, output, frames=frames, fps=fps))


@app.command()
def export(
    runs: Annotated[
        list[Path], typer.Argument(help="run folder; several where a benchmark wants several", show_default=False)
    ],
    pfhub: Annotated[bool, typer.Option("--pfhub", help="the upload of a PFHub benchmark")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="histories and spectra as CSV")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="folder [default: <run>/pfhub or <run>/csv]")
    ] = None,
    author: Annotated[str, typer.Option(help="PFHub: your name")] = "",
    email: Annotated[str, typer.Option(help="PFHub: your address")] = "",
    affiliation: Annotated[list[str] | None, typer.Option(help="PFHub: your institution; may be repeated")] = None,
    orcid: Annotated[str | None, typer.Option(help="PFHub: your ORCID")] = None,
    url: Annotated[str, typer.Option(help="PFHub: where your scenario or code can be seen")] = "",
) -> None:
    """Write the histories of a run as CSV, or what PFHub wants for an upload."""
    if pfhub == csv:
        raise InputError("choose what to write: --csv or --pfhub")
    opened = [_open_run(path) for path in runs]
    if csv:
        from phasefield.output.csv_export import export_csv

        if output is not None and len(runs) > 1:
            raise InputError("-o takes one run with --csv; without it every run gets a folder csv of its own")
        written = [path for run in opened for path in export_csv(run, output or run.folder / "csv")]
    else:
        from phasefield.output.pfhub_record import Contributor, export_pfhub

        contributor = Contributor(author, email, url, tuple(affiliation or ()), orcid)
        written = export_pfhub(opened, contributor, output or opened[0].folder / "pfhub")
        for warning in contributor.warnings:
            _complain(warning, "warning: ")
    for path in written:
        print(path)


@app.command()
def bench(
    cells: Annotated[
        list[str] | None,
        typer.Argument(help="grids such as 512x512 or 64x64x64; a default set when absent", show_default=False),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads [default: all this process may use]")] = None,
    precision: Annotated[str, typer.Option(help="double or single")] = "double",
) -> None:
    """Measure what a step costs here, per scheme and grid, against a pair of transforms. Milliseconds."""
    from rich.console import Console

    from phasefield.backend import PRECISIONS, available_threads
    from phasefield.bench import GRIDS, measure, table

    if precision not in PRECISIONS:
        raise InputError(f"unknown precision '{precision}'; valid names: {', '.join(PRECISIONS)}")
    grids = [_grid(text) for text in cells] if cells else list(GRIDS)
    rows = []
    for grid in grids:
        print(f"{'x'.join(map(str, grid))} …", file=sys.stderr, flush=True)
        rows.append(measure(grid, available_threads() if threads is None else threads, precision=precision))
    Console(width=200).print(table(rows))


def _grid(text: str) -> tuple[int, ...]:
    parts = text.split("x")
    if not 1 <= len(parts) <= 3 or not all(p.isdecimal() and 4 <= int(p) <= 2**20 for p in parts):
        raise InputError(f"'{text}' is no grid; write cells such as 512x512 or 64x64x64")
    return tuple(int(p) for p in parts)


@app.command()
def models(name: Annotated[str | None, typer.Argument(help="one model only", show_default=False)] = None) -> None:
    """List the models with their equations and parameters."""
    import phasefield.models  # noqa: F401 - fills the registry
    from phasefield.registry import lookup, names
    from phasefield.tables import print_models

    print_models([lookup("model", n) for n in ([name] if name else names("model"))])


@app.command()
def schema(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="write to a file instead of the terminal")
    ] = None,
) -> None:
    """Print the JSON Schema of scenarios, for editors."""
    import json

    from phasefield.scenario import json_schema

    text = json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write '{output}': {error.strerror}") from None


@app.command()
def info() -> None:
    """Print the environment, for bug reports."""
    from phasefield.output.provenance import environment

    rows = environment()
    width = max(len(k) for k in rows)
    for key, value in rows.items():
        print(f"{key:<{width}}  {value}")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="name of the scenario; NAME.yaml is written", show_default=False)],
    model: Annotated[str, typer.Option(help="model to start from")] = "cahn_hilliard",
) -> None:
    """Write a starter scenario with every section explained."""
    from phasefield.starter import write_starter

    path = write_starter(name, model)
    print(f"wrote {path}; next: phasefield check {path}")
