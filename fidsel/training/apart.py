"""Trainings as tasks of an engine, each in a process of its own: models come back as safetensors and JSON."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import uuid4

from ase import Atoms

from fidsel.data.atomic import make_folder, write_text
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.task import Engine, Task
from fidsel.fidelity.source import Label, LabelError, Value
from fidsel.models import ForceField, load
from fidsel.models.watch import OnProgress, unheard
from fidsel.training.progress_files import ProgressFile, following, remove
from fidsel.training.stage import History, Surrogate, Trained

CUT_OFF: Final = 20
"""Times that a training may be cut off by the end of its node or block before that is an error."""
MODEL, SURROGATES, FACTS = "model", "surrogates", "training.json"
"""Names in the folder of a result."""


@dataclass(frozen=True)
class Training:
    """What an engine calls to train, in the place of a label source: the result is in a folder then.

    Parameters
    ----------
    call : trains; sent to its process as label sources are.
    folder : for the result, seen by the driver and all nodes.
    """

    call: Callable[[], Trained]
    folder: Path
    forces: ClassVar[bool] = False

    def settings(self) -> Mapping[str, Value]:
        """Return its kind."""
        return {"kind": "training"}

    def label(self, atoms: Atoms) -> Label:  # noqa: ARG002 - it needs none
        """Train, write the result, and return an energy without meaning."""
        write_trained(self.call(), self.folder)
        return Label(0.0, None)


@dataclass(eq=False)
class Trainer:
    """Trains what does not depend on each other side by side, as tasks of an engine.

    Parameters
    ----------
    engine : runs the trainings, as many at a time as it has workers.
    threads : cores of each.
    folder : seen by the driver and all nodes, for results until they are read.
    read : reads a saved model.

    Attributes
    ----------
    seconds : core-seconds that trainings have taken so far.
    """

    engine: Engine
    threads: int
    folder: Path
    read: Callable[[Path], ForceField] = load
    seconds: float = field(default=0.0, init=False)
    _files: dict[Path, OnProgress] = field(default_factory=dict, init=False, repr=False)

    def heard(self, listener: OnProgress) -> OnProgress:
        """Return a callback for a training of the next call: what that tells it, the listener hears here."""
        if listener is unheard:
            return unheard
        make_folder(self.folder)
        file = ProgressFile(self.folder / f"{uuid4().hex}.json")
        self._files[file.path] = listener
        return file

    def __call__(self, calls: Mapping[str, Callable[[], Trained]]) -> list[Trained]:
        """Return what trainings come to, in their order.

        One that is cut off by the end of its node or block is sent out again, and goes on from its checkpoint
        where it keeps one.

        Raises
        ------
        UsageError, FidselError
            the first that a training raises, or where its process dies; the others are ended.
        """
        place = self.folder / uuid4().hex
        make_folder(place)
        try:
            tasks = [
                Task(name, Atoms(), Training(call, place / str(row)), threads=self.threads)
                for row, (name, call) in enumerate(calls.items())
            ]
            with following(self._files) as check:
                self._run(tasks, check)
            return [read_trained(place / str(row), self.read) for row in range(len(tasks))]
        finally:
            shutil.rmtree(place, ignore_errors=True)
            for path in self._files:
                remove(path)
            self._files.clear()

    def _run(self, tasks: Sequence[Task], check: Callable[[], None]) -> None:
        """Have trainings done, those that are cut off once more; `check` raises where that is of no use."""
        for _ in range(CUT_OFF):
            again = []
            with closing(self.engine.run(tasks)) as results:
                for task, outcome, usage in results:
                    check()
                    self.seconds += usage.cpu + usage.setup
                    if isinstance(outcome, LabelError):
                        again.append(_cut_off(task, outcome))
            if not again:
                return
            tasks = again
        names = ", ".join(task.frame_id for task in tasks)
        raise FidselError(
            f"{names}: cut off {CUT_OFF} times by the end of a node or block: raise engine.walltime"
        )


def _cut_off(task: Task, error: LabelError) -> Task:
    """Return a training that a node or block ended; raise what else it failed of."""
    if error.cause == "cancelled":
        return task
    if error.cause == "refused":
        raise UsageError(str(error))
    raise FidselError(f"{task.frame_id}: {error}")


def write_trained(trained: Trained, folder: Path) -> None:
    """Write what a recipe returns: models as they are saved elsewhere, all else as JSON, which comes last."""
    make_folder(folder)
    trained.model.save(folder / MODEL)
    for row, surrogate in enumerate(trained.surrogates):
        surrogate.model.save(folder / SURROGATES / str(row))
    facts = {
        "histories": [asdict(history) for history in trained.histories],
        "diagnostics": dict(trained.diagnostics),
        "surrogates": [(one.level, one.unseen) for one in trained.surrogates],
    }
    write_text(folder / FACTS, json.dumps(facts))


def read_trained(folder: Path, read: Callable[[Path], ForceField] = load) -> Trained:
    """Return what `write_trained` wrote.

    Parameters
    ----------
    read : reads a saved model.
    """
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    surrogates = tuple(
        Surrogate(level, read(folder / SURROGATES / str(row)), tuple(unseen))
        for row, (level, unseen) in enumerate(facts["surrogates"])
    )
    histories = tuple(_history(one) for one in facts["histories"])
    return Trained(read(folder / MODEL), histories, facts["diagnostics"], surrogates)


def _history(facts: dict[str, Any]) -> History:  # Any: plain values
    curves = {name: tuple(facts[name]) for name in ("step", "train", "validation")}
    return History(**(facts | curves))
