"""Pilot labels: a few of each level whose price is measured, bought without risking the whole budget."""

from collections.abc import Sequence
from dataclasses import replace

from fidsel.campaign.plans.minimum_budget import MinimumBudget, assumed_prices, highest_price
from fidsel.campaign.workspace import Workspace
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.buying.outcome import stated_seconds
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.store.failures import failed_frames

NONE_LEFT = "none of its frames is left to train on: all are held out, or lack a label of a level or baseline"


def buy_pilot(ws: Workspace, order: Sequence[str]) -> None:
    """Label the first frames of the random order at every level whose cost must be measured.

    One label of each comes first: where the budget can never pay for the campaign, no more are bought. Raises
    a `UsageError` where the budget cannot pay for the campaign, and a `FidselError` where no label of a level
    could be had.
    """
    campaign = ws.campaign
    measured = [fidelity for fidelity in campaign.fidelities if not fidelity.price.declared]
    for fidelity in measured:
        for frame in order[: max(campaign.rules.pilot, 1)]:
            if not ws.store.statistics(fidelity).done:
                _first_label(ws, fidelity, frame)
    if all(ws.store.statistics(fidelity).done for fidelity in measured):
        MinimumBudget.of(campaign, ws.prices(), ws.wasted()).require(campaign.budget)
    for fidelity in campaign.fidelities if campaign.molecules else ():
        _label_each_molecule(ws, fidelity, order)
    for fidelity in measured:
        bought = ws.buy(fidelity, order[: campaign.rules.pilot], "pilot")
        if not bought.ids_done and not bought.ids_owned:
            raise _no_pilot(ws, fidelity)


def _label_each_molecule(ws: Workspace, fidelity: Fidelity, order: Sequence[str]) -> None:
    """Label a frame of each molecule, which tells whether a level can and what it costs.

    Raises a `FidselError` naming the molecules of which none of the first frames could be labelled: the pool
    would be of other molecules than those asked for, so nothing more is bought.
    """
    members, refused = ws.members[ws.pool.rows(order)], []
    own = [
        [frame for frame, one in zip(order, members.of.tolist(), strict=True) if one == number]
        for number in range(len(members))
    ]
    if none := [
        f"{name} ({NONE_LEFT})" for name, frames in zip(members.names, own, strict=True) if not frames
    ]:
        raise _no_pilot(ws, fidelity, none)
    tried = [frames[: max(ws.campaign.rules.pilot, 1)] for frames in own]
    ws.buy(fidelity, [frames[0] for frames in tried], "pilot")
    for name, frames in zip(members.names, tried, strict=True):
        for frame in frames:
            if not ws.store.label_ids(fidelity, frames):
                ws.buy(fidelity, (frame,), "pilot")
        if not ws.store.label_ids(fidelity, frames):
            reasons = sorted(set(ws.store.failures(fidelity, tuple(frames)).values()))
            refused.append(
                f"{name} ({reasons[0].rstrip('. ') if reasons else 'the budget does not pay for it'})"
            )
    if refused:
        raise _no_pilot(ws, fidelity, refused)


def _first_label(ws: Workspace, fidelity: Fidelity, frame: str) -> None:
    """Label a frame for no more than the campaign could pay for every label of the level.

    What a source states that a label takes is no risk.
    """
    if stated_seconds(fidelity.source) is not None:
        ws.buy(fidelity, (frame,), "pilot")
        return
    campaign, prices = ws.campaign, ws.prices()
    _lower_bound(ws, fidelity, 0.0).require(campaign.budget)
    most = highest_price(campaign, prices, fidelity, ws.wasted())
    bought = ws.buy(fidelity, (frame,), "pilot", most=most)
    if bought.stopped:
        used = min(bought.cost, most)
        refusal = _lower_bound(ws, fidelity, used).refusal(campaign.budget)
        raise UsageError(
            f"a label of {fidelity.name} was stopped after {campaign.budget.format(used)}: at that price "
            f"{refusal}"
        )


def _lower_bound(ws: Workspace, fidelity: Fidelity, price: float) -> MinimumBudget:
    """Return what the campaign takes where a label of a level costs at least so much, base units."""
    prices = assumed_prices(ws.campaign, ws.prices(), fidelity, price)
    return replace(MinimumBudget.of(ws.campaign, prices, ws.wasted()), at_least=True)


def _no_pilot(ws: Workspace, fidelity: Fidelity, refused: Sequence[str] = ()) -> FidselError:
    """Return why a level gave no pilot label; its frames are tried again, as nothing can go on without.

    Parameters
    ----------
    refused : molecules that it labelled no frame of, and why; () = it labelled none at all.
    """
    ws.ledger.try_again([one.attempt for one in failed_frames(ws.store, fidelity)], asked=True)
    start = f"no pilot label of {fidelity.name} could be had"
    if refused:
        return FidselError(
            f"{start} of {len(refused)} of {len(ws.members)} molecules: {'; '.join(refused)}. Leave them out "
            "in a new campaign, name another level, or mend the cause and give the same command again"
        )
    reasons = sorted(set(ws.store.failures(fidelity).values()))
    if not reasons:
        return FidselError(f"{start}: the budget of {ws.campaign.budget} does not pay for them; raise it")
    return FidselError(
        f"{start}: {reasons[0].rstrip('. ')}. Mend the cause (`fidsel doctor` labels one frame with each "
        "level) and give the same command again: these frames are tried once more"
    )
