"""Molecules at rest by models from files, beside a source whose labels have limits of time and memory."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from fidsel.data.atomic import require_writable
from fidsel.data.label_file import Labels
from fidsel.data.memory import memory_share
from fidsel.exceptions import FidselError
from fidsel.fidelity.engine.local import LocalEngine, available_cores
from fidsel.fidelity.engine.task import Result
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.source import LabelSource
from fidsel.md.check.asked import asked
from fidsel.md.check.compare import Rest
from fidsel.md.dynamics.study import systems
from fidsel.md.surface import Labelled
from fidsel.models import ForceField
from fidsel.models.combinations.labels import Outcome, SourceLabels
from fidsel.models.source import ModelSource
from fidsel.report.pictures.plot import require_picture
from fidsel.report.pictures.torsions import Turned, torsion_plot
from fidsel.tasks.dynamics.models import Model, called, maker, makers
from fidsel.tasks.dynamics.starts import read_starts


def check_files(
    models: Sequence[Model],
    starts: Labels,
    source: Model,
    *,
    device: str = "auto",
    picture: Path | None = None,
    time_limit: float | None = None,
) -> dict[str, Any]:  # Any: plain values
    """Return how relaxed geometries, frequencies, torsions and conformers of models compare with a source's.

    Each molecule relaxes from its first frame. Labels of sources are computed in worker processes, where one
    that crashes, hangs or takes too much memory costs no more than itself.

    Parameters
    ----------
    picture : gets the torsion scans, as PNG or SVG.
    time_limit : s, of one label of a source; None = ten minutes, or twenty times the usual core-seconds
        where that is longer.

    Raises
    ------
    UsageError
        where files cannot be read, or the picture cannot be written or has no bond that can be turned about.
    FidselError
        where no minimum is found, or a label passes its limit of time.
    """
    require_writable(picture)
    require_picture(picture)
    named = makers(models, device)
    truth, name = maker(source, device), called(source)
    checks, scans = [], []
    with LocalEngine(available_cores()) as engine:
        for part in systems(read_starts(starts)):
            first, system = part[:1].unlabelled(), str(part.formulas[0])
            known = Rest.of(_limited(engine, truth(first), name, time_limit), first)
            found = {
                model: known.compared(_limited(engine, made(first), model, time_limit))
                for model, made in named.items()
            }
            checks += [{"model": model, "system": system, **told} for model, told in found.items()]
            scans += _turned(system, found)
    if picture is not None:
        torsion_plot(scans, name, picture)
    return {"source": name, "checks": checks}


def _limited(
    engine: LocalEngine, model: ForceField | LabelSource, name: str, time_limit: float | None
) -> "ForceField | Labelled":
    """Return the labels of a source as an engine computes them; a model, and what has no forces, as it is."""
    if isinstance(model, (ForceField, ModelSource)) or not model.forces:
        return model
    level = Fidelity(name, model, Price(), time_limit, memory_limit=memory_share(engine.workers))

    def run(frames: Sequence[Atoms]) -> Iterator[Outcome]:
        usual = labels.seconds / labels.count if labels.count else None
        return asked(engine, level, frames, usual, f"raise --time-limit for {name}", stray=_unasked)

    labels = SourceLabels(model, run=run)
    return labels


def _unasked(result: Result) -> None:
    raise FidselError(f"an engine gave a result that nobody asked for: {result[0].key}")


def _turned(system: str, found: Mapping[str, Mapping[str, Any]]) -> list[Turned]:  # Any: plain values
    """Return a scan for each bond of a molecule, with the energies of all models, by name."""
    return [
        Turned(
            f"{system} {bonds[0]['bond']}",
            bonds[0]["angles"],
            bonds[0]["reference_energies"],
            {name: turn["energies"] for name, turn in zip(found, bonds, strict=True)},
        )
        for bonds in zip(*(told["torsions"] for told in found.values()), strict=True)
    ]
