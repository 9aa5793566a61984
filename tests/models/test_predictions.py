from pathlib import Path

import numpy as np
import pytest
from morse_molecule import NUMBERS, frames

from fidsel.data import Frames, Units, write
from fidsel.exceptions import UsageError
from fidsel.models import Predictions, load
from fidsel.testing import model as contract
from fidsel.training.evaluate import errors
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.stage import Stage

ASKED = frames(6, seed=1)


def predicted(seed: int = 0) -> Frames:
    """Return the frames of somebody's test set in another order, with predictions that are wrong."""
    noise = np.random.default_rng(seed)
    many = frames(6, seed=1)[::-1] + frames(4, seed=2)
    return many.replace(
        energy=many.energy + noise.normal(size=10), forces=many.forces + noise.normal(size=(40, 3))
    )


def water(n: int) -> Frames:
    xyz = np.random.default_rng(3).normal(size=(n, 3, 3))
    return Frames.stack([8, 1, 1], xyz, energy=np.arange(float(n)), forces=xyz)


@pytest.mark.parametrize("crystals", [False, True])
def test_it_keeps_what_holds_for_a_table_of_the_contract(crystals: bool) -> None:
    box = {"pbc": True, "cell": np.tile(9.0 * np.eye(3), (10, 1, 1))} if crystals else {}
    held = predicted().replace(**box)
    model, asked = Predictions(held, "morse"), held[[7, 2, 4]]
    contract.check_shapes(model, asked)
    contract.check_inputs_unchanged(model, asked)
    contract.check_deterministic(model, asked)
    contract.check_batch_equals_single(model, asked)
    contract.check_saving(model, asked)
    contract.check_calculator(model, asked)
    contract.check_other_level_refused(model, asked)


@pytest.mark.parametrize("suffix", ["npz", "extxyz", "db"])
def test_predictions_are_read_from_files(tmp_path: Path, suffix: str) -> None:
    held = predicted()
    model = Predictions.read(write(tmp_path / f"theirs.{suffix}", held), level="morse")
    found = model.predict(ASKED, "morse")
    assert found.energy == pytest.approx(held.energy[5::-1], abs=1e-9)
    expected = held.forces.reshape(10, 4, 3)[5::-1].reshape(-1, 3)
    assert found.forces == pytest.approx(expected, abs=1e-9)
    assert errors(model, ASKED).force_mae == pytest.approx(np.abs(expected - ASKED.forces).mean())


def test_keys_and_units_are_those_of_the_reader(tmp_path: Path) -> None:
    held, kcal = predicted().dense(), 0.0433641
    np.savez(
        tmp_path / "theirs.npz", z=NUMBERS, R=held.positions, E=np.zeros(10), F=np.zeros((10, 4, 3)),
        E_gap=held.energy / kcal, F_gap=held.forces / kcal,
    )  # fmt: skip
    units = Units("kcal/mol")
    model = Predictions.read(
        tmp_path / "theirs.npz", level="morse", units=units, energy_key="E_gap", forces_key="F_gap"
    )
    # ase's calorie differs in the seventh digit
    assert model.predict(ASKED).energy == pytest.approx(held.energy[5::-1], rel=1e-6)


def test_frames_of_a_file_with_few_digits_are_found() -> None:
    held = predicted()
    short = held.replace(positions=held.positions.round(6))
    assert not set(ASKED.replace(positions=ASKED.positions + 3e-6).ids) & set(short.ids)
    asked = ASKED.replace(positions=ASKED.positions + 3e-6)
    assert np.array_equal(Predictions(short).predict(asked).energy, held.energy[5::-1])
    with pytest.raises(UsageError, match="6 of 6 frames, the first being frame 0"):
        Predictions(short, tolerance=1e-6).predict(asked)


def test_frames_in_another_order_of_atoms_are_found() -> None:
    held, order = predicted(), np.array([2, 0, 3, 1])
    turned = Frames.stack(
        np.array(NUMBERS)[order], ASKED.positions.reshape(6, 4, 3)[:, order],
        energy=ASKED.energy, forces=ASKED.forces.reshape(6, 4, 3)[:, order],
    )  # fmt: skip
    straight = Predictions(held).predict(ASKED)
    found = Predictions(held).predict(turned[:4] + ASKED[4:])
    assert np.array_equal(found.energy, straight.energy)
    forces = straight.forces.reshape(6, 4, 3).copy()
    forces[:4] = forces[:4][:, order]
    assert np.array_equal(found.forces, forces.reshape(-1, 3))


def beside(tmp_path: Path, theirs: str) -> Path:
    """Write labels as REF_... and predictions, 1 eV higher and of twice the forces, beside them."""
    path, lines = tmp_path / "mace.xyz", []
    forces = ASKED.forces.reshape(6, 4, 3)
    for image, energy, pushes in zip(ASKED, ASKED.energy.tolist(), forces, strict=True):
        lines += ["4", f"Properties=species:S:1:pos:R:3:REF_forces:R:3:{theirs}_forces:R:3 "]
        lines[-1] += f"REF_energy={energy!r} {theirs}_energy={energy + 1!r}"
        for symbol, xyz, force in zip(image.symbols, image.positions, pushes, strict=True):
            numbers = [*xyz.tolist(), *force.tolist(), *(2 * force).tolist()]
            lines.append(" ".join([symbol, *map(repr, numbers)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("theirs", ["MACE", "gap"])
def test_labels_beside_predictions_are_not_taken_for_them(theirs: str, tmp_path: Path) -> None:
    path = beside(tmp_path, theirs)
    with pytest.raises(UsageError, match=f"e.g. {path}:{theirs}_energy:{theirs}_forces"):
        Predictions.read(path)
    model = Predictions.read(path, energy_key=f"{theirs}_energy", forces_key=f"{theirs}_forces")
    assert model.predict(ASKED).energy == pytest.approx(ASKED.energy + 1)
    assert model.predict(ASKED).forces == pytest.approx(2 * ASKED.forces)


def test_labels_are_no_predictions() -> None:
    with pytest.raises(UsageError, match=r"x\.npz predicts every label of 6 frames to the last digit"):
        Predictions(ASKED).require_other_than(ASKED, "x.npz")
    Predictions(ASKED).require_other_than(ASKED[:1], "x.npz")
    Predictions(ASKED).require_other_than(ASKED.replace(energy=ASKED.energy + 1e-9), "x.npz")
    Predictions(ASKED).require_other_than(frames(3, seed=8), "x.npz")


def test_it_says_what_was_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "fidsel.data")
    Predictions.read(beside(tmp_path, "MACE"), energy_key="MACE_energy", forces_key="MACE_forces")
    assert "energies from 'MACE_energy' (6 of 6 frames)" in caplog.text
    assert "not read: REF_energy, REF_forces" in caplog.text


def test_molecules_of_several_kinds_are_served() -> None:
    model = Predictions(predicted() + water(3))
    found = model.predict(water(3)[[2]] + ASKED + water(3)[[0]])
    assert (found.energy[0], found.energy[-1], found.forces.shape) == (2.0, 0.0, (30, 3))


def test_frames_it_does_not_hold_are_counted() -> None:
    asked = ASKED[:2] + frames(3, seed=8)
    with pytest.raises(
        UsageError, match=rf"3 of 5 frames, the first being frame 2 \(CH2O, id {asked.ids[2]}\), are not"
    ):
        Predictions(predicted()).predict(asked)


@pytest.mark.parametrize(
    ("name", "match"), [("energy", "have no predicted energy"), ("forces", "have no predicted forces")]
)
def test_frames_without_energy_or_forces_are_refused(name: str, match: str) -> None:
    values = getattr(predicted(), name).copy()
    values[0] = np.nan  # the last one asked
    model = Predictions(predicted().replace(**{name: values}))
    assert np.isfinite(model.predict(ASKED[:5]).forces).all()
    with pytest.raises(UsageError, match=f"1 of 6 frames, the first being frame 5 .*{match}"):
        model.predict(ASKED)


def test_repeated_rows_must_agree() -> None:
    held = predicted()
    assert np.array_equal(
        Predictions(held + held[:3]).predict(ASKED).forces, Predictions(held).predict(ASKED).forces
    )
    with pytest.raises(UsageError, match="rows 4 and 11 are the same one"):
        Predictions(held + held[[3, 4]].replace(energy=held.energy[[3, 3]]))


def test_no_frames_and_training_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one frame"):
        Predictions(predicted()[:0])
    with pytest.raises(UsageError, match="a predictions model only predicts"):
        train_one(Predictions(predicted()), ASKED, ASKED, Stage())


def test_a_saved_table_is_the_same_table(tmp_path: Path) -> None:
    model = Predictions(predicted() + water(2), "gap", 2e-5)
    again = load(model.save(tmp_path))
    assert isinstance(again, Predictions)
    assert (again.level, again.tolerance) == ("gap", 2e-5)
    assert again.frames.ids == model.frames.ids
    assert np.array_equal(again.frames.forces, model.frames.forces)
