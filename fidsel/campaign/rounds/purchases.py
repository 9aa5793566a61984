"""What a round buys for training, and which of it is late and joins the next round.

With `close_at` q < 1 the training of a round waits, level by level, for the fraction q of what the round
buys and was left to it by the round before; the rest goes on in its workers meanwhile, beside the training.
Held-out labels, probes, pilot and control arm are always waited for. So are all labels of the last round
that `campaign.rounds` allows, and those of a round that picks nothing, which is what follows where the budget
ends with labels late: what is paid for is trained on. Where another rule ends the campaign (a target, no
more progress), late labels are waited for and stored, and a campaign that goes on later trains on them.

What is late is written down when a round closes, and holds whatever comes later; a campaign that was stopped
goes on from there. At a level with a price per label it is the last frames in order, those already labelled
among them, and a label under way counts as paid: picks, training sets and spending then depend on no time,
and are those of any other run of the same campaign. At a level with a price per second, where time decides
what the budget buys in any case, it is what is still under way.
"""

from collections.abc import Mapping, Sequence

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import LateLabels
from fidsel.campaign.records.round import Allocation, HeldOut
from fidsel.campaign.rounds.control import ask_control
from fidsel.campaign.settings import Campaign, Rules
from fidsel.campaign.workspace import Workspace
from fidsel.fidelity.level import Fidelity


def purchase(ws: Workspace, held: HeldOut, index: int) -> None:
    """Buy what is allocated to a round, and what the round before closed without.

    Held-out labels come first, cheap ones before accurate ones. All that other people compute is asked of
    them before the campaign waits.
    """
    campaign, late = ws.campaign, dict[str, tuple[str, ...]]()
    buy_held_out(ws, held)
    quantile = _quantile(campaign.rules, index, ws.journal.require(Allocation, index))
    wanted = wanted_by(campaign, ws.journal, index)
    for fidelity in campaign.fidelities:
        ids = wanted[fidelity.name]
        bought = ws.buy(fidelity, ids, "train", close_at=quantile, wait=False)
        late[fidelity.name] = bought.ids_late
    ask_control(ws, held)
    ws.wait_for_others()
    if quantile < 1 and ws.journal.read(LateLabels, index) is None:
        ws.late.collect()
        ws.judge()
        left = {f.name: _still_late(ws, f, late[f.name]) for f in campaign.fidelities}
        ws.journal.write(LateLabels(left), index)


def buy_held_out(ws: Workspace, held: HeldOut) -> None:
    """Label the held-out frames; what other people compute is asked for, and not waited for."""
    ws.buy(ws.campaign.accurate, held.validation, "validation", wait=False)
    ws.buy(ws.campaign.accurate, held.test, "test", wait=False)


def wanted_by(campaign: Campaign, journal: Journal, index: int) -> Mapping[str, tuple[str, ...]]:
    """Return the frames a round labels for training per level, most wanted first.

    Those that the round before closed without come first, then what was bought before, so that what is late
    now is new, if it can be.
    """
    accurate, allocation = campaign.accurate.name, journal.require(Allocation, index)
    wanted = {**allocation.cheap, accurate: allocation.accurate}
    carried = journal.late(index - 1)
    if _quantile(campaign.rules, index, allocation) < 1:
        before = journal.bought(index - 1)
        known = {**before.cheap, accurate: before.accurate}
        wanted = {name: _known_first(ids, known.get(name, ())) for name, ids in wanted.items()}
    return {name: tuple(dict.fromkeys((*carried.get(name, ()), *ids))) for name, ids in wanted.items()}


def _quantile(rules: Rules, index: int, allocation: Allocation) -> float:
    """Return the fraction of its labels that a round waits for."""
    last = index >= rules.rounds or not allocation.picks
    return 1.0 if last else rules.close_at


def _known_first(ids: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    have = frozenset(known)
    return tuple(sorted(ids, key=lambda frame: frame not in have))


def _still_late(ws: Workspace, fidelity: Fidelity, ids: Sequence[str]) -> tuple[str, ...]:
    """Return those of the late labels of a purchase that are late now that the round closes."""
    if fidelity.price.declared:
        return tuple(ids)
    under_way = ws.late.frames(fidelity, "train")
    return tuple(frame for frame in ids if frame in under_way)
