"""What `select` prints."""

from typing import TYPE_CHECKING

from fidsel.cli.output import note, table

if TYPE_CHECKING:
    from fidsel.campaign.selection.settings import SelectionRound
    from fidsel.tasks.file_selection import FileSelection
    from fidsel.training.evaluate import Metrics


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
