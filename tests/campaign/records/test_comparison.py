"""Campaigns at equal spend and equal error: numbers that can be worked out by hand."""

from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import pytest

from fidsel.campaign import CampaignFolder
from fidsel.campaign.records.comparison import (
    Comparison,
    Mean,
    Strategy,
    Trace,
    campaign_trace,
    control_trace,
)
from fidsel.exceptions import UsageError


def trace(*errors: float, every: float = 10.0) -> Trace:
    return Trace(tuple(every * (i + 1) for i in range(len(errors))), errors, {"pbe": 9}, 60.0)


def test_errors_are_read_between_rounds_and_not_beyond_them() -> None:
    one = trace(8.0, 2.0, 1.0)
    assert one.error_at(15) == pytest.approx(4.0)
    assert one.error_at(30) == 1.0
    assert isnan(one.error_at(9))
    assert isnan(one.error_at(31))


def test_an_error_is_reached_where_it_is_first_met() -> None:
    rising = trace(8.0, 2.0, 4.0, 1.0)
    assert rising.spend_at(4.0) == pytest.approx(15.0)
    assert rising.spend_at(2.0) == pytest.approx(20.0)
    assert rising.spend_at(1.0) == 40.0
    assert rising.spend_at(9.0) == 10.0
    assert isnan(rising.spend_at(0.9))


def test_an_interval_is_that_of_the_seeds() -> None:
    found = Mean.of([1.0, 4.0])
    assert found.value == pytest.approx(2.0)  # t of one degree of freedom, 95 %: 6.314
    assert found.high / found.value == pytest.approx(4.0 ** (6.3138 / 2), rel=1e-3)
    assert found.low * found.high == pytest.approx(4.0)
    assert (str(Mean(4.0) * 0.5), str(Mean(3.0, at_most=True)), str(Mean(nan))) == ("2", "≤ 3", "–")
    assert str(Mean(0.814, 0.5, 1.1)) == "0.814 (0.5 to 1.1)"


def test_strategies_are_compared_where_all_are_known() -> None:
    good, poor = (
        Strategy("good", (trace(4.0, 1.0), trace(4.0, 2.0, 1.0))),
        Strategy("poor", (trace(8.0, 3.0),)),
    )
    found = Comparison.of([good, poor], None, None)
    assert (found.spend, found.error) == (20.0, 3.0)
    assert good.error_at(20.0).value == pytest.approx(2**0.5)
    assert poor.error_at(20.0).value == pytest.approx(3.0)
    assert poor.spend_at(3.0).value == pytest.approx(20.0)
    assert not poor.spend_at(3.0).at_most
    assert good.spend_at(5.0).at_most
    curve = good.curve(10.0)
    assert curve.spend == [1.0, 2.0]
    assert curve.error == pytest.approx([4.0, 2**0.5])
    assert curve.standard_error == pytest.approx([0.0, 0.5])


def test_traces_are_those_of_the_rounds(small_campaign: Path) -> None:
    rounds = CampaignFolder(small_campaign).read_rounds()
    ours, arm = campaign_trace(rounds), control_trace(rounds)
    assert ours.spent == tuple(one.spent for one in rounds)
    assert ours.error == tuple(one.metrics.force_mae for one in rounds)
    assert arm is not None
    last = rounds[-1].control
    assert last is not None
    assert (arm.error[-1], arm.labels, arm.extrapolated) == (last.error, {"hf(sto)": last.labels}, True)
    assert control_trace([replace(rounds[0], control=None)]) is None
    with pytest.raises(UsageError, match="never fall"):
        campaign_trace(rounds[::-1])
