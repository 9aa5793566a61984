"""Wall time of a round adds up over the processes that work on it."""

from pathlib import Path
from time import time

import pytest
from tiny_campaign import finish, opened, rounds, write_campaign

from fidsel.campaign.journal import Journal
from fidsel.campaign.loop import iterate
from fidsel.campaign.records.decisions import Elapsed, Stage
from fidsel.campaign.rounds.clock import seconds_of, settle, timed
from fidsel.config.build import open_campaign
from fidsel.exceptions import FidselError
from fidsel.fidelity import LabelStore


def test_parts_add_up_also_where_they_are_stopped(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        journal = Journal(store)
        journal.write(Elapsed({"labelling": 100.0, "training": 7.0}), 1)
        with timed(journal, 1, "training"):
            assert journal.require(Elapsed, 1).part == "training"
        assert seconds_of(journal, 1)["training"] > 7.0
        with pytest.raises(FidselError, match="stopped"), timed(journal, 1, "labelling"):
            raise FidselError("stopped")
        assert seconds_of(journal, 1)["labelling"] > 100.0
        assert journal.require(Elapsed, 1).part == ""
        assert seconds_of(journal, 2) == {}


@pytest.mark.parametrize(
    ("seen", "stage", "seconds"),
    [(130.0, 110.0, 32.0), (110.0, 125.0, 27.0), (None, 120.0, 22.0), (90.0, 50.0, 2.0)],
)
def test_a_killed_process_counts_up_to_its_last_sign_of_life(
    tmp_path: Path, seen: float | None, stage: float, seconds: float
) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        journal = Journal(store)
        journal.write(Stage("training", stage))
        journal.write(Elapsed({"training": 2.0}, "training", 100.0), 0)
        for _ in range(2):  # the second time there is nothing to add
            settle(journal, 0, seen)
            assert journal.require(Elapsed, 0) == Elapsed({"training": seconds})


def test_a_campaign_that_is_opened_counts_what_was_cut_off(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with opened(folder) as ws:
        began = time() - 60.0
        ws.journal.write(Elapsed({}, "labelling", began), 0)
        ws.begin("a purchase")
    with opened(folder) as ws:
        assert seconds_of(ws.journal, 0)["labelling"] >= 60.0


def test_a_round_says_the_time_of_all_its_processes(tmp_path: Path) -> None:
    campaign = open_campaign(write_campaign(tmp_path), ["campaign.rounds=1"])

    def stop(what: str, *_: object) -> None:
        if what == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(iterate(campaign, stop))
    with LabelStore(tmp_path / "labels.db", read_only=True) as store:
        before = dict(seconds_of(Journal(store), 0))
    assert before.keys() == {"labelling", "training"}
    finish(campaign)
    first, last = rounds(tmp_path)
    assert list(first.seconds) == list(last.seconds) == ["labelling", "training", "measuring"]
    assert all(first.seconds[part] > before[part] for part in before)
    with LabelStore(tmp_path / "labels.db", read_only=True) as store:
        assert seconds_of(Journal(store), 1) == last.seconds
