"""A force field from files of labels, without a campaign."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fidsel.campaign.rounds.training import key_of, placeless
from fidsel.campaign.settings import Reporter, silent, tells
from fidsel.config.load import check_config
from fidsel.config.model_parts import model_factory
from fidsel.config.models import ModelSection
from fidsel.config.parts import units
from fidsel.config.recipe_parts import build_recipe
from fidsel.config.recipes import RecipeSection
from fidsel.config.schema import refuse_mismatch, usual_recipe
from fidsel.config.strict import Strict
from fidsel.data import Frames, leaks, split
from fidsel.data.atomic import make_folder
from fidsel.data.checks.finding import few
from fidsel.data.checks.quick import quick_check, refuse_errors
from fidsel.data.lookup import TOLERANCE, Lookup
from fidsel.data.reading import AS_NAMED, label_keys, read_logged
from fidsel.data.reorder import in_order_of
from fidsel.data.seed import checked_seed
from fidsel.data.state import State
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.sources.table import TableSource
from fidsel.models import ForceField
from fidsel.models.checkpoints import Checkpoints, discard_others
from fidsel.models.files import JSON
from fidsel.models.watch import Watch
from fidsel.training.evaluate import errors
from fidsel.training.stage import Trained, TrainingData

HELD_OUT = 0.2
"""Part of the accurate labels that validates where no validation file is given."""

LEAST = 3
"""Configurations of which that part is one at least."""


def unheard(text: str) -> None:
    """Say nothing."""


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
    energy_key, forces_key : names of the labels that `text` does not name.
    trusted : whether labels that look wrong are taken all the same.
    state : charge and spin of frames for which the file names none.
    frames : the labels themselves, where there is no file.

    Examples
    --------
    >>> [str(part) for part in LabelFile("data.npz:E_dft:F_dft").parts]
    ['data.npz', 'E_dft', 'F_dft']
    """

    text: str
    units: str | None = None
    energy_key: str | None = None
    forces_key: str | None = None
    trusted: bool = False
    state: State = AS_NAMED
    frames: Frames | None = None

    @classmethod
    def of(cls, labels: "Labels") -> "LabelFile":
        """Return labels as a file of them: a path in words, or frames that were read already."""
        if isinstance(labels, LabelFile):
            return labels
        return cls("frames", frames=labels) if isinstance(labels, Frames) else cls(str(labels))

    @property
    def parts(self) -> tuple[Path, str | None, str | None]:
        """Path, name of the energies and name of the forces; colons before the file's suffix are its own."""
        if self.frames is not None or Path(self.text).exists():
            return Path(self.text), self.energy_key, self.forces_key
        named = re.fullmatch(r"(.*?\.\w+)(?::([^:/\\]*))?(?::([^:/\\]*))?", self.text)
        if named is None:
            raise UsageError(f"labels are written FILE or FILE:ENERGY_KEY:FORCES_KEY, got {self.text!r}")
        return Path(named[1]), named[2] or self.energy_key, named[3] or self.forces_key

    def source(self) -> TableSource:
        """Return the file as a source that looks labels up; `check` is for these."""
        if self.frames is not None:
            raise UsageError("recipe 'delta' looks cheap labels up in a file: write the frames into one")
        path, energy, forces = self.parts
        return TableSource(path, energy, forces, units(self.units), state=self.state, trust_labels=True)

    def check(self, frames: Frames) -> tuple[str, ...]:
        """Return what is worth knowing about its frames, as sentences.

        Raises
        ------
        UsageError
            where labels look wrong and are not trusted; it names frames and remedies.
        """
        return refuse_errors(quick_check(frames), str(self.parts[0]), self.trusted, "--trust-labels")

    def oddities(self, frames: Frames) -> tuple[str, ...]:
        """Return what looks wrong about its frames, as sentences, where nothing is trained on them."""
        return refuse_errors(quick_check(frames), str(self.parts[0]), trusted=True, trust="")

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
        frames = self.frames
        if frames is None:
            frames = read_logged(
                path, units=units(self.units), energy_key=energy, forces_key=forces, state=self.state
            )
        if labelled and not np.isfinite(frames.energy).any() and not frames.has_forces.any():
            raise UsageError(
                f"{path} has no labels; name them as {path}:ENERGY_KEY:FORCES_KEY (keys in the file: "
                f"{', '.join(label_keys(path)) or 'none'})"
                if self.frames is None
                else "the frames have no labels: read them with their energy_key and forces_key"
            )
        return frames if frames.level.all() else frames.replace(level=level)


Labels = LabelFile | Frames | Path | str
"""What labels may be given as, from Python."""


def train_files(
    accurate: Labels,
    cheap: Sequence[Labels] = (),
    validation: Labels | None = None,
    model: str = "sgdml",
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    seed: int = 0,
    out: Path | str = "model",
    *,
    force: bool = False,
    report: Reporter = silent,
    say: Callable[[str], None] = unheard,
) -> dict[str, Any]:
    """Train on labels, save the model into a folder and return what happened.

    What is learnt is kept beside the folder until the model is there: the same call goes on from it where
    an earlier one was killed.

    Parameters
    ----------
    accurate, validation : accurate labels; a fifth of the former validates where there is no latter.
    cheap : labels of the cheap levels, cheapest first.
    model, recipe : their kinds; None = `usual_recipe` of files and model.
    overrides : `model.key=value` and `recipe.key=value` settings.
    seed : decides every draw.
    out : folder of the model.
    force : whether a model that is there may be replaced.
    report : hears how far it is.
    say : hears what is odd about the labels before anything is trained on them.

    Raises
    ------
    UsageError
        where the seed is none, files and settings do not fit together, labels are wrong (see docs/checks.md),
        frames to train on are among those to validate on, or `out` holds a model.

    Examples
    --------
    >>> import tempfile
    >>> from fidsel.testing import example_frames
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = train_files(example_frames(20), overrides=["model.sigmas=[10]"], out=f"{folder}/model")
    >>> found["recipe"], found["train"], found["validation"], found["validation_force_mae"] < 0.1
    ('standard', 16, 4, True)
    """
    checked_seed(seed)
    out, own, below = Path(out), LabelFile.of(accurate), [LabelFile.of(one) for one in cheap]
    apart = None if validation is None else LabelFile.of(validation)
    if (out / JSON).exists() and not force:
        raise UsageError(f"{out} holds a model already, which is kept: name another --out, or give --force")
    kind = recipe or usual_recipe(model, len(below))
    values: dict[str, Any] = {"model": {"kind": model}, "recipe": {"kind": kind}}
    try:
        config = check_config(TrainConfig, values, overrides, "the command line")
    except UsageError as error:
        if recipe is not None:
            raise
        raise UsageError(f"{error} (recipe {kind!r} is taken, as none is named by --recipe)") from error
    refuse_mismatch(config.model.kind, config.recipe.kind, len(below))
    labelled = config.recipe.kind != "asteroid-unlabelled"
    low = tuple(file.read(f"cheap {i}", labelled=labelled) for i, file in enumerate(below))
    train, held = own.read("accurate"), None if apart is None else apart.read("accurate")
    files = [
        (own, train),
        *zip(below, low, strict=True),
        *([(apart, held)] if apart and held else []),
    ]
    odd = [text for file, frames in files for text in file.check(frames)]
    for text in odd:
        say(text)
    sides = _sides(train, held, (own.text, apart.text if apart else ""), seed)
    ordered = tuple(in_order_of(sides[0] + sides[1], frames) for frames in low)
    data = TrainingData(*sides, ordered)
    if config.recipe.kind == "delta":
        _require_pairs(data.train + data.validation, data.cheap[-1], below[-1].text)
    table = below[-1].source if below else None
    make_folder(out)
    factory = model_factory(config.model, Path())
    key = key_of(data, factory, seed, [seed, placeless(config.model_dump(mode="json"))])
    with _kept(out, key) as kept:
        watch = Watch(tells(report, "training"), kept)
        trained = build_recipe(config.recipe, Path(), table)(data, factory, seed, watch=watch)
        trained.model.save(out)
    found = {"recipe": config.recipe.kind, "odd": odd}
    return found | _report(trained, data, out) | {"notes": kept.notes}


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
        if (n := len(train.unique())) < LEAST:
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
    return {
        "model": str(out),
        "kind": trained.model.kind,
        "train": len(data.train),
        "validation": len(data.validation),
        "cheap": [len(frames) for frames in data.cheap],
        **_validation_errors(trained.model, data.validation),
        "stages": [
            {"stage": h.stage, "seconds": h.seconds, "notes": dict(h.notes)} for h in trained.histories
        ],
        "diagnostics": dict(trained.diagnostics),
        "warnings": list(trained.warnings),
    }


def _validation_errors(model: ForceField, frames: Frames) -> dict[str, float | None]:
    """Return the errors on validation frames, eV/Å, eV and eV per atom; None where no frame has the label."""
    found, sizes = errors(model, frames), np.diff(frames.offsets)
    each = found.per_frame_energy[known := np.isfinite(found.per_frame_energy)] / sizes[known]
    values = {
        "force_mae": found.force_mae,
        "force_rmse": found.force_rmse,
        "energy_mae": found.energy_mae,
        "energy_rmse": found.energy_rmse,
        "energy_mae_per_atom": float(each.mean()) if len(each) else np.nan,
        "energy_rmse_per_atom": float(np.sqrt((each**2).mean())) if len(each) else np.nan,
    }
    return {f"validation_{name}": None if np.isnan(value) else value for name, value in values.items()}
