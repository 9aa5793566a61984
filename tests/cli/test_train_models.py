"""Every kind of model and every recipe from the command line, on formaldehyde."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import fidsel

import fidsel as package
from fidsel.data import Units, read
from fidsel.exceptions import UsageError
from fidsel.models import MODELS
from fidsel.training import RECIPES

SMALL = {
    "average": ["members=[{kind='sgdml',sigmas=[20.0]},{kind='painn',features=8,layers=1}]"],
    "egnn": ["features=8", "layers=1"],
    "ensemble": ["members=2", "member={kind='painn',features=4,layers=1}"],
    "gemnet": ["blocks=1", "atom=8", "edge=8", "triplet=4", "bilinear=4"],
    "mace": ["channels=4", "layers=1"],
    "painn": ["features=8", "layers=1"],
    "schnet": ["features=8", "layers=1"],
    "sgdml": ["sigmas=[20.0]"],
}
"""Settings of a small model of every kind that learns."""
PREDICT_ONLY = {"baseline", "by-system", "offset", "predictions", "sum"}
EV = Units()
STEPS = ["steps=4", "validate_every=4", "batch=4"]
STAGES = {
    "asteroid": ["identify", "pretrain", "finetune"],
    "asteroid-unlabelled": ["baseline", "pretrain", "finetune"],
    "cokriging": ["stage", "surrogate_stage"],
    "delta": ["stage"],
    "joint": ["stage"],
    "standard": ["stage"],
    "ttt-joint": ["stage"],
    "ttt-pretrain": ["pretrain", "heads"],
}
NEEDED = {"asteroid-unlabelled": ["temperature=500"]}


@pytest.fixture(scope="module")
def labels(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of 60 frames with labels at both levels."""
    path = tmp_path_factory.mktemp("h2co") / "both.npz"
    with np.load(data_folder / "h2co" / "h2co.npz") as table:
        rows = np.random.default_rng(0).permutation(len(table["R"]))[:60]
        np.savez(path, **{name: table[name] if name == "z" else table[name][rows] for name in table.files})
    return path


def train(capfd: pytest.CaptureFixture[str], labels: Path, model: str, recipe: str, *settings: str) -> Path:
    """Train a small model and return its folder."""
    if model == "mace" and importlib.util.find_spec("mace") is None:
        pytest.skip("mace-torch is not installed: pip install 'fidsel[mace]'")
    out = labels.parent / f"{model} {recipe}"
    cheap = [] if recipe == "standard" else ["--cheap", f"{labels}:E_b3lyp:F_b3lyp"]
    steps = [f"recipe.{stage}.{setting}" for stage in STAGES[recipe] for setting in STEPS]
    needed = [f"recipe.{setting}" for setting in NEEDED.get(recipe, ())]
    found = fidsel(
        capfd, "train", f"{labels}:E_ccsdt:F_ccsdt", *cheap, "--model", model, "--recipe", recipe, "--json",
        "--units", "eV,Angstrom", "--out", out, "--force", *(f"model.{setting}" for setting in SMALL[model]),
        *steps, *needed, *settings,
    )  # fmt: skip
    assert found.code == 0, found.err
    report = json.loads(found.out)
    assert np.isfinite(report["validation_force_mae"])
    assert report["recipe"] == recipe
    return out


def test_the_tables_here_name_every_model_and_recipe() -> None:
    assert set(SMALL) == set(MODELS) - PREDICT_ONLY
    assert set(STAGES) == set(RECIPES)


@pytest.mark.parametrize("model", sorted(SMALL))
def test_every_model_learns_from_accurate_labels(
    capfd: pytest.CaptureFixture[str], labels: Path, model: str
) -> None:
    loaded = package.load(train(capfd, labels, model, "standard"))
    assert loaded.kind == {"average": "sgdml"}.get(model, model)  # a network of four steps adds nothing
    some = read(labels, units=EV, energy_key="E_ccsdt", forces_key="F_ccsdt")[:3]
    assert np.isfinite(loaded.predict(some.unlabelled()).forces).all()


@pytest.mark.parametrize("recipe", sorted(set(STAGES) - {"standard", "delta"}))
@pytest.mark.parametrize("model", ["painn", "egnn"])
def test_every_recipe_trains_networks_on_the_mixture(
    capfd: pytest.CaptureFixture[str], labels: Path, model: str, recipe: str
) -> None:
    package.load(train(capfd, labels, model, recipe))


@pytest.mark.parametrize("model", ["painn", "sgdml"])
def test_delta_learning_needs_its_cheap_level_again(
    capfd: pytest.CaptureFixture[str], labels: Path, model: str
) -> None:
    loaded = package.load(train(capfd, labels, model, "delta"))
    with pytest.raises(UsageError, match="with_source"):
        loaded.predict(read(labels, units=EV, energy_key="E_b3lyp", forces_key="F_b3lyp"))


def test_a_network_may_be_the_surrogate_of_a_kernel(capfd: pytest.CaptureFixture[str], labels: Path) -> None:
    words = ("recipe.surrogate={kind='painn',features=8,layers=1}", "model.sigmas=[20.0]")
    short = [f"recipe.surrogate_stage.{setting}" for setting in STEPS]
    found = fidsel(
        capfd, "train", f"{labels}:E_ccsdt:F_ccsdt", "--cheap", f"{labels}:E_b3lyp:F_b3lyp", "--json",
        "--units", "eV,Angstrom", "--out", labels.parent / "mixed", *words, *short,
    )  # fmt: skip
    surrogate, *kernels = json.loads(found.out)["stages"]
    assert "best_validation" in surrogate["notes"]
    assert [stage["stage"] for stage in kernels] == ["residual", "standard"]
    assert [stage["notes"]["sigma"] for stage in kernels] == [20.0, 20.0]
