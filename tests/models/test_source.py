import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelError, LabelSource, WarmUp
from fidsel.models import SGDML, ModelSource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return SGDML([10.0]).fit(frames(10), frames(0))[0].save(tmp_path / "model")


def test_a_saved_model_labels(folder: Path) -> None:
    source, test = ModelSource(folder), frames(1, seed=2)
    assert isinstance(source, LabelSource)
    label = pickle.loads(pickle.dumps(source)).label(test[0])
    expected = SGDML([10.0]).fit(frames(10), frames(0))[0].predict(test)
    assert label.energy == expected.energy[0]
    assert np.array_equal(label.forces, expected.forces)
    assert label.seconds == 0  # an engine measures


def test_the_same_model_elsewhere_is_the_same_level(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert ModelSource(copy).settings() == ModelSource(folder).settings()
    other = SGDML([20.0]).fit(frames(10), frames(0))[0].save(tmp_path / "other")
    assert ModelSource(other).settings() != ModelSource(folder).settings()


def test_a_replaced_model_is_noticed(folder: Path) -> None:
    source = ModelSource(folder)
    SGDML([20.0]).fit(frames(10), frames(0))[0].save(folder)
    with pytest.raises(UsageError, match="has changed"):
        source.label(frames(1)[0])


def test_a_frame_the_model_cannot_treat_is_a_failed_label(folder: Path) -> None:
    atoms = frames(1)[0]
    atoms.numbers[0] = 7
    with pytest.raises(LabelError, match="one molecule") as caught:
        ModelSource(folder).label(atoms)
    assert caught.value.cause == "refused"


def test_warming_up_loads_the_model(folder: Path) -> None:
    source = ModelSource(folder)
    assert isinstance(source, WarmUp)
    source.warm_up(frames(1)[0])
    for file in folder.iterdir():
        file.unlink()
    assert source.label(frames(1)[0]).forces is not None


def test_a_folder_without_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        ModelSource(tmp_path)
