"""Why a campaign ended when it was last run, read from its folder."""

from collections.abc import Sequence

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import End
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.round import Round
from fidsel.fidelity.store.labels import LabelStore


def why_ended(home: CampaignFolder, rounds: Sequence[Round]) -> str:
    """Return why a campaign ended after its rounds, by the last run of `iterate`; "" while it goes on.

    Raises a `FidselError` where the store cannot be read.
    """
    if not rounds or not home.store.exists():
        return ended_with(rounds, None)
    with LabelStore(home.store, read_only=True) as store:
        return ended_with(rounds, Journal(store).read(End))


def ended_with(rounds: Sequence[Round], found: End | None) -> str:
    """Return why a campaign ended after its rounds: as found since, or as the last of them says."""
    if not rounds:
        return ""
    return found.why if found is not None and found.rounds == len(rounds) else rounds[-1].stop
