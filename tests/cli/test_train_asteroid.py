"""Every switch of the ASTEROID recipes from the command line, on formaldehyde."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import fidsel

TINY = ["model.features=4", "model.layers=1"]
WEIGHED = "recipe.bias_weights=true"
STEPS = ["steps=3", "validate_every=3", "batch=4"]


@pytest.fixture(scope="module")
def files(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return 20 accurate labels, 60 cheap ones of other frames, and the latter without labels."""
    folder = tmp_path_factory.mktemp("h2co")
    with np.load(data_folder / "h2co" / "h2co.npz") as table:
        arrays = {name: table[name] for name in table.files}
    rows = np.random.default_rng(0).permutation(len(arrays["R"]))[:80]
    for name, own in (("accurate", rows[:20]), ("cheap", rows[20:])):
        taken = {k: a[own] if a.shape[:1] == arrays["R"].shape[:1] else a for k, a in arrays.items()}
        np.savez(folder / f"{name}.npz", **taken)
    bare = {k: a for k, a in taken.items() if not k.startswith(("E_", "F_"))}
    np.savez(folder / "bare.npz", **bare)
    return {
        "accurate": f"{folder / 'accurate.npz'}:E_ccsdt:F_ccsdt",
        "cheap": f"{folder / 'cheap.npz'}:E_b3lyp:F_b3lyp",
        "bare": str(folder / "bare.npz"),
    }


def train(
    capfd: pytest.CaptureFixture[str], files: dict[str, str], cheap: str, recipe: str, *settings: str
) -> dict[str, object]:
    out = Path(files["bare"]).parent / "model"
    found = fidsel(
        capfd, "train", files["accurate"], "--cheap", files[cheap], "--model", "painn", "--recipe", recipe,
        "--units", "eV,Angstrom", "--out", out, "--force", "--json", *TINY, *settings,
    )  # fmt: skip
    assert found.code == 0, found.err
    report: dict[str, object] = json.loads(found.out)
    assert report["recipe"] == recipe
    assert isinstance(report["validation_force_mae"], float)
    return report


def steps(*stages: str) -> list[str]:
    return [f"recipe.{stage}.{setting}" for stage in stages for setting in STEPS]


@pytest.mark.parametrize(
    ("settings", "stages"),
    [
        ([], ["pre-train cheap 0", "fine-tune"]),
        ([WEIGHED], ["identify", "pre-train cheap 0", "fine-tune"]),
        ([WEIGHED, "recipe.fine_tune=false", "recipe.gammas=[1.0]"], ["identify", "pre-train cheap 0"]),
        (
            [
                WEIGHED,
                "recipe.teaching={members=2,folds=2,subtract_error=true}",
                "recipe.energy_labels=teacher",
            ],
            ["identify", "pre-train cheap 0", "fine-tune"],
        ),
        (
            [WEIGHED, "recipe.relative_to=absolute", "recipe.held_out=0.3"],
            ["identify", "pre-train cheap 0", "fine-tune"],
        ),
    ],
)
def test_asteroid(
    capfd: pytest.CaptureFixture[str], files: dict[str, str], settings: list[str], stages: list[str]
) -> None:
    report = train(capfd, files, "cheap", "asteroid", *steps("identify", "pretrain", "finetune"), *settings)
    assert [stage["stage"] for stage in report["stages"]] == stages  # type: ignore[attr-defined]
    (level,) = report["diagnostics"]["levels"]  # type: ignore[index]
    assert ("weights" in level) == ("identify" in stages)
    assert ("forgetting" in level) == ("fine-tune" in stages)
    assert level["validation"] == (18 if "recipe.held_out=0.3" in settings else 6)


@pytest.mark.parametrize("cheap", ["cheap", "bare"])
def test_asteroid_unlabelled(capfd: pytest.CaptureFixture[str], files: dict[str, str], cheap: str) -> None:
    report = train(
        capfd, files, cheap, "asteroid-unlabelled", "recipe.temperature=500",
        *steps("baseline", "pretrain", "finetune"),
    )  # fmt: skip
    assert [s["stage"] for s in report["stages"]] == ["baseline", "pre-train cheap 0", "fine-tune"]  # type: ignore[attr-defined]
    (level,) = report["diagnostics"]["levels"]  # type: ignore[index]
    assert level["temperature"]["given"] == 500


def test_a_temperature_is_required(capfd: pytest.CaptureFixture[str], files: dict[str, str]) -> None:
    words = ["train", files["accurate"], "--cheap", files["bare"], "--model", "painn"]
    found = fidsel(capfd, *words, "--recipe", "asteroid-unlabelled", "--units", "eV,Angstrom")
    assert found.code == 2
    assert "recipe.temperature is required" in found.err


def test_labels_are_required_where_they_are_learnt(
    capfd: pytest.CaptureFixture[str], files: dict[str, str]
) -> None:
    words = ["train", files["accurate"], "--cheap", files["bare"], "--model", "painn"]
    found = fidsel(capfd, *words, "--recipe", "asteroid", "--units", "eV,Angstrom")
    assert found.code == 2
    assert "has no labels" in found.err
