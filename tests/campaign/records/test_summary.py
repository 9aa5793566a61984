"""Where a campaign stands, from its folder alone."""

import json
from pathlib import Path
from shutil import copytree

import pytest
from tiny_campaign import opened, rounds, write_campaign

from fidsel.campaign.records.decisions import End
from fidsel.campaign.records.summary import summarise
from fidsel.fidelity import Budget, LabelStore, Ledger

BUDGET = Budget(22.0, "label")


def test_nothing_is_begun(tmp_path: Path) -> None:
    found = summarise(write_campaign(tmp_path), BUDGET)
    assert (found.state, found.finished, found.best, found.model) == ("not started", False, None, None)
    assert found.to_dict()["remaining"] == 22.0


def test_a_finished_campaign(finished: Path) -> None:
    found, records = summarise(finished, BUDGET), rounds(finished)
    assert found.finished
    assert found.state == records[-1].stop
    assert found.best is not None
    assert found.model == finished / "rounds" / f"{found.best.index:04d}" / "model"
    assert found.model.is_dir()
    with LabelStore(finished / "labels.db", read_only=True) as store:
        assert found.spent == Ledger(store).spent() == records[-1].spent
        assert found.accounts == dict(Ledger(store).accounts())
    told = json.loads(json.dumps(found.to_dict()))
    assert told["spent"] + told["remaining"] == pytest.approx(22.0)
    assert [row["index"] for row in told["rounds"]] == [0, 1, 2]
    for row, record in zip(told["rounds"], records, strict=True):
        assert row["picks"] == len(record.picks)
        assert row["force_mae"] == record.metrics.force_mae
        assert record.control is not None
        assert row["control"]["saving"] == record.control.saving.share
        assert row["control"]["basis"] == "measured"
    assert told["progress"] is None
    assert told["budget_of_last_round"] == told["budget"]
    assert told["best"]["validation"]["force_mae"] == min(record.validation.headline for record in records)


def test_the_last_round_had_another_budget(finished: Path) -> None:
    found = summarise(finished, BUDGET, Budget(30.0, "label"))
    assert found.given == Budget(30.0, "label")
    told = found.to_dict()
    assert told["budget"]["total"] == 22.0
    assert told["budget_of_last_round"] == {"total": 30.0, "unit": "label"}
    assert summarise(finished, BUDGET, BUDGET).given is None


def test_a_round_is_under_way_while_its_driver_lives(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with opened(folder) as ws:
        ws.buy(ws.campaign.accurate, ws.pool.ids[:2], "validation")
        found = summarise(folder, BUDGET)
        assert found.driver is not None
        assert found.driver.alive
        assert (found.state, found.spent) == ("round 0 is under way", 2.0)
    assert summarise(folder, BUDGET).driver is None


def test_the_next_round_waits_for_a_driver(finished: Path) -> None:
    found = summarise(finished, BUDGET, foreseen="")
    assert (found.finished, found.state) == (False, "round 3 is next")
    assert found.to_dict()["progress"]["round"] == 3


def test_what_a_driver_found_holds_while_it_works(finished: Path, tmp_path: Path) -> None:
    folder = Path(copytree(finished, tmp_path / "copy"))
    with opened(folder, "campaign.control=bought", "campaign.rounds=3") as ws:
        ws.journal.write(End(3, ""))
        found = summarise(folder, BUDGET, foreseen="the target is reached by an edit")
        assert (found.finished, found.state) == (False, "round 3 is under way")
