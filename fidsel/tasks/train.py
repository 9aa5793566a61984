"""A force field from files of labels, without a campaign."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from fidsel.arrays import counted, html_table
from fidsel.campaign.rounds.training import key_of, placeless
from fidsel.campaign.settings import Reporter, silent, tells
from fidsel.config.levels import BaselineSection
from fidsel.config.load import check_config
from fidsel.config.models import MODEL_SECTIONS, Model
from fidsel.config.recipes import RecipeSettings
from fidsel.config.strict import Strict
from fidsel.data import Frames, leaks, split
from fidsel.data.atomic import folder_for
from fidsel.data.checks.finding import few
from fidsel.data.checks.leaks import first_alike
from fidsel.data.label_file import LabelFile, Labels, Say, logged
from fidsel.data.lookup import TOLERANCE, Lookup, in_order_of
from fidsel.data.seed import checked_seed
from fidsel.data.units import Units
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.sources.table import TableSource
from fidsel.models import ForceField
from fidsel.models.checkpoints import Checkpoints, discard_others
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.watch import Watch
from fidsel.refine.files import discard_record
from fidsel.tasks.baseline import file_baseline, named_baseline
from fidsel.tasks.model_files import ANOTHER, require_no_model, require_units_used
from fidsel.training.baseline import judge, require_baseline_use, train_over
from fidsel.training.evaluate import errors
from fidsel.training.recipes.dispatch import takes_steps
from fidsel.training.recipes.usual import usual_recipe
from fidsel.training.stage import ModelFactory, Recipe, TrainingData

HELD_OUT = 0.2
"""Part of the accurate labels that validates where no validation file is given."""

LEAST = 3
"""Configurations of which that part is one at least."""


SHOWN: Final = {
    "force_mae": ("force MAE", "meV/Å"),
    "force_rmse": ("force RMSE", "meV/Å"),
    "energy_mae_per_atom": ("energy MAE", "meV/atom"),
    "energy_rmse_per_atom": ("energy RMSE", "meV/atom"),
}
"""Errors that a training shows."""


class TrainConfig(Strict):
    """The sections of fidsel.toml that training needs."""

    model: Model
    """The force field."""
    recipe: RecipeSettings
    """How it is trained."""


def train_config(
    model: str, recipe: str | None, overrides: Sequence[str], cheap: int, baseline: str | None = None
) -> TrainConfig:
    """Return the checked settings of a training on so many cheap levels; for the others see `train_files`.

    Raises a `UsageError` where they are not valid, or the recipe cannot train the model on these files.
    """
    section = MODEL_SECTIONS.get(model)
    kind = recipe or usual_recipe(section.made if section else None, cheap)
    values: dict[str, Any] = {"model": {"kind": model}, "recipe": {"kind": kind}}
    if baseline is not None:
        values["model"]["baseline"] = named_baseline(baseline)
    try:
        config = check_config(TrainConfig, values, overrides, "the request")
    except UsageError as error:
        if recipe is not None:
            raise
        raise UsageError(f"{error} (recipe {kind!r} is taken, as none is named)") from error
    if config.recipe.recipe is not None:
        config.recipe.recipe.require(type(config.model).made, cheap)
        if config.model.baseline is not None:
            require_baseline_use(config.recipe.recipe)
    return config


@dataclass(frozen=True, eq=False, repr=False)
class TrainedFiles:
    """A force field trained on files of labels, and how that went.

    Parameters
    ----------
    model : the force field.
    folder : where it is saved.
    recipe : kind of the recipe.
    train, validation, cheap : frames trained on, validated on, and of each cheap level.
    errors : on the validation frames: "force_mae" and "force_rmse" in eV/Å, "energy_mae" and "energy_rmse" in
        eV, the same with "_per_atom"; None where no frame has the label.
    stages : name, seconds and notes of each stage.
    diagnostics, warnings : of the recipe.
    odd : what is worth knowing about the labels, as sentences.
    notes : on what was learnt before and gone on from.
    baseline : why one lies beneath the model or does not; None = none was asked for.
    """

    model: ForceField
    folder: Path
    recipe: str
    train: int
    validation: int
    cheap: tuple[int, ...]
    errors: Mapping[str, float | None]
    stages: tuple[Mapping[str, Any], ...]
    diagnostics: Mapping[str, Any]
    warnings: tuple[str, ...]
    odd: tuple[str, ...]
    notes: tuple[str, ...]
    baseline: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        errors = {f"validation_{name}": value for name, value in own.pop("errors").items()}
        return own | {"model": str(own.pop("folder")), "kind": self.model.kind} | errors

    def __repr__(self) -> str:
        shown = [f"{name} {value:.3g} {unit}" for name, unit, value in self._rows() if value is not None]
        labels = f"{self.recipe} on {self.train} labels"
        notes = counted((*self.odd, *self.warnings, *self.notes))
        return f"TrainedFiles({self.model.kind} by {labels}; {', '.join(shown)}; in {self.folder}{notes})"

    def _repr_html_(self) -> str:
        """Return the errors as a table, for a notebook."""
        title = f"{self.model.kind} by {self.recipe} on {self.train} labels, in {self.folder}"
        columns = ("error on validation frames", "", "unit")
        rows = [(name, value, unit) for name, unit, value in self._rows()]
        return html_table(title, columns, rows, (*self.odd, *self.warnings, *self.notes))

    def _rows(self) -> Iterator[tuple[str, str, float | None]]:
        for name, (what, unit) in SHOWN.items():
            value = self.errors[name]
            yield what, unit, None if value is None else 1000 * value


def train_files(
    accurate: Labels,
    cheap: Labels | Sequence[Labels] | None = (),
    validation: Labels | None = None,
    model: str = "sgdml",
    recipe: str | None = None,
    settings: Sequence[str] = (),
    seed: int = 0,
    out: Path | str = "model",
    *,
    baseline: str | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    units: str | Units | None = None,
    trust_labels: bool = False,
    force: bool = False,
    report: Reporter = silent,
    say: Say = logged,
) -> TrainedFiles:
    """Train on labels, save the model into a folder and return it with what happened.

    What is learnt is kept beside the folder until the model is there: the same call goes on from it where an
    earlier one was killed. Raises a `UsageError` where the seed is none, files and settings do not fit
    together, labels are wrong (see docs/checks.md), frames to train on are among those to validate on, or
    `out` holds a model.

    Parameters
    ----------
    accurate, validation : accurate labels; a fifth of the former validates where there is no latter.
    cheap : labels of the cheap levels, cheapest first; those of one level may stand alone.
    model, recipe : their kinds; None = `usual_recipe` of files and model.
    settings : `model.key=value` and `recipe.key=value` settings.
    seed : decides every draw.
    out : folder of the model.
    baseline : what lies beneath the model, see `named_baseline`; None = as `settings` say.
    steps, minutes : bounds on the training of a network, see `Recipe.bounded`.
    units : "energy,length" of the files, in place of what they state.
    trust_labels : whether labels that look wrong are trained on all the same.
    force : whether a model that is there may be replaced.
    report : hears how far it is.
    say : hears what is odd about the labels before anything is trained on them; by default the log.

    Examples
    --------
    >>> import tempfile
    >>> from fidsel.testing import example_frames
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = train_files(example_frames(20), settings=["model.sigmas=[10]"], out=f"{folder}/model")
    >>> found.recipe, found.train, found.validation, found.errors["force_mae"] < 0.1
    ('standard', 16, 4, True)
    """
    folder, seed = Path(out), checked_seed(seed)
    if not force:
        require_no_model(folder, ANOTHER)
    named = partial(LabelFile.of, units=units, trusted=trust_labels)
    files = [named(one) for one in (accurate, validation) if one is not None]
    low = [named(one) for one in ((cheap,) if isinstance(cheap, Labels) else cheap or ())]
    require_units_used(units, None, *files, *low)
    config = train_config(model, recipe, settings, len(low), baseline)
    factory = config.model.build(Path())
    chosen = _bounded(config.recipe.build(Path()), factory, len(low), steps, minutes)
    data, odd = _labels(files, low, seed, labelled=chosen.takes != "frames", say=say)
    beneath, verdict = _baseline(config.model.baseline, data, seed, say)
    if chosen.needs_source:
        _require_pairs(data.train + data.validation, data.cheap[-1], low[-1].text)
        chosen = chosen.with_source(TableSource.of(low[-1]))
    key = key_of(data, factory, seed, [seed, placeless(config.model_dump(mode="json"))])
    with folder_for(folder), _kept(folder, key) as kept:
        watch = Watch(tells(report, "training"), kept)
        trained = train_over(chosen, data, factory, seed, beneath, watch=watch)
        discard_record(folder)
        trained.model.save(folder)
    return TrainedFiles(
        trained.model,
        folder,
        config.recipe.kind,
        train=len(data.train),
        validation=len(data.validation),
        cheap=tuple(map(len, data.cheap)),
        errors=_validation_errors(trained.model, data.validation),
        stages=tuple(
            {"stage": h.stage, "seconds": h.seconds, "notes": dict(h.notes)} for h in trained.histories
        ),
        diagnostics=dict(trained.diagnostics),
        warnings=tuple(trained.warnings),
        odd=tuple(odd),
        notes=tuple(kept.notes),
        baseline=verdict,
    )


def _bounded(
    recipe: Recipe, model: ModelFactory, levels: int, steps: int | None, minutes: float | None
) -> Recipe:
    """Return the recipe with other bounds, if any; see `Recipe.bounded`."""
    if steps is None and minutes is None:
        return recipe
    learners = [made(0) for made in (model, getattr(recipe, "surrogate", None)) if made is not None]
    if not any(map(takes_steps, learners)):
        raise UsageError(
            f"--steps and --minutes bound the training of a network, and {learners[0].kind} is fitted in "
            "closed form: leave them out"
        )
    return recipe.bounded(levels, steps, minutes)


def _labels(
    accurate: Sequence[LabelFile],
    cheap: Sequence[LabelFile],
    seed: int,
    *,
    labelled: bool,
    say: Say,
) -> tuple[TrainingData, list[str]]:
    """Return the labels of all files, and what is odd about them, which is said first.

    Parameters
    ----------
    accurate : to train on, and perhaps one to validate on.
    labelled : whether cheap frames must have labels.
    """
    low = [file.read(f"cheap {i}", labelled=labelled) for i, file in enumerate(cheap)]
    train = accurate[0].read("accurate")
    held = [file.read(str(train.level[0])) for file in accurate[1:]]
    files = zip((accurate[0], *cheap, *accurate[1:]), (train, *low, *held), strict=True)
    odd = [text for file, frames in files for text in file.check(frames)]
    for text in odd:
        say(text)
    sides = _sides(train, held[0] if held else None, (accurate[0].text, accurate[-1].text), seed)
    return TrainingData(*sides, tuple(in_order_of(sides[0] + sides[1], frames) for frames in low)), odd


def _baseline(
    section: BaselineSection | None, data: TrainingData, seed: int, say: Say
) -> tuple[SourceLabels | None, str | None]:
    """Return the baseline that a training uses, and why it does or does not, which is said."""
    if section is None:
        return None, None
    labels = file_baseline(section, data.train)
    if section.always:
        return labels, "as asked"
    verdict = judge(data, labels, seed)
    say(verdict.why)
    return (labels if verdict.used else None), verdict.why


@contextmanager
def _kept(out: Path, key: str) -> Iterator[Checkpoints]:
    """Give the checkpoints of the training of a model that will be in a folder; they go when it ends."""
    folder = out.resolve().with_name(f".{out.resolve().name}.training")
    discard_others(folder, key)
    kept = Checkpoints(folder, key)
    try:
        yield kept
    except FidselError:  # it would end there again
        kept.discard()
        raise
    kept.discard()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _sides(train: Frames, held: Frames | None, names: tuple[str, str], seed: int) -> tuple[Frames, Frames]:
    """Return the frames to train on and those to validate on; names are those of the files."""
    if held is None:
        if (n := len(np.unique(first_alike(train)))) < LEAST:
            raise UsageError(
                f"a fifth of the accurate labels validates, so there must be at least {LEAST} "
                f"configurations, {names[0]} has {n}: give more, or others with --validation"
            )
        parts = split(train, {"train": 1 - HELD_OUT, "validation": HELD_OUT}, by="block", seed=seed)
        return parts["train"], parts["validation"]
    if len(rows := leaks(train, held)):
        raise UsageError(
            f"{len(rows)} of {len(train)} frames of {names[0]} ({few(rows.tolist())}) are among those "
            f"of {names[1]}: a model cannot be validated on what it is trained on, so leave them out "
            "of one file, or leave out --validation"
        )
    if more := sorted(set(held.level.tolist()) - set(train.level.tolist())):
        raise UsageError(
            f"{names[0]} and {names[1]} must hold labels of one level, got {', '.join(set(train.level))} to "
            f"train on and {', '.join(more)} to validate on: give validation labels of the former"
        )
    return train, held


def _require_pairs(accurate: Frames, cheap: Frames, text: str) -> None:
    """Raise unless every accurate frame has a cheap label."""
    paired = Lookup(cheap[np.isfinite(cheap.energy) & cheap.has_forces], TOLERANCE).find(accurate) >= 0
    if not paired.all():
        raise UsageError(
            f"recipe 'delta' needs the cheap energy and forces of every accurate frame: {(~paired).sum()} of "
            f"{len(paired)} are not in {text}, to {TOLERANCE:g} Å. Add them to that file, leave those frames "
            "out of the accurate one, or take recipe 'cokriging', which needs no pairs"
        )


def _validation_errors(model: ForceField, frames: Frames) -> dict[str, float | None]:
    """Return the errors on validation frames, eV/Å, eV and eV per atom; None where no frame has the label."""
    found, sizes = errors(model, frames), frames.sizes
    each = found.per_frame_energy[known := np.isfinite(found.per_frame_energy)] / sizes[known]
    values = {
        "force_mae": found.force_mae,
        "force_rmse": found.force_rmse,
        "energy_mae": found.energy_mae,
        "energy_rmse": found.energy_rmse,
        "energy_mae_per_atom": float(each.mean()) if len(each) else np.nan,
        "energy_rmse_per_atom": float(np.sqrt((each**2).mean())) if len(each) else np.nan,
    }
    return {name: None if np.isnan(value) else value for name, value in values.items()}
