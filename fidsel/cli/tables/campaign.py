"""What `iterate` and `status` print of a campaign."""

from typing import TYPE_CHECKING

from fidsel.cli.output import note, table

if TYPE_CHECKING:
    from fidsel.campaign.records.round import ControlArm, Round
    from fidsel.campaign.records.summary import Summary
    from fidsel.fidelity.budget import Budget

MOST = 30
"""Running labels that are listed."""
KCAL = 0.0433641
"""eV in one kcal/mol."""


def round_line(record: "Round", budget: "Budget") -> str:
    """Return one line on a finished round."""
    labels = ", ".join(f"{count} {name}" for name, count in record.labels.items())
    force, energy = record.metrics.force_mae, record.metrics.energy_mae
    error = "energies only" if force is None else force_words(force)
    energies = "" if energy is None else f", energy MAE {1000 * energy:.3g} meV"
    spent = f"spent {budget.format(record.spent)} of {budget}"
    return f"round {record.index}: {labels}; force MAE {error}{energies}; {spent}"


def force_words(value: float | None) -> str:
    """Return a force error in words, in two units."""
    return "–" if value is None else f"{1000 * value:.3g} meV/Å ({value / KCAL:.3g} kcal/mol/Å)"


def campaign_table(found: "Summary") -> None:
    """Print the rounds of a campaign beside its control arm, and where its money went."""
    show, (size, unit) = found.budget.format, found.budget.scale
    names = list(found.rounds[-1].labels) if found.rounds else []
    columns = ["round", *names, f"predicted {unit}", f"cost {unit}", f"spent {unit}"]
    arms = [record.control for record in found.rounds if record.control is not None]
    extrapolated = bool(arms) and arms[-1].kind != "bought"
    mixed = len({arm.kind for arm in arms}) > 1
    how = ", extrapolated" if extrapolated and not mixed else ""
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
                *_control_cells(record.control, mixed),
            ]
        )
    table(f"{found.folder}: {found.state}", columns, rows)
    if found.rounds and found.rounds[-1].molecules:
        _molecule_table(found)
    if found.rounds and found.rounds[-1].checks:
        _rest_table(found.rounds[-1])
    if extrapolated:
        note(
            f"control and saving are {arms[-1].basis} (last round); campaign.control = 'bought' in a new "
            "campaign measures them, beside the budget"
        )
    if arms:
        note(f"control arm, last round: {arms[-1].saving.words}")
    accounts = ", ".join(f"{name} {show(amount)}" for name, amount in found.accounts.items())
    given = f" ({found.given} in the last round)" if found.given else ""
    note(f"budget {found.budget}{given}, spent {show(found.spent)}; ledger: {accounts or 'empty'}")
    for record in found.rounds:
        for text in record.notes:
            note(f"round {record.index}: {text}")
    if found.best is not None:
        note(f"best round: {_best(found)}; model in {found.model}")
    _edit_lines(found)
    if not found.finished:
        _progress_lines(found)


def _edit_lines(found: "Summary") -> None:
    """Say what becomes of edits that no round has begun with."""
    for text in found.edits.taken:
        note(f"edited, from the next round on: {text}")
    if found.edits.refused:
        note(f"the next `fidsel iterate` refuses the settings as they are now: {found.edits.refused}")


def _molecule_table(found: "Summary") -> None:
    """Print a row for each molecule of the last round."""
    record, (size, unit) = found.rounds[-1], found.budget.scale
    names = list(record.labels)
    columns = [
        "molecule",
        *names,
        "picked",
        f"spent {unit}",
        "held-out frames",
        "force MAE meV/Å",
        "energy MAE meV",
    ]
    rows = []
    for one in record.molecules:
        force, energy = (one.metrics.force_mae, one.metrics.energy_mae) if one.metrics else (None, None)
        rows.append(
            [
                one.name,
                *(one.labels[name] for name in names),
                one.picks,
                one.spent / size,
                one.metrics.frames if one.metrics else 0,
                None if force is None else 1000 * force,
                None if energy is None else 1000 * energy,
            ]
        )
    table(f"molecules after round {record.index}", columns, rows)


def _rest_table(record: "Round") -> None:
    """Print how the last model compares for molecules at rest."""
    from fidsel.campaign.records.at_rest import numbers

    columns = ("molecule", "RMSD Å", "bonds Å", "angles °", "frequencies 1/cm", "largest")
    energies = ("torsion_mae", "torsion_barrier", "conformer_mae", "conformer_range")
    rows = []
    for one in record.checks:
        known = numbers(one)
        others = [1000 * value if (value := known.pop(name, None)) is not None else None for name in energies]
        rows.append([one["molecule"], *known.values(), *others])
    title = f"at rest after round {record.index}, against {record.checks[0]['level']}"
    table(title, (*columns, "torsions meV", "barriers meV", "conformers meV", "highest meV"), rows)


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
        _work_lines(found)
    note(found.driver.words if found.driver else "no process works on it: `fidsel iterate` begins or goes on")


def _work_lines(found: "Summary") -> None:
    """Say what runs where, and how long the present step will take."""
    work, step = found.work, found.progress.step if found.progress else None
    if work.blocks:
        note("blocks: " + ", ".join(f"{block.job} {block.state}" for block in work.blocks))
    for level, count in work.awaited.items():
        note(
            f"{count} labels of {level} are awaited of other people: `fidsel label export --out FOLDER` "
            "writes the jobs, `fidsel label import FOLDER` reads the results"
        )
    if work.running or work.waiting:
        note(f"labels under way: {len(work.running)} running, {work.waiting} waiting")
    if work.running:
        columns = ["frame", "level", "node", "runs for s", "predicted s"]
        rows = [
            [one.frame, one.level, one.host or "this driver's", one.elapsed, one.predicted]
            for one in work.running[:MOST]
        ]
        table("labels that run", columns, rows)
    if step is not None and (left := work.seconds_left(step.total - step.done)):
        note(f"{work.per_hour:.3g} labels an hour; {step.what} will take {left / 60:.3g} min more")


def _control_cells(arm: "ControlArm | None", mixed: bool) -> list[object]:
    """Return labels, error and saving, with how they are known where that differs between rounds."""
    if arm is None:
        return [None, None, None]
    how = " extrapolated" if mixed and arm.kind != "bought" else ""
    error = f"{1000 * arm.error:.4g}"
    if arm.low != arm.high:
        error += f" ({1000 * arm.low:.3g}–{1000 * arm.high:.3g})"
    return [arm.labels, error + how, arm.saving.cell + how]
