"""Labels that look wrong: single ones are left out and noted, a level that is wrong stops the campaign."""

from pathlib import Path

import numpy as np
import pytest
from tiny_campaign import rounds, run, write_campaign

from fidsel.data import read
from fidsel.exceptions import FidselError, UsageError


def trusting(folder: Path) -> Path:
    """Write a campaign whose accurate table is believed."""
    file = write_campaign(folder) / "fidsel.toml"
    key = 'forces_key = "F_accurate"'
    file.write_text(file.read_text().replace(key, f"{key}\ntrust_labels = true"))
    return folder


def spoil(folder: Path, **changes: object) -> Path:
    """Replace arrays of the pool, each by what a function makes of it."""
    with np.load(folder / "pool.npz") as archive:
        arrays = dict(archive)
    for name, change in changes.items():
        arrays[name] = change(arrays[name])  # type: ignore[operator]
    np.savez(folder / "pool.npz", **arrays)
    return folder


def shifted(energy: np.ndarray) -> np.ndarray:
    return energy + 1e4 * (np.arange(len(energy)) % 6 == 0)


def test_a_table_with_a_wrong_label_is_refused_before_anything_is_bought(tmp_path: Path) -> None:
    folder = spoil(write_campaign(tmp_path), E_accurate=shifted)
    with pytest.raises(
        UsageError, match=r"pool.npz cannot be trained on: energies .* in 20 of 120 frames.*trust_labels"
    ):
        run(folder)


def test_single_wrong_labels_are_left_out_and_noted(tmp_path: Path) -> None:
    folder = spoil(trusting(tmp_path), E_accurate=shifted)
    run(folder, "campaign.rounds=0")
    (record,) = rounds(folder)
    notes = [note for note in record.notes if "left out of training" in note]
    assert len(notes) == 1
    assert "accurate: energies are far from the usual" in notes[0]
    for side in ("train", "validation"):
        assert np.ptp(read(folder / "rounds" / "0000" / f"{side}.extxyz").energy) < 100
    wrong = [pick.row for pick in record.picks if pick.row % 6 == 0]
    assert wrong
    assert len(read(folder / "rounds" / "0000" / "train.extxyz")) == len(record.picks) - len(wrong)


def test_trusted_labels_are_trained_on(tmp_path: Path) -> None:
    folder = spoil(trusting(tmp_path), E_accurate=shifted)
    run(folder, "campaign.rounds=0", "campaign.trust_labels=true")
    (record,) = rounds(folder)
    assert len(read(folder / "rounds" / "0000" / "train.extxyz")) == len(record.picks)
    assert any("accurate: energies are far from the usual" in note for note in record.notes)


def test_a_level_of_gradients_stops_the_campaign(tmp_path: Path) -> None:
    folder = spoil(trusting(tmp_path), F_accurate=np.negative)
    with pytest.raises(FidselError, match=r"labels of accurate, got 0 .*wrong sign.*fidsel release"):
        run(folder, "campaign.rounds=0")
    run(folder, "campaign.rounds=0", "campaign.trust_labels=true")
    assert len(rounds(folder)) == 1
