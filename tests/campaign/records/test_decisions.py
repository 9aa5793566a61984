"""What a campaign writes down about itself."""

from pathlib import Path
from time import time

import pytest

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import Levels, Stage
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore


def test_a_stage_replaces_the_one_before_and_knows_when_it_began(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        journal, before = Journal(store), time()
        journal.write(Stage.purchase("control", "ccsd(t)", 12))
        found = journal.require(Stage)
        assert (found.what, found.account, found.level, found.total) == (
            "control arm's labels of ccsd(t)", "control", "ccsd(t)", 12,
        )  # fmt: skip
        assert before <= found.since <= time()
        journal.write(Stage("training"))
        now = journal.require(Stage)
        assert (now.what, now.account, now.total) == ("training", "", 0)
        assert now.since >= found.since


def test_levels_are_pairs_of_name_and_key() -> None:
    assert Levels((("pbe", "k1"), ("cc", "k2"))).keys == {"pbe": "k1", "cc": "k2"}
    with pytest.raises(UsageError, match="pairs of a name and a key"):
        Levels((("pbe",),))
