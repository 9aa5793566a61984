"""The end of a round: measure the model, write the round's folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import Any

import numpy as np

from fidsel.campaign import edits
from fidsel.campaign.records.curves import plot_learning_curve
from fidsel.campaign.records.decisions import Identity
from fidsel.campaign.records.molecules import MoleculeRow
from fidsel.campaign.records.report import FILE, round_report
from fidsel.campaign.records.round import Allocation, ControlArm, HeldOut, Round
from fidsel.campaign.rounds.control import control_arm
from fidsel.campaign.rounds.estimate import ranking
from fidsel.campaign.rounds.held_out import HeldOutErrors
from fidsel.campaign.rounds.measure import Regions, error_unit
from fidsel.campaign.rounds.purchases import wanted_by
from fidsel.campaign.rounds.training_set import candidate_rows
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames, write
from fidsel.data.atomic import write_text
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.store.labels import LabelStore
from fidsel.report import cluster_error_plot, write_report
from fidsel.selector import ClusterErrors, cluster_errors
from fidsel.training.evaluate import Errors, errors
from fidsel.training.stage import Trained, TrainingData

NO_TEST = (
    "no test set: the errors shown are those of the validation labels, by which the campaign decides too; "
    "for a number that nothing was chosen by set campaign.test in a new campaign, or use `fidsel evaluate`"
)
ENERGIES_ONLY = (
    "no accurate forces: errors, clusters and stopping go by energies per frame, in eV; a level with forces "
    "(forces = true) takes far fewer labels, where its method has them"
)


MOST_MOLECULES = 50
"""Molecules of which each is told of; a file may hold many more."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was found of a round."""

    record: Round
    regions: Regions
    data: TrainingData
    tested: HeldOutErrors


def measured(
    ws: Workspace,
    held: HeldOut,
    done: Sequence[Round],
    data: TrainingData,
    trained: Trained,
) -> Measured:
    """Return the record of the round after those that are done: errors, the control arm, what was spent.

    Its wall time is known once this is done.
    """
    campaign, index = ws.campaign, len(done)
    allocation = ws.journal.require(Allocation, index)
    test = ws.labelled(campaign.accurate, held.test)
    shown = test if len(test) else data.validation
    regions = _regions(ws, held, index, trained)
    view, found = regions.of(shown), errors(trained.model, shown)
    each = found.per_frame
    ours, spent = found.metrics(view.clusters), ws.spent()
    control = control_arm(ws, held, done, spent, ours)
    rank = ranking(ws, index, allocation.picks, allocation.error_source) if index else {}
    record = Round(
        campaign=ws.journal.require(Identity).id,
        index=index,
        picks=allocation.picks,
        labels={name: len(ids) for name, ids in _owned(ws, index, held).items()},
        predicted_cost=allocation.predicted_cost,
        cost=spent - (done[-1].spent if done else 0.0),
        spent=spent,
        remaining=ws.remaining(),
        accounts=ws.ledger.accounts(),
        metrics=ours,
        validation=errors(trained.model, data.validation).metrics(),
        cluster_errors=cluster_errors(view.clusters, each).to_dict(),
        control=control,
        error_source={**allocation.error_source, **({"score": rank} if rank else {})},
        training=_training_record(trained),
        seconds={},
        notes=(
            *edits.notes(ws.journal, index),
            *allocation.notes,
            *_notes(ws, held, index, len(test), trained),
            *_used_up(control, campaign.budget),
        ),
        molecules=_molecules(ws, held, index, shown, found),
        finished=time(),
    )
    return Measured(record, regions, data, HeldOutErrors(shown.ids, view.clusters, view.energies, each))


def _used_up(arm: ControlArm | None, budget: Budget) -> list[str]:
    """Return a sentence on a control arm that the pool has too few labels for."""
    if arm is None or not arm.used_up:
        return []
    return [
        f"control arm: the pool gives {arm.labels} labels, fewer than the spend would have bought; the arm "
        f"is compared at what they cost, {budget.format(arm.at)}"
    ]


def publish(ws: Workspace, held: HeldOut, found: Measured, done: Sequence[Round], trained: Trained) -> None:
    """Write the folder of a round; it appears at one stroke.

    Raises a `FidselError` where it cannot be written, or another driver has taken the campaign over.
    """
    ws.lock.check()
    with ws.campaign.folder.publishing(found.record) as folder:
        trained.model.save(folder / "model")
        for number, surrogate in enumerate(trained.surrogates):
            path = surrogate.model.save(folder / "surrogates" / str(number))
            write_text(path / "unseen.txt", "\n".join(surrogate.unseen))
        write(folder / "train.extxyz", found.data.train)
        write(folder / "validation.extxyz", found.data.validation)
        write_text(folder / "config.json", json.dumps(ws.campaign.config, indent=1, default=str))
        if found.record.index == 0:
            found.regions.save(folder, ws.campaign.rules)
        _plot(folder / "cluster_errors.png", found.record, done, ws.campaign.accurate)
        plot_learning_curve(folder / "learning_curve.png", [*done, found.record], ws.campaign.budget)
        found.tested.save(folder)
        clusters, energies = found.regions.clusters, found.regions.energies
        rounds = [*done, found.record]
        write_report(
            round_report(ws.campaign, ws.pool, held.all, clusters, energies, found.tested, rounds),
            folder / FILE,
        )


def _regions(ws: Workspace, held: HeldOut, index: int, trained: Trained) -> Regions:
    campaign = ws.campaign
    if index > 0:
        return Regions.kept(campaign, ws.pool)
    frames = ws.pool[candidate_rows(ws.pool, held)]
    return Regions.fit(frames, trained.model, campaign.rules, campaign.seed_for("clusters"))


def _owned(ws: Workspace, index: int, held: HeldOut) -> dict[str, tuple[str, ...]]:
    """Return the frames whose labels the budget paid for, per fidelity."""
    campaign, ids = ws.campaign, ws.journal.training_ids(index)
    accurate = tuple(dict.fromkeys((*ids.accurate, *held.validation)))
    wanted = {**ids.cheap, campaign.accurate.name: accurate}
    return {f.name: tuple(ws.store.label_ids(f, wanted[f.name])) for f in campaign.fidelities}


def _molecules(
    ws: Workspace, held: HeldOut, index: int, shown: Frames, found: Errors
) -> tuple[MoleculeRow, ...]:
    """Return what there is to know of each of several molecules; nothing of one alone, or of many."""
    if not 1 < len(ws.members) <= MOST_MOLECULES:
        return ()
    tested = ws.members[ws.pool.rows(shown.ids)].of
    picks = ws.members.counts(ws.pool.rows(p.frame for p in ws.journal.require(Allocation, index).picks))
    owned = {name: ws.members.counts(ws.pool.rows(ids)) for name, ids in _owned(ws, index, held).items()}
    prices = {fidelity.name: ws.price_of_each(fidelity) for fidelity in ws.campaign.fidelities}
    paid = ws.ledger.spent_by_frame()
    spent = np.bincount(ws.members.of, [paid.get(frame, 0.0) for frame in ws.pool.ids], len(ws.members))
    rows = []
    for number, name in enumerate(ws.members.names):
        own = np.flatnonzero(tested == number)
        rows.append(
            MoleculeRow(
                name,
                int(ws.members.counts()[number]),
                int(picks[number]),
                {level: int(counts[number]) for level, counts in owned.items()},
                {level: _known(float(each[number])) for level, each in prices.items()},
                float(spent[number]),
                found[own].metrics() if len(own) else None,
            )
        )
    return tuple(rows)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _notes(ws: Workspace, held: HeldOut, index: int, tested: int, trained: Trained) -> list[str]:
    """Return what a person should know of a round beyond what the picker said."""
    campaign = ws.campaign
    found = [*trained.warnings, *([] if tested else [NO_TEST])]
    if not campaign.accurate.forces:
        found.append(ENERGIES_ONLY)
    late, wanted = ws.journal.late(index), wanted_by(campaign, ws.journal, index)
    for fidelity in campaign.fidelities:
        name, ids = fidelity.name, wanted[fidelity.name]
        away = frozenset(late.get(name, ()))
        if away:
            found.append(f"{len(away)} of {len(ids)} labels of {name} are late and join the next round")
        found += missing(ws.store, fidelity, [frame for frame in ids if frame not in away])
    if index == 0:
        found += missing(ws.store, campaign.accurate, held.validation, "validation ")
        found += missing(ws.store, campaign.accurate, held.test, "test ")
    return found


def missing(store: LabelStore, fidelity: Fidelity, wanted: Sequence[str], purpose: str = "") -> list[str]:
    """Return sentences on labels that were wanted and are not there."""
    lacking = set(wanted).difference(store.label_ids(fidelity, wanted))
    failures = store.failures(fidelity, tuple(lacking))
    failed = [frame for frame in wanted if frame in lacking and frame in failures]
    found = []
    if failed:
        first = failures[failed[0]]
        found.append(
            f"{len(failed)} of {len(wanted)} {purpose}labels of {fidelity.name} failed: {first}; mend the "
            "cause if more fail alike, `fidsel status --failed` lists them"
        )
    if unpaid := len(lacking) - len(set(failed)):
        found.append(
            f"the budget ended before {unpaid} of {len(wanted)} {purpose}labels of {fidelity.name}: what is "
            "there is used; a larger budget.total buys more"
        )
    return found


def _training_record(trained: Trained) -> dict[str, Any]:
    histories = [asdict(history) for history in trained.histories]
    return {"histories": histories, "diagnostics": dict(trained.diagnostics)}


def _plot(path: Path, record: Round, done: Sequence[Round], accurate: Fidelity) -> None:
    """Draw the cluster errors of a round, those of round 0 behind them."""
    now, unit = ClusterErrors.from_dict(dict(record.cluster_errors)), f"m{error_unit(accurate.forces)}"
    if not done:
        cluster_error_plot(now, path, unit=unit)
        return
    first, names = ClusterErrors.from_dict(dict(done[0].cluster_errors)), ("round 0", f"round {record.index}")
    cluster_error_plot(first, path, after=now, names=names, unit=unit)
