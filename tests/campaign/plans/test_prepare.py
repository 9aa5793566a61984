"""What is held out before round 0."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_campaign import write_campaign

from fidsel.campaign.plans import prepare
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget


def test_a_fifth_of_the_pool_tests_and_a_hundred_at_most(tmp_path: Path) -> None:
    campaign = open_campaign(write_campaign(tmp_path))
    asked = replace(campaign, rules=replace(campaign.rules, test=None))
    assert [prepare.test_size(asked, pool) for pool in (40, 300, 10_000)] == [8, 60, 100]
    assert prepare.test_size(replace(campaign, rules=replace(campaign.rules, test=7)), 40) == 7


def test_test_labels_cost_half_of_the_budget_at_most() -> None:
    budget = Budget.parse("100 label")
    assert [prepare.payable_tests(budget, price) for price in (0.1, 1.0, 2.0, 50.0)] == [100, 50, 25, 10]


def test_enough_must_be_left_to_train_on(tmp_path: Path) -> None:
    campaign = open_campaign(write_campaign(tmp_path))
    cover = {level.name: np.ones(10, dtype=bool) for level in campaign.fidelities}
    prepare.refuse_few(campaign, cover, range(4))
    with pytest.raises(UsageError, match="of 10 configurations 1 may be trained on"):
        prepare.refuse_few(campaign, cover, range(9))
