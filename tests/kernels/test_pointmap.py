"""Compiled maps of field values against the formula itself."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.kernels.expressions import parse
from phasefield.kernels.pointmap import compile_map


@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize(
    "text", ["a*c*(1 - c)", "1 - c**2", "exp(-b*c) + a/(1 + c**2)", "0.7", "max(c, 0)", "b*sqrt(1 + c**2)"]
)
def test_values(text, real):
    names = parse(text, variables=("c",), parameters=("a", "b")).names_used
    values = {n: v for n, v in {"a": 1.3, "b": 0.4}.items() if n in names}
    expression = parse(text, variables=("c",), parameters=values)
    u = np.random.default_rng(1).uniform(-1.5, 1.5, (1, 1000)).astype(real)
    out = np.full(1000, np.nan, real)
    compile_map(expression, real)(u, np.array(list(values.values()), real), out)
    expected = np.maximum(expression.evaluate(c=u[0].astype(float), **values), 0.0)
    tolerance = {"float64": 1e-14, "float32": 2e-6}[real]
    np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance)
    assert out.min() >= 0.0


def test_nan_is_not_hidden():
    """Outside its domain a formula has no value, and 0 would be one."""
    out = np.zeros(3)
    compile_map(parse("sqrt(c)", variables=("c",)))(np.array([[4.0, -1.0, np.nan]]), np.zeros(0), out)
    assert out[0] == 2.0
    assert np.isnan(out[1:]).all()
