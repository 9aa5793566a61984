"""How much a round buys follows what is left, whatever earlier rounds bought."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_campaign import opened, write_campaign

from fidsel.campaign.plans.plan import prepare
from fidsel.campaign.plans.round_size import RoundSize, frame_cost, round_size, split
from fidsel.campaign.records.decisions import Sampled
from fidsel.campaign.settings import Campaign
from fidsel.config.build import open_campaign


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return open_campaign(write_campaign(tmp_path_factory.mktemp("round-size")))


def with_rules(campaign: Campaign, **rules: object) -> Campaign:
    return replace(campaign, rules=replace(campaign.rules, **rules))  # type: ignore[arg-type]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(money=st.integers(0, 100), rounds=st.integers(1, 6), probes=st.integers(0, 20))
def test_the_rounds_together_buy_all_that_is_left(
    campaign: Campaign, money: int, rounds: int, probes: int
) -> None:
    ours = with_rules(campaign, rounds=rounds, probes=probes, error="probe")
    left, sizes = money, []
    for index in range(1, rounds + 1):
        picks, probed = split(ours, index, left)
        assert 0 <= probed <= min(probes, picks)
        sizes.append(picks + probed)
        left -= picks + probed
    assert left == 0
    assert max(sizes) - min(sizes) <= 1, "in even parts"


def test_a_number_of_picks_is_kept_as_far_as_money_goes(campaign: Campaign) -> None:
    ours = with_rules(campaign, per_round=5, probes=3, error="probe")
    assert split(ours, 1, 100) == (5, 3)
    assert split(ours, 1, 6) == (3, 3)
    assert split(ours, 1, 1) == (1, 0)
    assert split(with_rules(campaign, per_round=5, probes=3), 1, 100) == (5, 0), "cheap errors need no probes"


def test_declared_prices_plan_nothing_anew(tmp_path: Path) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        ready = prepare(ws)
        assert frame_cost(ws) == pytest.approx(1.05)
        found = round_size(ws, ready, 1)
        assert found == RoundSize(10, 0, {}), "22 labels pay for 20 frames, in two rounds"
        ws.ledger.charge("train", 21.5, "almost all of it")
        assert round_size(ws, ready, 2) == RoundSize(0, 0, {})


def test_free_labels_are_as_many_as_there_are_frames(tmp_path: Path) -> None:
    free = [f"fidelity.{i}.price.value=0" for i in (0, 1)]
    with opened(write_campaign(tmp_path), *free) as ws:
        assert round_size(ws, prepare(ws), 2).picks == len(ws.pool) == ws.journal.require(Sampled).frames
