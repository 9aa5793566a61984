"""Trainings in processes of their own come to what they come to in this one."""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from morse_molecule import frames
from small_trainings import committee, die, fail, kernel, mixture, network, refuse

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import LabelError
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.engine.task import InlineEngine, Result, Task, Usage
from fidsel.models.checkpoints import Checkpoints
from fidsel.models.watch import Progress, Watch
from fidsel.training import Asteroid, Cokriging, Stage, Standard, Trained, TrainingData
from fidsel.training.apart import Trainer, read_trained, write_trained

DATA = TrainingData(frames(8), frames(4, seed=1), (frames(12, seed=2),))
STAGE = Stage(steps=6, batch=4, validate_every=3)


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(1) as engine:
        yield engine


@pytest.fixture
def trainer(engine: LocalEngine, tmp_path: Path) -> Trainer:
    return Trainer(engine, 1, tmp_path / "results")


def same(one: Trained, other: Trained) -> None:
    """Check that two trainings came to the same model, to the last bit, and tell the same."""
    shown = frames(5, seed=7)
    models = [(each.model, *(s.model for s in each.surrogates)) for each in (one, other)]
    for a, b in zip(*models, strict=True):
        assert type(a) is type(b)
        assert np.array_equal(a.predict(shown).forces, b.predict(shown).forces)
        assert np.array_equal(a.predict(shown).energy, b.predict(shown).energy)
    assert [(s.level, s.unseen) for s in one.surrogates] == [(s.level, s.unseen) for s in other.surrogates]
    curves = [[replace(h, seconds=0, notes={}) for h in each.histories] for each in (one, other)]
    assert curves[0] == curves[1]
    assert list(one.diagnostics) == list(other.diagnostics)


def test_recipes_in_other_processes_make_the_same_models(trainer: Trainer, tmp_path: Path) -> None:
    asteroid = Asteroid(pretrain=STAGE, finetune=STAGE, identify=STAGE, bias_weights=True, gammas=(0.5, 1.0))
    calls = {
        "kernels": partial(Cokriging(), DATA, kernel, 3),
        "gammas": partial(asteroid, DATA, network, 3),
    }
    found = trainer(calls)
    for one, call in zip(found, calls.values(), strict=True):
        same(one, call())
    assert trainer.seconds > 0
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize("model", [committee, mixture])
def test_members_in_other_processes_make_the_same_model(
    trainer: Trainer, tmp_path: Path, model: Callable[[int], Any]
) -> None:
    recipe, kept = Standard(stage=STAGE), Checkpoints(tmp_path, "0" * 32, every=0.0)
    found = recipe(DATA, model, 3, watch=Watch(checkpoints=kept, trainer=trainer))
    same(found, recipe(DATA, model, 3))
    assert len(list(tmp_path.glob("*/00.safetensors"))) == len(model(3).members), "checkpoints of their own"


def ends(heard: list[Progress]) -> set[tuple[str, int]]:
    """Return the stages that came to an end, and their steps."""
    return {(one.stage, one.of) for one in heard if one.step == one.of and one.unit == "steps"}


def test_what_trainings_tell_is_heard(trainer: Trainer, tmp_path: Path) -> None:
    stage, near, far = replace(STAGE, name="fine-tune"), list[Progress](), list[Progress]()
    recipe = Asteroid(pretrain=STAGE, finetune=stage)
    recipe(DATA, network, 3, watch=Watch(near.append))
    trainer({"model": partial(recipe, DATA, network, 3, watch=Watch(trainer.heard(far.append)))})
    assert far[-1].loss is not None
    assert ends(far) <= ends(near)
    assert ("fine-tune", 6) in ends(far), "the last message of a stage is always told"
    near, members = list[Progress](), list[Progress]()
    Standard(stage=STAGE)(DATA, mixture, 3, watch=Watch(near.append))
    Standard(stage=STAGE)(DATA, mixture, 3, watch=Watch(members.append, trainer=trainer))
    assert ends(members) == ends(near) != set()
    assert list((tmp_path / "results").iterdir()) == []


def test_a_result_is_written_without_pickles(tmp_path: Path) -> None:
    trained = Cokriging()(DATA, kernel, 3)
    write_trained(trained, tmp_path / "result")
    names = {path.suffix for path in (tmp_path / "result").rglob("*") if path.is_file()}
    assert names == {".json", ".safetensors"}
    same(read_trained(tmp_path / "result"), trained)


@pytest.mark.parametrize(
    ("call", "text", "error", "said"),
    [
        (refuse, "take another", UsageError, "^take another$"),
        (fail, "too hot", FidselError, "^members: too hot$"),
        (die, "3", FidselError, r"^members: the worker process died \(exit code 3\)"),
    ],
)
def test_what_a_training_raises_is_raised(
    trainer: Trainer,
    tmp_path: Path,
    call: Callable[[str], Trained],
    text: str,
    error: type[FidselError],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        trainer({"members": partial(call, text)})
    assert list((tmp_path / "results").iterdir()) == []


@dataclass
class Losing(InlineEngine):
    """An engine whose blocks end under so many trainings."""

    losses: int

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        for task in tasks:
            self.losses -= 1
            if self.losses >= 0:
                yield task, LabelError("its block ended", 2.0, "cancelled"), Usage(2.0)
            else:
                yield task, task.source.label(task.atoms), Usage(1.0)


def test_a_training_that_is_cut_off_goes_on(tmp_path: Path) -> None:
    trainer = Trainer(Losing(2), 1, tmp_path)
    call = partial(Standard(), DATA, kernel, 3)
    (found,) = trainer({"a": call})
    same(found, call())
    assert trainer.seconds == 5.0
    with pytest.raises(FidselError, match="a: cut off 20 times"):
        Trainer(Losing(1000), 1, tmp_path)({"a": call})
