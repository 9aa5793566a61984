"""An ASE calculator around a force field."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from fidsel.data import Frames
from fidsel.errors import UsageError

if TYPE_CHECKING:
    from fidsel.models.contract import ForceField


class ForceFieldCalculator(Calculator):
    """Energy (eV) and forces (eV/Å) of a force field, for anything that runs on ASE.

    Parameters
    ----------
    model : the force field; what it cannot treat (cell, element, molecule) is its own `UsageError`.
    level : level of theory to predict; None = the model's default.
    """

    def __init__(self, model: "ForceField", level: str | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.implemented_properties = ["energy", "free_energy", "forces"]
        self.model, self.level = model, level

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
        prediction = self.model.predict(Frames.from_atoms([self.atoms]), self.level)
        energy = float(prediction.energy[0])
        self.results = {"energy": energy, "free_energy": energy, "forces": prediction.forces}
