"""`fidsel outliers` as a person runs it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import fidsel, write_pool
from morse_molecule import frames

from fidsel.data import write
from fidsel.models import SGDML, load


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a file of 120 frames with labels at two levels; picks go into its folder."""
    monkeypatch.chdir(tmp_path)
    write_pool(tmp_path, 120)
    return "pool.npz:E_accurate:F_accurate"


@pytest.fixture
def model(pool: str) -> str:
    """Return the folder of a kernel model of 20 of these frames, which it keeps."""
    fitted, _ = SGDML([10.0], symmetries=False).fit(frames(120)[:20], frames(120)[100:])
    return str(fitted.save("model"))


def test_outliers_of_a_model_a_calculator_and_a_file(
    capfd: pytest.CaptureFixture[str], pool: str, model: str, tmp_path: Path
) -> None:
    report = ["--report", "report.html", "--out", "errors.npz"]
    mine = fidsel(capfd, "outliers", model, pool, "clusters=3", "--json", *report)
    assert mine.code == 0, mine.err
    told = json.loads(mine.out)
    assert told["training_frames_left_out"] == 20
    assert told["sides"]["pool"]["frames"] == 100
    side = told["sides"]["pool"]
    assert 0 < side["force_mae"] < side["force_rmse"]
    assert len(side["clusters"]["mae"]) == len(side["clusters"]["rmse"])
    assert all(0 < one["mae"] <= one["error"] for one in told["frames"])
    assert told["findings"]
    assert told["notes"] == ["20 of 120 frames are left out: the model was trained on them"]
    with np.load("errors.npz", allow_pickle=False) as file:
        assert np.nanargmax(file["error"]) == file["worst"][0] == told["frames"][0]["frame"]
    assert Path("report.html").stat().st_size > 10_000

    predicted = load(model).predict(frames(120))
    write(tmp_path / "theirs.extxyz", frames(120).replace(energy=predicted.energy, forces=predicted.forces))
    theirs = fidsel(
        capfd, "outliers", "theirs.extxyz", pool, "clusters=3", "--train", "theirs.extxyz", "--json"
    )
    assert theirs.code == 2
    assert "of 120 frames 120 were" in theirs.err
    theirs = fidsel(capfd, "outliers", "theirs.extxyz", pool, "clusters=3", "--json")
    assert json.loads(theirs.out)["sides"]["pool"]["frames"] == 120
    assert "does not tell what it was trained on" in json.loads(theirs.out)["notes"][0]

    lj = ["calculator.sigma=1.0", "calculator.epsilon=0.01", "calculator.rc=9.0"]
    emt = fidsel(capfd, "outliers", "ase:lj", pool, *lj, "clusters=3")
    assert emt.code == 0, emt.err
    assert re.search(r"pool: RMSE [\d.]+, MAE [\d.]+ meV/Å over 120 frames", emt.err)
    assert "MAE pool" in " ".join(emt.out.split())


@pytest.mark.parametrize(
    ("option", "path", "message"),
    [
        ("--out", "errors.txt", "a file of errors is written as .npz, got errors.txt"),
        ("--report", "report.pdf", "a report is written as .html or .htm, got report.pdf"),
        ("--picture", "errors.jpg", "a picture is written as .png or .svg, got errors.jpg"),
    ],
)
def test_another_ending_is_refused_before_anything_is_computed(
    capfd: pytest.CaptureFixture[str], pool: str, model: str, option: str, path: str, message: str
) -> None:
    found = fidsel(capfd, "outliers", model, pool, "clusters=3", option, path)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert not Path(path).exists()


def test_errors_of_energies_are_said_to_be(
    capfd: pytest.CaptureFixture[str], pool: str, tmp_path: Path
) -> None:
    some = frames(120)
    write(
        tmp_path / "energies.extxyz",
        some.replace(forces=None, energy=np.where(np.arange(120) < 9, np.nan, some.energy)),
    )
    write(tmp_path / "theirs.extxyz", some.replace(energy=some.energy + 0.1))
    found = fidsel(capfd, "outliers", "theirs.extxyz", "energies.extxyz", "clusters=3")
    assert found.code == 0, found.err
    assert "no frame has forces: errors are of energies, in eV" in found.err
    assert "9 of 120 frames are left out: they have no label" in found.err
    assert pool


def test_named_training_frames_come_on_top_of_those_a_model_keeps(
    capfd: pytest.CaptureFixture[str], pool: str, model: str, tmp_path: Path
) -> None:
    write(tmp_path / "five.extxyz", frames(120)[18:23])
    found = fidsel(capfd, "outliers", model, pool, "clusters=3", "--train", "five.extxyz", "--json")
    assert json.loads(found.out)["training_frames_left_out"] == 23
    missing = fidsel(capfd, "outliers", "nosuch", pool)
    assert missing.code == 2
    assert "there is no 'nosuch'" in missing.err
    elsewhere = fidsel(capfd, "outliers", model, pool, "device=cuda:99")
    assert elsewhere.code == 2
    assert "device 'cuda:99' must be on this machine" in elsewhere.err


def test_held_out_file_is_shown_apart(
    capfd: pytest.CaptureFixture[str], pool: str, model: str, tmp_path: Path
) -> None:
    write(tmp_path / "held.extxyz", frames(40, 7, level="accurate"))
    held = ["--held-out", "held.extxyz", "--top", "200"]
    told = json.loads(fidsel(capfd, "outliers", model, pool, "clusters=3", *held, "--json").out)
    places = [one["frame"] for one in told["frames"] if one["file"] == "held out"]
    assert sorted(places) == list(range(40))
    found = fidsel(capfd, "outliers", model, pool, "clusters=3", *held)
    assert found.code == 0, found.err
    assert "held out: RMSE" in found.err
    assert "over 40 frames" in found.err


def test_errors_against_the_distance_from_training(
    capfd: pytest.CaptureFixture[str], pool: str, model: str, tmp_path: Path
) -> None:
    shown = fidsel(capfd, "outliers", model, pool, "clusters=3", "--shift", "--picture", "shift.svg")
    assert shown.code == 0, shown.err
    assert "errors against the distance from training" in shown.out
    assert "force norm" in shown.out
    assert "<svg" in (tmp_path / "shift.svg").read_text()
    told = json.loads(fidsel(capfd, "outliers", model, pool, "clusters=3", "--shift", "--json").out)["shift"]
    assert told["systems"][0]["frames"] == 100, "not those it was trained on"
    assert len(told["trends"]["force norm"]["rmse"]) == 4
    assert -1 <= told["trends"]["force norm"]["rank_correlation"] <= 1


def test_labels_and_other_files_are_not_replaced(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = SGDML([10.0]).fit(frames(20), frames(3))[0].save(tmp_path / "model")
    labels, other = write(tmp_path / "labels.npz", frames(30, 2)), tmp_path / "other.npz"
    np.savez(other, mine=np.arange(3))
    before = labels.read_bytes()
    for out, words in (
        (labels, "is read, and would be replaced"),
        (other, "holds other things, which are kept"),
    ):
        refused = fidsel(capfd, "outliers", model, labels, "--out", out)
        assert (refused.code, words in refused.err) == (2, True)
    assert labels.read_bytes() == before
    for _ in range(2):
        assert fidsel(capfd, "outliers", model, labels, "clusters=2", "--out", tmp_path / "new.npz").code == 0
