"""A force field from files of labels, without a campaign."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fidsel.config.load import check_config
from fidsel.config.model_parts import model_factory
from fidsel.config.models import ModelSection
from fidsel.config.parts import units
from fidsel.config.recipe_parts import build_recipe
from fidsel.config.recipes import RecipeSection
from fidsel.config.schema import refuse_mismatch, usual_recipe
from fidsel.config.strict import Strict
from fidsel.data import Frames, leaks, read, split
from fidsel.data.atomic import make_folder
from fidsel.data.finding import few
from fidsel.data.lookup import TOLERANCE, Lookup
from fidsel.data.read import label_keys
from fidsel.data.seed import checked_seed
from fidsel.errors import UsageError
from fidsel.fidelity.table import TableSource
from fidsel.models.files import JSON
from fidsel.training.evaluate import errors
from fidsel.training.stage import Trained, TrainingData

HELD_OUT = 0.2
"""Part of the accurate labels that validates where no validation file is given."""

LEAST = 3
"""Configurations of which that part is one at least."""


class TrainConfig(Strict):
    """The sections of fidsel.toml that training needs."""

    model: ModelSection
    """The force field."""
    recipe: RecipeSection
    """How it is trained."""


@dataclass(frozen=True)
class LabelFile:
    """A file of labels at one level.

    Parameters
    ----------
    text : the file; `path:energy_key:forces_key` names the labels in it, either of which may be empty.
    units : "energy,length", where the file does not say.

    Examples
    --------
    >>> [str(part) for part in LabelFile("data.npz:E_dft:F_dft").parts]
    ['data.npz', 'E_dft', 'F_dft']
    """

    text: str
    units: str | None = None

    @property
    def parts(self) -> tuple[Path, str | None, str | None]:
        """Path, name of the energies and name of the forces; colons before the file's suffix are its own."""
        if Path(self.text).exists():
            return Path(self.text), None, None
        named = re.fullmatch(r"(.*?\.\w+)(?::([^:/\\]*))?(?::([^:/\\]*))?", self.text)
        if named is None:
            raise UsageError(f"labels are written FILE or FILE:ENERGY_KEY:FORCES_KEY, got {self.text!r}")
        return Path(named[1]), named[2] or None, named[3] or None

    def source(self) -> TableSource:
        """Return the file as a source that looks labels up."""
        path, energy, forces = self.parts
        return TableSource(path, energy, forces, units(self.units))

    def read(self, level: str, *, labelled: bool = True) -> Frames:
        """Return its frames; `level` is their level where the file names none.

        Parameters
        ----------
        labelled : whether they must have labels.

        Raises
        ------
        UsageError
            where the file cannot be read or lacks labels.
        """
        path, energy, forces = self.parts
        frames = read(path, units=units(self.units), energy_key=energy, forces_key=forces)
        if labelled and not np.isfinite(frames.energy).any() and not frames.has_forces.any():
            raise UsageError(
                f"{path} has no labels; name them as {path}:ENERGY_KEY:FORCES_KEY (keys in the file: "
                f"{', '.join(label_keys(path)) or 'none'})"
            )
        return frames if frames.level.all() else frames.replace(level=level)


def train_files(
    accurate: LabelFile,
    cheap: Sequence[LabelFile],
    validation: LabelFile | None,
    model: str,
    recipe: str | None,
    overrides: Sequence[str],
    seed: int,
    out: Path,
    *,
    force: bool = False,
) -> dict[str, Any]:
    """Train on files, save the model into a folder and return what happened.

    Parameters
    ----------
    accurate, validation : accurate labels; a fifth of the former validates where there is no latter.
    cheap : labels of the cheap levels, cheapest first.
    model, recipe : their kinds; None = `usual_recipe` of files and model.
    overrides : `model.key=value` and `recipe.key=value` settings.
    seed : decides every draw.
    out : folder of the model.
    force : whether a model that is there may be replaced.

    Raises
    ------
    UsageError
        where the seed is none, files and settings do not fit together, frames to train on are among those to
        validate on, or `out` holds a model.
    """
    checked_seed(seed)
    if (out / JSON).exists() and not force:
        raise UsageError(f"{out} holds a model already, which is kept: name another --out, or give --force")
    kind = recipe or usual_recipe(model, len(cheap))
    values: dict[str, Any] = {"model": {"kind": model}, "recipe": {"kind": kind}}
    try:
        config = check_config(TrainConfig, values, overrides, "the command line")
    except UsageError as error:
        if recipe is not None:
            raise
        raise UsageError(f"{error} (recipe {kind!r} is taken, as none is named by --recipe)") from error
    refuse_mismatch(config.model.kind, config.recipe.kind, len(cheap))
    train, held = _sides(accurate, validation, seed)
    labelled = config.recipe.kind != "asteroid-unlabelled"
    low = tuple(file.read(f"cheap {i}", labelled=labelled) for i, file in enumerate(cheap))
    data = TrainingData(train, held, low)
    if config.recipe.kind == "delta":
        _require_pairs(train + held, low[-1], cheap[-1].text)
    table = cheap[-1].source if cheap else None
    make_folder(out)
    trained = build_recipe(config.recipe, Path(), table)(data, model_factory(config.model, Path()), seed)
    trained.model.save(out)
    return {"recipe": config.recipe.kind} | _report(trained, data, out)


def _sides(accurate: LabelFile, validation: LabelFile | None, seed: int) -> tuple[Frames, Frames]:
    """Return the frames to train on and those to validate on."""
    train = accurate.read("accurate")
    if validation is None:
        if (n := len(train.unique())) < LEAST:
            raise UsageError(
                f"a fifth of the accurate labels validates, so there must be at least {LEAST} "
                f"configurations, {accurate.text} has {n}: give more, or others with --validation"
            )
        parts = split(train, {"train": 1 - HELD_OUT, "validation": HELD_OUT}, by="block", seed=seed)
        return parts["train"], parts["validation"]
    held = validation.read("accurate")
    if len(rows := leaks(train, held)):
        raise UsageError(
            f"{len(rows)} of {len(train)} frames of {accurate.text} ({few(rows.tolist())}) are among those "
            f"of {validation.text}: a model cannot be validated on what it is trained on, so leave them out "
            "of one file, or leave out --validation"
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


def _report(trained: Trained, data: TrainingData, out: Path) -> dict[str, Any]:
    found = errors(trained.model, data.validation)
    return {
        "model": str(out),
        "kind": trained.model.kind,
        "train": len(data.train),
        "validation": len(data.validation),
        "cheap": [len(frames) for frames in data.cheap],
        "validation_force_mae": None if np.isnan(found.force_mae) else found.force_mae,
        "validation_energy_mae": None if np.isnan(found.energy_mae) else found.energy_mae,
        "stages": [
            {"stage": h.stage, "seconds": h.seconds, "notes": dict(h.notes)} for h in trained.histories
        ],
        "diagnostics": dict(trained.diagnostics),
    }
