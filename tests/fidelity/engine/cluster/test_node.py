from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import time

import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity import Task
from fidsel.fidelity.engine.cluster import node
from fidsel.fidelity.engine.cluster.node import BLOCK_END, Parcel, fits, read_note, write_note
from fidsel.fidelity.engine.spool import Slot, unpacked
from fidsel.fidelity.engine.task import Usage
from fidsel.fidelity.engine.trial import Trial, trial_atoms

TASK = Task("f", trial_atoms(2.0), Trial(), predicted=100.0, slot=Slot(Path("/x/1.json"), 1, "f", "k"))


@pytest.fixture(autouse=True)
def no_engine_left() -> Iterator[None]:
    """Close the engine of this process, which pilots keep."""
    yield
    if node._Home.kept is not None:
        node._Home.kept.close()


@pytest.mark.parametrize(
    ("left", "threads", "begun"), [(151.0, 1, True), (149.0, 1, False), (149.0, 2, True)]
)
def test_a_label_is_begun_where_its_block_lasts_long_enough(
    monkeypatch: pytest.MonkeyPatch, left: float, threads: int, begun: bool
) -> None:
    """One and a half times its predicted wall time."""
    assert fits(TASK)
    monkeypatch.setenv(BLOCK_END, str(time() + left))
    assert fits(replace(TASK, threads=threads)) == begun
    assert fits(replace(TASK, predicted=None))


def test_a_parcel_holds_its_tasks_unopened(tmp_path: Path) -> None:
    other = replace(TASK, frame_id="g", key="", threads=2, cpu_limit=3.0, memory_limit=5, pays_wall=True)
    parcel = Parcel.of([TASK, other], 2, tmp_path)
    assert len(parcel.sources) == 1
    for task, opened in zip((TASK, other), parcel.tasks(), strict=True):
        assert replace(opened, source=task.source, atoms=task.atoms).__dict__ == task.__dict__
        assert not isinstance(opened.source, Trial)


def test_a_source_that_nodes_cannot_import_is_refused(tmp_path: Path) -> None:
    class Mine(Trial):
        pass

    Mine.__module__ = "__main__"
    with pytest.raises(UsageError, match=r"Mine is in the program that was started"):
        Parcel.of([TASK, replace(TASK, source=Mine())], 1, tmp_path)


def test_labels_that_do_not_fit_are_given_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(BLOCK_END, str(time() + 100.0))
    monkeypatch.setattr(node, "REST", 0.0)
    monkeypatch.setattr(node._Home, "fresh", False)
    short = replace(TASK, frame_id="g", key="g", predicted=0.01, slot=None)
    told = node.label(Parcel.of([TASK, short], 1, tmp_path))
    assert told[0] is None
    assert told[1] is not None
    assert getattr(unpacked(told[1]).outcome, "energy", None) == 2.0
    assert list(tmp_path.iterdir()) == []


def test_the_first_label_of_a_worker_is_begun_in_any_case(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where the start of its block took long: the next block would not be better."""
    monkeypatch.setenv(BLOCK_END, str(time() + 100.0))
    monkeypatch.setattr(node._Home, "fresh", True)
    monkeypatch.setattr(node, "REST", 0.0)
    parcel = Parcel.of([replace(TASK, slot=None)], 1, tmp_path)
    first, second = node.label(parcel), node.label(parcel)
    assert first[0] is not None
    assert second == [None]


def test_what_nobody_wants_is_not_begun(tmp_path: Path) -> None:
    parcel = Parcel.of([TASK], 1, tmp_path)
    parcel.stop.touch()
    assert node.label(parcel) == [None]
    assert list(tmp_path.iterdir()) == []


def test_notes_tell_what_labels_use_and_where(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_note(path) == {}
    write_note(path, {"7": Usage(1.5, 2.5)})
    ((key, used),) = read_note(path).items()
    assert (key, used.cpu, used.wall) == ("7", 1.5, 2.5)
    assert used.host
    for text in (
        "",
        "[]",
        '{"host": "x"}',
        '{"host": "x", "labels": {"7": [1]}}',
        '{"host": "x", "labels": 3}',
    ):
        path.write_text(text)
        assert read_note(path) == {}
