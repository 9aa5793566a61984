"""A round of a selection on one line; its table is seen in the tests of `fidsel select`."""

from fidsel.campaign.selection.settings import SelectionRound
from fidsel.cli.tables.selection import selection_line
from fidsel.selector.stopping import Stop, Why
from fidsel.training.evaluate import Metrics


def test_errors_are_in_thousandths_and_unknown_ones_a_dash() -> None:
    held = Metrics(30, 0.01, 0.0234, None, worst=None, p99=0.05)
    line = selection_line(SelectionRound(1, (), (), 15, held), "eV/Å")
    assert line == "round 1: 15 labels; held-out RMSE 23.4, worst clusters –, 99th percentile 50 meV/Å"


def test_a_round_that_waits_for_labels_says_so() -> None:
    one = SelectionRound(2, (), (), 20, stop=Stop(Why.PICKS, "the picks have no labels yet"))
    assert selection_line(one, "eV") == "round 2: 20 labels; the picks have no labels yet"
