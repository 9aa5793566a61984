from pathlib import Path

import pytest
import torch
from morse_molecule import frames

from fidsel.models.checkpoints import Checkpoints, discard_others, training_key

KEY, OTHER = "0" * 32, "f" * 32
VALUES = {"step": 3, "loss": 0.1, "points": [1, 2]}
TENSORS = {
    "best": torch.linspace(0, 1, 7, dtype=torch.float32),
    "count": torch.tensor(3.0),
    "mask": torch.tensor([[True, False]]),
    "none": torch.empty(0, 2, dtype=torch.float64),
}


def saved(folder: Path, key: str = KEY, facts: object = "fit") -> Path:
    task = Checkpoints(folder, key).task(facts)
    task.save(VALUES, TENSORS)
    return task.path


def test_what_was_saved_is_loaded_to_the_bit(tmp_path: Path) -> None:
    saved(tmp_path)
    found = Checkpoints(tmp_path, KEY).task("fit").load()
    assert found is not None
    assert found[0] == VALUES
    assert found[1].keys() == TENSORS.keys()
    assert all(torch.equal(found[1][name], TENSORS[name]) for name in TENSORS)


def test_tasks_are_told_apart_by_number_and_by_what_they_are(tmp_path: Path) -> None:
    saved(tmp_path)
    again = Checkpoints(tmp_path, KEY)
    assert again.task("fit").load() is not None
    assert again.task("fit").load() is None, "the second task of a training is not the first"
    assert again.notes == []
    other = Checkpoints(tmp_path, KEY)
    assert other.task("another fit").load() is None
    assert "written by another training" in other.notes[0]
    assert Checkpoints(tmp_path, OTHER).task("fit").load() is None


@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_file_is_left_aside_with_a_note(tmp_path: Path, part: float) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    again = Checkpoints(tmp_path, KEY)
    task = again.task("fit")
    assert task.load() is None
    assert f"checkpoint {path} is left aside" in again.notes[0]
    task.save(VALUES, TENSORS)
    assert Checkpoints(tmp_path, KEY).task("fit").load() is not None


def test_a_changed_file_is_left_aside(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = bytearray(path.read_bytes())
    for place in (9, len(whole) // 2, len(whole) - 5):
        spoilt = whole.copy()
        spoilt[place] ^= 0x55
        path.write_bytes(spoilt)
        assert Checkpoints(tmp_path, KEY).task("fit").load() is None


def test_a_disk_that_refuses_is_noted_and_nothing_more(tmp_path: Path) -> None:
    (tmp_path / KEY).write_text("a file where the folder must be")
    kept = Checkpoints(tmp_path, KEY)
    task = kept.task("fit")
    task.save(VALUES, TENSORS)
    task.save(VALUES, TENSORS)
    assert len(kept.notes) == 1
    assert "could not be written, a kill would lose" in kept.notes[0]


def test_checkpoints_go_when_the_training_ends_or_is_another(tmp_path: Path) -> None:
    saved(tmp_path, OTHER)
    saved(tmp_path)
    (tmp_path / "mine.txt").write_text("stays")
    discard_others(tmp_path, KEY)
    assert sorted(path.name for path in tmp_path.iterdir()) == [KEY, "mine.txt"]
    Checkpoints(tmp_path, KEY).discard()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt"]


def test_any_label_or_setting_makes_another_training() -> None:
    train, settings = frames(5), {"seed": 1, "model": {"kind": "sgdml"}}
    key = training_key({"train": train}, settings)
    assert key == training_key({"train": frames(5)}, {"model": {"kind": "sgdml"}, "seed": 1})
    energy, forces = train.energy.copy(), train.forces.copy()
    energy[3] += 1e-9
    forces[7, 1] = -forces[7, 1]
    others = [
        training_key({"train": train.replace(energy=energy)}, settings),
        training_key({"train": train.replace(forces=forces)}, settings),
        training_key({"train": train[:4]}, settings),
        training_key({"train": train[::-1]}, settings),
        training_key({"validation": train}, settings),
        training_key({"train": train}, settings | {"seed": 2}),
        training_key({"train": train.replace(level="x")}, settings),
    ]
    assert len({key, *others}) == 8


def test_empty_tensors_are_kept(tmp_path: Path) -> None:
    task = Checkpoints(tmp_path, "0" * 32).task("empty")
    task.save({"step": 1}, {"nothing": torch.empty(0, dtype=torch.float64).as_strided((0,), (0,))})
    kept = task.load()
    assert kept is not None
    assert kept[1]["nothing"].shape == (0,)
