"""The baseline of a campaign: its labels of the whole pool, and whether it is used."""

from collections.abc import Sequence

from fidsel.campaign.records.decisions import BaselineVerdict
from fidsel.campaign.records.round import Round
from fidsel.campaign.settings import CampaignBaseline
from fidsel.campaign.workspace import Workspace
from fidsel.exceptions import FidselError
from fidsel.models.combinations.labels import SourceLabels
from fidsel.training.baseline import judge
from fidsel.training.stage import TrainingData

MOST_FAILED = 0.1
"""Part of the pool that a baseline may fail for: those configurations are left out."""


def label_baseline(ws: Workspace) -> None:
    """Compute the baseline of all configurations that have none yet, and remember it for trainings.

    Its labels lie in the store like those of a level, at no price: the time they take is a line of the
    account "baseline". Configurations it fails for are neither picked nor held out.

    Raises
    ------
    FidselError
        where it fails for more than a tenth of the configurations, or the first ones fail alike.
    """
    baseline = ws.campaign.baseline
    if baseline is None:
        return
    ws.buy(baseline.level, ws.pool.ids, "baseline")
    known = ws.labelled(baseline.level, ws.pool.ids)
    if len(ws.pool) - len(known) > MOST_FAILED * len(ws.pool):
        why = next(iter(ws.store.failures(baseline.level).values()), "its labels were not finished")
        raise FidselError(
            f"the baseline {baseline.level.name} has labels of {len(known)} of {len(ws.pool)} configurations "
            f"only ({why.rstrip('. ')}): change its settings, `fidsel retry` where the cause is mended, or "
            "leave out model.baseline"
        )
    baseline.labels.know(known)
    ws.bar({*ws.pool.ids}.difference(known.ids))


def chosen_baseline(ws: Workspace) -> SourceLabels | None:
    """Return the baseline that trainings use; None = there is none, or it was measured not to help."""
    baseline = ws.campaign.baseline
    if baseline is None:
        return None
    record = _verdict(ws, baseline)
    return baseline.labels if baseline.always or record is None or record.used else None


def judge_baseline(ws: Workspace, data: TrainingData, done: Sequence[Round]) -> tuple[str, ...]:
    """Measure whether the baseline helps, on the first round with labels enough, and say what was found.

    Parameters
    ----------
    done : rounds so far; what one of them says is not said again. A round that was stopped once it had
        measured says it when it is resumed.
    """
    baseline = ws.campaign.baseline
    if baseline is None or baseline.always:
        return ()
    if (known := _verdict(ws, baseline)) is not None:
        told = f"{baseline.level.name}: {known.why}"
        return () if any(told in one.notes for one in done) else (told,)
    ws.begin("testing whether the baseline helps")
    found = judge(data, baseline.labels, ws.campaign.seed_for("baseline"))
    if found.measured:
        ws.journal.write(BaselineVerdict(baseline.level.key, found.used, found.why))
    return (f"{baseline.level.name}: {found.why}",)


def _verdict(ws: Workspace, baseline: CampaignBaseline) -> BaselineVerdict | None:
    """Return what was measured of this baseline; one that an edit has replaced is measured anew."""
    record = ws.journal.read(BaselineVerdict)
    return record if record is not None and record.key == baseline.level.key else None
