"""Small scenarios of bodies that crack and move; one cell has the length 1, c_d = 33.3."""

from __future__ import annotations

from typing import Any

E, NU, GC, RHO = 1000.0, 0.2, 1.0, 1.0


def plate(
    cells: tuple[int, ...] = (24, 17),
    crack: float = 0.4,
    *,
    end: float = 2.0,
    section: dict[str, Any] | None = None,
    **model: Any,
) -> dict[str, Any]:
    """A body with a crack from the left to `crack` of its width, at half its height, pulled apart from t = 0 on."""
    names = "xyz"[: len(cells)]
    grid = {a: {"cells": n, "length": float(n), "boundary": "no_flux"} for a, n in zip(names, cells, strict=True)}
    middle = 0.5 * cells[1]
    corner, other = [-1.0, middle - 0.25, -1.0], [crack * cells[0], middle + 0.25, 1e3]
    body = {"box": {"from": corner[: len(cells)], "to": other[: len(cells)]}}
    pull = [{"face": f"y.{end}", "traction": {"y": value}} for end, value in (("low", -12.0), ("high", 12.0))]
    constants = {"young_modulus": E, "poisson_ratio": NU, "toughness": GC, "density": RHO, "length": 2.0}
    return {
        "model": {"name": "dynamic_fracture", "dissipation": "AT2", "loads": pull, **constants, **model},
        "grid": grid,
        "initial": {"phi": {"shapes": [body]} if crack else 0.0},
        "time": {"end": end},
        "output": {"fields": {"every": 0.5 * end, "precision": "double"}, "history": {"every": 0.1 * end}},
        **(section or {}),
    }
