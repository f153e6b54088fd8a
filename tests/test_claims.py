"""The claims on trial: rules are said first, verdicts follow, and an entry holds what the ledger needs."""

import io
import json

import pandas as pd
import pytest

import hpt
from hpt.claims import CLAIMS, MIME
from hpt.evidence import fact, paired

UP = [0.02, 0.03, 0.01, 0.02, 0.04] * 4


def trial(**how):
    return hpt.experiment("dropout", effect="loss", budget="10 epochs a network", **how)


def test_the_rule_stands_before_the_numbers():
    assert "supported if the interval lies above 0.01" in repr(trial(margin=0.01))
    assert "supported if the interval lies below -0.01" in repr(trial(margin=0.01, expected="below"))
    assert "supported if the interval lies within ±0.01" in repr(trial(margin=0.01, expected="equal"))


def test_the_verdict_follows_from_the_numbers():
    down = [-one for one in UP]
    assert str(trial().conclude(paired(UP)).verdict) == "supported"
    assert str(trial().conclude(paired(down)).verdict) == "not supported here"
    assert str(trial(expected="below").conclude(paired(down)).verdict) == "supported"
    assert str(trial(margin=0.1).conclude(paired(UP)).verdict) == "not supported here"
    assert str(trial(margin=0.1, expected="equal").conclude(paired(UP)).verdict) == "supported"
    entry = trial().conclude({"small": paired(UP), "large": paired(down)}, on="the size of the data")
    assert str(entry.verdict) == "depends on the size of the data"
    assert str(trial().conclude(fact(True, "counted")).verdict) == "supported"


def test_an_effect_may_have_a_rule_of_its_own():
    entry = trial(margin=1.0).conclude({"a": paired(UP), "b": (paired(UP), hpt.judge(paired(UP)))}, on="the rule")
    assert [str(verdict) for _, _, verdict in entry.rows] == ["not supported here", "supported"]
    assert [row["n"] for row in entry.record()["rows"]] == [20, 20]


def test_lost_pairs_are_counted():
    assert str(paired([*UP, float("nan")])).endswith("n = 20, 1 lost")


def test_an_entry_carries_everything_but_the_clock():
    raw = pd.DataFrame({"repeat": range(20), "difference": UP, "seconds": 1.5})
    entry = trial(seed=3).conclude(paired(UP), raw=raw)
    data, metadata = entry._repr_mimebundle_()
    record = json.loads(json.dumps(data[MIME]))
    assert record["rows"][0]["n"] == 20
    assert record["rows"][0]["mean"] == pytest.approx(0.024)
    assert record["seed"] == 3
    back = pd.read_csv(io.StringIO(record["raw"]))
    assert back.columns.tolist() == ["repeat", "difference"]
    assert back["difference"].tolist() == UP
    assert "seconds" not in record
    assert metadata[MIME]["seconds"] == entry.seconds > 0
    assert 'id="claim-dropout"' in data["text/html"]
    for label, value in entry.lines():
        assert f"{label}: {value}" in data["text/plain"]


def test_text_in_a_box_is_escaped():
    entry = hpt.experiment("dropout", effect="a < b & c", budget="1").conclude(paired(UP))
    assert "a &lt; b &amp; c" in entry._repr_mimebundle_()[0]["text/html"]


def test_an_experiment_says_what_it_needs():
    with pytest.raises(hpt.UnknownName, match="did you mean 'dropout'"):
        hpt.experiment("droput", effect="", budget="")
    with pytest.raises(hpt.UnknownName, match="above, below, equal"):
        trial(expected="more")
    with pytest.raises(hpt.InvalidInput, match="margin"):
        trial(margin=float("nan"))
    with pytest.raises(hpt.InvalidInput, match="without its effect"):
        trial().conclude(hpt.judge(paired(UP)))
    with pytest.raises(hpt.InvalidInput, match="margin"):
        trial(expected="equal")
    with pytest.raises(hpt.InvalidInput, match="tells them apart"):
        trial().conclude({"a": paired(UP), "b": paired(UP)})
    with pytest.raises(hpt.InvalidInput, match="needs an effect"):
        trial().conclude({})


def test_every_claim_is_a_sentence_with_a_page():
    for name, claim in CLAIMS.items():
        assert claim.statement.endswith("."), name
        assert claim.page.count("/") == 1, name
