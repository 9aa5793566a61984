import json
from pathlib import Path

import numpy as np
import pytest
from spring_systems import Springs, shaken, training

from fidsel.data import write
from fidsel.exceptions import FidselError, UsageError
from fidsel.models import NetworkForceField, load
from fidsel.refine import Adaptation, Means, always, refine
from fidsel.refine.files import RECORD
from fidsel.tasks.refine import RefineConfig, refine_files

HOW = Adaptation(steps=20, batch=8, check_every=10)
TESTS = shaken("CH3OH", 8, 2)


def test_a_refined_model_is_saved_with_what_was_done(family: NetworkForceField, tmp_path: Path) -> None:
    tests = write(tmp_path / "tests.extxyz", TESTS)
    train = write(tmp_path / "train.extxyz", training("accurate", 10))
    model, out = family.save(tmp_path / "model"), tmp_path / "refined"
    found = refine_files(
        model, tests, prior=Springs(), train=train, out=out, device="cpu", adaptation=HOW, seed=np.int64(3)
    )
    means = Means(prior=always(Springs()), training=training("accurate", 10), how=HOW)
    expected = refine(family, TESTS, means, seed=3).model.predict(TESTS)
    np.testing.assert_array_equal(load(out).predict(TESTS).forces, expected.forces)
    told = json.loads((out / RECORD).read_text())
    assert told["systems"][0]["system"] == "CH4O"
    assert told["candidates"] == found.candidates(10)
    assert told["adaptation"]["steps"] == 20
    assert "<svg" in (out / "radius.svg").read_text()
    with pytest.raises(UsageError, match="holds a model already, which is kept"):
        refine_files(model, tests, prior=Springs(), out=out)


def test_nothing_is_written_where_nothing_can_be_refined(family: NetworkForceField, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got no frames"):
        refine_files(family, TESTS[:0], prior=Springs(), out=tmp_path / "refined")
    with pytest.raises(UsageError, match="got neither"):
        refine_files(family, TESTS, out=tmp_path / "refined")
    with pytest.raises(UsageError, match="gfn3"):
        refine_files(family, TESTS, prior="gfn3", out=tmp_path / "refined")
    assert not (tmp_path / "refined").exists()


def test_a_folder_that_lets_nobody_write_is_told_before_anything_is_refined(
    family: NetworkForceField, read_only_folder: Path
) -> None:
    said: list[str] = []
    with pytest.raises(FidselError, match="could not write"):
        refine_files(
            family, TESTS, prior=Springs(), out=read_only_folder, report=lambda *told: said.append(str(told))
        )
    assert not said


def test_an_ase_calculator_is_a_prior(family: NetworkForceField, tmp_path: Path) -> None:
    still = Adaptation(steps=1, learning_rate=1e-30)
    for name in ("emt", "ase:emt"):
        out = tmp_path / name.replace(":", "-")
        found = refine_files(family, shaken("H2O", 5), prior=name, out=out, adaptation=still)
        assert found.systems[0].prior_error is not None
        assert (out / RECORD).exists()


def test_settings_change_the_published_steps() -> None:
    given = RefineConfig.model_validate({"steps": 7, "radius": "published"}).means()
    assert given["adaptation"] == Adaptation(steps=7)
    assert given["radius"] == "published"
    usual = RefineConfig().means()
    assert usual == {
        "adaptation": Adaptation(), "radius": "wasserstein", "device": "auto", "head": None
    }  # fmt: skip
