"""What must fail the build fails it, and still does when nothing has changed since."""

from __future__ import annotations

from pathlib import Path

import pytest

from .small import build, build_command, page, write_book

pytestmark = pytest.mark.build

BROKEN = {
    "a failing cell": (
        """\
        ```{code-cell} ipython3
        1 / 0
        ```
        """,
        "ZeroDivisionError",
    ),
    "stray stderr": (
        """\
        ```{code-cell} ipython3
        import warnings
        warnings.warn("old spelling")
        ```
        """,
        "stderr was found",
    ),
    "a warning of the parser": (
        """\
        ```{no-such-directive}
        ```
        """,
        "no-such-directive",
    ),
    "a broken reference": ("See {ref}`nowhere` and {doc}`nothing`.\n", "nowhere"),
    "a broken link": ("See [there](nowhere.md).\n", "nowhere"),
    "a missing citation": ("See {cite:p}`nobody1999`.\n", "nobody1999"),
    "an image without a text alternative": (
        """\
        ```{code-cell} ipython3
        ---
        mystnb: {figure: {name: fig-silent, caption: One.}}
        ---
        import matplotlib.pyplot as plt
        plt.plot([1, 2]);
        ```
        """,
        "has no alternative text",
    ),
    "a live figure without a caption": (
        """\
        ```{code-cell} ipython3
        ---
        mystnb: {image: {alt: A line that rises from one to two.}, figure: {name: fig-bare}}
        ---
        import matplotlib.pyplot as plt
        plt.plot([1, 2]);
        ```
        """,
        "has no `mystnb: figure: caption`",
    ),
    "a data frame without a caption": (
        """\
        ```{code-cell} ipython3
        import pandas as pd
        pd.DataFrame({"a": [1]})
        ```
        """,
        "shows a data frame",
    ),
}


def test_the_gate_is_strict() -> None:
    assert set(build_command()) == {"build", "--all", "-W", "-n", "--keep-going"}


@pytest.mark.parametrize("what", ["a failing cell", "a broken reference", "stray stderr"])
def test_fails_the_build_twice(what: str, tmp_path: Path) -> None:
    text, message = BROKEN[what]
    write_book(tmp_path, text)
    for run in ("first", "second, unchanged"):
        result = build(tmp_path)
        assert result.code != 0, f"{what} passed on the {run} run: {result.log}"
        assert message in result.log


def test_each_is_named_on_its_own_page_twice(tmp_path: Path) -> None:
    """One book with all of them, for each build takes seconds: -W makes every warning a failure."""
    broken = {what.replace(" ", "-"): case for what, case in BROKEN.items() if what != "a failing cell"}
    write_book(tmp_path, {name: text for name, (text, _) in broken.items()})
    for run in ("first", "second, unchanged"):
        result = build(tmp_path)
        assert result.code != 0
        for name, (_, message) in broken.items():
            lines = [line for line in result.log.splitlines() if f"{name}.md" in line and "WARNING" in line]
            assert any(message in line for line in lines), f"{name} was not seen on the {run} run: {result.log}"


def test_a_sound_page_passes_twice(tmp_path: Path) -> None:
    text = """\
    See {numref}`tab-one`, {numref}`fig-one` and {eq}`eq-one`.

    $$
    x^2
    $$ (eq-one)

    ```{code-cell} ipython3
    ---
    table: {name: tab-one, caption: One.}
    ---
    import pandas as pd
    pd.DataFrame({"a": [1]})
    ```

    ```{code-cell} ipython3
    ---
    mystnb: {image: {alt: A line that rises from one to two.}, figure: {name: fig-one, caption: A line.}}
    ---
    import matplotlib.pyplot as plt
    plt.plot([1, 2]);
    ```
    """
    write_book(tmp_path, text)
    for _ in range(2):
        result = build(tmp_path)
        assert result.code == 0, result.log


def test_what_a_library_in_c_logs_stays_off_the_page(tmp_path: Path) -> None:
    """TensorFlow writes to file descriptor 2 while it starts, whatever its settings."""
    text = """\
    ```{code-cell} ipython3
    import os
    os.write(2, b"could not find a graphics card\\n");
    ```
    """
    write_book(tmp_path, text)
    result = build(tmp_path)
    assert result.code == 0, result.log
    assert 'class="output stderr' not in page(tmp_path)


def test_a_package_from_elsewhere_fails_the_build(tmp_path: Path) -> None:
    write_book(tmp_path, "Words.\n", package="hpt")
    result = build(tmp_path)
    assert result.code != 0
    assert f"the book needs 'hpt' from {tmp_path}" in result.log
