"""Labels that were taken from a table must still be those of the table, which may grow meanwhile."""

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import TableContents
from fidsel.campaign.settings import Campaign
from fidsel.fidelity.sources.table import TableSource


def confirm_tables(campaign: Campaign, journal: Journal) -> None:
    """Compare stored labels with tables whose file changed since they were last compared.

    Raises a `UsageError` where a table gives another label for a frame than was taken from it.
    """
    record = journal.read(TableContents)
    known = dict(record.contents) if record else {}
    for fidelity in campaign.fidelities:
        source = fidelity.source
        if isinstance(source, TableSource) and known.get(fidelity.key) != source.content():
            source.confirm(journal.store.labelled(fidelity))
            known[fidelity.key] = source.content()
            journal.write(TableContents(known))
