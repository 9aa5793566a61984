"""What `evaluate` prints."""

from typing import TYPE_CHECKING

from fidsel.cli.output import note, table

if TYPE_CHECKING:
    from fidsel.tasks.evaluate import Evaluated
    from fidsel.training.evaluation import Deviation, Deviations


def evaluation_tables(found: "Evaluated", top: int) -> None:
    """Print errors on the whole, of the forces by element, and by molecule."""
    evaluation = found.evaluation
    whole = evaluation.whole
    rows = [
        ["forces", "meV/Å", *_cells(whole.forces)],
        ["energy", "meV", *_cells(whole.energy)],
        ["energy per atom", "meV", *_cells(whole.energy_per_atom)],
        ["energy, constant taken out", "meV", *_cells(whole.aligned)],
        ["energy per atom, constant taken out", "meV", *_cells(whole.aligned_per_atom)],
    ]
    table(f"errors over {whole.frames} frames", ("errors", "unit", "MAE", "RMSE", "numbers"), rows, text=2)
    elements = [[element, *_cells(deviation)] for element, deviation in evaluation.by_element.items()]
    if elements:
        table("forces by element", ("element", "MAE meV/Å", "RMSE meV/Å", "numbers"), elements)
    molecules = evaluation.by_molecule
    if len(molecules) > 1:
        columns = ["molecule", "frames", "force MAE meV/Å", "force RMSE", "energy MAE meV", "energy RMSE"]
        columns += ["constant taken out eV"]
        shown = [[name, *_molecule(one)] for name, one in list(molecules.items())[:top]]
        table("by molecule; energies with the constant taken out", columns, shown)
        if (more := len(molecules) - top) > 0:
            note(f"{more} more molecules are not listed: raise --top, or take --json, which has all")


def _cells(found: "Deviation | None") -> list[float | int | None]:
    return [None, None, None] if found is None else [1000 * found.mae, 1000 * found.rmse, found.number]


def _molecule(found: "Deviations") -> list[float | int | None]:
    return [found.frames, *_cells(found.forces)[:2], *_cells(found.aligned)[:2], found.constant]
