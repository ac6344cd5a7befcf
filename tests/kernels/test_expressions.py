"""The parser of formulas: what it accepts is right, and what it refuses is refused clearly."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasefield.errors import InputError
from phasefield.kernels.expressions import FUNCTIONS, Expression, parse


def of_c(text, *parameters):
    return parse(text, variables=["c"], parameters=parameters)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2*3 - 4/8", 6.5),
        ("-c**2", -0.09),
        ("2**-1", 0.5),
        ("-2**2", -4.0),
        ("2**3**2", 512.0),
        ("1_000*c", 300.0),
        ("0.1 + 0.2", 0.3),
        ("abs(c - 1) + min(c, 2, 0.1) + max(c, 0.2)", 1.1),
        ("sqrt(c**2) + exp(0) + log(1) + sin(0) + tan(0) + tanh(0)", 1.3),
        ("cos(pi) + cosh(0) + sinh(0)", 0.0),
        ("c\n  + 1", 1.3),
        ("c**0", 1.0),
        ("3**0.5*c**1.5", 3**0.5 * 0.3**1.5),
        ("12345678901234567890*c", 12345678901234567890 * 0.3),
    ],
)
def test_values(text, expected):
    assert of_c(text).evaluate(c=0.3) == pytest.approx(expected, rel=1e-14, abs=1e-15)


# Each refusal with a piece of its message; the column counts from 1.
REFUSED = {
    "x*c": "'x' in column 1 is not known; valid names: W, c, pi",
    "c + Ww": "'Ww' in column 5 is not known; did you mean 'W'?",
    "  tanhh(c)": "'tanhh' in column 3 is not a known function; did you mean 'tanh'?",
    "c^2": "use ** for powers",
    "2c": "a product needs '*'",
    "2(c)": "a product needs '*'",
    "c(2)": "'c' in column 1 is not a function; a product needs '*'",
    "exp + c": "write exp(...)",
    "exp(c, c)": "exp takes 1",
    "max(c)": "max takes 2 to 16",
    "exp(x=c)": "keyword argument",
    "c**c": "exponent with the variable 'c'; use exp(...)",
    "2**(c*W)": "exponent with the variable 'c'; use exp(...)",
    "c**33": "exponent beyond ±32",
    "9**9**9": "exponent beyond ±32",
    "10**32**1*10**32*1e300": "too large a number",
    "(10**32)**32": "too large a number",
    "((9*c)**32)**32": "nests powers to more than 64",
    "(c - c + 9)**32*(((c - c + 9)**32)**32)": "too large a number",
    "(1e15*c)**32": "finite real number",
    "1e999*c": "'1e999' in column 1 is too large",
    "1e-999*c": "'1e-999' in column 1 is too small",
    "pi*" + "9" * 400: "too large a number",
    "exp(1000)": "too large a number",
    "c/0": "divides by zero",
    "1/(2 - 2)": "divides by zero",
    "c/(c - c)": "divides by zero",
    "0**-1": "divides by zero",
    "log(0)": "not a real number",
    "sqrt(-1)": "not a real number",
    "(-8)**0.5": "not a real number",
    "sqrt(c - c - 1)": "not a real number",
    "nan": "not known",
    "inf": "not known",
    "1j*c": "'1j' in column 1 is not a real number",
    "'c'": "not a real number",
    "True": "not a real number",
    "...": "not a real number",
    "c < 1": "not allowed",
    "c and 1": "not allowed",
    "not c": "not allowed",
    "~c": "not allowed",
    "c // 2": "not allowed",
    "c % 2": "not allowed",
    "lambda: c": "not allowed",
    "c.real": "'c.real' in column 1 is not allowed",
    "().__class__": "not allowed",
    "c[0]": "not allowed",
    "(c, c)": "not allowed",
    "[c for c in c]": "not allowed",
    "(c := 2)": "not allowed",
    "f'{c}'": "not allowed",
    "c if c else 1": "not allowed",
    "exp(*[c])": "not allowed",
    "__import__('os')": "'__import__' in column 1 is not a known function",
    "exp(c)(c)": "cannot be called",
    "c = 1": "invalid syntax",
    "c; c": "invalid syntax",
    "(c": "was never closed",
    "c)": "unmatched ')'",
    "": "is empty",
    "  \n": "is empty",
    "c # + 1": "character '#' in column 3",
    "\U0001d41c": "in column 1 is not allowed",
    "c²": "'²' in column 2",
    "c\x00": "in column 2 is not allowed",
    "xlogx(c, c)": "must be a positive number or a parameter",
    "xlogx(c, 0)": "must be a positive number or a parameter",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text):
    with pytest.raises(InputError) as error:
        of_c(text, "W")
    assert REFUSED[text] in str(error.value)
    assert str(error.value).startswith("formula")


def test_limits():
    of_c("c" + " " * 1999)
    with pytest.raises(InputError, match="2001 characters"):
        of_c("c" + " " * 2000)
    of_c("(" * 60 + "c" + ")" * 60)
    with pytest.raises(InputError, match="nested parentheses in column 61"):
        of_c("(" * 61 + "c" + ")" * 61)
    with pytest.raises(InputError, match="levels deep"):
        of_c("-" * 1900 + "c")
    with pytest.raises(InputError, match="levels deep"):
        of_c("c**" * 600 + "c")
    assert of_c("+".join(["c"] * 250)).evaluate(c=2.0) == 500
    with pytest.raises(InputError, match="more than 500"):
        of_c("+".join(["c"] * 251))


def test_derivatives_that_explode_are_refused():
    product = "*".join(f"(c + {i})" for i in range(90))
    with pytest.raises(InputError, match="too long to be differentiated"):
        of_c(product).derivative("c").derivative("c").derivative("c")


@pytest.mark.parametrize("name", ["exp", "pi", "xlogx", "lambda", "_x", "__class__", "a b", "φ", "1a", ""])
def test_reserved_names(name):
    with pytest.raises(InputError, match=r"reserved|not a valid name"):
        parse("1", variables=[name])
    with pytest.raises(InputError, match=r"reserved|not a valid name"):
        of_c("1", name)


def test_declared_twice():
    with pytest.raises(InputError, match="parameter 'c' has the name of a variable"):
        of_c("c", "c")
    with pytest.raises(InputError, match="declared twice"):
        parse("c", variables=["c", "c"])


def test_names():
    formula = parse("a*c + pi", variables=["c", "d"], parameters=["b", "a"])
    assert formula.variables == ("c", "d")
    assert formula.parameters == ("b", "a")
    assert formula.names_used == {"a", "c"}
    with pytest.raises(InputError, match="did you mean 'c'"):
        formula.derivative("cc")
    with pytest.raises(InputError, match="needs a value for d, b"):
        formula.evaluate(c=1.0, a=2.0)
    with pytest.raises(InputError, match="unknown name 'e'"):
        formula.evaluate(c=1.0, a=2.0, d=0, b=0, e=0)


def test_evaluation_broadcasts_and_keeps_single_precision():
    formula = parse("2", variables=["x", "y"])
    assert formula.evaluate(x=np.zeros((1, 3)), y=np.zeros((4, 1))).shape == (4, 3)
    sine = parse("a*sin(x)**3/2", variables=["x"], parameters=["a"])
    x = np.linspace(0, 1, 5, dtype=np.float32)
    assert sine.evaluate(x=x, a=2.0).dtype == np.float32
    assert parse("x/2", variables=["x"]).evaluate(x=np.array([1, 2])).tolist() == [0.5, 1.0]


def test_outside_the_domain_is_nan_and_silent():
    # sympy's own functions would rewrite |√c| to √|c| and give 1 here.
    assert np.isnan(of_c("abs(sqrt(c))").evaluate(c=-1.0))
    assert np.isnan(of_c("log(c)").evaluate(c=-1.0))
    assert of_c("1/c").evaluate(c=0.0) == math.inf
    assert np.isnan(of_c("max(c, 0)").evaluate(c=math.nan))


@pytest.mark.parametrize(
    "text",
    [
        "0.25*(c**2 - 1)**2",
        "5*(c - 0.3)**2*(0.7 - c)**2",
        "c**1.7 + c**a + 1/(1 + c)**2",
        "exp(-c**2)*tanh(c)/sqrt(1 + c**2)",
        "sin(c)*cos(2*c) + tan(c)*sinh(c)/cosh(c) + log(1 + c)",
        "abs(c - 0.2)**3 + max(c, 0.1, 1 - c)*min(c**2, 0.5*c)",
        "xlogx(c, 0.5) + xlogx(1 - c) + xlogx(c**2, a)",
    ],
)
def test_derivatives_are_differences(text):
    formula = of_c(text, "a")
    c, h = np.array([0.11, 0.43, 0.77]), 1e-5
    for _ in range(3):
        slope = formula.derivative("c")
        numeric = (formula.evaluate(c=c + h, a=0.6) - formula.evaluate(c=c - h, a=0.6)) / (2 * h)
        np.testing.assert_allclose(slope.evaluate(c=c, a=0.6), numeric, rtol=1e-6, atol=1e-7)
        formula = slope


def test_a_derivative_keeps_the_roots_of_a_well():
    slope = of_c("5*(c - 0.3)**2*(0.7 - c)**2").derivative("c")
    # Multiplied out, the value next to a root would be rounding noise.
    assert slope.evaluate(c=0.7 + 1e-9) == pytest.approx(5 * 2 * 0.4**2 * 1e-9, rel=1e-6)
    assert of_c("c**n", "n").derivative("c").evaluate(c=0.0, n=2.0) == 0.0


@pytest.mark.parametrize("delta", [1e-3, 0.2])
def test_xlogx_is_twice_continuously_differentiable(delta):
    formula = of_c("xlogx(c, d)", "d")
    x = np.array([1.5, 1.01]) * delta
    np.testing.assert_allclose(formula.evaluate(c=x, d=delta), x * np.log(x), rtol=1e-13)
    x = np.array([-1.0, 0.0, 0.5, 0.999]) * delta
    taylor = delta * np.log(delta) + (np.log(delta) + 1) * (x - delta) + (x - delta) ** 2 / (2 * delta)
    np.testing.assert_allclose(formula.evaluate(c=x, d=delta), taylor, rtol=1e-12, atol=1e-15)
    for jump_allowed in (False, False, False, True):
        left, right = (formula.evaluate(c=delta * (1 + s), d=delta) for s in (-1e-9, 1e-9))
        assert (abs(left - right) > 1e-6 * abs(right)) == jump_allowed
        formula = formula.derivative("c")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("1.0*c", "c"),
        ("0.25*(c**2 - 1.0)**2", r"\frac{\left(c^{2} - 1\right)^{2}}{4}"),
        ("0.123456*c", "0.123456 c"),
        ("0.3*c", "0.3 c"),
        ("c/3", r"\frac{c}{3}"),
        ("chi*c*log(c)", r"c \chi \ln{\left(c \right)}"),
        ("xlogx(c)/length_1", r"\frac{c \ln c}{\mathrm{length}_{1}}"),
        ("exp(-c**2)", "e^{- c^{2}}"),
        ("abs(c)", r"\left|{c}\right|"),
    ],
)
def test_latex(text, latex):
    assert of_c(text, "chi", "length_1").latex() == latex


def test_importing_the_parser_is_light():
    code = "import sys, phasefield.kernels.expressions; print({'sympy', 'numba', 'numpy'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


# Random input ------------------------------------------------------------------------------------------

# A starred string gives its characters.
_WORDS = [
    *FUNCTIONS,
    *"+-*/^%@=<.,:()[]{}_é'\"\\ \n01cWx",
    "**",
    "//",
    ":=",
    "pi",
    "lambda",
    "2.5",
    "1e308",
    "1j",
]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(_WORDS), max_size=14).map("".join)))
def test_any_text_is_a_formula_or_an_input_error(text):
    try:
        formula = of_c(text, "W")
    except InputError:
        return
    assert isinstance(formula, Expression)
    assert np.shape(formula.evaluate(c=np.ones(2), W=1.0)) == (2,)


def _leaf():
    numbers = st.floats(0.1, 9.9).map(lambda x: round(x, 3))
    return st.one_of(
        st.sampled_from([("a", lambda v: v["a"]), ("b", lambda v: v["b"]), ("pi", lambda v: math.pi)]),
        numbers.map(lambda x: (repr(x), lambda v: x)),
        st.integers(0, 30).map(lambda n: (str(n), lambda v: float(n))),
    )


_BINARY = {"+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y}
_UNARY = {
    **{name: getattr(math, name) for name in ("sin", "cos", "tanh")},
    "abs": abs,
    "log": lambda x: math.log(x),
    "sqrt": math.sqrt,
    "exp": math.exp,
}


def _grow(inner):
    def binary(op, left, right):
        return (
            f"({left[0]}) {op} ({right[0]})",
            lambda v: _BINARY[op](left[1](v), right[1](v)),
        )

    def unary(name, x):
        # The argument is kept in the domain, and away from where a function is steep.
        if name in ("log", "sqrt"):
            return f"{name}(1 + ({x[0]})**2)", lambda v: _UNARY[name](1 + x[1](v) ** 2)
        if name == "exp":
            return f"exp(tanh({x[0]}))", lambda v: math.exp(math.tanh(x[1](v)))
        return f"{name}({x[0]})", lambda v: _UNARY[name](x[1](v))

    def quotient(x, y):
        return f"({x[0]})/(2 + sin({y[0]}))", lambda v: x[1](v) / (2 + math.sin(y[1](v)))

    def power(x, n):
        return f"tanh({x[0]})**{n}", lambda v: math.tanh(x[1](v)) ** n

    def extreme(name, x, y):
        return f"{name}({x[0]}, {y[0]})", lambda v: {"min": min, "max": max}[name](x[1](v), y[1](v))

    return st.one_of(
        st.builds(binary, st.sampled_from(list(_BINARY)), inner, inner),
        st.builds(unary, st.sampled_from(list(_UNARY)), inner),
        st.builds(quotient, inner, inner),
        st.builds(power, inner, st.integers(0, 6)),
        st.builds(extreme, st.sampled_from(["min", "max"]), inner, inner),
        inner.map(lambda x: (f"-({x[0]})", lambda v: -x[1](v))),
    )


@settings(max_examples=150, deadline=None)
@given(st.recursive(_leaf(), _grow, max_leaves=8), st.floats(-2, 2), st.floats(-2, 2))
def test_agrees_with_ordinary_arithmetic(formula, a, b):
    text, reference = formula
    values = {"a": a, "b": b}
    expected = reference(values)
    value = parse(text, variables=["a"], parameters=["b"]).evaluate(**values)
    # Sums of large terms may cancel, and sin of a large number amplifies rounding.
    assert value == pytest.approx(expected, rel=1e-7, abs=1e-7 * max(1.0, abs(expected)))
