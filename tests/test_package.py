"""The package as a whole: what it exports, and what importing it costs."""

import subprocess
import sys

import pytest

import hpt


def test_every_exported_name_is_there():
    for name in hpt.__all__:
        assert getattr(hpt, name) is not None
        assert name in dir(hpt)


def test_modules_are_reached_from_the_package():
    for name in hpt._MODULES:
        assert getattr(hpt, name).__name__ == f"hpt.{name}"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'tunes'"):
        _ = hpt.tunes


def test_importing_the_package_imports_nothing_heavy():
    heavy = "{'tensorflow', 'keras', 'optuna', 'pandas', 'sklearn', 'matplotlib'}"
    code = f"import hpt, sys; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_making_a_task_does_not_import_tensorflow():
    code = "import hpt, sys; hpt.task('wine'); print({'tensorflow', 'keras'} & set(sys.modules) or 'none')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "none"


def test_every_module_says_at_its_top_what_it_does():
    for name in hpt._MODULES:
        first = getattr(hpt, name).__doc__.splitlines()[0]
        assert first.endswith((".", "?")), name


def test_rooms_do_not_import_what_stands_above_them():
    """One way up: errors, domains, space, catalog, data, ... as `hpt.__doc__` lists them."""
    order = [
        "errors", "pages", "seeds", "limits", "domains", "space", "catalog", "metrics", "data", "generated", "networks",
        "builders", "layers", "tables", "tasks", "images", "baselines", "training", "samplers", "schedules",
        "strategies", "search", "backends", "keeping", "study", "storage", "importances", "diagnosis", "evidence",
        "claims", "comparison", "sweeps", "reports", "recording", "simulation", "libraries", "plots", "command",
        "__main__",
    ]  # fmt: skip
    import ast
    from pathlib import Path

    root = Path(hpt.__file__).parent
    for file in root.rglob("*.py"):
        room = file.relative_to(root).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hpt"):
                parts = node.module.split(".")
                below = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
                for other in below:
                    assert order.index(other) <= order.index(room), f"{file.name} imports {other} from above"
