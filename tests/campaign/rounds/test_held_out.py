"""What a round found of each held-out frame survives its file to the last digit."""

from pathlib import Path

import numpy as np
import pytest

from fidsel.campaign.rounds.held_out import FILE, HeldOutErrors
from fidsel.exceptions import FidselError

FOUND = HeldOutErrors(("a", "b"), np.array([3, 0]), np.array([-1e4 / 3, np.nan]), np.array([0.1, 1 / 3]))


def test_round_trip(tmp_path: Path) -> None:
    FOUND.save(tmp_path)
    again = HeldOutErrors.load(tmp_path)
    assert again.frames == FOUND.frames
    for name in ("clusters", "energies", "errors"):
        np.testing.assert_array_equal(getattr(again, name), getattr(FOUND, name))


def test_a_file_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(FidselError, match=r"there is no .*errors\.csv.*: put back a copy"):
        HeldOutErrors.load(tmp_path)
    FOUND.save(tmp_path)
    text = (tmp_path / FILE).read_text()
    for damaged in (text.replace("3,", "three,"), text.replace("cluster", "custer")):
        (tmp_path / FILE).write_text(damaged)
        with pytest.raises(FidselError, match=r"errors\.csv is damaged"):
            HeldOutErrors.load(tmp_path)
