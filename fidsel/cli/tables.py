"""The tables of `iterate`, `status` and `select`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fidsel.cli.output import note, table

if TYPE_CHECKING:
    from fidsel.campaign.records.round import ControlArm, Round
    from fidsel.campaign.records.summary import Summary
    from fidsel.campaign.selection.settings import SelectionRound
    from fidsel.fidelity.budget import Budget
    from fidsel.tasks.file_selection import FileSelection
    from fidsel.training.evaluate import Metrics

KCAL = 0.0433641
"""eV in one kcal/mol."""


def round_line(record: "Round", budget: "Budget") -> str:
    """Return one line on a finished round."""
    labels = ", ".join(f"{count} {name}" for name, count in record.labels.items())
    force, energy = record.metrics.force_mae, record.metrics.energy_mae
    error = "energies only" if force is None else _force(force)
    energies = "" if energy is None else f", energy MAE {1000 * energy:.3g} meV"
    spent = f"spent {budget.format(record.spent)} of {budget}"
    return f"round {record.index}: {labels}; force MAE {error}{energies}; {spent}"


def _force(value: float | None) -> str:
    return "–" if value is None else f"{1000 * value:.3g} meV/Å ({value / KCAL:.3g} kcal/mol/Å)"


def trained_line(found: Mapping[str, Any]) -> str:
    """Return one line on a training on files."""
    mae = found["validation_force_mae"]
    shown = "energies only" if mae is None else f"validation force MAE {_force(mae)}"
    if found["validation_energy_mae"] is not None:
        atom = [1000 * found[f"validation_energy_{name}_per_atom"] for name in ("mae", "rmse")]
        shown += f", energy MAE {atom[0]:.3g} and RMSE {atom[1]:.3g} meV/atom"
    return f"{found['recipe']} on {found['train']} accurate labels: {shown}; model in {found['model']}"


def campaign_table(found: "Summary") -> None:
    """Print the rounds of a campaign beside its control arm, and where its money went."""
    show, (size, unit) = found.budget.format, found.budget.scale
    names = list(found.rounds[-1].labels) if found.rounds else []
    columns = ["round", *names, f"predicted {unit}", f"cost {unit}", f"spent {unit}"]
    arms = [record.control for record in found.rounds if record.control is not None]
    extrapolated = bool(arms) and arms[-1].kind != "bought"
    how = ", extrapolated" if extrapolated else ""
    columns += ["force MAE meV/Å", "energy MAE meV"]
    columns += ["control labels", f"control MAE meV/Å{how}", f"saving{how}"]
    rows = []
    for record in found.rounds:
        force, energy = record.metrics.force_mae, record.metrics.energy_mae
        rows.append(
            [
                str(record.index),
                *(record.labels[name] for name in names),
                record.predicted_cost / size,
                record.cost / size,
                record.spent / size,
                None if force is None else 1000 * force,
                None if energy is None else 1000 * energy,
                *_control_cells(record.control),
            ]
        )
    table(f"{found.folder}: {found.state}", columns, rows)
    if extrapolated:
        note(
            f"control and saving are {arms[-1].basis} (last round); campaign.control = 'bought' in a new "
            "campaign measures them, beside the budget"
        )
    if arms:
        note(f"control arm, last round: {arms[-1].saving.words}")
    accounts = ", ".join(f"{name} {show(amount)}" for name, amount in found.accounts.items())
    note(f"budget {found.budget}, spent {show(found.spent)}; ledger: {accounts or 'empty'}")
    for record in found.rounds:
        for text in record.notes:
            note(f"round {record.index}: {text}")
    if found.best is not None:
        note(f"best round: {_best(found)}; model in {found.model}")
    if not found.finished:
        _progress_lines(found)


def _best(found: "Summary") -> str:
    from fidsel.campaign.records.best import best_words
    from fidsel.campaign.rounds.measure import error_unit

    best = found.rounds[0] if found.best is None else found.best
    return best_words(best, found.rounds, error_unit(best.validation.force_mae is not None))


def _progress_lines(found: "Summary") -> None:
    """Say what is done of the next round, and who does it."""
    if found.progress is not None:
        for step in found.progress.steps:
            note(f"round {found.progress.round}, {step}")
        if found.progress.words:
            note(f"last begun: {found.progress.words}")
    note(found.driver.words if found.driver else "no process works on it: `fidsel iterate` begins or goes on")


def _control_cells(arm: "ControlArm | None") -> list[object]:
    if arm is None:
        return [None, None, None]
    error = f"{1000 * arm.error:.4g}"
    if arm.low != arm.high:
        error += f" ({1000 * arm.low:.3g}–{1000 * arm.high:.3g})"
    return [arm.labels, error, arm.saving.cell]


def selection_line(found: "SelectionRound", unit: str) -> str:
    """Return one line on a round of a selection."""
    start = f"round {found.index}: {found.labels} labels"
    if found.held_out is None:
        return f"{start}; {found.stop}"
    rmse, worst, tail = ("–" if cell is None else f"{cell:.4g}" for cell in _set_cells(found.held_out))
    return f"{start}; held-out RMSE {rmse}, worst clusters {worst}, 99th percentile {tail} m{unit}"


def selection_table(found: "FileSelection") -> None:
    """Print the rounds of a selection beside its control arm."""
    unit = f"m{found.task.unit}"
    columns = ["round", "labels", f"held-out RMSE {unit}", "worst clusters", "99th percentile", "pool RMSE"]
    columns += ["control RMSE", "control worst"]
    rows = []
    for i, one in enumerate(found.rounds):
        arm = found.control[i].held_out if i < len(found.control) else None
        cells = [*_set_cells(one.held_out), _set_cells(one.pool)[0]]
        rows.append([str(one.index), one.labels, *cells, *_set_cells(arm)[:2]])
    table(f"selection from {found.request.pool.text}", columns, rows)
    for one in found.rounds:
        for text in one.notes:
            note(f"round {one.index}: {text}")
    note(f"{found.rounds[-1].stop or 'not finished'}; picks in {found.request.out}")


def _set_cells(found: "Metrics | None") -> list[float | None]:
    if found is None:
        return [None, None, None]
    values = (found.error("rmse"), found.worst, found.p99)
    return [None if value is None else 1000 * value for value in values]
