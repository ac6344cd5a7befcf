"""Phase-field simulation by FFT on one shared gradient-energy term κ/2 |∇φ|².

    import phasefield as pf
    run = pf.run("scenarios/spinodal.yaml", {"model.gradient_energy": 1.0})
    run.fields, run.history
    print(pf.verify(run))

Names are loaded when first used, so that importing the package is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasefield.analysis.coarsening import Coarsening, coarsening
    from phasefield.analysis.convergence import convergence
    from phasefield.analysis.critical_load import critical_load
    from phasefield.analysis.manufactured import l2_error
    from phasefield.analysis.quasi_static import QuasiStatic, quasi_static
    from phasefield.analysis.stability import LinearStability, linear_stability
    from phasefield.analysis.verify import Verdict, verify
    from phasefield.errors import InputError, Interrupted, NumericalError, PhasefieldError
    from phasefield.output.reader import Run
    from phasefield.runner import run
    from phasefield.scenario import load_scenario
    from phasefield.simulation import Simulation

__all__ = [
    "Coarsening",
    "InputError",
    "Interrupted",
    "LinearStability",
    "NumericalError",
    "PhasefieldError",
    "QuasiStatic",
    "Run",
    "Simulation",
    "Verdict",
    "coarsening",
    "convergence",
    "critical_load",
    "l2_error",
    "linear_stability",
    "load_scenario",
    "quasi_static",
    "run",
    "verify",
]

_HOMES = {
    "Coarsening": "analysis.coarsening",
    "InputError": "errors",
    "Interrupted": "errors",
    "LinearStability": "analysis.stability",
    "NumericalError": "errors",
    "PhasefieldError": "errors",
    "QuasiStatic": "analysis.quasi_static",
    "Run": "output.reader",
    "Simulation": "simulation",
    "Verdict": "analysis.verify",
    "coarsening": "analysis.coarsening",
    "convergence": "analysis.convergence",
    "critical_load": "analysis.critical_load",
    "l2_error": "analysis.manufactured",
    "linear_stability": "analysis.stability",
    "load_scenario": "scenario",
    "quasi_static": "analysis.quasi_static",
    "run": "runner",
    "verify": "analysis.verify",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("phasefield.output.provenance").package_version()
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
