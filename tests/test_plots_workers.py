"""The pictures of workers show what the simulation holds."""

import pytest

import hpt
from hpt.plots import workers
from hpt.schedules import successive_halving
from hpt.simulation import WHERE, Costs, simulate, spread

pytestmark = pytest.mark.usefixtures("book_style")

COSTS = Costs(epoch=spread(1.0, 0.6, 20), fixed=0.4, dispatch=0.1, startup=1.0, failures=600.0)


@pytest.fixture(scope="module")
def simulation():
    return simulate(successive_halving(9, networks=20), 3, COSTS)


def test_the_bars_of_workers_are_their_seconds_and_white_is_waiting(simulation):
    ax = workers.gantt(simulation)
    drawn = {bars.get_label(): sum(bar.get_width() for bar in bars) for bars in ax.containers}
    waited = simulation.seconds["waiting"]
    assert waited > 0
    assert "lost" in drawn
    assert drawn == pytest.approx({name: s for name, s in simulation.seconds.items() if name != "waiting"}, rel=0.05)
    assert 3 * simulation.makespan - sum(drawn.values()) == pytest.approx(waited, abs=COSTS.startup)
    rows = [{round(bar.get_y() + bar.get_height() / 2) for bar in bars} for bars in ax.containers]
    assert set().union(*rows) == {0, 1, 2}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "2", "3"]


def test_the_numbers_in_the_bars_are_epochs_of_the_plan(simulation):
    ax = workers.gantt(simulation, legend=False)
    assert {text.get_text() for text in ax.texts} <= {"1", "3", "9"}
    assert "9" in {text.get_text() for text in ax.texts}
    assert ax.get_legend() is None


def test_a_log_that_was_cut_off_is_not_drawn():
    long = simulate(successive_halving(3, networks=6000), 2, Costs(epoch=1.0))
    with pytest.raises(hpt.InvalidInput, match="too few to draw"):
        workers.gantt(long)


def test_every_bar_of_shares_is_as_long_as_the_whole(simulation):
    alone = simulate(successive_halving(9, networks=20), 1, COSTS)
    ax = workers.shares({"three": simulation, "one": alone})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["three", "one"]
    for i, one in enumerate((simulation, alone)):
        widths = {bars.get_label(): bars[i].get_width() for bars in ax.containers}
        assert sum(widths.values()) == pytest.approx(100)
        assert widths == pytest.approx({name: 100 * one.shares[name] for name in widths})
    looks = [(bars[0].get_facecolor(), bars[0].get_hatch()) for bars in ax.containers]
    assert len(set(looks)) == len(WHERE)
