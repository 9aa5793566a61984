"""What a driver does is written down with the time it began."""

from pathlib import Path
from time import time

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import Stage
from fidsel.campaign.stage import begin_purchase, begin_stage
from fidsel.fidelity import LabelStore


def test_a_stage_replaces_the_one_before(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        journal, before = Journal(store), time()
        begin_purchase(journal, "control", "ccsd(t)", 12)
        found = journal.require(Stage)
        assert (found.what, found.account, found.level, found.total) == (
            "control arm's labels of ccsd(t)", "control", "ccsd(t)", 12,
        )  # fmt: skip
        assert before <= found.since <= time()
        begin_stage(journal, "training")
        now = journal.require(Stage)
        assert (now.what, now.account, now.total) == ("training", "", 0)
        assert now.since >= found.since
