"""What `plan` prints."""

from typing import TYPE_CHECKING

from fidsel.cli.output import note, table

if TYPE_CHECKING:
    from fidsel.fidelity.budget import Budget
    from fidsel.fidelity.planner.plan import Plan, Split


def plan_tables(made: "Plan") -> None:
    """Print the splits of a plan, the recommended one marked, and what another budget or price would do."""
    budget = made.budget
    columns = ["", *made.levels, "cost", f"error, × accurate alone for {budget}", "90 %"]
    columns += [*(["force MAE meV/Å"] if made.recommended.error else []), "wall time s"]
    rows = [[_mark(made, split), *_split_cells(split, budget)] for split in made.table]
    basis = "other molecules" if made.basis == "priors" else f"{made.points} measured points"
    table(f"plan for {budget}; errors expected from {basis}", columns, rows)
    others = [[case.name, *_split_cells(case.split, budget)] for case in made.scenarios if case.split]
    table("what if", columns, others)
    note(f"what if: errors are relative to accurate labels alone at these prices and the full {budget}")
    note(f"per label: {_prices(made, budget)}; {_beforehand(made, budget)}")
    beside_note(made)
    for text in made.assumed:
        note(f"assumed: {text}")
    for text in made.warnings:
        note(text)


def _mark(made: "Plan", split: "Split") -> str:
    """Return what sets a row apart: that it is recommended, and that nothing is paid at cheap levels."""
    alone = len(made.levels) > 1 and split is made.table[0]
    return " ".join(["→"] * (split == made.recommended) + ["alone"] * alone)


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
    error = split.error
    told = (
        [] if error is None else [f"{1e3 * error.median:.2g} ({1e3 * error.low:.2g}–{1e3 * error.high:.2g})"]
    )
    return [
        *split.labels,
        budget.format(split.cost),
        f"{split.relative.median:.2f}",
        spread,
        *told,
        split.wall,
    ]
