"""docs/extending.md: the classes on the page keep their contracts, and a campaign of them all runs."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from morse_molecule import SWAP, frames

from fidsel.campaign import CampaignFolder, iterate
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.models import NetworkForceField
from fidsel.testing import check_force_field, check_picker, check_recipe, check_source, check_trainable
from fidsel.training import Stage, TrainingData, fit

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
FILES = dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S))
pytestmark = pytest.mark.usefixtures("own_modules_go_away")
SHORT = Stage("short", steps=60, batch=4, learning_rate=1e-2, validate_every=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A campaign's folder with all files of the page and labels of a small molecule."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    made = frames(80)
    np.savez(
        tmp_path / "frames.npz", z=made[0].numbers, R=made.positions.reshape(80, 4, 3),
        E_cc=made.energy, F_cc=made.forces.reshape(80, 4, 3),
    )  # fmt: skip
    return tmp_path


def test_every_file_of_the_page_is_about_a_screen_long() -> None:
    assert list(FILES) == ["springs.py", "pairnet.py", "highest.py", "in_turn.py", "fidsel.toml"]
    assert all(len(text.splitlines()) <= 46 for text in FILES.values())


def test_the_classes_of_the_page_keep_their_contracts(folder: Path) -> None:
    campaign = open_campaign(folder)
    check_source(campaign.cheap[0].source, frames(1)[0])
    check_picker(campaign.picker, random=True)
    train, held = frames(12, level="cc"), frames(5, 1, level="cc")
    check_trainable(campaign.model, frames(40, level="cc"), held)
    untrained = campaign.model(seed=0)
    assert isinstance(untrained, NetworkForceField)
    precise = fit(untrained, train, held, SHORT)[0].to(dtype=torch.float64)
    check_force_field(precise, frames(3, 5), swap=SWAP)
    cheap = frames(12, depth=3.8, level="springs")
    check_recipe(campaign.recipe, campaign.model, TrainingData(train, held, (cheap,)))


def test_a_campaign_of_them_all_runs(folder: Path) -> None:
    campaign = open_campaign(folder, ["tracking.enabled=false", "engine.workers=1"])
    (stage,) = (getattr(campaign.recipe, field.name) for field in fields(campaign.recipe))
    assert (stage.steps, stage.learning_rate) == (20, 3e-3)  # what is not given is as the recipe has it
    for _ in iterate(campaign):
        pass
    rounds = CampaignFolder(folder).read_rounds()
    assert len(rounds) == 2
    assert all("highest energies" in pick.reason for pick in rounds[1].picks)


def test_what_a_recipe_of_ones_own_does_not_take_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"recipe 'in_turn:InTurn': stage: unknown key 'step': did you mean"):
        open_campaign(folder, ["recipe.options={stage = {step = 3}}"])
    with pytest.raises(UsageError, match=r"must be a class with all methods of fidsel\.training\.Recipe"):
        open_campaign(folder, ["recipe={kind = 'highest:Highest'}"])


OWN_SOURCE = """
from fidsel.selector import ErrorSource


class Stretched(ErrorSource):
    name = "stretched"

    def estimate(self, pool, known, evidence=None):
        return abs(pool.energies - pool.energies.mean()) + 0.1
"""
BY_ERRORS = [
    "tracking.enabled=false", "engine.workers=1", "selector={kind = 'greedy', error = 'stretched:Stretched'}"
]  # fmt: skip


def test_an_error_source_of_ones_own_guides_picks(folder: Path) -> None:
    (folder / "stretched.py").write_text(OWN_SOURCE, "utf-8")
    campaign = open_campaign(folder, BY_ERRORS)
    assert campaign.step.source.name == "stretched"
    for _ in iterate(campaign):
        pass
    assert len(CampaignFolder(folder).read_rounds()) == 2
    with pytest.raises(UsageError, match=r"must be a class with all methods of fidsel\.selector\.Error"):
        open_campaign(folder, [*BY_ERRORS, "selector.error=highest:Highest"])


@pytest.mark.parametrize(("needs", "told"), [
    ("needs_network = True", "'stretched:Stretched' needs a network's features, and 'sgdml' has none"),
    ("needs_committee = True", "'stretched' needs models that can disagree"),
    ("needs_cheap = True", "'stretched' needs a recipe with a cheap model, not 'in-turn'"),
    ("needs_probes = True", "'stretched' needs selector.probes of at least 18, got 10"),
    ("knows_truth = True", "'stretched' knows the errors: leave out selector.coverage"),
])  # fmt: skip
def test_an_error_source_of_ones_own_is_checked_like_fidsels(folder: Path, needs: str, told: str) -> None:
    module = f"stretched_{needs.split(maxsplit=1)[0]}"
    own = OWN_SOURCE.replace('name = "stretched"', f'name = "stretched"\n    {needs}')
    (folder / f"{module}.py").write_text(own, "utf-8")
    settings = [f"selector={{kind = 'greedy', error = '{module}:Stretched', coverage = 0.9}}"]
    if "network" in needs or "committee" in needs:
        settings += ["model={kind = 'sgdml'}", "recipe={kind = 'cokriging'}"]
    with pytest.raises(UsageError, match=re.escape(told.replace("stretched:", f"{module}:"))):
        open_campaign(folder, settings)
