"""`status --failed`, `retry` and `release`: what became of labels, and a person's last word on them."""

import json
from pathlib import Path

import pytest
from command_line import fidsel
from tiny_campaign import run, write_campaign

from fidsel.campaign.failures import failures_of
from fidsel.config.build import open_campaign
from fidsel.exceptions import FidselError
from fidsel.fidelity import LabelStore


def test_a_campaign_goes_on_after_its_program_is_mended(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It stops at the third label that fails alike, says why, and tries those frames again."""
    folder = write_campaign(tmp_path, accurate='act = "raise", one_in = 1')
    with pytest.raises(FidselError, match="the last 3 labels of accurate failed alike"):
        run(folder)
    rows = json.loads(fidsel(capfd, "status", "--failed", "--json", "-C", str(folder)).out)["failed"]
    assert [(row["level"], row["again"], row["tries"]) for row in rows] == [("accurate", True, 1)] * 3
    shown = fidsel(capfd, "status", "--failed", "-C", str(folder))
    assert "did not converge" in shown.out
    assert "`fidsel retry`" in shown.err
    found = run(folder, "fidelity.1.options.act=work", "campaign.rounds=0")
    assert found[-1].stop
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert store.query("SELECT count(*) FROM attempts WHERE status = 'failed'") == [(3,)]


def test_retry_by_cause(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_campaign(tmp_path, accurate='act = "raise", one_in = 8')
    run(folder, "campaign.rounds=1")
    campaign = open_campaign(folder)
    failed = failures_of(campaign)
    assert failed
    assert not any(row.failure.again for row in failed)
    cause = failed[0].failure.cause
    wrong = fidsel(capfd, "retry", "--cause", "tired", "-C", str(folder))
    assert (wrong.code, "unknown cause 'tired'" in wrong.err) == (2, True)
    assert (
        fidsel(capfd, "retry", "--cause", "memory", "--json", "-C", str(folder)).out
        == '{\n "tried_again": 0\n}\n'
    )
    done = fidsel(capfd, "retry", "--cause", cause, "-C", str(folder))
    assert (done.code, done.out) == (
        0,
        f"{len(failed)} failed labels are tried again where `fidsel iterate` wants them\n",
    )
    assert all(row.failure.again for row in failures_of(campaign))


def test_labels_set_aside_are_released(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_campaign(tmp_path)
    run(folder, "campaign.rounds=1")
    campaign = open_campaign(folder)
    with LabelStore(folder / "labels.db") as store:
        frame = store.label_ids(campaign.accurate)[5]
        store.judge(campaign.accurate, {frame: "the energy is 1e12 eV"})
    shown = fidsel(capfd, "status", "--failed", "-C", str(folder))
    assert frame[:12] in shown.out
    assert "quarantined" in shown.out
    refused = fidsel(capfd, "release", "-C", str(folder))
    assert (refused.code, "name frames whose labels to release, or give --all" in refused.err) == (2, True)
    done = fidsel(capfd, "release", frame[:12], "-C", str(folder))
    assert (done.code, done.out.startswith("1 labels that were set aside are trained on")) == (0, True)
    assert failures_of(campaign) == ()
    assert (
        "every label that was asked for is there"
        in fidsel(capfd, "status", "--failed", "-C", str(folder)).err
    )


def test_labels_are_rejected_with_a_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_campaign(tmp_path)
    run(folder, "campaign.rounds=0")
    with LabelStore(folder / "labels.db", read_only=True) as store:
        frame = store.label_ids(open_campaign(folder).accurate)[5]
    refused = fidsel(capfd, "reject", frame[:12], "-C", str(folder))
    assert (refused.code, "--because" in refused.err) == (2, True)
    refused = fidsel(capfd, "reject", "zz", "--because", "wrong", "-C", str(folder))
    assert (refused.code, "no label of cheap or accurate of a frame zz is used" in refused.err) == (2, True)
    done = fidsel(
        capfd, "reject", frame[:12], "--because", "excited", "--level", "accurate", "-C", str(folder)
    )
    assert (done.code, done.out.startswith("1 labels are not trained on from the next round on")) == (0, True)
    assert "rejected: excited" in fidsel(capfd, "status", "--failed", "-C", str(folder)).out
    none = fidsel(capfd, "release", "--all", "-C", str(folder))
    assert (none.code, none.out.startswith("0 labels")) == (0, True)
    back = fidsel(capfd, "release", frame[:12], "--json", "-C", str(folder))
    assert json.loads(back.out) == {"released": 1}
