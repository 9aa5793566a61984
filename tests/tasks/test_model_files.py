from pathlib import Path

import numpy as np
import pytest
from ase.calculators.emt import EMT

import fidsel
from fidsel.data import write
from fidsel.exceptions import FidselError, UsageError
from fidsel.models import SGDML, Predictions
from fidsel.tasks.model_files import load_folder, open_model
from fidsel.testing import example_campaign, example_frames

FRAMES = example_frames(4)


def test_a_model_is_named_in_many_ways(tmp_path: Path) -> None:
    model, _ = SGDML([10.0], level="accurate").fit(example_frames(10, 1), example_frames(5, 2))
    folder = model.save(tmp_path / "model")
    assert open_model(model, FRAMES) is model
    for name in (folder, str(folder)):
        found = open_model(name, FRAMES, device="cpu").predict(FRAMES)
        assert np.allclose(found.energy, model.predict(FRAMES).energy, rtol=0, atol=1e-9)
    theirs = write(tmp_path / "theirs.extxyz", FRAMES.replace(energy=FRAMES.energy + 1))
    assert isinstance(open_model(theirs, FRAMES), Predictions)
    assert isinstance(open_model("ase:emt", FRAMES), Predictions)


def test_names_of_nothing_and_labels_in_place_of_predictions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no 'nowhere'"):
        open_model("nowhere", FRAMES)
    with pytest.raises(
        UsageError, match=r"'ase:NAME' with the parameters .*, got <ase\.calculators\.emt\.EMT"
    ):
        open_model(EMT(), FRAMES)
    own = write(tmp_path / "own.extxyz", FRAMES)
    with pytest.raises(UsageError, match=r"own\.extxyz"):
        open_model(own, FRAMES)
    with pytest.raises(FidselError, match="ase:emt could not compute frame 0"):
        open_model("ase:emt", FRAMES.replace(numbers=np.where(FRAMES.numbers == 8, 92, 1)))


def test_a_campaign_without_rounds_has_no_model_and_then_its_best(tmp_path: Path) -> None:
    home = example_campaign(tmp_path)
    with pytest.raises(UsageError, match=r"no round of .* is finished"):
        load_folder(home)
    *_, last = fidsel.iterate(fidsel.open_campaign(home))
    model = fidsel.load(home)
    assert model.level == "accurate"
    whole = load_folder(home / "rounds" / f"{last.index:04d}")
    assert whole.predict(FRAMES).forces.shape == (12, 3)
