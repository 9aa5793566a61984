"""An ASE calculator around a force field."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from fidsel.data import Frames
from fidsel.data.formats.electrons import electrons_of_atoms
from fidsel.exceptions import UsageError
from fidsel.models.ranges import ExtrapolationWarning, furthest

if TYPE_CHECKING:
    from fidsel.models.contract import ForceField


class ForceFieldCalculator(Calculator):
    """Energy (eV) and forces (eV/Å) of a force field, for anything that runs on ASE.

    Parameters
    ----------
    model : the force field; what it cannot treat (cell, element, molecule) is its own `UsageError`.
    level : level of theory to predict; None = the model's default.

    Warns
    -----
    ExtrapolationWarning
        once, at the first frame far outside of what the model has learnt; `ForceField.extrapolation` tells
        how far any frame is.
    """

    def __init__(self, model: "ForceField", level: str | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.implemented_properties = ["energy", "free_energy", "forces"]
        self.model, self.level, self._told = model, level, False

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill `results` for the given atoms; energy and forces always come together."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        if self.atoms is None:
            raise UsageError("a calculation needs atoms: attach the calculator, or pass atoms")
        frames = Frames.from_atoms([self.atoms])
        prediction = self.model.predict(frames, self.level)
        self._warn(frames)
        energy = float(prediction.energy[0])
        self.results = {"energy": energy, "free_energy": energy, "forces": prediction.forces}

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Return what of the atoms differs from those of the last results; charge and spin count, too.

        ASE does not look at `atoms.info`, where they may stand.
        """
        changes: list[str] = super().check_state(atoms, tol)  # type: ignore[no-untyped-call]
        if not changes and self.atoms is not None:
            before, now = (electrons_of_atoms(one, "the atoms") for one in (self.atoms, atoms))
            if (before.charge or 0, before.spin or 0) != (now.charge or 0, now.spin or 0):
                changes.append("initial_charges")
        return changes

    def _warn(self, frames: Frames) -> None:
        """Say so at the first frame that is far outside of what the model has learnt."""
        if self._told or not self.model.seen:
            return
        (found,) = furthest(self.model.seen, frames)
        if found.far:
            self._told = True
            said = f"{found.told(frames.numbers)}. This is said once; model.extrapolation measures it"
            warnings.warn(said, ExtrapolationWarning, stacklevel=3)
