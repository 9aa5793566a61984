"""Frames without a label of use: shown, tried again, and labels that were set aside released."""

from pathlib import Path

import pytest
from tiny_campaign import opened, run, write_campaign

from fidsel.campaign.failures import failures_of, reject_labels, release_labels, retry_failed
from fidsel.campaign.journal import Journal
from fidsel.campaign.records.round import HeldOut
from fidsel.campaign.settings import Campaign
from fidsel.config.build import open_campaign
from fidsel.data import read
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore


@pytest.fixture
def failing(tmp_path: Path) -> Campaign:
    """A campaign of which about half of ten accurate labels failed."""
    folder = write_campaign(tmp_path, accurate='act = "raise", one_in = 2')
    with opened(folder) as ws:
        ws.buy(ws.campaign.accurate, ws.pool.ids[:10], "train")
    return open_campaign(folder)


def test_without_a_store_nothing_has_failed(tmp_path: Path) -> None:
    assert failures_of(open_campaign(write_campaign(tmp_path))) == ()


def test_failures_are_told_by_level_and_row_of_the_pool(failing: Campaign) -> None:
    found = failures_of(failing)
    assert 1 < len(found) < 9
    assert {one.level for one in found} == {"accurate"}
    assert [one.row for one in found] == sorted(one.row for one in found)
    assert max(one.row for one in found) < 10
    told = found[0].to_dict()
    assert (told["error"], told["cause"], told["tries"]) == ("did not converge", "failed", 1)
    assert told["row"] == found[0].row


def test_what_is_asked_for_is_tried_again(failing: Campaign) -> None:
    failed = {one.failure.frame_id for one in failures_of(failing)}
    with pytest.raises(UsageError, match="cause"):
        retry_failed(failing, "tired")
    assert retry_failed(failing, "timeout") == 0
    assert retry_failed(failing, "failed") == len(failed)
    assert retry_failed(failing) == 0, "they are tried again already"
    assert all(one.failure.again for one in failures_of(failing))
    with opened(failing.folder.path, "fidelity.1.options.act=label") as ws:
        assert set(ws.buy(ws.campaign.accurate, ws.pool.ids[:10], "train").ids_done) == failed
    assert failures_of(failing) == ()


def test_labels_set_aside_are_released(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with opened(folder) as ws:
        accurate, ids = ws.campaign.accurate, ws.pool.ids[:4]
        ws.buy(accurate, ids, "train")
        ws.store.judge(accurate, {ids[1]: "absurd", ids[2]: "absurd"})
        assert ws.store.label_ids(accurate) == (ids[0], ids[3])
    campaign = open_campaign(folder)
    assert [(one.row, one.failure.cause) for one in failures_of(campaign)] == [
        (1, "quarantined"), (2, "quarantined"),
    ]  # fmt: skip
    assert retry_failed(campaign) == 0
    with pytest.raises(UsageError):
        release_labels(campaign, [ids[0]])
    assert release_labels(campaign, [ids[1][:10]]) == 1
    assert [one.row for one in failures_of(campaign)] == [2]
    assert release_labels(campaign, None) == 1
    assert failures_of(campaign) == ()


@pytest.mark.parametrize("control", ["off", "bought"])
@pytest.mark.parametrize("trust", ["true", "false"])
def test_rejected_labels_are_used_no_more_by_any_part_of_a_campaign(
    tmp_path: Path, control: str, trust: str
) -> None:
    folder = write_campaign(tmp_path)
    always = (f"campaign.control={control}", f"campaign.trust_labels={trust}", "budget.total=40")
    first = run(folder, "campaign.rounds=1", *always)[1]
    campaign = open_campaign(folder, always)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        paid, held = store.count(), Journal(store).require(HeldOut)
    gone = [held.test[0], held.validation[0], first.picks[0].frame]
    with pytest.raises(UsageError, match="unknown level 'exact'"):
        reject_labels(campaign, gone, "wrong", level="exact")
    assert reject_labels(campaign, gone, "another electronic state", level="accurate") == 3
    second = run(folder, "campaign.rounds=2", *always)[2]
    assert second.metrics.frames == first.metrics.frames - 1
    assert second.validation.frames == first.validation.frames - 1
    assert not set(read(folder / "rounds" / "0002" / "train.extxyz").ids) & set(gone)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert store.count() > paid
        assert set(store.aside_ids(campaign.accurate)) == set(gone), "also where labels are trusted"
    told = {one.failure.frame_id: one.failure.error for one in failures_of(campaign)}
    assert told == dict.fromkeys(gone, "rejected: another electronic state")
    assert not {pick.frame for pick in second.picks} & set(gone)
