"""Where measured numbers go: `benchmarks/results/<name>.json`, with date and versions."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phasefield.output.provenance import package_version

RESULTS = Path(__file__).parent / "results"


def write(name: str, content: Mapping[str, Any]) -> None:
    """Write one record; floats keep six digits."""
    record = {"date": time.strftime("%Y-%m-%d"), "version": package_version(), **content}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(_rounded(record), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(RESULTS.parents[1])}")


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
