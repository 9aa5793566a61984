"""The loop: buy, train, measure, pick again, as a generator of rounds."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

from fidsel.campaign.choose import choose, fit_regions
from fidsel.campaign.control import control_arm
from fidsel.campaign.measure import Regions, metrics
from fidsel.campaign.mixture import Mixture, mixture, read_allocation, training_data, write_allocation
from fidsel.campaign.planning import Prepared, prepare, start_size
from fidsel.campaign.record import Allocation, Pick, Round
from fidsel.campaign.settings import Campaign, Reporter
from fidsel.campaign.workspace import Workspace, identify, open_workspace
from fidsel.data import write
from fidsel.data.atomic import write_text
from fidsel.errors import FidselError
from fidsel.selector import ClusterErrors, cluster_error_plot
from fidsel.training.stage import Trained

NO_TEST = "no test set: the errors shown are those of the validation labels"


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


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
    """
    with open_workspace(campaign, report, break_lock) as ws:
        ready = prepare(ws)
        done = list(campaign.folder.read_rounds())
        for index in count(len(done)):
            if done and stop_reason(ws, done):
                return
            record = _round(ws, ready, index, done)
            done.append(record)
            yield record


def stop_reason(ws: Workspace, done: Sequence[Round]) -> str:
    """Return why the campaign ends after these rounds, "" where it goes on."""
    rules, last = ws.campaign.rules, done[-1]
    if rules.target is not None and last.validation.headline <= rules.target:
        return f"target reached: validation error {last.validation.headline:.4g} ≤ {rules.target:.4g} eV/Å"
    if last.index >= rules.rounds:
        return f"round limit: {rules.rounds} rounds of picking are done"
    cost = frame_cost(ws)
    if not ws.campaign.budget.pays(last.spent + cost):
        return f"budget spent: the next frame costs {ws.campaign.budget.format(cost)}"
    if last.index > 0 and not last.picks:
        return "pool exhausted: every candidate is labelled"
    return ""


def frame_cost(ws: Workspace) -> float:
    """Return what one accurate training frame costs, its cheap labels included, base units."""
    return sum(ws.prices().values())


def _round(ws: Workspace, ready: Prepared, index: int, done: Sequence[Round]) -> Round:
    began = perf_counter()
    allocation = read_allocation(ws.store, index)
    if allocation is None:
        allocation = _start(ws, ready) if index == 0 else _next(ws, ready, index)
        write_allocation(ws.store, index, allocation)
    _purchase(ws, ready, allocation)
    labelled = perf_counter()
    ids = mixture(ws, index)
    trained = _train(ws, ready, ids, index)
    seconds = {"labelling": labelled - began, "training": perf_counter() - labelled}
    ws.ledger.charge(
        "training", _training_amount(ws, seconds["training"]), f"round {index}", seconds["training"]
    )
    return _publish(ws, ready, index, done, allocation, ids, trained, seconds)


def _start(ws: Workspace, ready: Prepared) -> Allocation:
    """Return round 0: accurate and cheap labels of random frames, as many as planned."""
    campaign = ws.campaign
    planned = dict(zip(ready.plan.levels, ready.plan.recommended.bought, strict=True))
    size = start_size(ws, planned[campaign.accurate.name])
    accurate = ready.order[:size]
    cheap = {f.name: ready.order[: max(planned[f.name], size)] for f in campaign.cheap}
    row = {frame: i for i, frame in enumerate(ws.store.frames().ids)}
    name, why = campaign.accurate.name, "random start"
    picks = tuple(Pick(frame, row[frame], name, -1, why) for frame in accurate)
    prices = ws.prices()
    cost = sum(prices[level] * len(ids) for level, ids in cheap.items())
    cost += prices[name] * (len(accurate) + campaign.rules.validation)
    return Allocation(accurate, cheap, picks, cost)


def _next(ws: Workspace, ready: Prepared, index: int) -> Allocation:
    """Return a later round: the picks, each at every level."""
    campaign = ws.campaign
    choice = choose(ws, ready.held, index, _size(ws, index))
    accurate = tuple(pick.frame for pick in choice.picks)
    cheap = {fidelity.name: accurate for fidelity in campaign.cheap}
    cost = len(accurate) * frame_cost(ws)
    return Allocation(accurate, cheap, choice.picks, cost, choice.error_source, choice.notes)


def _size(ws: Workspace, index: int) -> int:
    """Return how many frames a round picks: an even share of what measured costs leave to buy."""
    rules = ws.campaign.rules
    probes = rules.probes * ws.price(ws.campaign.accurate) if rules.error == "probe" else 0.0
    left = rules.rounds - index + 1
    affordable = int(max(ws.remaining() - probes * left, 0.0) / frame_cost(ws) + 1e-9)
    if rules.per_round is not None:
        return min(rules.per_round, affordable)
    return -(-affordable // left)


def _purchase(ws: Workspace, ready: Prepared, allocation: Allocation) -> None:
    """Buy what is allocated; held-out labels first, cheap before accurate."""
    campaign = ws.campaign
    ws.buy(campaign.accurate, ready.held.validation, "validation")
    ws.buy(campaign.accurate, ready.held.test, "test")
    for fidelity in campaign.cheap:
        ws.buy(fidelity, allocation.cheap[fidelity.name], "train")
    ws.buy(campaign.accurate, allocation.accurate, "train")


def _train(ws: Workspace, ready: Prepared, ids: Mixture, index: int) -> Trained:
    ws.report("training", 0, 1)
    data = training_data(ws, ids, ready.held)
    if len(data.train) == 0 or len(data.validation) == 0:
        failures = ws.store.failures(ws.campaign.accurate)
        why = next(iter(failures.values()), "the budget did not pay for them")
        raise FidselError(
            f"round {index} has {len(data.train)} accurate training and {len(data.validation)} validation "
            f"labels, at least one of each is needed: {why}"
        )
    trained = ws.campaign.recipe(data, ws.campaign.model, ws.campaign.seed_for("training", index))
    ws.report("training", 1, 1)
    return trained


def _training_amount(ws: Workspace, seconds: float) -> float:
    """Return what training time is worth in base units; nothing where the budget counts labels."""
    return seconds if ws.campaign.budget.unit == "core-second" else 0.0


def _publish(
    ws: Workspace,
    ready: Prepared,
    index: int,
    done: Sequence[Round],
    allocation: Allocation,
    ids: Mixture,
    trained: Trained,
    seconds: dict[str, float],
) -> Round:
    """Measure the model, write the round's folder and return its record."""
    began, campaign = perf_counter(), ws.campaign
    data = training_data(ws, ids, ready.held)
    test = ws.labelled(campaign.accurate, ready.held.test)
    shown = test if len(test) else data.validation
    scratch = campaign.folder.scratch(index)
    trained.model.save(scratch / "model")
    for number, surrogate in enumerate(trained.surrogates):
        folder = surrogate.model.save(scratch / "surrogates" / str(number))
        write_text(folder / "unseen.txt", "\n".join(surrogate.unseen))
    write_text(scratch / "config.json", json.dumps(dict(campaign.config), indent=1))
    write(scratch / "train.extxyz", data.train)
    write(scratch / "validation.extxyz", data.validation)
    if index == 0:
        regions = fit_regions(ws, ready.held, trained.model)
        regions.clusters.save(scratch / "clusters.npz")
    else:
        regions = Regions.load(campaign.folder.round(0), campaign.rules.descriptor)
    found = regions.errors(trained.model, shown)
    if found is not None:
        _plot(scratch / "cluster_errors.png", found, done)
    ours, spent = metrics(trained.model, shown), ws.ledger.spent()
    control = control_arm(ws, ready.held, ids, done, spent, ours)
    seconds["measuring"] = perf_counter() - began
    record = Round(
        campaign=identify(campaign, ws.store),
        index=index,
        picks=allocation.picks,
        labels=_owned(ws, ids, ready),
        predicted_cost=allocation.predicted_cost,
        cost=spent - (done[-1].spent if done else 0.0),
        spent=spent,
        remaining=ws.remaining(),
        accounts=ws.ledger.accounts(),
        metrics=ours,
        validation=metrics(trained.model, data.validation),
        cluster_errors=found.to_dict() if found is not None else {},
        control=control,
        error_source=allocation.error_source,
        training=_training_record(trained),
        seconds=seconds,
        notes=allocation.notes if len(test) else (*allocation.notes, NO_TEST),
    )
    record = Round(**{**record.__dict__, "stop": stop_reason(ws, [*done, record])})
    campaign.folder.publish(record, scratch)
    return record


def _owned(ws: Workspace, ids: Mixture, ready: Prepared) -> dict[str, int]:
    """Return labels that the budget paid for, per fidelity."""
    campaign = ws.campaign
    have = {f.name: set(ws.store.label_ids(f)) for f in campaign.fidelities}
    counts = {f.name: len(have[f.name].intersection(ids.cheap[f.name])) for f in campaign.cheap}
    accurate = set(ids.accurate) | set(ready.held.validation)
    return counts | {campaign.accurate.name: len(have[campaign.accurate.name] & accurate)}


def _training_record(trained: Trained) -> dict[str, Any]:
    histories = [asdict(history) for history in trained.histories]
    return {"histories": histories, "diagnostics": dict(trained.diagnostics)}


def _plot(path: Path, now: ClusterErrors, done: Sequence[Round]) -> None:
    """Draw the cluster errors of a round, those of round 0 behind them."""
    if done and done[0].cluster_errors:
        first = ClusterErrors.from_dict(done[0].cluster_errors)
        names = ("round 0", f"round {len(done)}")
        cluster_error_plot(first, path, after=now, names=names)
    else:
        cluster_error_plot(now, path)
