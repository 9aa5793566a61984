"""A driver killed at any moment loses no label it had stored, and nothing is paid or labelled twice."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import sleep

import pytest
from toy_labels import ClockEngine, Spring, springs

from fidsel.fidelity import Budget, Fidelity, LabelStore, Ledger, Price, buy, open_store

N = 150
FRAMES = springs(range(1, N + 1))
BUDGET = Budget(1000.0, "core-second")
TESTS = Path(__file__).parents[1]

DRIVER = """
import sys
from pathlib import Path
import numpy as np
from fidelity.test_crash import BUDGET, FRAMES, N, level
from fidsel.fidelity import InlineEngine, buy, open_store
from fidsel.fidelity.engine.local import LocalEngine

path, calls, engine, per, seconds = sys.argv[1:]
if __name__ == "__main__":
    with open_store(path) as (store, lock):
        runs = InlineEngine() if engine == "inline" else LocalEngine(workers=1)
        buy(store, runs, level(Path(calls), per, float(seconds)), FRAMES, "train", budget=BUDGET,
            predicted_seconds=np.full(N, float(seconds)),
            on_event=lambda event: print(event.frame_id, flush=True))
"""


def level(calls: Path, per: str, seconds: float) -> Fidelity:
    source = Spring(seconds=seconds, pause=0.01, calls=calls)
    return Fidelity("spring", source, Price(1.0, per), threads=1)  # type: ignore[arg-type]


def killed_after(events: int, arguments: list[str]) -> set[str]:
    """Run a driver, kill it when it has told of so many labels, return all labels it told of."""
    child = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments],
        cwd=TESTS, env={"PYTHONPATH": f"{TESTS}:{TESTS.parent}", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    told = [child.stdout.readline().strip() for _ in range(events)]
    sleep(0.003 * events)
    child.kill()
    rest, _ = child.communicate()
    return {*told, *(line for line in rest.split("\n")[:-1])}


@pytest.mark.parametrize(
    ("engine", "per", "seconds", "moments"),
    [
        ("inline", "core-second", 1.0, (1, 5, 2)),
        ("inline", "label", 0.001, (1, 7, 1)),  # short labels are reserved and stored together
        ("local", "core-second", 0.1, (1, 6)),
    ],
)
def test_killed_at_any_moment(
    tmp_path: Path, engine: str, per: str, seconds: float, moments: tuple[int, ...]
) -> None:
    path, calls = tmp_path / "labels.db", tmp_path / "calls"
    fidelity, told = level(calls, per, seconds), set[str]()
    for events in moments:
        told |= killed_after(events, [str(path), str(calls), engine, per, str(seconds)])
        with LabelStore(path) as store:
            assert told <= set(store.label_ids(fidelity)) < set(FRAMES.ids)
            assert Ledger(store).spent() <= BUDGET.total
    with open_store(path) as (store, _):
        ledger, known = Ledger(store), set(store.label_ids(fidelity))
        assert ledger.under_way() == ()
        bought = buy(store, ClockEngine(), fidelity, FRAMES, "train", budget=BUDGET)
        assert set(bought.ids_owned) == known
        assert store.label_ids(fidelity) == FRAMES.ids
        kinds = Counter((line.kind, line.frame_id) for line in ledger.lines())
        assert all(kinds["label", name] == 1 for name in FRAMES.ids)
        assert {kind for kind, _ in kinds} <= {"label", "lost"}
        paid = sum(line.amount for line in ledger.lines() if line.kind == "label")
        assert paid == pytest.approx(N * (1.0 if per == "label" else seconds))
        assert ledger.spent() == pytest.approx(sum(line.amount for line in ledger.lines()))
        if per == "label":
            assert ledger.spent() == paid
        labelled = Counter(calls.read_text().split())
        for i, name in enumerate(FRAMES.ids):
            assert labelled[f"{i + 1:.6f}"] <= 1 + kinds["lost", name]
