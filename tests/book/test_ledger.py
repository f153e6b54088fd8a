"""The ledger in a small book: what it shows, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import book_ledger
import pytest

from .small import build, page, write_book

TRIAL = """\
    ```{code-cell} ipython3
    import hpt
    trial = hpt.experiment("dropout", effect="loss", budget="10 epochs", expected="above")
    import pandas as pd
    trial.conclude(hpt.paired([0.01, 0.02, 0.03, 0.02] * 5), raw=pd.DataFrame({"x": [1]}))
    ```
    """


def entry(**changes: object) -> dict[str, object]:
    row = {"condition": "", "effect": "+1", "mean": 1.0, "low": 0.5, "high": 1.5, "n": 20, "reason": "because"}
    return {"id": "a", "page": "one", "rows": [row], "verdict": "supported", "reason": "r", "budget": "b", **changes}


def test_what_is_wrong_with_a_ledger_is_found() -> None:
    few = {"condition": "", "n": 5}
    assert book_ledger.problems([entry()], {"a": "one"}) == []
    [(page_, words)] = book_ledger.problems([], {"a": "one"})
    assert page_ == "one" and "no experiment" in words
    assert "5 pairs" in book_ledger.problems([entry(rows=[few])], {"a": "one"})[0][1]
    assert "two" in book_ledger.problems([entry(), entry(page="two")], {"a": "one"})[0][1]
    assert "hpt.claims says" in book_ledger.problems([entry()], {"a": "two"})[0][1]


def test_a_role_takes_a_field_of_an_entry() -> None:
    conditions = [{**entry()["rows"][0], "condition": name, "mean": mean} for name, mean in (("x", 1.0), ("y", 2.5))]  # type: ignore[index]
    two = entry(rows=conditions)
    assert book_ledger.words_of(entry(), "verdict") == "supported"
    assert book_ledger.words_of(entry(), "n") == "20"
    assert book_ledger.words_of(two, "mean:+.2f, y") == "+2.50"
    assert book_ledger.words_of(two, "reason, x") == "because"
    for wrong in ("mean", "mean, z", "colour"):
        with pytest.raises(KeyError):
            book_ledger.words_of(two, wrong)


@pytest.mark.build
def test_a_sentence_that_agrees_is_linked_and_one_that_does_not_fails_the_build(tmp_path: Path) -> None:
    right = write_book(
        tmp_path / "right", TRIAL + "\n    It is {verdict}`dropout: supported`, {claim}`dropout: mean:.3f`.\n"
    )
    done = build(right)
    assert done.code == 0, done.log
    html = page(right)
    assert 'href="page.html#claim-dropout">supported</a>, 0.020.' in html
    assert (right / "_build" / "html" / "_ledger" / "dropout.csv").read_text().endswith("x\n1\n")
    wrong = write_book(tmp_path / "wrong", TRIAL + "\n    It is {verdict}`dropout: not supported here`.\n")
    done = build(wrong)
    assert done.code != 0
    assert "the sentence says 'not supported here', and the verdict on 'dropout' is 'supported'" in done.log


@pytest.mark.build
def test_a_book_with_a_ledger_lists_its_entries_and_wants_all_claims(tmp_path: Path) -> None:
    folder = write_book(tmp_path / "book", {"page": TRIAL, "ledger": "\n```{ledger} All claims.\n```\n"})
    done = build(folder)
    assert done.code != 0
    assert "the claim 'optimizer' has no experiment" in done.log
    assert "the claim 'dropout' is tried here, and hpt.claims says book/hyperparameters/regularization" in done.log
    html = page(folder, "ledger")
    assert 'class="ledger-supported' in html
    assert 'href="_ledger/dropout.csv"' in html
