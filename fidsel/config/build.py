"""From a checked configuration to a campaign that runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from fidsel.campaign.molecules import require_several
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.settings import Campaign, CampaignBaseline, Refresh, Rules
from fidsel.config.levels import BaselineSection, refuse_unpriced
from fidsel.config.load import FILE, load_config
from fidsel.config.parts import (
    build_baseline,
    build_fidelity,
    build_source,
    levels_bought,
    molecules,
    read_pool,
)
from fidsel.config.recorded import recorded
from fidsel.config.schema import Config, PoolSection
from fidsel.config.selectors import register_own
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.engine.cluster.parsl import Site
from fidsel.fidelity.engine.local import Workers
from fidsel.fidelity.level import Fidelity
from fidsel.md.dynamics.stops import ClusterBounds, Doubt
from fidsel.md.sampling.family import sample_family
from fidsel.md.sampling.harmonic import normal_modes
from fidsel.md.sampling.pool import require_sampling, sample
from fidsel.md.sampling.refresh import refresh_pool
from fidsel.models import ForceField
from fidsel.selector import ERROR_SOURCES
from fidsel.selector.descriptors.soap import require_dscribe
from fidsel.selector.stopping import Stopping
from fidsel.tracking import Store, Tracker
from fidsel.tracking.entries import without_passwords
from fidsel.training import Recipe
from fidsel.training.apart import Trainer
from fidsel.training.recipes.standard import control


def open_campaign(
    folder: Path | str,
    overrides: Sequence[str] = (),
    budget: str | float | None = None,
    *,
    as_named: bool = False,
) -> Campaign:
    """Return the campaign that fidsel.toml in a folder describes.

    Parameters
    ----------
    folder : of the campaign.
    overrides : settings in place of those of the file, `section.key=value`.
    budget : what may be spent, e.g. "2core-h", or a number of labels; None = as the file says.
    as_named : whether messages name the folder as it is given here, for programs that stay in theirs: a
        relative path then follows the current folder.

    Raises
    ------
    UsageError
        where the configuration is not valid or something it names cannot be had.

    Examples
    --------
    >>> import tempfile
    >>> from fidsel.testing import example_campaign
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     campaign = open_campaign(example_campaign(folder), ["campaign.name=water"])
    >>> campaign.name, campaign.budget
    ('water', Budget(16 labels))
    """
    folder = Path(folder) if as_named else Path(folder).absolute()
    return build_campaign(load_config(folder / FILE, overrides), folder, budget)


def open_finished(
    folder: Path | str, overrides: Sequence[str] = (), index: int | None = None, *, as_named: bool = False
) -> Campaign:
    """Return a campaign as a finished round of it ran, or as fidsel.toml describes it before that round is.

    Parameters
    ----------
    overrides : settings in place of those, `section.key=value`.
    index : of the round; None = the last one.
    as_named : see `open_campaign`.

    Raises
    ------
    UsageError
        where the configuration is not valid or something it names cannot be had.
    """
    folder = Path(folder) if as_named else Path(folder).absolute()
    ran = recorded(folder, overrides, index)
    return build_campaign(ran or load_config(folder / FILE, overrides), folder)


def build_campaign(config: Config, folder: Path, budget: str | float | None = None) -> Campaign:
    """Return the campaign of a configuration; relative paths in it start at `folder`."""
    section, selector, beneath = config.campaign, config.selector, config.model.baseline
    known = molecules(config.pool, folder) if _names_molecules(config.pool) else {}
    if config.pool.source != "file":
        for one in known.values():
            require_sampling(one)
    if selector.descriptor == "soap":
        require_dscribe()
    register_own(selector, folder)
    total = config.budget.parsed(budget)
    refuse_unpriced(config.fidelity, total.unit)
    recipe = config.recipe.build(folder)
    config.require_errors(ERROR_SOURCES[config.error_source(type(recipe))], type(recipe))
    levels = levels_bought(recipe.takes, config.fidelity)
    *cheap, _ = levels
    if recipe.needs_source:
        recipe = recipe.with_source(build_source(cheap[-1], config.pool, folder))
    threads = max(level.threads for level in levels)
    home, engine = CampaignFolder(folder), config.engine.build(folder)
    share = engine.memory(threads)
    fidelities = tuple(build_fidelity(level, config.pool, folder, share) for level in levels)
    made = Campaign(
        folder=home,
        name=section.name,
        seed=section.seed,
        fidelities=fidelities,
        cheap_use=recipe.takes,
        idle=tuple(level.name for level in config.fidelity if level not in levels),
        sample=partial(sample_pool, config.pool, folder, section.seed),
        model=config.model.build(folder),
        device=config.model.where,
        recipe=recipe,
        control_recipe=control(recipe, len(cheap) if recipe.takes == "labels" else 1),
        picker=selector.build(folder),
        budget=total,
        engine=partial(engine.engine, threads, home.engine, longest_label(fidelities)),
        trainer=partial(open_trainer, engine, home),
        refresh=build_refresh(config.pool),
        molecules=tuple(known) if len(known) > 1 else (),
        rules=rules(config, recipe),
        config=plain(config),
        baseline=None if beneath is None else build_campaign_baseline(beneath, config.pool, folder),
    )
    require_several(made, [(name, one.charge, one.spin) for name, one in known.items()])
    return made


@contextmanager
def open_trainer(makes: Workers | Site, home: CampaignFolder) -> Iterator[Trainer | None]:
    """Yield what runs trainings as tasks of an engine, where that is asked for, and close the engine."""
    if makes.trainings is None:
        yield None
        return
    engine, threads = makes.training_engine(makes.trainings, home.engine / "trainings")
    with engine:
        yield Trainer(engine, threads, home.trainings)


def longest_label(levels: Sequence[Fidelity]) -> float | None:
    """Return the s of wall time that a computed label may take; None where a level sets no limit."""
    limits = [one.time_limit for one in levels if not getattr(one.source, "in_process", False)]
    known = [limit for limit in limits if limit is not None]
    return max(known) if known and len(known) == len(limits) else None


def _names_molecules(pool: PoolSection) -> bool:
    return pool.smiles is not None or pool.molecules is not None


def build_campaign_baseline(section: BaselineSection, pool: PoolSection, folder: Path) -> CampaignBaseline:
    """Return the baseline that a `[model.baseline]` section asks for, of the molecule of a pool."""
    try:
        level = build_baseline(section, lambda: tuple(molecules(pool, folder).values()), folder)
    except UsageError as error:
        raise UsageError(f"model.baseline: {error}") from error
    return CampaignBaseline(level, section.always)


def rules(config: Config, recipe: Recipe) -> Rules:
    """Return the numbers that steer a campaign: each is a key of `[campaign]` or `[selector]`."""
    section, selector = config.campaign, config.selector
    given = {**dict(section), **dict(selector)}
    names = {field.name for field in fields(Rules)}
    stopping = Stopping(
        section.target,
        section.cluster_target,
        selector.coverage or Stopping.coverage,
        section.patience,
        measure=section.measure,
    )
    error = config.error_source(type(recipe))
    taken = {name: value for name, value in given.items() if name in names}
    return Rules(**taken | {"error": error, "stopping": stopping})


def open_tracker(folder: Path, overrides: Sequence[str] = (), into: Store | None = None) -> Tracker | None:
    """Return what sends the rounds of a campaign to MLflow, None where tracking is off.

    Its runs tell what the last finished round ran with.

    Parameters
    ----------
    overrides : settings in place of those of fidsel.toml: where runs are kept, and what round 0 runs with.
    into : store in place of the campaign's own, also where tracking is off.
    """
    config = load_config(folder / FILE, overrides)
    if into is None and not config.tracking.enabled:
        return None
    ran = recorded(folder) or config
    return Tracker(
        CampaignFolder(folder),
        config.tracking.experiment or config.campaign.name,
        into or Store.of(config.tracking.uri, folder),
        ran.budget.parsed(),
        plain(ran),
        ran.model_dump(mode="json", exclude_defaults=True),
        config.tracking.register_as or "",
    )


def sample_pool(section: PoolSection, root: Path, seed: int) -> Frames:
    """Return the candidate configurations of a `[pool]` section."""
    if section.source == "file":
        return read_pool(section, root)
    made, frames = molecules(section, root), section.frames or 0
    md = partial(sample, conformers=section.conformers)
    return sample_family(
        made, frames, section.temperature, seed, md if section.source == "md" else normal_modes
    )


def build_refresh(section: PoolSection) -> Refresh | None:
    """Return what makes new candidates from the current model, None where the pool stays."""
    if section.refresh == "none":
        return None

    def refresh(
        model: ForceField, starts: Frames, seed: int, share: int, bounds: Callable[[], ClusterBounds]
    ) -> Frames:
        frames, doubt = max(1, section.refresh_frames // share), None
        if section.refresh_bound is not None:
            doubt = Doubt(bound=section.refresh_bound, bounds=bounds()).completed(model, starts)
        return refresh_pool(model, starts, frames, section.temperature, seed, doubt=doubt).frames

    return refresh


def plain(config: Config) -> Mapping[str, Any]:  # Any: whatever TOML holds
    """Return the expanded configuration as plain values, no password of a tracking server among them."""
    values = config.model_dump(mode="json")
    values["tracking"]["uri"] = config.tracking.uri and without_passwords(config.tracking.uri)
    return values
