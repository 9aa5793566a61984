"""Trainings of a campaign: what they tell, and what is kept of them until their round is written."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.settings import Campaign, Reporter, tells
from fidsel.data import Frames
from fidsel.models.checkpoints import Checkpoints, model_digest, training_key
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.watch import Watch
from fidsel.training.baseline import train_over
from fidsel.training.stage import ModelFactory, Recipe, Trained, TrainingData


def watched(
    campaign: Campaign,
    report: Reporter,
    recipe: Recipe,
    data: TrainingData,
    seed: int,
    what: str,
    baseline: SourceLabels | None = None,
) -> Trained:
    """Return what a recipe makes of some labels, going on from where the same training was stopped.

    Parameters
    ----------
    what : what it is for, as reports say it.
    baseline : what is beneath the model, see `train_over`.
    """
    model, config, kept = campaign.model, campaign.config, None
    if {"model", "recipe"} <= config.keys():  # without, it is not known what else decides the result
        settings = [
            what,
            seed,
            baseline is not None,
            *(placeless(config[part]) for part in ("model", "recipe")),
        ]
        kept = Checkpoints(campaign.folder.trainings, key_of(data, model, seed, settings))
    watch = Watch(tells(report, what), kept)
    trained = train_over(recipe, data, model, seed, baseline, watch=watch)
    if kept is None or not kept.notes:
        return trained
    return replace(trained, diagnostics={**trained.diagnostics, "checkpoints": tuple(kept.notes)})


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
