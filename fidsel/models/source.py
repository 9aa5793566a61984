"""`ModelSource`: a trained force field as a label source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ase import Atoms

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import Label, LabelError, Value, check_positions
from fidsel.models.contract import ForceField
from fidsel.models.files import content_digest
from fidsel.models.registry import load


@dataclass(frozen=True)
class ModelSource:
    """A trained force field.

    Parameters
    ----------
    path : folder of the model, as `ForceField.save` wrote it; in fidsel.toml relative to it.

    Attributes
    ----------
    digest : hash of the model as it was when the source was made. A source whose files have since
        changed refuses to label: two models never share a label.
    """

    path: Path
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path).resolve())
        object.__setattr__(self, "digest", content_digest(self.path))

    @property
    def forces(self) -> bool:
        """Whether labels carry forces: always."""
        return True

    def settings(self) -> Mapping[str, Value]:
        """Return what changes the number: the content of the model, wherever it lies."""
        return {"kind": "model", "digest": self.digest}

    def warm_up(self, atoms: Atoms) -> None:  # noqa: ARG002 - the same for every frame
        """Load the model."""
        self.model()

    def model(self) -> ForceField:
        """Return the model.

        Raises
        ------
        UsageError
            where its files have changed or are gone.
        """
        return _model(self.path, self.digest)

    def label(self, atoms: Atoms) -> Label:
        """Return the model's energy and forces.

        Raises
        ------
        UsageError
            where the model's files have changed or are gone.
        LabelError
            "refused" for a configuration the model cannot treat.
        """
        model = self.model()
        check_positions(atoms)
        try:
            prediction = model.predict(Frames.from_atoms([atoms]))
        except UsageError as error:
            raise LabelError(str(error), cause="refused") from error
        return Label(
            float(prediction.energy[0]),
            prediction.forces,
            provenance={"model": model.kind, "level": model.level, "digest": self.digest},
        )


@lru_cache(maxsize=8)
def _model(path: Path, digest: str) -> ForceField:
    if content_digest(path) != digest:
        raise UsageError(f"the model in {path} has changed since this label source was made: make a new one")
    return load(path)
