"""The engine of this process keeps every failure with its task."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ase import Atoms
from toy_labels import Spring, springs

from fidsel.fidelity import InlineEngine, Label, LabelError, Task
from fidsel.fidelity.source import Value


@dataclass(frozen=True)
class Broken:
    forces: bool = True

    def settings(self) -> Mapping[str, Value]:
        return {}

    def label(self, atoms: Atoms) -> Label:
        return Label({}[atoms.get_chemical_formula()], None, 0.0)


def test_one_failure_leaves_the_others_alone() -> None:
    frames = springs([1.0, -1.0, 2.0])
    tasks = [Task(name, frames[i], Spring()) for i, name in enumerate(frames.ids)]
    tasks.insert(1, Task("broken", frames[0], Broken()))
    results = list(InlineEngine().run(tasks))
    assert [task for task, _, _ in results] == tasks
    kinds = [type(result) for _, result, _ in results]
    assert kinds == [Label, LabelError, LabelError, Label]
    assert re.fullmatch(r"KeyError: 'HO' \(test_task.py, line \d+\)", str(results[1][1]))
    assert str(results[2][1]) == "did not converge"


def test_tasks_are_pulled_one_by_one() -> None:
    pulled = []

    def tasks() -> Iterator[Task]:
        for i, name in enumerate(springs([1.0, 2.0]).ids):
            pulled.append(name)
            yield Task(name, springs([1.0, 2.0])[i], Spring())

    run = InlineEngine().run(tasks())
    next(run)
    assert len(pulled) == 1
