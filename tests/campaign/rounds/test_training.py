"""Trainings report how far they are, and what is kept of them goes on, and goes with their round."""

from dataclasses import replace
from pathlib import Path

import pytest
from morse_molecule import frames
from tiny_campaign import write_campaign

from fidsel.campaign import iterate
from fidsel.campaign.records.round import Round
from fidsel.campaign.rounds.training import Wanted, forget_trainings, key_of, placeless, watched
from fidsel.campaign.settings import Campaign, silent
from fidsel.config.build import open_campaign
from fidsel.models.watch import Progress, Watch
from fidsel.training.stage import ModelFactory, Trained, TrainingData

DATA = TrainingData(frames(6), frames(3, seed=1), (frames(8, seed=2),))


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return open_campaign(write_campaign(tmp_path))


def test_a_key_follows_labels_model_seed_and_settings(campaign: Campaign) -> None:
    model = campaign.model
    keys = [
        key_of(DATA, model, 0, ["a"]),
        key_of(DATA, model, 0, ["b"]),
        key_of(replace(DATA, train=DATA.train[:5]), model, 0, ["a"]),
        key_of(replace(DATA, validation=DATA.train), model, 0, ["a"]),
        key_of(replace(DATA, cheap=()), model, 0, ["a"]),
    ]
    assert len(set(keys)) == len(keys)
    assert key_of(DATA, model, 0, ["a"]) == keys[0]


def test_devices_are_no_part_of_it() -> None:
    assert placeless({"members": [{"device": "cuda", "lam": 1.0}]}) == {"members": [{"lam": 1.0}]}
    assert placeless(["device"]) == ["device"]
    assert placeless({"device": "cuda", "lam": 1.0}) == {"lam": 1.0}


def kept(campaign: Campaign) -> list[str]:
    return [path.name for path in campaign.folder.trainings.glob("*")]


def test_a_training_keeps_checkpoints_until_its_round_is_written(campaign: Campaign) -> None:
    heard: list[str] = []
    seen: list[bool] = []

    def report(what: str, done: int, total: int, detail: str = "") -> None:
        heard.append(what)

    def recipe(data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch) -> Trained:
        watch.on_progress(Progress("fit", 1, 2))
        seen.append(watch.checkpoints is not None)
        return campaign.recipe(data, model, seed, watch=watch)

    watched(campaign, report, {"training": Wanted(recipe, DATA, 0)})
    assert heard[0] == "training: fit"
    assert seen == [True]
    campaign.folder.trainings.mkdir(parents=True, exist_ok=True)
    (campaign.folder.trainings / "left").touch()
    forget_trainings(campaign.folder)
    assert kept(campaign) == []
    forget_trainings(campaign.folder)


def test_without_a_configuration_nothing_is_kept(campaign: Campaign) -> None:
    """What else decides a result is not known then."""
    seen: list[bool] = []

    def recipe(data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch) -> Trained:
        seen.append(watch.checkpoints is not None)
        return campaign.recipe(data, model, seed, watch=watch)

    watched(replace(campaign, config={}), silent, {"training": Wanted(recipe, DATA, 0)})
    assert seen == [False]


@pytest.mark.parametrize(
    "model", ["sgdml", pytest.param("ensemble", marks=pytest.mark.slow)], ids=["recipes", "members"]
)
def test_a_campaign_that_trains_in_other_processes_is_the_same(tmp_path: Path, model: str) -> None:
    one = "{kind='sgdml',sigmas=[10.0]}"
    overrides = [f"model={one}" if model == "sgdml" else f"model={{kind='ensemble',members=2,member={one}}}"]
    overrides += ["campaign.control=owned", "campaign.rounds=1"]
    apart = [*overrides, "engine.trainings=2"]
    told: dict[str, set[str]] = {"here": set(), "there": set()}

    def run(name: str, given: list[str]) -> list[Round]:
        def report(what: str, done: int, total: int, detail: str = "") -> None:
            told[name].add(what)

        return list(iterate(open_campaign(write_campaign(tmp_path / name), given), report))

    here, there = run("here", overrides), run("there", apart)
    assert told["here"] == told["there"], "trainings elsewhere show as those here"
    assert [each.picks for each in here] == [each.picks for each in there]
    assert [each.metrics for each in here] == [each.metrics for each in there]
    arms = [[each.control and each.control.error for each in rounds] for rounds in (here, there)]
    assert arms[0] == arms[1]
    assert arms[0][-1] is not None
    assert kept(open_campaign(tmp_path / "there")) == []
