from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames
from small_task import kernel, without_labels

from fidsel.data import write
from fidsel.data.label_file import LabelFile
from fidsel.exceptions import UsageError
from fidsel.models import PaiNN
from fidsel.selector import Random, VarianceReduction, error_source
from fidsel.tasks.select import cheap_labels, refuse_unable, require_covariance, select_files


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("committee", "needs models that can disagree, a sgdml model is one"),
        ("latent", "needs a network, a sgdml model has no latent features"),
    ],
)
def test_source_that_the_model_cannot_serve_is_refused(error: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        refuse_unable(error_source(error), kernel())


def test_picks_by_variance_need_a_kernel() -> None:
    require_covariance(VarianceReduction(), kernel())
    require_covariance(Random(), PaiNN(features=4, layers=1))
    with pytest.raises(UsageError, match="needs a kernel, a painn model has no covariance"):
        require_covariance(VarianceReduction(), PaiNN(features=4, layers=1))


def test_sources_that_ask_nothing_of_a_model_go_with_any() -> None:
    refuse_unable(error_source("probe"), kernel())
    refuse_unable(error_source("latent"), PaiNN(features=4, layers=1))


def test_every_frame_needs_its_cheap_label(tmp_path: Path) -> None:
    pool = frames(30)
    cheap = without_labels(frames(30, depth=3.6, level="cheap"), np.arange(1))
    write(tmp_path / "cheap.extxyz", cheap)
    with pytest.raises(UsageError, match="no cheap label for 1 of 30 frames of the pool"):
        cheap_labels(LabelFile(str(tmp_path / "cheap.extxyz")), pool)
    with pytest.raises(UsageError, match="give --cheap FILE"):
        cheap_labels(None, pool)


def test_a_selection_goes_on_where_it_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    found = select_files(frames(40), settings=["model.sigmas=[10]"], start=10, size=5, rounds=1, holdout=0.2)
    (tmp_path / "picks.npz").unlink()
    monkeypatch.chdir("other")
    found.save()
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["other", "picks.npz"]
