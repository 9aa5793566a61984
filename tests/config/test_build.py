"""From fidsel.toml to a campaign: what belongs together is given together."""

from pathlib import Path

import pytest
from tiny_campaign import write_campaign

from fidsel.config.build import open_campaign, open_finished, open_tracker
from fidsel.exceptions import UsageError
from fidsel.models import SGDML
from fidsel.training import Cokriging, Standard


def test_a_file_becomes_a_campaign(tmp_path: Path) -> None:
    campaign = open_campaign(write_campaign(tmp_path))
    assert [level.name for level in campaign.fidelities] == ["cheap", "accurate"]
    assert [level.price.value for level in campaign.fidelities] == [0.05, 1.0]
    assert isinstance(campaign.model(0), SGDML)
    assert campaign.recipe == Cokriging()
    assert (campaign.rules.test, campaign.rules.validation, campaign.rules.error) == (10, 5, "cheap")
    assert str(campaign.budget) == "22 labels"
    assert campaign.baseline is None


def test_overrides_and_a_budget_come_before_the_file(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    campaign = open_campaign(folder, ["recipe.kind=standard", "campaign.seed=7"], budget="30")
    assert (campaign.recipe, campaign.seed, campaign.budget.total) == (Standard(), 7, 30.0)
    assert (campaign.rules.error, campaign.idle) == ("probe", ("cheap",))


def test_a_baseline_is_a_level_without_a_price(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    kind = "model.baseline.kind=morse_source:Morse"
    campaign = open_campaign(
        folder, [kind, "model.baseline.options.level=low", "model.baseline.time_limit=5"]
    )
    assert campaign.baseline is not None
    level = campaign.baseline.level
    assert (level.name, level.price.value, level.time_limit) == ("morse baseline", 0.0, 5.0)
    assert not campaign.baseline.always
    with pytest.raises(UsageError, match=r"model\.baseline: .*no_such_module"):
        open_campaign(folder, ["model.baseline.kind=no_such_module:Class"])
    with pytest.raises(UsageError, match="this source gives none"):
        open_campaign(folder, [kind, "model.baseline.options.forces=false"])
    with pytest.raises(UsageError, match="a baseline already"):
        open_campaign(folder, [kind, "recipe.kind=delta"])


def test_tracking_may_be_off(tmp_path: Path) -> None:
    assert open_tracker(write_campaign(tmp_path)) is None


def test_a_folder_is_kept_from_the_root_unless_it_is_wanted_as_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_campaign(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    for opened in (open_campaign, open_finished):
        assert opened("run").folder.path == tmp_path / "run"
        assert opened("run", as_named=True).folder.path == Path("run")
