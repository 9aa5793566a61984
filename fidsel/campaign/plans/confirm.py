"""Labels that were taken from a table must still be those of the table, which may grow meanwhile."""

from fidsel.campaign.settings import Campaign
from fidsel.fidelity.sources.table import TableSource
from fidsel.fidelity.store.labels import LabelStore

RECORD = "tables"
"""Name of the store's record of each table's content when it was last looked at."""


def confirm_tables(campaign: Campaign, store: LabelStore) -> None:
    """Compare stored labels with tables whose file changed since they were last compared.

    Raises
    ------
    UsageError
        where a table gives another label for a frame than was taken from it.
    """
    known = store.record(RECORD) or {}
    for fidelity in campaign.fidelities:
        source = fidelity.source
        if isinstance(source, TableSource) and known.get(fidelity.key) != source.content():
            source.confirm(store.labelled(fidelity))
            known[fidelity.key] = source.content()
            store.put_record(RECORD, known)
