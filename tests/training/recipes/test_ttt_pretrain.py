from dataclasses import replace

import pytest
import torch
from morse_molecule import frames
from spring_systems import painn, training

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, GemNet, NetworkForceField, PaiNN
from fidsel.testing import check_recipe
from fidsel.training import Stage, TrainingData
from fidsel.training.optimise.fit import fit
from fidsel.training.recipes.cheap import cheap_parts
from fidsel.training.recipes.ttt_pretrain import TTTPretrain

SHORT = Stage("short", steps=4, batch=4, validate_every=2)
RECIPE = TTTPretrain(pretrain=SHORT, heads=replace(SHORT, name="heads"))


def data() -> TrainingData:
    return TrainingData(training("accurate", 4), training("accurate", 3, 50), (training("prior", 8, 90),))


def test_it_keeps_the_contract_of_recipes() -> None:
    check_recipe(RECIPE, painn, data())


@pytest.mark.parametrize("kind", ["painn", "gemnet"])
def test_the_second_stage_leaves_all_but_the_last_block_as_the_prior_made_it(kind: str) -> None:
    start: NetworkForceField = painn(1)
    if kind == "gemnet":
        start = GemNet("accurate", blocks=2, atom=8, edge=8, triplet=4, bilinear=4, cutoff=4.0)
    some = data()
    trained = RECIPE(some, lambda seed: start, 3).model  # noqa: ARG005 - one model for all seeds
    assert isinstance(trained, NetworkForceField)
    assert (trained.levels, trained.level) == (("prior", "accurate"), "accurate")
    (part,) = cheap_parts(some.cheap, some.validation, None, held_out=0.1, seed=3)
    body, _ = fit(start, part.train, part.validation, SHORT, seed=3)
    moved = {
        name
        for name, value in trained.network.named_parameters()
        if not name.startswith("readout")
        and not torch.equal(value, dict(body.network.named_parameters())[name])
    }
    last = ("blocks.1",) if kind == "painn" else ("interactions.1", "outputs.2")
    assert moved
    assert all(name.startswith(last) for name in moved)
    assert not any(name.startswith(trained.network.first_modules) for name in moved)


def test_priors_must_be_one_and_have_a_name() -> None:
    some = data()
    with pytest.raises(UsageError, match="takes one cheap level, as prior, got 2"):
        RECIPE(replace(some, cheap=some.cheap * 2), painn, 0)
    with pytest.raises(UsageError, match="heads are for different levels"):
        RECIPE(replace(some, cheap=(training("accurate", 8, 90),)), painn, 0)
    with pytest.raises(UsageError, match="needs cheap labels"):
        RECIPE(replace(some, cheap=()), painn, 0)
    with pytest.raises(UsageError, match="a sgdml model is none"):
        RECIPE(TrainingData(frames(4), frames(4, 1), (frames(4, 2, level="low"),)), lambda _: SGDML(), 0)


def test_it_counts_the_steps_of_both_stages() -> None:
    assert RECIPE.stages(1) == (RECIPE.pretrain, RECIPE.heads)
    assert RECIPE.first is SHORT
    assert PaiNN(features=4, layers=3).network.last_modules == ("blocks.2", "readout")
