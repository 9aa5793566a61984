from pathlib import Path

import pytest
from springs import shaken, training

from fidsel.data import write
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, NetworkForceField
from fidsel.refine import shift
from fidsel.tasks.shift import shift_files, trained_on


def test_files_and_frames_are_diagnosed_alike(family: NetworkForceField, tmp_path: Path) -> None:
    model = family.save(tmp_path / "model")
    tests, train = shaken("CH3OH", 4, 2), training("accurate", 5)
    files = [str(write(tmp_path / f"{i}.extxyz", frames)) for i, frames in enumerate((tests, train))]
    found = shift_files(model, files[0], train=files[1], device="cpu")
    assert found.to_dict() == shift(family, tests, train).to_dict()


def test_training_frames_are_named_or_kept_by_the_model(family: NetworkForceField) -> None:
    water = shaken("H2O", 12)
    kernel = SGDML([10.0]).fit(water, water[:0])[0]
    assert len(trained_on(kernel, None)) == 12
    assert len(trained_on(kernel, water[:3])) == 3
    with pytest.raises(UsageError, match=r"a painn model does not keep .* name their files by --train"):
        shift_files(family, water)
