"""Imports flow one way: a module imports from its own row or rows above (docs/architecture.md), and nothing heavy too early."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "phasefield"
MODULES = sorted(PACKAGE.rglob("*.py"))

# The longest prefix counts. Row 5 is the top: tools that users see.
ROWS = {
    "errors": 0,
    "registry": 0,
    "random": 0,
    "kernels": 0,
    "backend": 0,
    "spectral": 1,
    "initial": 1,
    "energy": 2,
    "mechanics": 2,
    "models": 2,
    "stepping": 3,
    "scenario": 4,
    "simulation": 4,
    "gradient_flow": 4,
    "crack_growth": 4,
    "crack_dynamics": 4,
    "output": 4,
    "analysis": 5,
    "visual": 5,
    "runner": 5,
    "progress": 5,
    "tables": 5,
    "starter": 5,
    "bench": 5,
    "cli": 5,
    "__main__": 5,
    "__init__": 5,
}


def name_of(path: Path) -> str:
    """Dotted name below the package: `spectral.grid`, `kernels`, `cli`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def row_of(name: str) -> int:
    return ROWS[name.split(".")[0]]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(tree: ast.AST) -> set[str]:
    """Modules of the package imported anywhere in a tree, those for the type checker apart; also by `import_module`."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names if is_module(f"{node.module}.{alias.name}")}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
        found |= imported(node)
    return found


def is_module(name: str) -> bool:
    if not name.startswith("phasefield."):
        return False
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_every_module_has_a_row():
    assert {name_of(path).split(".")[0] for path in MODULES} <= set(ROWS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_come_from_this_row_or_above(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = row_of(name_of(path))
    wrong = []
    for module in imported(tree):
        if module.startswith("phasefield.") and row_of(module.split(".", 1)[1]) > own:
            wrong.append(module)
        assert "pyplot" not in module, "figures are made without pyplot's global state"
    assert not wrong, f"row {own} imports from below: {wrong}"


def test_the_rule_can_fail():
    """The reader of imports sees nested, aliased and dynamic imports, and leaves those for the type checker out."""
    source = (
        "import phasefield.cli\nfrom phasefield.energy import bulk\nfrom matplotlib import pyplot as plt\n"
        "if TYPE_CHECKING:\n    import phasefield.runner\n"
        "def f():\n    from phasefield import tables\n    importlib.import_module('phasefield.progress')\n"
    )
    found = imported(ast.parse(source))
    assert {"phasefield.cli", "phasefield.energy.bulk", "phasefield.tables", "phasefield.progress"} <= found
    assert "phasefield.runner" not in found
    assert row_of("cli") > row_of("energy.bulk")


def test_importing_the_package_is_light():
    """Names are loaded when used: `import phasefield` brings in no library at all."""
    code = "import sys; before = set(sys.modules); import phasefield; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    allowed = {"phasefield", "phasefield._version", "importlib", "typing", "__future__"}
    loaded = {name.split(".")[0] for name in ast.literal_eval(done.stdout)}
    assert not loaded & {
        "numpy",
        "scipy",
        "numba",
        "sympy",
        "h5py",
        "pydantic",
        "yaml",
        "rich",
        "typer",
        "matplotlib",
        "xarray",
    }
    assert {n for n in ast.literal_eval(done.stdout) if n.startswith("phasefield")} <= allowed


def test_every_public_name_exists():
    import phasefield

    for name in phasefield.__all__:
        assert getattr(phasefield, name) is not None
    assert phasefield.__version__
    with pytest.raises(AttributeError):
        phasefield.nothing  # noqa: B018
