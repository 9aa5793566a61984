"""A campaign with a baseline: its labels, whether it is used, what happens where it fails."""

from dataclasses import replace
from pathlib import Path

import pytest
from morse_source import Morse
from tiny_campaign import finish, opened, rounds, write_campaign

from fidsel.campaign.journal import Journal
from fidsel.campaign.loop import iterate
from fidsel.campaign.plans.plan import prepare
from fidsel.campaign.records.decisions import BaselineVerdict
from fidsel.campaign.rounds.baseline import chosen_baseline, judge_baseline, label_baseline
from fidsel.campaign.settings import Campaign, CampaignBaseline
from fidsel.campaign.workspace import Workspace
from fidsel.config.build import open_campaign
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import LabelSource, LabelStore, Ledger
from fidsel.fidelity.level import Fidelity, Price
from fidsel.models import Baseline
from fidsel.training.stage import TrainingData

LOW = Morse("low")
"""Softer bonds than those of the cheap level."""


def beneath(campaign: Campaign, source: LabelSource, *, always: bool = False) -> Campaign:
    level = Fidelity("baseline", source, Price(0.0))
    return replace(campaign, baseline=CampaignBaseline(level, always))


def based(folder: Path, source: LabelSource = LOW) -> Campaign:
    return beneath(open_campaign(folder, ["campaign.rounds=1"]), source)


def data(ws: Workspace, n: int) -> TrainingData:
    accurate = ws.campaign.accurate
    frames = ws.pool[:n]
    ws.buy(accurate, frames.ids, "train")
    return TrainingData(ws.labelled(accurate, frames.ids), ws.pool[:0])


def test_it_lies_beneath_every_model_and_costs_nothing_of_the_budget(tmp_path: Path) -> None:
    campaign = based(write_campaign(tmp_path))
    finish(campaign)
    first, *_, last = rounds(tmp_path)
    assert any(note.startswith("baseline: ") for note in first.notes)
    model = campaign.load_model(campaign.folder.round(last.index) / "model")
    assert isinstance(model, Baseline)
    assert model.source == LOW
    assert last.spent <= 22
    with LabelStore(tmp_path / "labels.db", read_only=True) as store:
        assert Ledger(store).spent("baseline") == 0.0
        assert len(store.label_ids(campaign.baseline.level, store.frames().ids)) == 120  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_campaign_that_was_stopped_picks_the_same_frames(tmp_path: Path) -> None:
    found = []
    for name, stops in (("whole", False), ("stopped", True)):
        folder = write_campaign(tmp_path / name)
        if stops:
            begun = iterate(based(folder))
            next(begun)
            begun.close()  # type: ignore[attr-defined]
        finish(based(folder))
        found.append([[pick.frame for pick in record.picks] for record in rounds(folder)])
    assert found[0] == found[1]


def test_a_level_that_is_the_baseline_is_refused(tmp_path: Path) -> None:
    campaign = open_campaign(write_campaign(tmp_path))
    with pytest.raises(UsageError, match="the baseline is the fidelity 'cheap'"):
        beneath(campaign, campaign.cheap[0].source)


def test_configurations_that_it_fails_for_are_left_out(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with opened(folder) as ws:
        ws.campaign = beneath(ws.campaign, Morse("low", act="raise", one_in=20))
        ready = prepare(ws)
        failed = set(ws.store.failed_ids(ws.campaign.baseline.level))  # type: ignore[union-attr]
        assert 0 < len(failed) <= 12
        assert not failed & {*ready.held.test, *ready.held.validation}
        assert not failed & set(ready.orders["accurate"])
        assert not failed & set(ready.orders["cheap"])


def test_a_baseline_that_fails_often_stops_the_campaign_before_anything_is_paid(tmp_path: Path) -> None:
    campaign = based(write_campaign(tmp_path), Morse("low", act="raise", one_in=3))
    with pytest.raises(FidselError, match=r"has labels of 84 of 120 configurations only .did not converge"):
        finish(campaign)
    with LabelStore(tmp_path / "labels.db", read_only=True) as store:
        assert Ledger(store).paid() == 0.0


def test_whether_it_helps_is_measured_once_and_kept(tmp_path: Path) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        ws.campaign = beneath(ws.campaign, LOW)
        label_baseline(ws)
        assert judge_baseline(ws, data(ws, 5), ())[0].startswith("baseline: the baseline is used as asked")
        assert ws.journal.read(BaselineVerdict) is None
        (told,) = judge_baseline(ws, data(ws, 15), ())
        assert told.endswith("the baseline helps")
        assert ws.journal.require(BaselineVerdict).used
        assert judge_baseline(ws, data(ws, 15), ()) == (told,), "no round has said it yet"
        assert chosen_baseline(ws) is ws.campaign.baseline.labels  # type: ignore[union-attr]
        ws.journal.write(BaselineVerdict(ws.campaign.baseline.level.key, False, "it does not"))  # type: ignore[union-attr]
        assert chosen_baseline(ws) is None
        ws.journal.write(BaselineVerdict("that of another", False, "it does not"))
        assert chosen_baseline(ws) is not None
        ws.campaign = beneath(ws.campaign, LOW, always=True)
        assert chosen_baseline(ws) is not None


def test_what_was_found_is_a_note_of_the_round_that_was_stopped(tmp_path: Path) -> None:
    campaign = based(write_campaign(tmp_path))

    def stopped(what: str, *_: object) -> None:
        if what.startswith("training"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(iterate(campaign, lambda what, done, *_: stopped(what) if done else None))
    with LabelStore(tmp_path / "labels.db", read_only=True) as store:
        assert Journal(store).read(BaselineVerdict) is not None
    finish(campaign)
    said = [[note for note in one.notes if note.endswith("the baseline helps")] for one in rounds(tmp_path)]
    assert [len(notes) for notes in said] == [1, 0]


def test_a_campaign_without_one_has_nothing_to_judge(tmp_path: Path) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        label_baseline(ws)
        assert judge_baseline(ws, data(ws, 12), ()) == ()
        assert chosen_baseline(ws) is None
