"""The document of `fidsel outliers`; its tables are seen in the tests of the command."""

import numpy as np
import pytest

import fidsel
from fidsel.cli.tables.outliers import outlier_document
from fidsel.models import Predictions
from fidsel.testing import example_frames


def test_the_worst_frame_comes_first_with_its_place() -> None:
    truth = example_frames(30)
    off = np.where(np.arange(30) == 17, 0.5, 0.01)
    wrong = Predictions(truth.replace(forces=truth.forces + np.repeat(off, 3)[:, None]))
    found = outlier_document(fidsel.outliers(wrong, truth, clusters=2, energy_clusters=1), top=2)
    worst, second = found["frames"]
    assert (worst["file"], worst["frame"], worst["id"]) == ("data", 17, truth.ids[17])
    assert (worst["error"], second["error"]) == pytest.approx((0.5, 0.01))
    assert found["sides"]["pool"]["force_mae"] == pytest.approx(off.mean())
    assert found["clusters"][0]["cluster"] == worst["cluster"]
    assert found["unit"] == "eV/Å"
