"""`fidsel refine`: a network adapted to systems it was not trained on."""

import json
from pathlib import Path

import pytest
from command_line import fidsel
from spring_systems import painn, shaken, training

from fidsel.data import write
from fidsel.fidelity import MMFFSource, from_atoms
from fidsel.models import load
from fidsel.models.combinations.labels import SourceLabels
from fidsel.training.labels import centred


def test_a_network_is_trained_with_a_prior_and_refined_by_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts, cheap = [], []
    for name in ("H2O", "NH3", "CH4"):
        some = shaken(name, 12)
        source = MMFFSource(from_atoms(some[0], 0))
        labels = SourceLabels(source).of(some)
        prior = some.replace(energy=labels.energy, forces=labels.forces, level="mmff94")
        parts.append(str(write(tmp_path / f"{name}.extxyz", some)))
        cheap.append(str(write(tmp_path / f"{name}-mmff.extxyz", prior)))
    words = [
        "train",
        ",".join(parts),
        "--cheap",
        ",".join(cheap),
        "--model",
        "painn",
        "--recipe",
        "ttt-joint",
    ]
    sizes = ["model.features=8", "model.radial=4", "recipe.stage.steps=20", "recipe.stage.validate_every=10"]
    trained = fidsel(capfd, *words, *sizes, "--out", tmp_path / "model", "--trust-labels", "--json")
    assert trained.code == 0, trained.err
    assert json.loads(trained.out)["train"] == 26 + 3
    tests = write(tmp_path / "tests.extxyz", shaken("CH3OH", 8) + shaken("SiH4", 4))
    out = tmp_path / "refined"
    refined = ["refine", tmp_path / "model", tests, "--prior", "mmff94", "--out", out]
    quick = ["steps=4", "check_every=2", "learning_rate=1e-6"]
    done = fidsel(capfd, *refined, *quick, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert [(one["system"], one["status"]) for one in found["systems"]][1] == ("H4Si", "refused")
    assert found["systems"][0]["adapted"]["after"] <= found["systems"][0]["adapted"]["before"]
    assert load(out).kind == "by-system"
    shown = fidsel(capfd, *refined, *quick, "--force")
    assert "refused" in shown.out
    assert "elements [14]" in shown.err
    again = fidsel(capfd, *refined, *quick)
    assert again.code == 2
    assert "--force" in again.err


def test_mistakes_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    known = training("accurate", 2)
    model = centred(painn(), known).having_seen(known).save(tmp_path / "model")
    tests = write(tmp_path / "tests.extxyz", shaken("CH3OH", 2))
    alone = fidsel(capfd, "refine", model, tests, "--prior", "mmff94", "--out", tmp_path / "out")
    assert alone.code == 2
    assert "ttt-pretrain" in alone.err
    bare = painn().having_seen(known).save(tmp_path / "bare")
    assert "was never trained" in fidsel(capfd, "refine", bare, tests, "--prior", "mmff94").err
    wrong = fidsel(capfd, "refine", model, tests, "--prior", "mmff94", "step=3")
    assert wrong.code == 2
    assert "steps" in wrong.err
    assert not (tmp_path / "out").exists()
