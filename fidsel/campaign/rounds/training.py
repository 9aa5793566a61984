"""Trainings of a campaign: what they tell, and what is kept of them until their round is written."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.settings import Campaign, Reporter, tells
from fidsel.data import Frames
from fidsel.models.checkpoints import Checkpoints, model_digest, training_key
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.watch import Watch
from fidsel.training.apart import Trainer
from fidsel.training.baseline import train_over
from fidsel.training.recipes.dispatch import trains_members
from fidsel.training.stage import ModelFactory, Recipe, Trained, TrainingData


class Wanted(NamedTuple):
    """A training that is asked for: a recipe, the labels, and a seed."""

    recipe: Recipe
    data: TrainingData
    seed: int


def watched(
    campaign: Campaign,
    report: Reporter,
    wanted: Mapping[str, Wanted],
    baseline: SourceLabels | None = None,
    trainer: Trainer | None = None,
) -> list[Trained]:
    """Return what recipes make of some labels, each going on from where the same training was stopped.

    Parameters
    ----------
    wanted : trainings that do not depend on each other, by what they are for, as reports say it.
    baseline : what is beneath the model, see `train_over`.
    trainer : trains side by side: all of `wanted` or, of a model whose members are trained each by itself,
        the members; None = one after the other, in this process.
    """
    model = campaign.model
    watches = {what: Watch(checkpoints=_kept(campaign, what, one, baseline)) for what, one in wanted.items()}
    if trainer is not None and not trains_members(model(0)):
        calls = {}
        for what, one in wanted.items():
            watch = replace(watches[what], on_progress=trainer.heard(tells(report, what)))
            calls[what] = partial(_trained, one, model, baseline, watch)
        return trainer(calls)
    trained = []
    for what, one in wanted.items():
        watch = replace(watches[what], on_progress=tells(report, what), trainer=trainer)
        trained.append(_trained(one, model, baseline, watch))
    return trained


def _kept(campaign: Campaign, what: str, one: Wanted, baseline: SourceLabels | None) -> Checkpoints | None:
    """Return the checkpoints of a training."""
    config = campaign.config
    if not {"model", "recipe"} <= config.keys():  # it is not known what else decides the result
        return None
    parts = [placeless(config[part]) for part in ("model", "recipe")]
    settings = [what, one.seed, baseline is not None, *parts]
    return Checkpoints(campaign.folder.trainings, key_of(one.data, campaign.model, one.seed, settings))


def _trained(one: Wanted, model: ModelFactory, baseline: SourceLabels | None, watch: Watch) -> Trained:
    """Return what came of a training; a function, which other processes can be given."""
    trained = train_over(one.recipe, one.data, model, one.seed, baseline, watch=watch)
    if watch.checkpoints is None or not watch.checkpoints.notes:
        return trained
    return replace(
        trained, diagnostics={**trained.diagnostics, "checkpoints": tuple(watch.checkpoints.notes)}
    )


def forget_trainings(folder: CampaignFolder) -> None:
    """Remove what is kept of trainings, once their round is written."""
    shutil.rmtree(folder.trainings, ignore_errors=True)


def key_of(data: TrainingData, model: ModelFactory, seed: int, settings: object) -> str:
    """Return the key of a training, see `training_key`."""
    frames: dict[str, Frames] = {"train": data.train, "validation": data.validation}
    frames |= {f"cheap {i}": own for i, own in enumerate(data.cheap)}
    return training_key(frames, [settings, model_digest(model(seed))])


def placeless(section: Any) -> Any:  # Any: plain values
    """Return plain values without the devices in them, which change no result but its rounding.

    >>> placeless({"kind": "cokriging", "surrogate": {"kind": "sgdml", "device": "cpu"}})
    {'kind': 'cokriging', 'surrogate': {'kind': 'sgdml'}}
    >>> placeless({"kind": "average", "members": ({"kind": "sgdml", "device": "cpu"},)})
    {'kind': 'average', 'members': [{'kind': 'sgdml'}]}
    """
    if isinstance(section, Mapping):
        return {name: placeless(value) for name, value in section.items() if name != "device"}
    return [placeless(one) for one in section] if isinstance(section, list | tuple) else section
