"""Parsl as the pilot. What starts it takes half a minute or more, and is slow."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from time import sleep

import numpy as np
import pytest
from cluster_campaign import check_undisturbed, config, kill, labels, named, start, wait
from morse_molecule import frames
from tiny_campaign import write_campaign

from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity import Label, LabelError, Task
from fidsel.fidelity.engine.cluster.parsl import Site
from fidsel.fidelity.engine.cluster.remote import RemoteEngine
from fidsel.fidelity.engine.spool import Slot
from fidsel.fidelity.engine.trial import Trial, trial_atoms
from fidsel.testing import check_engine
from fidsel.training import Standard, TrainingData
from fidsel.training.apart import Trainer

pytest.importorskip("parsl")
SLURM = Site("slurm", cores_per_node=8, walltime="02:00:00")


@pytest.mark.parametrize(
    ("walltime", "seconds"), [("00:10:00", 600.0), ("100:00:01", 360001.0), ("2-03:00:00", 183600.0)]
)
def test_a_walltime_is_read_as_schedulers_do(walltime: str, seconds: float) -> None:
    assert Site(walltime=walltime).seconds == seconds


def test_a_node_runs_as_many_labels_as_it_has_cores_for() -> None:
    assert [SLURM.workers_on_node(threads) for threads in (1, 3, 8)] == [8, 2, 1]
    for site in (SLURM, Site("slurm", cores_per_node=8, workers_per_node=1)):
        with pytest.raises(UsageError, match="must not exceed the 8 cores of a node"):
            site.workers_on_node(9)
    with pytest.raises(UsageError, match=r"got 5 × 2"):
        Site("slurm", cores_per_node=8, workers_per_node=5).workers_on_node(2)


def test_a_label_that_may_outlast_its_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="labels may take 7200 s"):
        SLURM.engine(1, tmp_path, longest=7200.0)
    SLURM.engine(1, tmp_path, longest=7000.0)


def task(folder: Path, number: int, act: str = "label", argument: object = None) -> Task:
    slot = Slot(folder / f"{number}.json", number, str(number), "level")
    return Task(str(number), trial_atoms(number, act, argument), Trial(), slot=slot)


@pytest.fixture
def engine(tmp_path: Path) -> RemoteEngine:
    return Site(blocks=2, workers_per_node=1).engine(1, tmp_path / "engine")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_it_keeps_the_contract_of_engines(engine: RemoteEngine, tmp_path: Path) -> None:
    with engine:
        check_engine(engine, tmp_path)
        assert {block.state for block in engine.blocks()} <= {"running", "pending"}
    assert not named(str(tmp_path), "worker_pool")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("what", ["worker", "manager", "interchange"])
def test_what_is_finished_outlives_any_process(engine: RemoteEngine, tmp_path: Path, what: str) -> None:
    """A worker, a manager and the interchange are killed while one label is finished and another runs."""
    gates = [str(tmp_path / f"gate{number}") for number in range(4)]
    tasks = [task(tmp_path, number, "wait", gate) for number, gate in enumerate(gates)]

    def harm() -> None:
        while len(engine.running()) < 2:
            sleep(0.2)
        Path(gates[0]).touch()
        while not tasks[0].slot.path.exists():  # type: ignore[union-attr]
            sleep(0.05)
        kill(what, tmp_path)
        for gate in gates:
            Path(gate).touch()

    found: dict[str, list[Label | LabelError]] = {}
    with engine:
        thread = Thread(target=harm)
        thread.start()
        for one, outcome, _ in engine.run(tasks):
            found.setdefault(one.frame_id, []).append(outcome)
        thread.join()
    assert [len(found[str(number)]) for number in range(4)] == [1, 1, 1, 1]
    causes = [getattr(found[str(number)][0], "cause", "label") for number in range(4)]
    assert causes[0] == "label"
    assert set(causes) <= {"label", "cancelled"}
    _wait(lambda: not named(str(tmp_path), "worker_pool"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_training_on_a_node_makes_the_same_model(tmp_path: Path) -> None:
    data, model = (
        TrainingData(frames(8), frames(4, seed=1)),
        open_campaign(write_campaign(tmp_path / "campaign")).model,
    )
    call = partial(Standard(), data, model, 3)
    engine, threads = Site(blocks=2, cores_per_node=1).training_engine(1, tmp_path / "engine")
    with engine:
        assert (engine.workers, threads) == (1, 1)
        (found,) = Trainer(engine, threads, tmp_path / "results")({"a kernel": call})
    shown = frames(5, seed=7)
    assert np.array_equal(found.model.predict(shown).forces, call().model.predict(shown).forces)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_campaign_survives_five_kills_at_random_moments(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    folder = tmp_path / "there"
    folder.mkdir()
    larger = config().replace("start = 4", "start = 20").replace("per_round = 3", "per_round = 10")
    (folder / "fidsel.toml").write_text(larger.replace("total = 16", "total = 40"))
    driver = start(folder)
    for what in rng.permutation(["worker", "manager", "interchange", "driver", "driver"]).tolist():
        enough = min(labels(folder) + int(rng.integers(1, 12)), 45)
        wait(lambda: labels(folder) >= enough, driver, folder / "log")  # noqa: B023 - it is called at once
        sleep(float(rng.uniform(0, 2)))
        kill(what, folder, driver.pid)
        if what == "driver":
            driver.wait()
            driver = start(folder)
    assert driver.wait() == 0, (folder / "log").read_text()
    check_undisturbed(folder, tmp_path / "here")
    _wait(lambda: not named(str(folder), "worker_pool"))


def _wait(until: Callable[[], bool]) -> None:
    while not until():
        sleep(0.5)
