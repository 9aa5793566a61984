"""Frames without a label of use: shown, tried again, and labels that were set aside released."""

from pathlib import Path

import pytest
from tiny_campaign import opened, write_campaign

from fidsel.campaign.failures import failures_of, release_labels, retry_failed
from fidsel.campaign.settings import Campaign
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError


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
