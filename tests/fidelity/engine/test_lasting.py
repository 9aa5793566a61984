from fidsel.fidelity.engine.lasting import GROUP_SIZE, group
from fidsel.fidelity.engine.task import Task
from fidsel.fidelity.engine.trial import Trial, trial_atoms


def task(name: str, predicted: float | None = None, threads: int = 1) -> Task:
    return Task(name, trial_atoms(0.0), Trial(), predicted=predicted, threads=threads)


def test_short_labels_are_grouped_by_predicted_time_and_threads() -> None:
    short = [task(str(i), predicted=0.125) for i in range(21)]
    assert [len(g) for g in group(short)] == [8, 8, 5]
    tiny = [task(str(i), predicted=0.0) for i in range(GROUP_SIZE + 1)]
    assert [len(g) for g in group(tiny)] == [GROUP_SIZE, 1]
    mixed = [
        task("a", predicted=0.1), task("b", predicted=30.0), task("c"), task("d", predicted=0.1),
        task("e", predicted=0.1, threads=2), task("f", predicted=0.1, threads=2),
    ]  # fmt: skip
    assert [[t.frame_id for t in g] for g in group(mixed)] == [["a"], ["b"], ["c"], ["d"], ["e", "f"]]
