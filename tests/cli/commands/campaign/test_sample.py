"""`fidsel sample`: a pool too small is not kept, a pool that is there is."""

import json
import re
from pathlib import Path

import pytest
from command_line import fidsel, write_campaign


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (9, "must hold at least 11 different configurations .* got 9: raise pool.frames .* campaign.test"),
        (14, "too few blocks of 10 for 4 validation frames: take more frames, or fewer validation ones"),
        (22, "of 22 configurations 2 may be trained on .* at least 3 are needed: take more .pool.frames"),
    ],
)
def test_a_pool_too_small_is_refused_before_it_is_stored(
    frames: int, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path / "campaign")
    refused = fidsel(capfd, "sample", "-C", folder, f"pool.frames={frames}")
    assert refused.code == 2
    assert re.search(message, refused.err), refused.err
    larger = fidsel(capfd, "sample", "-C", folder, "pool.frames=60", "--json")
    assert larger.code == 0, larger.err
    assert json.loads(larger.out) == {"frames": 60, "groups": [""]}


def test_settings_that_come_too_late_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_campaign(tmp_path / "campaign")
    assert fidsel(capfd, "sample", "-C", folder, "pool.frames=60").code == 0
    late = fidsel(capfd, "sample", "-C", folder, "pool.frames=70", "pool.temperature=[300.0]")
    assert late.code == 2
    assert "begun with pool.frames = 60, got 70, and it cannot change once the pool is sampled" in late.err
    assert "begun with pool.temperature = 500.0, got 300.0" in late.err
    other = fidsel(capfd, "sample", "-C", folder, "pool.frames=60", "pool.refresh_frames=7")
    assert other.code == 0, "what a refresh adds may change"
