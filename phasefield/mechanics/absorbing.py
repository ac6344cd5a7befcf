"""Faces and layers that absorb waves.

A face with the traction −ρc_d v_n − ρc_s v_t takes up plane waves that come along its normal, others in part: J. Lysmer, R. L.
Kuhlemeyer, J. Eng. Mech. Div. ASCE 95 (1969) 859, doi:10.1061/JMCEA3.0001144.

In a layer of width w in front of a face the body's equation is ρü = div σ − αρu̇ with α = α_max (s/w)², s the way into the layer.
A wave exp(i(kx − ωt)) has c²k² = ω² + iαω, Im k = α/2c for α ≪ ω: per way it fades by exp(−∫α/2c ds) = exp(−α_max w/6c), whatever
its frequency. There and back that is R for

    α_max = 3 c_d ln(1/R)/w.

S waves are slower and fade more, by R^(c_d/c_s). Waves for which α is not small against ω come back from the layer itself: its
width should be two of their lengths or more, and R no smaller than needed.
"""

from __future__ import annotations

import math

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.body_surface import Surface
from phasefield.mechanics.dynamic_load_sections import Layer
from phasefield.spectral.grid import AXIS_NAMES


def _constants(surface: Surface) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """λ, μ and ρ, 0 in voids (*grid.shape)."""
    body = surface.body
    grid = body.grid
    lam, mu = (np.broadcast_to(a, (grid.cells,)).reshape(grid.shape) for a in body.split.constants)
    return lam, mu, np.where(body.solid, body.density, 0.0)


def absorb_at_face(surface: Surface, face: tuple[int, int]) -> None:
    """Dashpots ρc_d and ρc_s per area on a face."""
    body = surface.body
    axis, end = face
    lam, mu, rho = _constants(surface)
    for c in range(surface.dimensions):
        impedance = np.sqrt(rho * (lam + 2.0 * mu if c == axis else mu))
        damper = surface.integrals(np.take(impedance, -end, surface.dimensions - 1 - axis), face)
        ratio = np.zeros((surface.dimensions, *body.nodes))
        ratio[c] = damper * body.inverse_mass
        body.damp(ratio)


def absorb_in_layer(surface: Surface, layer: Layer, place: str) -> tuple[int, int]:
    """α of a layer at the nodes in it; returns its face.

    Raises:
        InputError: an unknown face, a layer as thick as the body or thinner than 4 cells.
    """
    face = surface.face(layer.face, f"{place}.face")
    axis, end = face
    line = surface.grid.axes[axis]
    if layer.width >= line.length:
        text = f"must be less than the length {line.length:g} of the body along {AXIS_NAMES[axis]}"
        raise InputError(f"{place}.width: {text} (got {layer.width:g})")
    if layer.width < 4.0 * line.spacing * (1.0 - 1e-9):
        raise InputError(f"{place}.width: is {layer.width / line.spacing:.3g} cells; a layer needs at least 4")
    depth = np.maximum(0.0, 1.0 - np.arange(line.cells + 1) * line.spacing / layer.width)
    depth = depth[::-1] if end else depth
    lam, mu, rho = _constants(surface)
    solid = rho > 0.0
    fastest = math.sqrt(float(((lam + 2.0 * mu)[solid] / rho[solid]).max()))
    rate = 3.0 * fastest * math.log(1.0 / layer.reflection) / layer.width * depth**2
    d = surface.dimensions
    surface.body.damp(rate.reshape([-1 if k == d - 1 - axis else 1 for k in range(d)]))
    return face
