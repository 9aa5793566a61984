"""From a checked configuration to a campaign that runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fidsel.campaign.folder import CampaignFolder
from fidsel.campaign.settings import Campaign, Refresh, Rules
from fidsel.config.load import FILE, load_config
from fidsel.config.model_parts import model_factory
from fidsel.config.parts import build_fidelity, build_picker, molecule, read_pool
from fidsel.config.recipes import AsteroidSection, CokrigingSection, StageSection, StandardSection
from fidsel.config.schema import Config, PoolSection
from fidsel.data import Frames
from fidsel.fidelity.engine import LocalEngine, available_cores
from fidsel.fidelity.molecule import from_smiles
from fidsel.md.normal_modes import normal_modes
from fidsel.md.pool import sample
from fidsel.md.refresh import refresh_pool
from fidsel.models import ForceField
from fidsel.tracking import Tracker
from fidsel.training.asteroid import FINETUNE, IDENTIFY, PRETRAIN, asteroid
from fidsel.training.cokriging import cokriging
from fidsel.training.stage import Recipe, Stage
from fidsel.training.standard import STAGE, standard


def open_campaign(folder: Path, overrides: Sequence[str] = (), budget: str | None = None) -> Campaign:
    """Return the campaign that fidsel.toml in a folder describes.

    Raises
    ------
    UsageError
        where the configuration is not valid or something it names cannot be had.
    """
    return build_campaign(load_config(folder / FILE, overrides), folder, budget)


def build_campaign(config: Config, folder: Path, budget: str | None = None) -> Campaign:
    """Return the campaign of a configuration; relative paths in it start at `folder`."""
    section, selector = config.campaign, config.selector
    if config.pool.smiles is not None:
        from_smiles(config.pool.smiles)
    threads = max(level.threads for level in config.fidelity)
    workers = config.engine.workers or max(1, available_cores() // threads)
    return Campaign(
        folder=CampaignFolder(folder),
        name=section.name,
        seed=section.seed,
        fidelities=tuple(build_fidelity(level, config.pool, folder) for level in config.fidelity),
        sample=partial(sample_pool, config.pool, folder, section.seed),
        model=model_factory(config.model, folder),
        recipe=build_recipe(config.recipe),
        control_recipe=build_control(config.recipe),
        picker=build_picker(selector, folder),
        budget=config.budget.parsed(budget),
        engine=partial(LocalEngine, workers, threads),
        refresh=build_refresh(config.pool),
        rules=Rules(
            test=section.test,
            validation=section.validation,
            rounds=section.rounds,
            start=section.start,
            per_round=selector.per_round,
            probes=selector.probes,
            target=section.target,
            control=section.control,
            error=selector.error or ("probe" if config.recipe.kind == "standard" else "cheap"),
            descriptor=selector.descriptor,
            clusters=selector.clusters,
            energy_clusters=selector.energy_clusters,
        ),
        config=plain(config),
    )


def open_tracker(folder: Path, overrides: Sequence[str] = ()) -> Tracker | None:
    """Return what sends the rounds of a campaign to MLflow, None where tracking is off."""
    config = load_config(folder / FILE, overrides)
    if not config.tracking.enabled:
        return None
    experiment = config.tracking.experiment or config.campaign.name
    return Tracker(CampaignFolder(folder), experiment, config.tracking.uri, plain(config))


def sample_pool(section: PoolSection, root: Path, seed: int) -> Frames:
    """Return the candidate configurations of a `[pool]` section."""
    if section.source == "file":
        return read_pool(section, root)
    made, frames = molecule(section, root), section.frames or 0
    if section.source == "md":
        return sample(made, frames, section.temperature, seed, conformers=section.conformers).frames
    return normal_modes(made, frames, section.temperature, seed).frames


def build_refresh(section: PoolSection) -> Refresh | None:
    """Return what makes new candidates from the current model, None where the pool stays."""
    if section.refresh == "none":
        return None

    def refresh(model: ForceField, starts: Frames, seed: int) -> Frames:
        return refresh_pool(model, starts, section.refresh_frames, section.temperature, seed).frames

    return refresh


def build_stage(section: StageSection, default: Stage) -> Stage:
    """Return a training stage: the recipe's own, with what the section gives."""
    given = section.model_dump(exclude_none=True)
    names = {"rho": "rho", "force_loss": "force", "energy_loss": "energy"}
    loss = {name: given.pop(key) for key, name in names.items() if key in given}
    return replace(default, **given, loss=replace(default.loss, **loss))


def build_recipe(section: StandardSection | AsteroidSection | CokrigingSection) -> Recipe:
    """Return the recipe of a `[recipe]` section."""
    match section:
        case StandardSection():
            return partial(standard, stage=build_stage(section.stage, STAGE))
        case AsteroidSection():
            return partial(
                asteroid,
                identify=build_stage(section.identify, IDENTIFY),
                pretrain=build_stage(section.pretrain, PRETRAIN),
                finetune=build_stage(section.finetune, FINETUNE),
                gammas=section.gammas,
                bias_weights=section.bias_weights,
                fine_tune=section.fine_tune,
                energy_labels=section.energy_labels,
            )
        case CokrigingSection():
            return partial(
                cokriging,
                stage=build_stage(section.stage, STAGE),
                surrogate_stage=build_stage(section.surrogate_stage, STAGE),
                held_out=section.held_out,
                bias_weights=section.bias_weights,
                gamma=section.gamma,
            )


def build_control(section: StandardSection | AsteroidSection | CokrigingSection) -> Recipe:
    """Return standard training as the control arm does it, of the length of the recipe's first stage."""
    given = section.identify if isinstance(section, AsteroidSection) else section.stage
    return partial(standard, stage=build_stage(given, STAGE))


def plain(config: Config) -> Mapping[str, Any]:  # Any: whatever TOML holds
    """Return the expanded configuration as plain values."""
    return config.model_dump(mode="json")
