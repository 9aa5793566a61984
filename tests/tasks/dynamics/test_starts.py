"""Frames that dynamics start from; those of campaigns are in tests/cli/commands/files/test_md.py."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from spring_systems import shaken

from fidsel.exceptions import UsageError
from fidsel.tasks.dynamics.starts import read_starts, training_frames


def test_frames_stay_as_they_are_and_must_be_finite_molecules(tmp_path: Path) -> None:
    waters = shaken("H2O", 3)
    assert read_starts(waters).ids == waters.ids
    x = waters.positions.copy()
    x[4] = np.nan
    with pytest.raises(UsageError, match="those of frame 1 of frames are not"):
        read_starts(waters.replace(positions=x))
    with pytest.raises(UsageError, match="at least one frame is needed"):
        read_starts(waters[:0])
    with pytest.raises(UsageError, match="atoms must be of an element"):
        read_starts(waters.replace(numbers=waters.numbers * (waters.numbers > 1)))
    with pytest.raises(UsageError, match="periodic"):
        read_starts(waters.replace(cell=np.eye(3)[None].repeat(3, 0) * 9, pbc=np.ones((3, 3), bool)))
    with pytest.raises(UsageError, match="the folder of a campaign or a round"):
        training_frames(tmp_path)


def test_frames_of_a_campaign_are_those_of_the_level_that_it_ran_with(
    small_campaign: Path, tmp_path: Path
) -> None:
    known = training_frames(small_campaign)
    copy = Path(shutil.copytree(small_campaign, tmp_path / "water"))
    file = copy / "fidsel.toml"
    file.write_text(file.read_text().replace('"sto-3g"', '"3-21g"'))
    assert len(known) > 0
    assert training_frames(copy).ids == known.ids
