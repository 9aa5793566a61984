import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st
from toy_labels import Spring

from fidsel.exceptions import FidselError
from fidsel.fidelity import Label, LabelError, Price
from fidsel.fidelity.attempt import Attempt
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.engine.spool import CLOSED, Slot, Spool, read_kept, unpacked
from fidsel.fidelity.engine.task import Task, Usage

ATTEMPT = Attempt(7, "ab12", "train", Price(), 1)
FORCES = np.array([[0.1, 1 / 3, -1e-300], [np.pi, 0.0, 5e17]])
USED = Usage(1 / 7, 1e5, 0.25, "node7")


def slot(folder: Path) -> Slot:
    return Spool(folder / "labels.db").slot(ATTEMPT, "level")


@pytest.mark.parametrize("forces", [FORCES, None])
def test_a_label_keeps_all_its_digits(tmp_path: Path, forces: np.ndarray | None) -> None:
    there = slot(tmp_path)
    there.write(there.packed(Label(-76.1 - 1e-14, forces, 0.0, {"program": "x", "cycles": 3}), USED))
    kept = read_kept(there.path)
    assert (kept.attempt, kept.frame_id, kept.level, kept.usage) == (7, "ab12", "level", USED)
    assert isinstance(kept.outcome, Label)
    assert kept.outcome.energy == -76.1 - 1e-14
    assert (kept.outcome.forces is None) == (forces is None)
    if forces is not None:
        np.testing.assert_array_equal(kept.outcome.forces, forces)
    assert kept.outcome.provenance == {"program": "x", "cycles": 3, "host": "node7"}


def test_a_failure_keeps_its_cause(tmp_path: Path) -> None:
    kept = unpacked(slot(tmp_path).packed(LabelError("no convergence", cause="unconverged"), USED))
    assert isinstance(kept.outcome, LabelError)
    assert (str(kept.outcome), kept.outcome.cause) == ("no convergence", "unconverged")


def changed(**entries: object) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | entries)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda _: "",
        lambda _: "[" * 100_000,
        lambda text: text.replace("0.25", "NaN"),
        lambda _: "\x80\x04]\x94.",
        changed(format=2),
        changed(energy="-3"),
        changed(energy=None),
        changed(energy=1e999),
        changed(forces=[[1, 2, 3], [4, 5]]),
        changed(forces=[1.0, 2.0, 3.0]),
        changed(forces=[["a", "b", "c"]]),
        changed(forces=[[10**400, 0, 0]]),
        changed(usage={"cpu": -1, "wall": 1, "setup": 0}),
        changed(usage={"cpu": 1}),
        changed(usage=[1, 2, 3]),
        changed(provenance="x"),
        changed(attempt="7"),
        changed(attempt=True),
        changed(error="x", cause="because"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, damage: Callable[[str], str]) -> None:
    there = slot(tmp_path)
    there.path.write_text(damage(there.packed(Label(1.0, np.zeros((2, 3))), USED)))
    with pytest.raises(FidselError, match=r"no whole result|Infinity"):
        read_kept(there.path)


@given(st.binary(max_size=60))
def test_no_bytes_do_anything_but_be_refused(data: bytes) -> None:
    with pytest.raises(FidselError, match="no whole result"):
        unpacked(data)


def test_links_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    there = slot(tmp_path)
    for make in (lambda: os.mkfifo(there.path), lambda: there.path.symlink_to("/dev/zero"), there.path.mkdir):
        make()
        with pytest.raises(FidselError, match="it is no file of at most"):
            read_kept(there.path)
        there.path.rmdir() if there.path.is_dir() else there.path.unlink()


def test_a_closed_folder_takes_no_more_results(tmp_path: Path) -> None:
    there = slot(tmp_path)
    there.write(there.packed(Label(1.0, None), USED))
    (there.path.parent / ".8.part").touch()
    (found,) = Spool(tmp_path / "labels.db").left()
    assert found.parent.name == there.path.parent.name + CLOSED
    assert [path.name for path in found.parent.iterdir()] == ["7.json"]
    with pytest.raises(FidselError, match="could not write"):
        there.write("{}")


def test_a_spool_leaves_no_empty_folders(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "labels.db")
    there = spool.slot(ATTEMPT, "level")
    there.write("{}")
    spool.close()
    assert there.path.exists()
    spool.remove([7, 8])
    spool.close()
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_a_worker_keeps_long_results_before_it_tells_of_them(tmp_path: Path) -> None:
    kept, short = Slot(tmp_path / "a", 1, "a", "k", after=0.0), Slot(tmp_path / "b", 2, "b", "k")
    atoms = Atoms("HO", [[3.0, 0, 0], [0, 0, 1]])
    bad = Atoms("HO", [[-3.0, 0, 0], [0, 0, 1]])
    with LocalEngine(1) as engine:
        tasks = [Task("a", atoms, Spring(), slot=kept), Task("b", atoms, Spring(), slot=short)]
        found = {task.frame_id: outcome for task, outcome, _ in engine.run(tasks)}
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
        label = read_kept(kept.path).outcome
        assert isinstance(label, Label)
        assert label.energy == found["a"].energy == 10.0  # type: ignore[union-attr]
        ((_, told, _),) = engine.run([Task("c", bad, Spring(), slot=kept)])
        error = read_kept(kept.path).outcome
    assert isinstance(told, LabelError)
    assert isinstance(error, LabelError)
    assert str(error) == "did not converge"


def test_a_result_that_cannot_be_kept_is_told_all_the_same(tmp_path: Path) -> None:
    nowhere = Slot(tmp_path / "none" / "a", 1, "a", "k", after=0.0)
    with LocalEngine(1) as engine:
        ((_, label, _),) = engine.run(
            [Task("a", Atoms("HO", [[3.0, 0, 0], [0, 0, 1]]), Spring(), slot=nowhere)]
        )
    assert isinstance(label, Label)
