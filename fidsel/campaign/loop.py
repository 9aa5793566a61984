"""The loop: buy, train, measure, pick again, as a generator of rounds."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from time import perf_counter

from fidsel.campaign.plans.coverage import gaps
from fidsel.campaign.plans.plan import Prepared, prepare, start_size, unbought
from fidsel.campaign.plans.share import frame_cost
from fidsel.campaign.records.round import Allocation, Pick, Round
from fidsel.campaign.rounds.measure import error_unit
from fidsel.campaign.rounds.propose import choose
from fidsel.campaign.rounds.publish import measured, publish
from fidsel.campaign.rounds.purchases import purchase
from fidsel.campaign.rounds.suspicion import trusted
from fidsel.campaign.rounds.training import forget_trainings, watched
from fidsel.campaign.rounds.training_set import (
    mixture,
    read_allocation,
    read_late,
    training_data,
    write_allocation,
)
from fidsel.campaign.settings import Campaign, Reporter, silent
from fidsel.campaign.workspace import Workspace, identify, open_workspace
from fidsel.exceptions import FidselError
from fidsel.fidelity.level import Fidelity
from fidsel.selector.stopping import Stopping
from fidsel.training.stage import Trained, TrainingData


def iterate(campaign: Campaign, report: Reporter = silent, break_lock: bool = False) -> Iterator[Round]:
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
    with open_workspace(campaign, report, break_lock) as ws:
        done = list(campaign.folder.read_rounds())
        if done and done[0].campaign != identify(campaign, ws.store):
            home = campaign.folder
            raise FidselError(
                f"{home.rounds} and {home.store} belong to different campaigns: put back the store the "
                "rounds were made with, or move the rounds away"
            )
        ready = prepare(ws)
        for index in count(len(done)):
            if done and stop_reason(ws, done):
                return
            record = _round(ws, ready, index, done)
            done.append(record)
            yield record


def stop_reason(ws: Workspace, done: Sequence[Round]) -> str:
    """Return why the campaign ends after these rounds, "" where it goes on."""
    rules, last = ws.campaign.rules, done[-1]
    if reached := _low_enough(ws, done):
        return reached
    if last.index >= rules.rounds:
        return f"round limit: {rules.rounds} rounds of picking are done (campaign.rounds)"
    cost = frame_cost(ws)
    if any((read_late(ws.store, last.index) or {}).values()):
        return ""  # the next round trains on them, and picks what the budget pays for
    if not ws.campaign.budget.pays(last.spent + cost):
        return f"budget spent: the next frame costs {ws.campaign.budget.format(cost)}"
    if last.index > 0 and not last.picks:
        return "pool exhausted: every candidate is labelled or has failed"
    return ""


def _low_enough(ws: Workspace, done: Sequence[Round]) -> str:
    """Return which rule on errors ends the campaign, "" where none does."""
    rules, last, unit = ws.campaign.rules, done[-1], error_unit(ws.campaign.accurate.forces)
    if rules.target is not None and last.validation.headline <= rules.target:
        return f"target reached: validation error {last.validation.headline:.4g} ≤ {rules.target:.4g} {unit}"
    bounds = last.error_source.get("bounds", {}).get("clusters", {})
    if rules.cluster_target is not None and bounds and max(bounds.values()) <= rules.cluster_target:
        return (
            f"target reached in every cluster: errors before this round were bound to at most "
            f"{max(bounds.values()):.4g} ≤ {rules.cluster_target:.4g} {unit}"
        )
    return Stopping(patience=rules.patience).flat([one.validation.headline for one in done])


def _round(ws: Workspace, ready: Prepared, index: int, done: Sequence[Round]) -> Round:
    began = perf_counter()
    allocation = read_allocation(ws.store, index)
    if allocation is None:
        ws.begin("choosing frames" if index else "drawing the random start")
        allocation = _start(ws, ready) if index == 0 else choose(ws, ready, index)
        write_allocation(ws.store, index, allocation)
    purchase(ws, ready.held, index, allocation)
    labelled = perf_counter()
    ids = mixture(ws, index)
    believed = trusted(ws, training_data(ws, ids, ready.held))
    data = believed.data
    trained = _train(ws, data, index)
    seconds = {"labelling": labelled - began, "training": perf_counter() - labelled}
    ws.ledger.charge(
        "training", _training_amount(ws, seconds["training"]), f"round {index}", seconds["training"]
    )
    ws.begin("measuring on held-out labels")
    found = measured(ws, ready.held, index, done, allocation, ids, data, trained, seconds)
    notes = (*found.record.notes, *believed.notes)
    found = replace(
        found, record=replace(found.record, notes=notes, stop=stop_reason(ws, [*done, found.record]))
    )
    publish(ws, ready.held, found, done, trained)
    forget_trainings(ws)
    return found.record


def _start(ws: Workspace, ready: Prepared) -> Allocation:
    """Return round 0: accurate and cheap labels of random frames, as many as planned."""
    campaign = ws.campaign
    made = ready.plan
    planned = dict(zip(made.levels, map(max, made.recommended.bought, made.labelled), strict=True))
    name, why = campaign.accurate.name, "random start"
    accurate = ready.orders[name][: start_size(ws, made)]
    cheap = {f.name: ready.orders[f.name][: max(planned[f.name], len(accurate))] for f in campaign.cheap}
    row = {frame: i for i, frame in enumerate(ws.pool.ids)}
    picks = tuple(Pick(frame, row[frame], name, -1, why) for frame in accurate)
    numbers = {level: len(ids) for level, ids in cheap.items()}
    cost = ws.cost(numbers | {name: len(accurate) + len(ready.held.validation)})
    notes = (*unbought(campaign), *gaps(campaign, ws.cover))
    return Allocation(accurate, cheap, picks, cost, notes=notes)


def _train(ws: Workspace, data: TrainingData, index: int) -> Trained:
    ws.begin("training")
    ws.report("training", 0, 1)
    campaign = ws.campaign
    _require(ws, campaign.accurate, "training", len(data.train), 1)
    _require(ws, campaign.accurate, "validation", len(data.validation), 1)
    # of a recipe that takes bare configurations the levels are none, the frames one set
    for fidelity, frames in zip(campaign.cheap, data.cheap, strict=False):
        _require(ws, fidelity, "training", len(frames), 2)
    trained = watched(ws, campaign.recipe, data, campaign.seed_for("training", index), "training")
    ws.report("training", 1, 1)
    return trained


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


def _training_amount(ws: Workspace, seconds: float) -> float:
    """Return what training time is worth in base units; nothing where the budget counts labels."""
    return seconds if ws.campaign.budget.unit == "core-second" else 0.0
