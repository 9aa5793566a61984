from multiprocessing import get_context
from pathlib import Path

from fidsel.fidelity.engine.progress import LABELLING, MOST, STARTING, WAITING, Progress, State
from fidsel.fidelity.engine.task import Usage

LATER = State(group=3, done=2, phase=LABELLING, since=12.5, cpu=0.25, printed=4096)


def write(path: Path) -> None:
    page = Progress(path)
    page.write_usage(1, Usage(1.5, 2.5, 0.5))
    page.write(LATER)


def test_a_new_page_says_that_a_worker_starts(tmp_path: Path) -> None:
    page = Progress.create(tmp_path / "page")
    assert page.read() == State(phase=STARTING)
    page.close()


def test_another_process_reads_what_a_worker_writes(tmp_path: Path) -> None:
    page = Progress.create(tmp_path / "page")
    worker = get_context("fork").Process(target=write, args=(tmp_path / "page",))
    worker.start()
    worker.join(60)
    assert page.read() == LATER
    assert page.read_usage(1) == Usage(1.5, 2.5, 0.5)
    page.close()


def test_there_is_room_for_the_last_label_of_a_group(tmp_path: Path) -> None:
    page = Progress.create(tmp_path / "page")
    used = [Usage(float(i), 2.0 * i, 0.0) for i in range(MOST)]
    for i, usage in enumerate(used):
        page.write_usage(i, usage)
    page.write(State(phase=WAITING))
    assert [page.read_usage(i) for i in range(MOST)] == used
    page.close()
