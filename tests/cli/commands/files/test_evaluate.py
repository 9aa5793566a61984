"""`fidsel evaluate`: models of every kind against a file of labels."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome, fidsel
from morse_molecule import NUMBERS, frames

import fidsel as library
from fidsel.campaign.records.best import best_round
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.data import Frames, write
from fidsel.tasks.evaluate import evaluate


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Labels of 30 frames, the energies in their usual keys."""
    return write_npz(tmp_path / "labels.npz", frames(30, seed=5))


def write_npz(path: Path, labelled: Frames, energy: str = "E", forces: str = "F") -> Path:
    dense = labelled.dense()
    arrays = {"z": NUMBERS, "R": dense.positions, energy: dense.energy, forces: dense.forces}
    np.savez(path, **arrays, e_unit="eV", r_unit="Angstrom")
    return path


def ran(capfd: pytest.CaptureFixture[str], *words: str | Path) -> Outcome:
    found = fidsel(capfd, "evaluate", *words)
    assert found.code == 0, found.err
    return found


def test_predictions_of_another_program(
    labels: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    truth = frames(30, seed=5)
    theirs = truth.replace(energy=truth.energy + 100.0, forces=truth.forces + 0.05)
    file = write_npz(tmp_path / "theirs.npz", theirs, "E_theirs", "F_theirs")
    picture = tmp_path / "parity.png"
    shown = ran(capfd, f"{file}:E_theirs:F_theirs", labels, "--out", picture, "--json")
    found = json.loads(shown.out)
    assert found["forces"]["mae"] == pytest.approx(0.05)
    assert found["forces"]["rmse"] == pytest.approx(0.05)
    assert found["energy"]["mae"] == pytest.approx(100.0)
    assert found["aligned"]["mae"] == pytest.approx(0.0, abs=1e-6)
    assert found["constant"] == pytest.approx(100.0)
    assert found["shifted"]
    assert found["elements"]["O"]["number"] == 90
    assert list(found["molecules"]) == ["CH2O"]
    assert found["picture"] == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    told = ran(capfd, f"{file}:E_theirs:F_theirs", labels)
    assert "forces by element" in told.out
    assert "energy, constant taken out" in told.out
    assert "count from different zeros" in told.err
    assert "does not tell what it was trained on" in told.err


def test_energy_and_force_keys_name_the_labels(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    truth = frames(12, seed=5)
    file = write_npz(tmp_path / "named.npz", truth, "E_x", "F_x")
    theirs = write_npz(tmp_path / "theirs.npz", truth.replace(forces=truth.forces + 0.1), "E_x", "F_x")
    words = (f"{theirs}:E_x:F_x", file, "--energy-key", "E_x", "--forces-key", "F_x", "--json")
    shown = ran(capfd, *words)
    assert json.loads(shown.out)["forces"]["mae"] == pytest.approx(0.1)
    assert f"{theirs}: energies from 'E_x' (12 of 12 frames)" in shown.err


@pytest.mark.parametrize("command", ["evaluate", "outliers"])
def test_labels_in_place_of_predictions_are_refused(
    command: str, labels: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = fidsel(capfd, command, labels, labels)
    assert found.code == 2
    assert "these are the labels, not predictions" in found.err
    assert "FILE:ENERGY_KEY:FORCES_KEY" in found.err


@pytest.mark.parametrize("command", ["evaluate", "outliers"])
def test_labels_that_look_wrong_are_told_of(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    truth = frames(40, seed=5)
    wrong = write_npz(tmp_path / "wrong.npz", truth.replace(forces=-truth.forces))
    found = fidsel(capfd, command, write_npz(tmp_path / "theirs.npz", truth), wrong, "--json")
    assert found.code == 0, found.err
    assert any("wrong.npz" in text and "sign" in text for text in json.loads(found.out)["notes"])


def test_charge_and_spin_are_given_to_frames_without(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    xyz = np.array([[0, 0, 0], [0, 0, 0.97]]) + rng.normal(scale=0.02, size=(5, 2, 3))
    plain = Frames.stack([8, 1], xyz, energy=np.arange(5.0), forces=np.zeros((5, 2, 3)))
    file, theirs = tmp_path / "oh.xyz", tmp_path / "theirs.xyz"
    write(theirs, plain.replace(energy=plain.energy + 1.0))
    write(file, plain)
    for path in (file, theirs):
        path.write_text(re.sub(r" (charge|spin)=\S+", "", path.read_text()))
    refused = fidsel(capfd, "check", file)
    assert "--charge" in refused.out
    assert "electrons" not in fidsel(capfd, "check", file, "--charge", "-1").out
    words = (theirs, file, "--charge", "-1", "--json")
    assert json.loads(ran(capfd, *words).out)["energy"]["mae"] == pytest.approx(1.0)
    for command in (
        ("train", file),
        ("select", file),
        ("evaluate", theirs, file),
        ("outliers", theirs, file),
    ):
        found = fidsel(capfd, *command, "--charge", "0", "--spin", "0")
        assert (found.code, "charge 0 leaves 9 electrons" in found.err) == (2, True), found.err


def test_a_calculator(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from ase.calculators.lj import LennardJones

    atoms = [image.copy() for image in frames(3, seed=5)]
    for image in atoms:
        image.calc = LennardJones(sigma=1.0, rc=5.0)
    truth = frames(3, seed=5).replace(
        energy=[image.get_potential_energy() for image in atoms],
        forces=np.concatenate([image.get_forces() for image in atoms]),
    )
    file = tmp_path / "lj.extxyz"
    write(file, truth)
    found = json.loads(ran(capfd, "ase:lj", file, "calculator.sigma=1.0", "calculator.rc=5.0", "--json").out)
    assert found["forces"]["mae"] == pytest.approx(0.0, abs=1e-6)
    assert found["energy"]["mae"] == pytest.approx(0.0, abs=1e-6)
    write(file, truth.replace(charge=[0, 1, 0]))
    failed = fidsel(capfd, "evaluate", "ase:lj", file, "calculator.sigma=1.0")
    assert failed.code == 1
    assert "ase:lj could not compute frame 1 (CH2O): the frame has charge 1" in failed.err
    assert "Δ" not in failed.err


def test_models_of_a_campaign_its_rounds_and_their_folders(
    finished: Path, labels: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    best = best_round(CampaignFolder(finished).read_rounds())
    assert best is not None
    folder = finished / "rounds" / f"{best.index:04d}"
    answers = [
        json.loads(ran(capfd, place, labels, "--json").out)["forces"]["mae"]
        for place in (finished, folder, folder / "model")
    ]
    truth = frames(30, seed=5)
    model = library.load(folder / "model")
    right = float(np.abs(model.predict(truth).forces - truth.forces).mean())
    assert answers == pytest.approx([right] * 3)


def test_training_frames_are_left_out(
    finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = f"{finished / 'pool.npz'}:E_accurate:F_accurate"
    found = json.loads(ran(capfd, finished, file, "--json").out)
    assert found["frames"] + found["training_frames_left_out"] == 80
    kept = library.load(finished / "rounds" / "0000" / "model").training_frames
    assert kept is not None
    assert found["training_frames_left_out"] == len(set(kept.ids))
    assert "left out: the model was trained on them" in found["notes"][0]
    train = finished / "rounds" / "0000" / "train.extxyz"
    refused = fidsel(capfd, "evaluate", finished, train)
    assert refused.code == 2
    assert "was not trained on, and" in refused.err


def test_named_training_frames_are_left_out(tmp_path: Path) -> None:
    truth = frames(20, seed=5)
    theirs, some = tmp_path / "theirs.extxyz", tmp_path / "train.extxyz"
    data = tmp_path / "data.extxyz"
    write(theirs, truth.replace(energy=truth.energy + 1.0))
    write(data, truth)
    write(some, truth[:5])
    found = evaluate(theirs, data, train=some)
    assert (found.trained, found.evaluation.whole.frames) == (5, 15)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere", "{labels}"), "there is no 'nowhere'"),
        (("ase:no-such", "{labels}"), "unknown ASE calculator"),
        (("{labels}", "{labels}", "clusters=3"), "clusters"),
        (("{labels}", "{labels}", "--out", "x.pdf"), ".png or .svg, got x.pdf"),
        (("{labels}", "{labels}", "--device", "tpu"), "a device is"),
        (("{labels}", "missing.npz"), "missing.npz"),
    ],
)
def test_misuse_is_one_paragraph(
    words: tuple[str, ...], told: str, labels: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = fidsel(capfd, "evaluate", *[word.format(labels=labels) for word in words])
    assert found.code == 2
    assert told in found.err
    assert "Traceback" not in found.err


def test_an_unfinished_campaign_has_no_model(
    labels: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "fidsel.toml").write_text("")
    found = fidsel(capfd, "evaluate", tmp_path / "new", labels)
    assert found.code == 2
    assert "so it has no model yet: run `fidsel iterate`" in found.err
