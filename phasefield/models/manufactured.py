"""Manufactured solutions: the source that makes a given function the exact solution of a model.

With ∂φ_p/∂t = −m_p(−i∇) μ_p + s_p, m = constant + laplacian k̃² and μ_p = ∂f/∂φ_p − κ_p ∇²φ_p, the fields φ = u(x, t) are a
solution if

    s_p = ∂u_p/∂t + constant_p μ_p(u) − laplacian_p ∇²μ_p(u),

with ∇·M(u)∇μ(u) in the place of the last term where the mobility depends on the field (and is not negative at u).

All of it is read off the terms of the model, and all derivatives are exact: no discretisation enters the source.

Source: P. J. Roache, J. Fluids Eng. 124 (2002) 4, doi:10.1115/1.1436090.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy

from phasefield.errors import InputError
from phasefield.kernels.cell_map import AXES, TIME
from phasefield.kernels.expressions import Expression
from phasefield.kernels.functions import Tree
from phasefield.kernels.symbolic import differentiate
from phasefield.models.base import Model
from phasefield.models.mobility import Mobility
from phasefield.models.split import Split


def why_not_manufactured(model: Model) -> str | None:
    """Why no source can be derived for a model, or None."""
    if model.coupling is not None or model.explicit or model.viscosity is not None:
        return "sources are derived for models of local and gradient energy with first-order kinetics"
    if model.changing or model.frozen or model.thermal_energy:
        return "sources are derived for models without thermal noise, fixed fields and parameters that change"
    return None


def source_terms(model: Model, exact: Mapping[str, Expression]) -> dict[str, Expression]:
    """s(x, y, z, t) of every field of `model` that makes `exact` its solution.

    Args:
        model: of local and gradient energies, see `why_not_manufactured`.
        exact: u(x, y, z, t) of every field, all in the same variables and parameters.

    Raises:
        InputError: derivatives that become too long, named by `manufactured.<field>`.
    """
    split = Split(model)
    values = dict(zip(split.density.parameters, split.parameters, strict=True))
    given = {sympy.Symbol(name): _number(value) for name, value in values.items()}
    given |= {sympy.Symbol(name): exact[name].tree for name in split.names}
    mobility = model.variable_mobility
    axes = [name for name in exact[split.names[0]].variables if name in AXES]
    result = {}
    for name, slope, kappa in zip(split.names, split.derivatives, split.kappa, strict=True):
        kinetics, u = model.fields[name], exact[name]
        try:
            potential = slope.tree.xreplace(given) - _number(kappa) * _laplacian(u.tree, axes)
            tree = differentiate(u.tree, TIME) + _number(kinetics.constant) * potential
            if mobility is not None:
                tree -= _flux_divergence(mobility, u.tree, potential, axes)
            elif kinetics.laplacian:
                tree -= _number(kinetics.laplacian) * _laplacian(potential, axes)
        except InputError as error:
            raise InputError(f"manufactured.{name}: {error}") from None
        result[name] = Expression(f"source of {u.text}", u.variables, u.parameters, tree)
    return result


def _flux_divergence(mobility: Mobility, u: Tree, potential: Tree, axes: Sequence[str]) -> Tree:
    """∇·M(u)∇μ"""
    given = {sympy.Symbol(name): _number(value) for name, value in mobility.parameters.items()}
    M = mobility.expression.tree.xreplace({**given, sympy.Symbol(mobility.variable): u})
    return sympy.Add(*[differentiate(M * differentiate(potential, axis), axis) for axis in axes])


def _laplacian(tree: Tree, axes: Sequence[str]) -> Tree:
    return sympy.Add(*[differentiate(differentiate(tree, axis), axis) for axis in axes])


def _number(value: float) -> Tree:
    """A number of a model: exact where it is a whole one."""
    return sympy.Integer(int(value)) if float(value).is_integer() and abs(value) < 1e15 else sympy.Float(float(value))
