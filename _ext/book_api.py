"""References to the package by the names that people use.

Readers and docstrings say ``hpt.tune``; the API page documents it where it lives, as
``hpt.study.tune``. This resolves the short name to the long one, and a constant that has no entry
of its own to its module. A name that the package does not have stays a broken reference.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from docutils import nodes


def homes(package: Any, target: str) -> list[str]:
    """Documented names under which ``target`` may be found, the best first; none if it does not exist."""
    prefix, _, rest = target.partition(".")
    if prefix != package.__name__ or not rest:
        return []
    found = package
    for part in rest.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            return []
    module = getattr(found, "__module__", None)
    name = getattr(found, "__qualname__", None)
    home = [f"{module}.{name}"] if module and name else []
    return [*home, target.rpartition(".")[0]]


def resolve(app: Any, env: Any, node: Any, content: nodes.Node) -> nodes.Node | None:
    """Answer Sphinx's question where a name is documented."""
    if node.get("refdomain") != "py" or not app.config.book_api_package:
        return None
    domain = env.get_domain("py")
    package = import_module(app.config.book_api_package)
    for home in homes(package, str(node["reftarget"])):
        if home in domain.objects:
            kind = "mod" if domain.objects[home].objtype == "module" else "obj"
            found = domain.resolve_xref(env, node["refdoc"], app.builder, kind, home, node, content)
            if found is not None:
                return found  # type: ignore[no-any-return]
    return None


def skip(app: Any, what: str, name: str, member: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples: the class's own text describes them."""
    return True if str(getattr(member, "__doc__", "")).startswith("Alias for field number") else None


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.add_config_value("book_api_package", "hpt", "env")
    app.connect("missing-reference", resolve)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
