"""The report of a round: made from what the round's folder and the store hold, without a model."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.campaign.journal import Journal
from fidsel.campaign.molecules import Members
from fidsel.campaign.records.at_rest import words
from fidsel.campaign.records.best import best_round, best_words
from fidsel.campaign.records.curves import headline, learning_curves, spend_label
from fidsel.campaign.records.end import why_ended
from fidsel.campaign.records.molecules import MoleculeRow
from fidsel.campaign.records.round import ControlArm, HeldOut, Round
from fidsel.campaign.rounds.held_out import HeldOutErrors
from fidsel.campaign.rounds.measure import error_unit, read_clusters
from fidsel.campaign.settings import Campaign
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.store.labels import LabelStore
from fidsel.report import Picked, Report, describe_clusters
from fidsel.report.molecules import MoleculeLine
from fidsel.report.pictures.torsions import Turned
from fidsel.selector import BroadClusters, ClusterErrors
from fidsel.training.evaluate import Metrics

FILE = "report.html"


def round_report(
    campaign: Campaign,
    pool: Frames,
    held: Collection[str],
    clusters: BroadClusters,
    energies: FloatArray,
    tested: HeldOutErrors,
    rounds: Sequence[Round],
    ended: str | None = None,
) -> Report:
    """Return the report of the last of some rounds.

    Clusters are described on the candidates they were made from and on the held-out frames, whose errors
    are the only ones known.

    Parameters
    ----------
    held : ids of the frames that are never trained on.
    clusters, energies : of the candidates of round 0.
    rounds : up to the one to report.
    ended : why the campaign ended after them, "" while it goes on; None = as the last of them says.
    """
    last, forces = rounds[-1], campaign.accurate.forces
    away = set(held)
    fitted = [i for i, frame in enumerate(pool.ids) if frame not in away][: len(energies)]
    rows = np.array([*fitted, *pool.rows(tested.frames)], dtype=np.int64)
    members = Members.among(pool[rows], campaign.molecules)
    table = describe_clusters(
        pool[rows],
        np.concatenate([clusters.labels, tested.clusters]),
        np.concatenate([np.full(len(fitted), np.nan), tested.errors]),
        np.concatenate([energies, tested.energies]),
        rows=rows,
        molecules=[members.names[number] for number in members.of] if len(members) > 1 else None,
    )
    return Report(
        title=f"{campaign.name}, round {last.index}",
        facts=_facts(campaign, pool, rounds, last.stop if ended is None else ended),
        errors=_errors(last),
        before=_errors(rounds[0]) if len(rounds) > 1 else None,
        names=("round 0", f"round {last.index}"),
        curves=learning_curves(rounds, campaign.budget),
        spend=spend_label(campaign.budget),
        quantity=headline(forces),
        clusters=table,
        picks=tuple(pick for record in rounds for pick in _picked(record)),
        **_bounds(last),
        molecules=tuple(_line(campaign, row) for row in last.molecules),
        torsions={str(one["molecule"]): _turned(one) for one in last.checks},
        source=campaign.accurate.name,
        notes=(*_basis(len(tested.frames), last), *last.notes),
        unit=error_unit(forces),
    )


def read_report(campaign: Campaign, index: int | None = None) -> tuple[int, Report]:
    """Return a finished round of a campaign, the last one where none is named, and its report.

    It only reads, so another process may drive the campaign meanwhile. Raises a `FidselError` where there is
    no such round or its files cannot be read.
    """
    home = campaign.folder
    rounds = home.read_rounds()
    last = len(rounds) - 1 if index is None else index
    if not 0 <= last < len(rounds):
        if not rounds:
            raise UsageError(
                f"no round of {home.path} is finished, so there is none to report: run `fidsel iterate`"
            )
        raise UsageError(f"there is no round {last} to report: rounds 0 to {len(rounds) - 1} are finished")
    first = home.round(0)
    with LabelStore(home.store, read_only=True) as store:
        held, pool = Journal(store).require(HeldOut).all, store.frames()
    clusters, energies = read_clusters(first)
    tested = HeldOutErrors.load(home.round(last))
    if unknown := set(tested.frames) - set(pool.ids):
        raise FidselError(
            f"{home.round(last)} has errors of frames that {home.store} has not, such as {min(unknown)!r}: "
            "put back a copy of the folder, or move its round and later ones away to redo them"
        )
    ended = why_ended(home, rounds) if last == len(rounds) - 1 else None
    shown = rounds[: last + 1]
    return last, round_report(campaign, pool, held, clusters, energies, tested, shown, ended)


def _turned(check: Mapping[str, Any]) -> tuple[Turned, ...]:
    return tuple(
        Turned(one["bond"], one["angles"], one["reference_energies"], {"model": one["energies"]})
        for one in check["torsions"]
    )


def _errors(record: Round) -> ClusterErrors:
    return ClusterErrors.from_dict(dict(record.cluster_errors))


def _basis(tested: int, last: Round) -> list[str]:
    """Return what the numbers of a report are of."""
    frames = "1 held-out frame" if tested == 1 else f"{tested} held-out frames"
    found = [
        f"errors are those of {frames}, never trained on; sizes, distances and energies are those of the "
        "candidates too. Energies are predictions of the model of round 0"
    ]
    if _bounds(last):
        found.append("bounds are of the model before this round, on the candidates it had to pick from")
    return found


def _facts(
    campaign: Campaign, pool: Frames, rounds: Sequence[Round], ended: str
) -> tuple[tuple[str, str], ...]:
    last, budget = rounds[-1], campaign.budget
    labels = ", ".join(f"{count} {name}" for name, count in last.labels.items())
    facts = [
        ("molecule", ", ".join(row.name for row in last.molecules) or ", ".join(pool.composition())),
        ("labels bought", labels),
        ("spent", f"{budget.format(last.spent)} of {budget}"),
        ("test errors", _metrics(last.metrics)),
    ]
    if last.control is not None:
        facts.append(
            (
                "control arm",
                _control(last.control, campaign.accurate.name, f"m{error_unit(campaign.accurate.forces)}"),
            )
        )
    if last.error_source:
        facts.append(("errors behind the picks", _source(last.error_source)))
    best = best_round(rounds)
    if best is not None and len(rounds) > 1:
        facts.append(("best round", best_words(best, rounds, error_unit(campaign.accurate.forces))))
    facts += [(f"{one['molecule']} at rest, against {one['level']}", words(one)) for one in last.checks]
    facts.append(("wall time, waiting for a queue included", _wall(rounds)))
    facts.append(("state", ended or "goes on"))
    return tuple(facts)


def _wall(rounds: Sequence[Round]) -> str:
    """Return how long the last round took, part by part, and all rounds; over all processes of each."""
    parts = ", ".join(f"{name} {duration(seconds)}" for name, seconds in rounds[-1].seconds.items())
    total = sum(sum(record.seconds.values()) for record in rounds)
    return f"{parts}; all rounds {duration(total)}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it.

    >>> duration(8.24), duration(600.0), duration(36000.0)
    ('8.2 s', '10 min', '10 h')
    """
    units = ((3600.0, "h"), (60.0, "min"))
    size, unit = next((pair for pair in units if seconds >= 2 * pair[0]), (1.0, "s"))
    return f"{seconds / size:.2g} {unit}"


def _line(campaign: Campaign, row: MoleculeRow) -> MoleculeLine:
    labels = ", ".join(f"{count} {name}" for name, count in row.labels.items())
    frames, error = (row.metrics.frames, row.metrics.headline) if row.metrics else (0, None)
    return MoleculeLine(row.name, frames, error, labels, campaign.budget.format(row.spent), row.picks)


def _metrics(found: Metrics) -> str:
    values = (("force MAE", found.force_mae), ("force RMSE", found.force_rmse))
    forces = [f"{name} {1000 * value:.3g} meV/Å" for name, value in values if value is not None]
    energy = [] if found.energy_mae is None else [f"energy MAE {1000 * found.energy_mae:.3g} meV"]
    return ", ".join([*forces, *energy])


def _control(arm: ControlArm, level: str, unit: str) -> str:
    spread = f" (90 %: {1000 * arm.low:.3g}–{1000 * arm.high:.3g})" if arm.low != arm.high else ""
    error = f"MAE {1000 * arm.error:.3g}{spread} {unit}"
    return f"{arm.labels} random {level} labels, {arm.basis}: {error}; {arm.saving.words}"


def _source(found: Mapping[str, Any]) -> str:
    """Return how the errors that the picks went by were estimated, and how well that ranked them."""
    told, score = str(found["kind"]), found.get("score", {})
    if found.get("labelled"):
        told += f", from {found['labelled']} labels the model had not seen"
    ranks = [(name, score.get(f"{name}_rank")) for name in ("cluster", "frame")]
    known = [f"{rank:.2f} over {name}s" for name, rank in ranks if rank is not None]
    return told + (f"; rank correlation with what was then measured: {', '.join(known)}" if known else "")


def _bounds(record: Round) -> dict[str, Any]:
    """Return the bounds of the clusters' errors, their coverage, and which share their calibration."""
    found = record.error_source.get("bounds", {})
    if "clusters" not in found:
        return {}
    bounds = {int(cluster): float(bound) for cluster, bound in found["clusters"].items() if bound is not None}
    own = {int(cluster) for cluster in found["own_factors"]}
    return {"bounds": bounds, "coverage": found["coverage"], "pooled": set(bounds) - own}


def _picked(record: Round) -> list[Picked]:
    estimates = record.error_source.get("estimates", {})
    return [
        Picked(
            str(pick.row), pick.cluster, pick.reason, record.index, pick.fidelity,
            estimates.get(pick.frame, np.nan), at_random=record.index == 0,
        )
        for pick in record.picks
    ]  # fmt: skip
