"""Contract checks of an engine: what any `fidsel.fidelity.Engine` must do, whatever runs behind it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic, sleep

from fidsel.fidelity.engine.task import Engine, Lasting, Task, Usage
from fidsel.fidelity.engine.trial import Trial, trial_atoms
from fidsel.fidelity.source import Label, LabelError

PATIENCE = 120.0
"""s that an engine may take until a label is seen to run."""
MEMORY = 1 << 29
"""Bytes that a label of the check may hold; the process that labels must be well below."""


def check_engine(engine: Engine, folder: Path | None = None) -> None:
    """Check that an engine keeps the contract; it must be fresh, and is not closed.

    It labels some dozens of frames with `fidsel.fidelity.engine.trial.Trial`.

    Parameters
    ----------
    folder : one that the driver and all processes which label see; None = a temporary one.

    Raises
    ------
    AssertionError
        naming the rule that is broken.
    """
    with TemporaryDirectory(dir=folder, prefix="check-engine-") as name:
        check_results(engine)
        check_failures(engine)
        check_limits(engine)
        check_pulling(engine)
        check_closing(engine)
        check_running(engine, Path(name))
        check_leaving(engine, Path(name))


def task(
    number: int,
    act: str = "label",
    argument: object = None,
    *,
    limit: float | None = None,
    cpu: float | None = None,
    memory: int | None = None,
    predicted: float | None = None,
) -> Task:
    """Return a label of energy `number`."""
    atoms = trial_atoms(number, act, argument)
    return Task(str(number), atoms, Trial(), limit, predicted, cpu_limit=cpu, memory_limit=memory)


def check_results(engine: Engine) -> None:
    """Check that every task comes back once, with its own label and what that used; none gives none."""
    assert list(engine.run([])) == [], "a run without tasks must give nothing"
    given = [task(i, predicted=(0.01, 5.0, None)[i % 3]) for i in range(12)]
    found = list(engine.run(given))
    assert sorted(map(id, given)) == sorted(id(one) for one, _, _ in found), (
        "each task must come back exactly once, as the object that was given"
    )
    for one, outcome, usage in found:
        assert isinstance(outcome, Label), f"a label must come back as one, got {outcome}"
        assert str(int(outcome.energy)) == one.frame_id, "each task must come back with its own label"
        assert outcome.seconds == usage.cpu, "the engine must fill in the CPU time of a label"
        assert usage.wall >= 0 <= usage.cpu, f"times must be ≥ 0 s, got {usage}"


def check_failures(engine: Engine) -> None:
    """Check that a source that raises or dies costs its own label alone, also in a group of short ones."""
    for predicted in (None, 0.01):
        acts = ["label", "raise", "label", "crash", "label", "label"]
        tasks = [task(i, act, "oh", predicted=predicted) for i, act in enumerate(acts)]
        assert _causes(engine, tasks) == ["", "failed", "", "crashed", "", ""], (
            "an error and a crash must come back as such, and leave other labels alone"
        )


def check_limits(engine: Engine) -> None:
    """Check that a label past its limit of wall time, CPU time or memory is ended, and alone."""
    tasks = [
        task(0),
        task(1, "hang", 1000, limit=1.0),
        task(2, "burn", 1000, cpu=1.0),
        task(3, "hold", 2 * MEMORY, memory=MEMORY),
        task(4),
    ]
    began = monotonic()
    assert _causes(engine, tasks) == ["", "timeout", "timeout", "memory", ""], (
        "labels past a limit must be ended, also in a C call that holds the interpreter"
    )
    assert monotonic() - began < 900, "labels past a limit must be ended then, not when they end themselves"


def check_pulling(engine: Engine) -> None:
    """Check that tasks are pulled in their order and as they can be started, not all at once."""
    pulled = done = most = 0

    def tasks() -> Iterator[Task]:
        nonlocal pulled, most
        for i in range(3 * engine.workers + 3):
            pulled += 1
            most = max(most, pulled - done)
            yield task(i)

    for _ in engine.run(tasks()):
        done += 1
    assert pulled == done, f"all tasks must be pulled and given back, got {pulled} and {done}"
    assert most <= engine.workers + 1, (
        f"at most workers + 1 = {engine.workers + 1} tasks may be pulled at a time, got {most}: a task that "
        "is pulled has its cost reserved"
    )


def check_closing(engine: Engine) -> None:
    """Check that closing a run ends what it does, and that the engine can be used after it."""
    run = engine.run([task(0), *(task(i, "sleep", 1000) for i in range(1, engine.workers + 1))])
    first, _, _ = next(run)
    assert first.frame_id == "0", "results must come as labels end, not in the order of the tasks"
    run.close()
    assert _causes(engine, [task(1)]) == [""], "after a run that was closed the engine must go on"
    assert not engine.running(), "nothing may run after a run that was closed"


def check_running(engine: Engine, folder: Path) -> None:
    """Check that what labels under way use can be seen, by their keys, and nothing else."""
    assert not engine.running(), "nothing runs before a run"
    gate, seen = folder / "gate", dict[str, Usage]()

    def watch() -> None:
        end = monotonic() + PATIENCE
        while not seen.get("8", Usage()).wall and monotonic() < end:
            sleep(0.1)
            seen.update(engine.running())
        gate.touch()

    watching = Thread(target=watch)
    watching.start()
    found = [one.frame_id for one, _, _ in engine.run([task(8, "wait", str(gate))])]
    watching.join()
    assert found == ["8"], "a label that goes on must come back"
    assert list(seen) == ["8"], f"running() must tell of labels under way by their keys, got {seen}"
    assert not engine.running(), "nothing runs after a run"


def check_leaving(engine: Engine, folder: Path) -> None:
    """Check, for an engine that offers it, that labels may outlast their run (see `Lasting`)."""
    if not isinstance(engine, Lasting):
        return
    gate = folder / "left"
    run = engine.run([task(1), task(2, "wait", str(gate))])
    next(run)
    engine.leave()
    assert [one for one, _, _ in run] == [], "a run that is left must end at once"
    if engine.workers > 1:
        assert _causes(engine, [task(3)]) == [""], "what was left must not be waited for by later runs"
    gate.touch()
    left = [(one.frame_id, isinstance(outcome, Label)) for one, outcome, _ in engine.rest()]
    assert left == [("2", True)], f"rest() must give what was left, got {left}"


def _causes(engine: Engine, tasks: list[Task]) -> list[str]:
    """Return the cause of failure of each task in order, "" for a label."""
    found = {
        one.frame_id: outcome.cause if isinstance(outcome, LabelError) else ""
        for one, outcome, _ in engine.run(tasks)
    }
    return [found[one.frame_id] for one in tasks]
