"""What `shift` and `refine` print."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from fidsel.cli.output import note, number_text, table

if TYPE_CHECKING:
    from fidsel.refine import Refinement, Shift, SystemRecord


def shift_table(found: "Shift") -> None:
    """Print each measure of each system, and those of training."""
    names = list(found.per_frame)
    scales = {
        name: next((s.measures[name] for s in found.systems if name in s.measures), None) for name in names
    }
    told = [one and f"{number_text(one.mean)} ± {one.spread:.2g}" for one in scales.values()]
    rows: list[list[object]] = [["training", None, *told, ""]]
    for system in found.systems:
        each = [system.measures.get(name) for name in names]
        values = [one and number_text(one.value) + (" *" if one.far else "") for one in each]
        rows.append([system.name, system.frames, *values, system.verdict])
    table("shift from the training frames", ("system", "frames", *names, "verdict"), rows)
    note("* more than one standard deviation of the training frames away")
    for system in found.systems:
        for text in system.notes:
            note(f"{system.name}: {text}")


def refinement_tables(found: "Refinement", out: Path) -> None:
    """Print what was done for each system, why, and where the model is."""
    columns = ("system", "outcome", "frames", "cutoff Å", "prior error meV/Å", "after", "force MAE meV/Å",
               "after", "prior's own", "s")  # fmt: skip
    table("refinement", columns, [_row(one) for one in found.systems], text=2)
    for system in found.systems:
        for text in system.notes:
            note(f"{system.name}: {text}")
    if found.candidates(1):
        rows = ", ".join(map(str, found.candidates(10)))
        note(f"frames on which the prior error stays largest, candidates for accurate labels: {rows}")
    refined = any(system.status == "refined" for system in found.systems)
    note(f"refined model in {out}" if refined else f"no system was refined: the model in {out} is as before")


def _row(system: "SystemRecord") -> list[object]:
    cutoff = system.radius and system.radius.chosen
    prior = [None, None] if system.prior_error is None else [1000 * x for x in system.prior_error]
    errors: list[float | None] = [None, None, None]
    if (one := system.compared) is not None:
        told = (one.before.mean(), one.after.mean(), one.prior)
        errors = [1000 * float(x) if isfinite(x) else None for x in told]
    seconds = sum((system.seconds or {}).values())
    return [system.name, system.status, system.frames, cutoff, *prior, *errors, seconds]
