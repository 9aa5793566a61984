"""A model refined for the systems of a file: from what a person named to a folder with the refined model."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from fidsel.campaign.settings import Reporter, silent
from fidsel.config.levels import Baseline, BaselineSection
from fidsel.config.load import check_config
from fidsel.config.models import Device
from fidsel.config.parts import build_baseline
from fidsel.config.sections import changes
from fidsel.config.strict import Strict
from fidsel.data.atomic import folder_for, replacing
from fidsel.data.label_file import LabelFile, Labels
from fidsel.data.seed import checked_seed
from fidsel.fidelity.molecules.molecule import Molecule, from_frames, from_smiles
from fidsel.fidelity.source import LabelSource
from fidsel.models import ForceField
from fidsel.refine import Adaptation, Means, Prior, Refinement, always, refine
from fidsel.refine.figure import radius_plot
from fidsel.refine.files import PICTURE, RECORD, discard_record
from fidsel.refine.spectrum import Measure
from fidsel.tasks.baseline import named_baseline
from fidsel.tasks.model_files import ANOTHER, load_folder, require_no_model
from fidsel.tasks.shift import trained_on

Changed: Any = changes(Adaptation)
"""What differs from the published steps on a prior."""


class PriorConfig(Strict):
    """A prior, as a section of settings."""

    prior: Baseline
    """What computes the cheap labels."""


class RefineConfig(Changed):  # type: ignore[misc]
    """Settings of `fidsel refine`: what differs from the published steps on a prior, and the following."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    device: Device = "auto"
    """Where the model is refined: "auto" (CUDA where there is any), "cpu", "cuda" or "cuda:N"."""
    head: str | None = None
    """Level of the model's head for the prior; by default the only one beside its own level."""
    radius: Measure = "wasserstein"
    """How far apart graphs are, where training frames are given: "wasserstein" compares molecules of unlike
    sizes, "published" is that of the paper."""

    def means(self) -> dict[str, Any]:
        """Return the arguments of `refine_files` that these settings are."""
        steps = {field.name: getattr(self, field.name) for field in fields(Adaptation)}
        return {
            "device": self.device,
            "head": self.head,
            "radius": self.radius,
            "adaptation": Adaptation(**{name: one for name, one in steps.items() if one is not None}),
        }


def refine_files(
    model: ForceField | Path | str,
    tests: Labels,
    *,
    prior: Prior | LabelSource | str | None = None,
    train: Labels | None = None,
    out: Path | str = "refined",
    device: str = "auto",
    head: str | None = None,
    radius: Measure = "wasserstein",
    adaptation: Adaptation | None = None,
    seed: int = 0,
    force: bool = False,
    report: Reporter = silent,
) -> Refinement:
    """Refine a model for each system of a file, save it with a record and return what was done.

    Parameters
    ----------
    model : a network, alone or above a baseline, or the folder of one, of a round or of a campaign.
    tests : frames to refine it for; labels are only compared with.
    prior : its name, see `named_baseline`, a label source, or what makes one for the frames of a system;
        None = only the cutoff is chosen.
    train : training frames of the model, whose graphs the cutoff is chosen by; None = the cutoff stays.
    out : folder of the refined model.
    device : where a model in a folder is refined.
    head, radius, adaptation : see `fidsel.refine.Means`.
    seed : decides batches and frames held out.
    force : whether a model that is there may be replaced.
    report : hears of each system.

    Raises
    ------
    UsageError
        where files cannot be read, `out` holds a model, and see `fidsel.refine.refine`.
    """
    seed = checked_seed(seed)
    out = Path(out)
    if not force:
        require_no_model(out, ANOTHER)
    made = model if isinstance(model, ForceField) else load_folder(model, device)
    means = Means(
        prior=None if prior is None else _prior(prior),
        head=head,
        training=None if train is None else trained_on(made, train),
        measure=radius,
        how=adaptation or Adaptation(),
    )
    frames = LabelFile.of(tests).read("accurate", labelled=False)
    with folder_for(out):
        found = refine(made, frames, means, seed=seed, say=report)
        own = {"candidates": found.candidates(10), "adaptation": vars(means.how), "seed": seed}
        text = json.dumps(found.to_dict() | own, indent=1, allow_nan=False)
        discard_record(out)
        found.model.save(out)
        with replacing(out / RECORD) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
        if any(system.radius is not None for system in found.systems):
            radius_plot(found, out / PICTURE)
    return found


def section_prior(section: BaselineSection) -> Prior:
    """Return the prior that a section describes: its source for the molecule of some frames.

    Raises
    ------
    UsageError
        where there is none, of any molecule.
    """

    def source(found: Callable[[], Sequence[Molecule]]) -> LabelSource:
        return build_baseline(section, found, Path()).source

    source(lambda: [from_smiles("O")])
    return lambda frames: source(lambda: [from_frames(frames)])


def _prior(given: Prior | LabelSource | str) -> Prior:
    if isinstance(given, str):
        return section_prior(check_config(PriorConfig, {"prior": named_baseline(given)}, (), "--prior").prior)
    return always(given) if isinstance(given, LabelSource) else given
