"""One driver per campaign: live ones refuse, dead ones make way, whatever their number."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread
from time import sleep, time

import pytest

from fidsel.fidelity import CampaignLock, LockError
from fidsel.fidelity.store.lock import read_driver
from fidsel.fidelity.store.process_identity import ProcessIdentity, birth

ROOT = Path(__file__).parents[3]

HOLD = """
import sys, time
from fidsel.fidelity import CampaignLock
with CampaignLock(sys.argv[1], interval=0.05):
    print("held", flush=True)
    time.sleep(600)
"""


def driver(store: Path) -> subprocess.Popen[str]:
    """Start another process that holds the lock."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


def holder(store: Path) -> ProcessIdentity:
    found = ProcessIdentity.parse(Path(f"{store}.lock").read_text())
    assert found is not None
    return found


def write(store: Path, owner: ProcessIdentity | str, age: float) -> Path:
    """Leave a lock file whose last heartbeat was `age` seconds ago."""
    path = Path(f"{store}.lock")
    path.write_text(owner if isinstance(owner, str) else owner.text())
    os.utime(path, (time() - age, time() - age))
    return path


def until(condition: Callable[[], bool]) -> None:
    while not condition():  # bounded by the test's own time limit
        sleep(0.01)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "labels.db"


def test_lock_is_there_while_held(store: Path) -> None:
    with CampaignLock(store) as lock:
        assert holder(store).pid == os.getpid()
        lock.check()
    assert list(store.parent.iterdir()) == []


def test_a_second_driver_is_refused_and_told_who(store: Path) -> None:
    child = driver(store)
    try:
        with pytest.raises(
            LockError, match=rf"pid {child.pid} on .* since 20.*, last seen alive 20.*--break-lock"
        ) as error:
            CampaignLock(store).__enter__()
        assert error.value.holder == holder(store)
        assert error.value.heartbeat == pytest.approx(time(), abs=60)
    finally:
        end(child)


def test_within_one_process_too(store: Path) -> None:
    with CampaignLock(store):
        with pytest.raises(LockError, match=r"go on .* or close that") as error:
            CampaignLock(store).__enter__()
        assert error.value.holder == holder(store)
    with CampaignLock(store, what="a file"), pytest.raises(LockError, match="this process works on a file"):
        CampaignLock(store, what="a file").__enter__()


def test_a_change_of_the_current_folder_moves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with CampaignLock("labels.db") as lock:
        assert str(lock.path) == "labels.db.lock", "as messages name it"
        monkeypatch.chdir("other")
        lock.check()
    assert [one.name for one in tmp_path.iterdir()] == ["other"]


def test_a_killed_driver_makes_way(store: Path) -> None:
    child = driver(store)
    path = Path(f"{store}.lock")
    first = path.stat().st_mtime
    until(lambda: path.stat().st_mtime > first)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    with CampaignLock(store):
        assert holder(store).pid == os.getpid()


def test_a_recycled_number_is_not_mistaken(store: Path) -> None:
    """Process 1 runs, but it was not started when the lock's process was."""
    write(store, replace(ProcessIdentity.this(), pid=1, born="123"), age=1)
    with CampaignLock(store):
        assert holder(store).pid == os.getpid()
    write(store, replace(ProcessIdentity.this(), pid=1, born=birth(1) or ""), age=1)
    with pytest.raises(LockError, match="pid 1 on"):
        CampaignLock(store).__enter__()


def test_a_driver_from_before_a_restart_makes_way(store: Path) -> None:
    write(store, replace(ProcessIdentity.this(), boot="earlier"), age=3600)
    last = Path(f"{store}.lock").stat().st_mtime
    with CampaignLock(store) as lock:
        assert lock.last_seen == last
    with CampaignLock(store) as lock:
        assert lock.last_seen is None, "it was given back"


@pytest.mark.parametrize(
    ("changes", "age"),
    [
        ({"host": "node7"}, 86400),
        ({"machine": "other"}, 86400),  # two machines may share a name
        ({"space": "pid:[1]", "pid": 2**22 + 1}, 86400),  # a container's processes cannot be seen from here
        ({"boot": "other"}, 0),  # two machines may share name and id: this one is alive
    ],
)
def test_who_cannot_be_seen_is_taken_away_only_by_order(
    store: Path, changes: dict[str, object], age: float
) -> None:
    write(store, replace(ProcessIdentity.this(), **changes), age)  # type: ignore[arg-type]
    with pytest.raises(LockError, match="if it died with its machine, use --break-lock"):
        CampaignLock(store).__enter__()
    with CampaignLock(store, break_lock=True):
        assert holder(store).pid == os.getpid()


@pytest.mark.parametrize("text", ["", "held", "[1, 2]", json.dumps({"pid": 3})])
def test_a_lock_that_names_nobody(store: Path, text: str) -> None:
    write(store, text, age=3600)
    with pytest.raises(LockError, match=r"the lock of an unknown process.*--break-lock"):
        CampaignLock(store).__enter__()
    with CampaignLock(store, break_lock=True):
        pass


def test_a_driver_whose_lock_was_taken_away_notices_and_leaves_the_other_alone(store: Path) -> None:
    old = CampaignLock(store, interval=0.01).__enter__()
    with CampaignLock(store, break_lock=True):
        with pytest.raises(LockError, match="was taken away from this process"):
            old.check()
        owner = Path(f"{store}.lock").stat()
        old.__exit__(None, None, None)
        assert Path(f"{store}.lock").stat().st_ino == owner.st_ino


def test_of_many_that_find_a_stale_lock_one_gets_it(store: Path) -> None:
    for _ in range(20):
        write(store, replace(ProcessIdentity.this(), born="long ago"), age=3600)
        barrier, entered = Barrier(8), list[CampaignLock]()

        def enter(barrier: Barrier = barrier, entered: list[CampaignLock] = entered) -> None:
            lock = CampaignLock(store)
            barrier.wait()
            with suppress(LockError):
                entered.append(lock.__enter__())

        threads = [Thread(target=enter) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(entered) == 1
        entered[0].__exit__(None, None, None)


def test_births_tell_processes_apart() -> None:
    child = subprocess.Popen(["sleep", "60"])
    assert birth(child.pid) is not None
    assert birth(child.pid) == birth(child.pid)
    child.kill()
    child.wait()
    assert birth(child.pid) is None


def test_who_works_on_a_campaign_is_read_without_touching_its_lock(store: Path) -> None:
    assert read_driver(store) is None
    with CampaignLock(store):
        before = Path(f"{store}.lock").read_text()
        found = read_driver(store)
        assert found is not None
        assert found.alive
        assert found.words.startswith(f"pid {os.getpid()} on ")
        assert Path(f"{store}.lock").read_text() == before
    assert read_driver(store) is None
    write(store, replace(ProcessIdentity.this(), pid=1, born="123"), age=1)
    gone = read_driver(store)
    assert gone is not None
    assert not gone.alive
    assert "pid 1 on" in gone.words
    assert "goes on from there" in gone.words
    Path(f"{store}.lock").write_text("nonsense")
    unknown = read_driver(store)
    assert unknown is not None
    assert unknown.words.startswith("an unknown process works on it")
