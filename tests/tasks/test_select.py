from pathlib import Path
from typing import Any

import numpy as np
import pytest
from morse_molecule import frames
from small_task import kernel, without_labels

from fidsel.data import write
from fidsel.data.label_file import LabelFile
from fidsel.exceptions import UsageError
from fidsel.models import PaiNN
from fidsel.selector import Random, VarianceReduction, error_source
from fidsel.selector.stopping import Stopping
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


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    heard: list[object] = []
    with pytest.raises(UsageError, match=r"p\.npz must be a file in a folder that exists"):
        select_files(
            frames(60),
            start=10,
            size=5,
            out=tmp_path / "nowhere" / "p.npz",
            report=lambda *a: heard.append(a),
        )
    assert not heard


@pytest.mark.parametrize("wrong", [{"size": 2.5}, {"start": 10.0}, {"seed": None}, {"holdout": "a"}])
def test_numbers_that_cannot_be_are_refused_before_anything_is_trained(
    wrong: dict[str, Any], tmp_path: Path
) -> None:
    heard: list[object] = []
    with pytest.raises(UsageError, match=r"must be a (whole|finite) number"):
        select_files(frames(60), out=tmp_path / "p.npz", report=lambda *a: heard.append(a), **wrong)
    assert not heard


def test_numbers_of_numpy_select_as_pythons_own(tmp_path: Path) -> None:
    found = [
        select_files(
            frames(60),
            settings=["model.sigmas=[10]"],
            out=tmp_path / f"{start!r}.npz",
            start=start,
            size=size,
            rounds=1,
            holdout=holdout,
            seed=seed,
            control=False,
            stopping=Stopping(target=np.float32(1e-9), patience=np.int64(3)),  # type: ignore[arg-type]
        )
        for start, size, holdout, seed in (
            (10, 5, 0.25, 0),
            (np.int64(10), np.int32(5), np.float32(0.25), np.int64(0)),
        )
    ]
    first, second = ([pick.row for pick in one.rounds[1].picks] for one in found)
    assert first == second
    assert found[0].settings == found[1].settings


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
