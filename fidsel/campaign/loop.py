"""The loop: buy, train, measure, pick again, as a generator of rounds."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from itertools import count

from fidsel.campaign.ending import stop_reason
from fidsel.campaign.plans.coverage import gaps
from fidsel.campaign.plans.plan import Prepared, prepare, start_size, unbought
from fidsel.campaign.plans.spread import spread
from fidsel.campaign.records.decisions import End, Identity
from fidsel.campaign.records.round import Allocation, Pick, Round
from fidsel.campaign.rounds.at_rest import check_at_rest
from fidsel.campaign.rounds.baseline import chosen_baseline, judge_baseline
from fidsel.campaign.rounds.clock import seconds_of, timed
from fidsel.campaign.rounds.propose import choose
from fidsel.campaign.rounds.publish import measured, publish
from fidsel.campaign.rounds.purchases import purchase
from fidsel.campaign.rounds.suspicion import trusted
from fidsel.campaign.rounds.training import Wanted, forget_trainings, watched
from fidsel.campaign.rounds.training_set import training_data
from fidsel.campaign.settings import Campaign, Reporter, silent
from fidsel.campaign.workspace import Workspace, open_workspace
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.level import Fidelity
from fidsel.training.stage import Trained, TrainingData


def iterate(
    campaign: Campaign, report: Reporter = silent, break_lock: bool = False
) -> Generator[Round, None, None]:
    """Run a campaign round by round and yield the record of each.

    Everything bought or decided is on disk before it is acted on, so a campaign that was stopped at any
    moment goes on from there and picks what an undisturbed one picks. Rounds finished earlier are not
    yielded again (`CampaignFolder.read_rounds` has them).

    Parameters
    ----------
    campaign : what to run.
    report : hears how far labelling has come.
    break_lock : take the campaign from a process that seems to hold it.

    Raises
    ------
    FidselError
        where the campaign cannot go on; what was bought stays bought.

    Examples
    --------
    >>> import tempfile
    >>> from fidsel.config.build import open_campaign
    >>> from fidsel.testing import example_campaign
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rounds = list(iterate(open_campaign(example_campaign(folder))))
    >>> [found.index for found in rounds], rounds[-1].spent <= 16
    ([0, 1], True)
    """
    if not isinstance(campaign, Campaign):
        raise UsageError(
            "iterate takes an opened campaign, as in iterate(fidsel.open_campaign('methanol')), got "
            f"{campaign!r}"
        )
    with open_workspace(campaign, report, break_lock) as ws:
        done = list(campaign.folder.read_rounds())
        if done and done[0].campaign != ws.journal.require(Identity).id:
            home = campaign.folder
            raise FidselError(
                f"{home.rounds} and {home.store} belong to different campaigns: put back the store the "
                "rounds were made with, or move the rounds away"
            )
        ready = prepare(ws)
        for index in count(len(done)):
            if done:
                why = stop_reason(campaign, ws.journal, done)
                ws.journal.write(End(len(done), why))
                if why:
                    return
            record = _round(ws, ready, index, done)
            done.append(record)
            yield record


def _round(ws: Workspace, ready: Prepared, index: int, done: Sequence[Round]) -> Round:
    campaign, journal = ws.campaign, ws.journal
    with timed(journal, index, "labelling"):
        if journal.read(Allocation, index) is None:
            ws.begin("choosing frames" if index else "drawing the random start")
            journal.write(_start(ws, ready) if index == 0 else choose(ws, ready, index), index)
        purchase(ws, ready.held, index)
    clock = ws.training_clock()
    with timed(journal, index, "training"):
        data = training_data(campaign, ws.store, ws.pool, journal.training_ids(index), ready.held)
        checked = trusted(campaign, ws.pool, data)
        data = checked.data
        trained, told = _train(ws, data, index, done)
    ws.charge_training(ws.training_clock() - clock, f"round {index}")
    ws.begin("measuring on held-out labels")
    with timed(journal, index, "measuring"):
        found = measured(ws, ready.held, done, data, trained)
    checks, failed = check_at_rest(ws, trained.model)
    notes = (*found.record.notes, *checked.notes, *told, *failed)
    record = replace(
        found.record,
        notes=notes,
        checks=checks,
        accounts=ws.ledger.accounts(),
        seconds=dict(seconds_of(journal, index)),
    )
    found = replace(found, record=replace(record, stop=stop_reason(campaign, journal, [*done, record])))
    publish(ws, ready.held, found, done, trained)
    forget_trainings(campaign.folder)
    return found.record


def _start(ws: Workspace, ready: Prepared) -> Allocation:
    """Return round 0, as many labels as planned: of random frames, and cheap ones of frames unlike these."""
    campaign = ws.campaign
    made = ready.plan
    planned = dict(zip(made.levels, map(max, made.recommended.bought, made.labelled), strict=True))
    name, why = campaign.accurate.name, "random start"
    accurate = ready.orders[name][: start_size(ws, made)]
    cheap = {}
    for level in (fidelity.name for fidelity in campaign.cheap):
        order, wanted = ready.orders[level], max(planned[level], len(accurate))
        random = order[: min(wanted, ready.at_random(len(accurate)))]
        cheap[level] = (*random, *spread(ws, order, random, wanted - len(random)))
    rows = ws.pool.rows(accurate).tolist()
    picks = tuple(Pick(frame, row, name, -1, why) for frame, row in zip(accurate, rows, strict=True))
    cost = ws.cost({**cheap, name: (*accurate, *ready.held.validation)})
    notes = (*unbought(campaign), *gaps(campaign, ws.cover))
    return Allocation(accurate, cheap, picks, cost, notes=notes)


def _train(
    ws: Workspace, data: TrainingData, index: int, done: Sequence[Round]
) -> tuple[Trained, tuple[str, ...]]:
    """Return what the recipe makes of the labels, and what is to be noted of the baseline."""
    ws.begin("training")
    ws.report("training", 0, 1)
    campaign = ws.campaign
    _require(ws, campaign.accurate, "training", len(data.train), 1)
    _require(ws, campaign.accurate, "validation", len(data.validation), 1)
    # of a recipe that takes bare configurations the levels are none, the frames one set
    for fidelity, frames in zip(campaign.cheap, data.cheap, strict=False):
        _require(ws, fidelity, "training", len(frames), 2)
    told, baseline = judge_baseline(ws, data, done), chosen_baseline(ws)
    wanted = Wanted(campaign.recipe, data, campaign.seed_for("training", index))
    (trained,) = watched(campaign, ws.report, {"training": wanted}, baseline, ws.trainer)
    ws.report("training", 1, 1)
    return trained, told


def _require(ws: Workspace, fidelity: Fidelity, purpose: str, found: int, least: int) -> None:
    """Raise `FidselError` where too few labels could be had to train on."""
    if found >= least:
        return
    failures = ws.store.failures(fidelity)
    why = next(iter(failures.values()), "the budget did not pay for them")
    remedy = "mend the cause and give `fidsel retry`" if failures else "raise budget.total"
    if why.startswith("set aside"):
        remedy = "begin anew with a mended source, or give `fidsel release --all` if they are right"
    raise FidselError(
        f"training needs at least {least} {purpose} labels of {fidelity.name}, got {found} ({len(failures)} "
        f"failed): {why.rstrip('. ')}. What was paid for is kept; {remedy}, then the same command again"
    )
