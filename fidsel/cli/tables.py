"""The tables of `plan`, `iterate`, `status` and `select`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fidsel.cli.output import note, table

if TYPE_CHECKING:
    from fidsel.campaign.failures import LevelFailure
    from fidsel.campaign.records.round import ControlArm, Round
    from fidsel.campaign.records.summary import Summary
    from fidsel.campaign.selection.held_out import SetErrors
    from fidsel.campaign.selection.settings import SelectionRound
    from fidsel.fidelity.budget import Budget
    from fidsel.fidelity.planner.plan import Plan, Split
    from fidsel.tasks.select import FileSelection

KCAL = 0.0433641
"""eV in one kcal/mol."""

SHORT = 12
"""Characters of a frame's id that tell it from others."""


def round_line(record: "Round", budget: "Budget") -> str:
    """Return one line on a finished round."""
    labels = ", ".join(f"{count} {name}" for name, count in record.labels.items())
    error = _force(record.metrics.force_mae) if record.metrics.force_mae is not None else "energies only"
    return (
        f"round {record.index}: {labels}; force MAE {error}, energy MAE "
        f"{1000 * record.metrics.energy_mae:.3g} meV; spent {budget.format(record.spent)} of {budget}"
    )


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
                1000 * energy,
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


def usage_lines(found: "Summary") -> None:
    """Say where the best model of a campaign is and how to use it."""
    if found.model is None:
        return
    from fidsel.campaign.records.best import python_lines

    note("use it in Python, for ASE Atoms in the order of the training frames (train.extxyz beside it):")
    for line in python_lines(found.model):
        note(f"    {line}")
    note(f"measure it on labels of your own: fidsel evaluate {found.model} FILE --out parity.png")


def _control_cells(arm: "ControlArm | None") -> list[object]:
    if arm is None:
        return [None, None, None]
    error = f"{1000 * arm.error:.4g}"
    if arm.low != arm.high:
        error += f" ({1000 * arm.low:.3g}–{1000 * arm.high:.3g})"
    return [arm.labels, error, arm.saving.cell]


def plan_tables(made: "Plan") -> None:
    """Print the splits of a plan, the recommended one marked, and what another budget or price would do."""
    budget = made.budget
    columns = ["", *made.levels, "cost", f"error, × accurate alone for {budget}", "90 %", "wall time s"]
    mark = made.recommended.bought
    rows = [["→" if split.bought == mark else "", *_split_cells(split, budget)] for split in made.table]
    basis = "published priors" if made.basis == "priors" else f"{made.points} measured points"
    table(f"plan for {budget}; gains from {basis}", columns, rows)
    others = [[case.name, *_split_cells(case.split, budget)] for case in made.scenarios if case.split]
    table("what if", columns, others)
    note(f"what if: errors are relative to accurate labels alone at these prices and the full {budget}")
    note(f"per label: {_prices(made, budget)}; {_beforehand(made, budget)}")
    beside_note(made)
    for text in made.warnings:
        note(text)


def beside_note(made: "Plan") -> None:
    """Tell what is bought beside the budget, and how long it takes."""
    budget = made.budget
    for row in made.beside:
        wall = "" if row.wall is None else f", {row.wall / 60:.2g} min on {made.workers} workers"
        note(f"beside the budget of {budget}: {row.labels} {row.what}, {budget.format(row.cost)}{wall}")


def _prices(made: "Plan", budget: "Budget") -> str:
    """Return what a label costs at each level, and why an accurate one may cost more than its price."""
    told = [f"{name} {budget.format(cost)}" for name, cost in zip(made.levels, made.prices, strict=True)]
    if made.companion:
        own, beside = budget.format(made.prices[-1] - made.companion), budget.format(made.companion)
        told[-1] += (
            f" ({own}, and {beside} for the same frame at the cheaper levels, where each accurate frame is "
            "labelled too)"
        )
    return ", ".join(told)


def _beforehand(made: "Plan", budget: "Budget") -> str:
    """Return what the budget pays for beside the training labels of the table."""
    cost = made.validation * (made.prices[-1] - made.companion)
    spent = made.fixed - cost
    told = f"set aside beforehand: {made.validation} validation labels, {budget.format(cost)}"
    return told + (f"; spent in vain: {budget.format(spent)}" if spent > 1e-9 * made.fixed else "")


def _split_cells(split: "Split", budget: "Budget") -> list[object]:
    spread = f"{split.relative.low:.2f}–{split.relative.high:.2f}"
    return [*split.bought, budget.format(split.cost), f"{split.relative.median:.2f}", spread, split.wall]


def selection_line(found: "SelectionRound", unit: str) -> str:
    """Return one line on a round of a selection."""
    start = f"round {found.index}: {found.labels} labels"
    if found.held_out is None:
        return f"{start}; {found.stop}"
    worst = "–" if found.held_out.worst is None else f"{1000 * found.held_out.worst:.4g}"
    return (
        f"{start}; held-out RMSE {1000 * found.held_out.rmse:.4g}, worst clusters {worst}, 99th percentile "
        f"{1000 * found.held_out.p99:.4g} m{unit}"
    )


def selection_table(found: "FileSelection") -> None:
    """Print the rounds of a selection beside its control arm."""
    unit = f"m{found.task.unit}"
    columns = ["round", "labels", f"held-out RMSE {unit}", "worst clusters", "99th percentile", "pool RMSE"]
    columns += ["control RMSE", "control worst"]
    rows = []
    for i, one in enumerate(found.rounds):
        arm = found.control[i].held_out if i < len(found.control) else None
        cells = [*_set_cells(one.held_out), None if one.pool is None else 1000 * one.pool.rmse]
        rows.append([str(one.index), one.labels, *cells, *_set_cells(arm)[:2]])
    table(f"selection from {found.request.pool.text}", columns, rows)
    for one in found.rounds:
        for text in one.notes:
            note(f"round {one.index}: {text}")
    note(f"{found.rounds[-1].stop or 'not finished'}; picks in {found.request.out}")


def _set_cells(found: "SetErrors | None") -> list[float | None]:
    if found is None:
        return [None, None, None]
    return [None if value is None else 1000 * value for value in (found.rmse, found.worst, found.p99)]


def failure_table(found: "Sequence[LevelFailure]", budget: "Budget") -> None:
    """Print frames without a label to use, level by level, and what can be done about them."""
    if not found:
        note("every label that was asked for is there and is used")
        return
    size, unit = budget.scale
    rows = [
        (
            row.level,
            row.failure.frame_id[:SHORT],
            row.failure.cause,
            "again" if row.failure.again else "",
            row.failure.error,
            row.row,
            row.failure.tries or None,
            row.failure.cost / size,
        )
        for row in found
    ]
    columns = ("level", "frame", "cause", "tried", "why", "row of the pool", "failed", f"cost {unit}")
    table("frames without a label to use", columns, rows, text=5)
    note(
        "`fidsel retry` (--cause NAME) has failed labels tried again, `fidsel release FRAME` trains on "
        "labels that were set aside (quarantined)"
    )
