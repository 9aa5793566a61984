"""Why a campaign ends: by its settings as they are now, and by what was found when it was last run.

The record of a round says why the campaign ended with that round, and stays as it is. Settings that are
edited later may undo that, or make it another reason.
"""

from collections.abc import Sequence

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.round import Round
from fidsel.campaign.rounds.measure import error_unit
from fidsel.campaign.settings import Campaign
from fidsel.campaign.workspace import frame_price
from fidsel.fidelity.store.labels import LabelStore


def stop_reason(campaign: Campaign, journal: Journal, done: Sequence[Round]) -> str:
    """Return why the campaign ends after these rounds, "" where it goes on."""
    rules, last, rule = campaign.rules, done[-1], campaign.rules.stopping
    bounds = last.error_source.get("bounds", {}).get("clusters", {})
    errors = [one.validation.error(rule.measure) for one in done]
    unit = error_unit(campaign.accurate.forces)
    if stop := rule.reason(errors, unit, max(bounds.values(), default=None)):
        return stop.text
    cost = frame_price(journal.store, campaign.fidelities)
    pays = campaign.budget.pays(last.spent + cost)
    if last.index > 0 and not last.picks and pays:
        return "pool exhausted: every candidate is labelled or has failed; more take a new, larger pool"
    if last.index >= rules.rounds:
        return f"round limit: {rules.rounds} rounds of picking are done (campaign.rounds)"
    if any(journal.late(last.index).values()):
        return ""  # the next round trains on them, and picks what the budget pays for
    if not pays:
        return f"budget spent: the next frame costs {campaign.budget.format(cost)}"
    return ""


def foreseen(campaign: Campaign) -> str | None:
    """Return why the next run of a campaign ends at once, "" where it goes on, None before its first round.

    By the settings as they are now, edits that no run has seen included. Reads the folder alone; raises a
    `FidselError` where that is damaged.
    """
    rounds = campaign.folder.read_rounds()
    if not rounds or not campaign.folder.store.exists():
        return None
    with LabelStore(campaign.folder.store, read_only=True) as store:
        return stop_reason(campaign, Journal(store), rounds)
