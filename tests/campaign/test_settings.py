"""A campaign checks that its parts fit, and draws every random number by name."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_campaign import write_campaign

from fidsel.campaign.settings import Campaign, Rules, silent, tells
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity import Price
from fidsel.models.watch import Progress
from fidsel.selector import Random
from fidsel.selector.stopping import Stopping


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return open_campaign(write_campaign(tmp_path))


def test_the_last_level_is_the_accurate_one(campaign: Campaign) -> None:
    assert campaign.accurate.name == "accurate"
    assert [level.name for level in campaign.cheap] == ["cheap"]


def changed(campaign: Campaign, **changes: object) -> Campaign:
    return replace(campaign, rules=replace(campaign.rules, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stopping": Stopping(cluster_target=0.1)}, "need a coverage: give both"),
        ({"error": "reference"}, r"reads the accurate label of every frame, and those cost 1\.0 each"),
    ],
)
def test_rules_that_do_not_fit(campaign: Campaign, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        changed(campaign, **changes)


def test_levels_that_do_not_fit(campaign: Campaign) -> None:
    cheap, accurate = campaign.fidelities
    with pytest.raises(UsageError, match=r"fidelities of different names, got \['cheap', 'cheap'\]"):
        replace(campaign, fidelities=(cheap, replace(accurate, name="cheap")))
    with pytest.raises(UsageError, match=r"fidelities of different names, got \[\]"):
        replace(campaign, fidelities=())
    with pytest.raises(UsageError, match="'cheap' needs a cheap fidelity; take 'probe'"):
        replace(campaign, fidelities=(accurate,))
    energies = replace(cheap, source=replace(cheap.source, forces=False))  # type: ignore[type-var]
    with pytest.raises(UsageError, match="compares forces, and cheap has none"):
        replace(campaign, fidelities=(energies, accurate))


def test_owned_labels_are_a_reference(campaign: Campaign) -> None:
    free = replace(campaign.accurate, price=Price(0.0))
    assert changed(replace(campaign, fidelities=(campaign.cheap[0], free)), error="reference").rules.error


def test_a_coverage_needs_a_picker_that_looks_at_errors(campaign: Campaign) -> None:
    with pytest.raises(UsageError, match="on estimated errors, and Random needs none"):
        replace(changed(campaign, coverage=0.9), picker=Random())
    assert replace(campaign, picker=Random(), fidelities=campaign.fidelities[1:]).cheap == ()


def test_which_campaigns_probe(campaign: Campaign) -> None:
    assert not campaign.step.probes
    assert changed(campaign, error="probe").step.probes
    assert changed(campaign, coverage=0.9).step.probes
    assert not replace(changed(campaign, error="probe"), picker=Random()).step.probes


def test_random_numbers_depend_on_seed_purpose_and_round_alone(campaign: Campaign) -> None:
    def draws(of: Campaign, purpose: str, index: int = 0) -> Sequence[int]:
        return list(map(int, of.rng(purpose, index).integers(2**31, size=4)))

    other = replace(campaign, seed=1, rules=Rules())
    found = [draws(campaign, "picks"), draws(campaign, "probe"), draws(campaign, "picks", 1)]
    found.append(draws(other, "picks"))
    assert len({tuple(row) for row in found}) == 4
    assert draws(replace(other, seed=0), "picks") == found[0]
    assert campaign.seed_for("picks") == found[0][0]
    np.testing.assert_equal(campaign.rng("picks").random(3), campaign.rng("picks").random(3))


def test_the_progress_of_a_training_is_passed_on() -> None:
    heard: list[tuple[str, int, int, str]] = []

    def report(what: str, done: int, total: int, detail: str = "") -> None:
        heard.append((what, done, total, detail))

    progress = Progress("finetune", 3, 10)
    tells(report, "training")(progress)
    assert heard == [("training: finetune", 3, 10, progress.detail)]
    silent("training", 0, 1)
