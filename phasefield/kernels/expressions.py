"""Formulas of a scenario, parsed by a whitelist: text → `ast` → sympy tree. Text of a user is never executed.

| allowed | |
|---|---|
| numbers | `2`, `0.25`, `1e-3` |
| names | the declared variables and parameters, `pi` |
| operators | `+  -  *  /  **` and parentheses; the exponent of `**` holds no variable (write `exp(...)`) |
| functions | `exp log sqrt sin cos tan sinh cosh tanh abs min max xlogx` |

`xlogx(x)` or `xlogx(x, delta)` is x ln x, continued below delta (default 1e-4) by its quadratic Taylor
polynomial at delta: value, first and second derivative stay continuous, and finite for every real x.
"""

from __future__ import annotations

import ast
import keyword
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phasefield.errors import InputError, unknown

if TYPE_CHECKING:
    import numpy as np
    import sympy

# Arguments of each function: (fewest, most).
FUNCTIONS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(["exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "abs"], (1, 1)),
    "min": (2, 16),
    "max": (2, 16),
    "xlogx": (1, 2),
}
CONSTANTS = ("pi",)

MAX_LENGTH = 2000
MAX_DEPTH = 60


@dataclass(frozen=True)
class Expression:
    """A parsed formula: a real function of `variables`, with `parameters` that get their values at run time.

    `tree` is a sympy expression whose functions (`phasefield.kernels.functions`) never rewrite themselves, so
    that it means the same for every real argument as the text did.
    """

    text: str
    variables: tuple[str, ...]
    parameters: tuple[str, ...]
    tree: sympy.Expr
    # Product of nested powers, and length with all definitions written out: bounds for formulas that use this one.
    power: int = 1
    written_out: int = 1
    _derivatives: dict[str, Expression] = field(default_factory=dict, repr=False, compare=False)

    @property
    def names_used(self) -> frozenset[str]:
        """Variables and parameters that occur in the formula."""
        return frozenset(str(symbol) for symbol in self.tree.free_symbols)

    def derivative(self, variable: str) -> Expression:
        """∂/∂`variable`, in factored form where that is shorter; almost everywhere for abs, min, max."""
        from phasefield.kernels import symbolic

        if variable not in self.variables:
            raise unknown("variable", variable, self.variables)
        known = self._derivatives.get(variable)
        if known is None:
            tree = symbolic.differentiate(self.tree, variable)
            text = f"d({self.text})/d{variable}"
            known = Expression(text, self.variables, self.parameters, tree, self.power, self.written_out)
            self._derivatives[variable] = known
        return known

    def plus(self, other: Expression) -> Expression:
        """The sum of two formulas in the same variables, with the parameters of both."""
        if other.variables != self.variables:
            raise ValueError("only formulas in the same variables are added")
        parameters = tuple(dict.fromkeys((*self.parameters, *other.parameters)))
        size = max(self.power, other.power), self.written_out + other.written_out
        return Expression(f"{self.text} + {other.text}", self.variables, parameters, self.tree + other.tree, *size)

    def evaluate(self, **values: Any) -> np.ndarray:
        """Value for arrays or numbers by name, broadcast against each other; no code is generated.

        Outside the domain the result is nan or inf, silently. The shape is that of all values together, also
        for a constant formula.
        """
        from phasefield.kernels import symbolic

        declared = (*self.variables, *self.parameters)
        for name in values:
            if name not in declared:
                raise unknown("name", name, declared)
        missing = [name for name in declared if name not in values]
        if missing:
            raise InputError(f"formula '{self.text}' needs a value for {', '.join(missing)}")
        return symbolic.evaluate(self.tree, values)

    def latex(self) -> str:
        """The formula in LaTeX, without delimiters."""
        from phasefield.kernels import symbolic

        return symbolic.latex(self.tree)


def parse(
    text: str,
    *,
    variables: Sequence[str],
    parameters: Iterable[str] = (),
    definitions: Mapping[str, Expression] | None = None,
    what: str = "formula",
) -> Expression:
    """Parse `text` as a formula in `variables` and `parameters`; `what` names it in messages.

    `definitions` are parts that it uses by name, parsed before with the same variables and parameters.

    Raises `InputError`, which quotes the offending piece and its column, for everything that is not allowed.
    """
    variables, parameters = tuple(variables), tuple(dict.fromkeys(parameters))
    _check_names(variables, parameters, what)
    node, shift = _syntax_tree(text, what)

    from phasefield.kernels.building import Builder

    builder = Builder(text, what, variables, parameters, shift, definitions)
    tree = builder.build(node)
    return Expression(text.strip(), variables, parameters, tree, builder.power, builder.written_out)


def check_name(name: str, what: str = "name") -> None:
    """Raise `InputError` unless `name` can stand for a variable or a parameter in a formula."""
    if not isinstance(name, str) or not (name.isascii() and name.isidentifier()) or name.startswith("_"):
        raise InputError(f"{what} {name!r} is not a valid name (a letter, then letters, digits, underscores)")
    if name in FUNCTIONS or name in CONSTANTS or keyword.iskeyword(name):
        raise InputError(f"{what} '{name}' is reserved in formulas; choose another name")


def _check_names(variables: tuple[str, ...], parameters: tuple[str, ...], what: str) -> None:
    for kind, names in (("variable", variables), ("parameter", parameters)):
        for name in names:
            check_name(name, f"{what}: {kind}")
    for name in parameters:
        if name in variables:
            raise InputError(f"{what}: parameter '{name}' has the name of a variable; choose another name")
    if len(set(variables)) < len(variables):
        raise InputError(f"{what}: a variable is declared twice: {', '.join(variables)}")


def _syntax_tree(text: str, what: str) -> tuple[ast.expr, int]:
    """Python's syntax tree of `text`, and by how many characters its columns are shifted.

    Everything that could bring Python's own parser into trouble (length, nesting, odd characters) is refused.
    """
    if not isinstance(text, str):
        raise InputError(f"{what} must be text, got {text!r}")
    if not text.strip():
        raise InputError(f"{what} is empty")
    if len(text) > MAX_LENGTH:
        raise InputError(f"{what} has {len(text)} characters, more than {MAX_LENGTH}")
    depth = 0
    for column, character in enumerate(text, start=1):
        # Identifiers are normalised by Python (𝐜 becomes c), and '#' would hide the rest of the line.
        if not (character.isascii() and (character.isprintable() or character in "\t\r\n")) or character in "#\\":
            raise InputError(
                f"{what}: character {character!r} in column {column} is not allowed;"
                " formulas use plain letters, digits and operators"
            )
        depth += (character in "([{") - (character in ")]}")
        if depth > MAX_DEPTH:
            raise InputError(f"{what}: more than {MAX_DEPTH} nested parentheses in column {column}")
    flat = text.translate(str.maketrans("\t\r\n", "   ")).rstrip()
    source = flat.lstrip()
    shift = len(flat) - len(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, mode="eval").body, shift
    except SyntaxError as error:
        column = (error.offset or 1) + shift
        hint = "; a product needs '*'" if "decimal literal" in error.msg else ""
        raise InputError(f"{what} '{short(flat.strip())}': {error.msg}{hint} (column {column})") from None
    except (RecursionError, MemoryError):
        raise InputError(f"{what} '{short(flat.strip())}' is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{what} '{short(flat.strip())}': {error}") from None


def short(piece: str, limit: int = 60) -> str:
    """`piece` for a message, cut to `limit` characters."""
    return piece if len(piece) <= limit else piece[: limit - 1] + "…"
