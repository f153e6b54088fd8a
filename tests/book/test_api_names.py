"""Short names of the package lead to where they are documented; names that do not exist lead nowhere."""

from __future__ import annotations

import hpt

from book_api import homes


def test_a_short_name_leads_home() -> None:
    assert homes(hpt, "hpt.tune")[0] == "hpt.study.tune"
    assert homes(hpt, "hpt.domains.Float")[0] == "hpt.domains.Float"
    assert homes(hpt, "hpt.report")[0] == "hpt.reports.report"
    assert homes(hpt, "hpt.baseline")[0] == "hpt.baselines.baseline"


def test_a_constant_leads_to_its_module() -> None:
    assert homes(hpt, "hpt.metrics.METRICS")[-1] == "hpt.metrics"


def test_what_does_not_exist_stays_broken() -> None:
    assert homes(hpt, "hpt.tuna") == []
    assert homes(hpt, "hpt.space.Flat") == []
    assert homes(hpt, "numpy.ndarray") == []
