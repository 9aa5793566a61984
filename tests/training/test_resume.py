"""A training that is killed goes on from its checkpoint, to the very model of one that is not."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from morse_molecule import frames

from fidsel.models import SGDML, Ensemble, ForceField, PaiNN
from fidsel.models.checkpoints import Checkpoints
from fidsel.models.watch import Progress, Watch
from fidsel.training import (
    Asteroid,
    AsteroidUnlabelled,
    Cokriging,
    Joint,
    ModelFactory,
    Recipe,
    Stage,
    Standard,
    Trained,
    TrainingData,
)
from fidsel.training.weights.teachers import Teaching

TESTS = Path(__file__).parents[1]
KEY = "0" * 32
STAGE = Stage("stage", steps=25, learning_rate=5e-3, batch=4, validate_every=8, patience=20)
SETTLING = replace(STAGE, steps=None, learning_rate=0.1, patience=2, validate_every=3)
DATA = TrainingData(frames(12, level="hi"), frames(5, 1, level="hi"), (frames(20, 2, depth=3.8, level="lo"),))


class Killed(BaseException):
    """In place of a signal."""


def painn(seed: int) -> PaiNN:
    return PaiNN(features=4, layers=1, radial=4, seed=seed)


def kernel(seed: int) -> SGDML:
    return SGDML([5.0, 10.0, 20.0], [1e-8, 1e-10])


def iterative(seed: int) -> SGDML:
    return SGDML([10.0], 1e-6, solver="iterative", tolerance=1e-9)


def committee(seed: int) -> Ensemble:
    return Ensemble.of(kernel, 3, seed)


CASES: dict[str, tuple[Recipe, ModelFactory]] = {
    "network": (Standard(stage=STAGE), painn),
    "settling network": (Standard(stage=SETTLING), painn),
    "surrogate network": (Cokriging(stage=STAGE, surrogate_stage=replace(STAGE, steps=17)), painn),
    "members": (
        Asteroid(
            identify=replace(STAGE, name="identify"), pretrain=STAGE, finetune=STAGE,
            gammas=(0.5, 2.0), bias_weights=True, teaching=Teaching(members=2),
        ),
        painn,
    ),
    "score": (
        AsteroidUnlabelled(temperature=300.0, baseline=STAGE, pretrain=STAGE, finetune=STAGE), painn
    ),
    "kernels": (Cokriging(surrogate=iterative), kernel),
    "committee of kernels": (Standard(), committee),
    "joint": (Joint(stage=STAGE, finetune=STAGE, fine_tune=True), painn),
}  # fmt: skip


def train(case: str, watch: Watch) -> Trained:
    recipe, model = CASES[case]
    return recipe(DATA, model, 1, watch=watch)


def assert_same(one: ForceField, other: ForceField) -> None:
    (settings, tensors), (settings_, tensors_) = one.state(), other.state()
    assert settings == settings_
    assert tensors.keys() == tensors_.keys()
    for name, tensor in tensors.items():
        assert torch.equal(torch.nan_to_num(tensor), torch.nan_to_num(tensors_[name])), name


def run_until_killed(case: str, folder: Path, seen: int) -> Trained | None:
    """Run a recipe and stop it after so many messages; a checkpoint is written before each."""
    told = 0

    def hear(progress: Progress) -> None:
        nonlocal told
        told += 1
        if told > seen:
            raise Killed

    try:
        return train(case, Watch(hear, Checkpoints(folder, KEY, every=-1.0)))
    except Killed:
        return None


@pytest.fixture(autouse=True)
def every_message_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell of every piece of work, and make the pieces small, whatever the machine does."""
    monkeypatch.setattr("fidsel.models.watch.BETWEEN", -1.0)
    monkeypatch.setattr("fidsel.models.checkpoints.SHARE", 0.0)
    monkeypatch.setattr("fidsel.training.optimise.run.PIECE", 0.0)
    monkeypatch.setattr(
        "fidsel.models.sgdml.solver.preconditioner.RANK_PER_ROOT", 0.3
    )  # so that it takes many steps


@pytest.mark.parametrize("case", CASES)
def test_a_recipe_that_is_stopped_again_and_again_ends_as_one_that_is_not(case: str, tmp_path: Path) -> None:
    messages: list[Progress] = []
    whole = train(case, Watch(messages.append))
    step = max(3, len(messages) // 4)
    stops, broken = 0, None
    while broken is None:
        broken = run_until_killed(case, tmp_path, step)
        stops += 1
        assert stops < 12, "each run must get further than the one before"
    assert stops >= 3
    assert_same(whole.model, broken.model)
    for ours, theirs in zip(broken.histories, whole.histories, strict=True):
        assert (ours.stage, ours.step, ours.best_step) == (theirs.stage, theirs.step, theirs.best_step)
        np.testing.assert_array_equal(ours.validation, theirs.validation)
        np.testing.assert_array_equal(ours.train, theirs.train)
    for ours, theirs in zip(broken.surrogates, whole.surrogates, strict=True):
        assert_same(ours.model, theirs.model)


def test_progress_names_the_stages_and_never_goes_back() -> None:
    heard: list[Progress] = []
    train("surrogate network", Watch(heard.append))
    stages = list(dict.fromkeys(one.stage for one in heard))
    assert stages == ["stage lo", "stage"]
    for stage, steps in zip(stages, (17, 25), strict=True):
        own = [one for one in heard if one.stage == stage]
        assert [one.step for one in own] == sorted(one.step for one in own)
        assert (own[-1].step, own[-1].of) == (steps, steps)
        assert own[-2].loss is not None
    assert any(one.left is not None for one in heard)


SCRIPT = """
import os, signal, sys
from pathlib import Path
import fidsel.models.checkpoints as checkpoints, fidsel.models.watch as watch
import fidsel.training.optimise.run as run
import fidsel.models.sgdml.solver.preconditioner as preconditioner
watch.BETWEEN, checkpoints.SHARE, run.PIECE, preconditioner.RANK_PER_ROOT = -1.0, 0.0, 0.0, 0.3
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[1] + "/training")
from test_resume import KEY, train
told = 0
def hear(progress):
    global told
    told += 1
    if told == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
train(sys.argv[2], watch.Watch(hear, checkpoints.Checkpoints(Path(sys.argv[3]), KEY, every=-1.0)))
"""


@pytest.mark.parametrize(("case", "at"), [("network", 12), ("kernels", 12)])
def test_a_killed_process_leaves_what_the_next_goes_on_from(case: str, at: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(TESTS), case, str(tmp_path), str(at)]
    child = subprocess.run(command, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert child.returncode == -signal.SIGKILL
    heard: list[Progress] = []
    kept = Checkpoints(tmp_path, KEY)
    again = train(case, Watch(heard.append, kept))
    messages: list[Progress] = []
    assert_same(train(case, Watch(messages.append)).model, again.model)
    assert kept.notes == []
    assert len(heard) < len(messages)
