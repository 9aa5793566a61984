"""What goes into the store comes out of it, in its order."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_labels import Spring, springs

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity import Fidelity, Label, LabelError, LabelStore, Ledger, Order, Price

LEVEL = Fidelity("spring", Spring(), Price(1.0, "label"))
ENERGIES = Fidelity("energies", Spring(forces=False), Price(1.0, "label"))


def mixed(rng: np.random.Generator, n: int) -> Frames:
    """Frames of several compositions, some periodic, with charges, spins and groups."""
    sizes = rng.integers(1, 6, n)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    pbc = rng.random((n, 3)) < 0.3
    return Frames.pack(
        rng.integers(1, 18, offsets[-1]),
        rng.normal(size=(offsets[-1], 3)),
        offsets,
        cell=rng.normal(size=(n, 3, 3)) * pbc.any(axis=1)[:, None, None],
        pbc=pbc,
        charge=rng.integers(-1, 2, n),
        spin=rng.integers(0, 3, n),
        group=rng.choice(["", "run-1", "run-2 µ"], n),
    )


def same(a: Frames, b: Frames) -> bool:
    names = ("numbers", "positions", "offsets", "energy", "forces", "cell", "pbc", "charge", "spin")
    equal = all(np.array_equal(getattr(a, n), getattr(b, n), equal_nan=True) for n in names)
    return equal and a.level.tolist() == b.level.tolist() and a.group.tolist() == b.group.tolist()


def settle(store: LabelStore, fidelity: Fidelity, frames: Frames) -> None:
    ledger = Ledger(store)
    store.add_frames(frames)
    for name, atoms in zip(frames.ids, frames, strict=True):
        attempt = ledger.reserve("train", fidelity, [Order(name, 1.0)])[0]
        try:
            ledger.settle_all([(attempt, fidelity.source.label(atoms))])
        except LabelError as error:
            ledger.settle_all([(attempt, error)])


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32), n=st.integers(0, 30))
def test_frames_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    frames = mixed(rng, n)
    path = tmp_path_factory.mktemp("store") / "labels.db"
    with LabelStore(path) as store:
        assert store.add_frames(frames) == n
        assert store.add_frames(frames[rng.permutation(n)]) == 0
    with LabelStore(path, read_only=True) as store:
        assert same(store.frames(), frames)
        order = rng.permutation(n)
        assert same(store.frames([frames.ids[i] for i in order]), frames[order])


def test_labels_come_back_exactly(tmp_path: Path) -> None:
    frames = springs([3.0, -1.0, 1.0, 2.0])
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_frames(frames)
        settle(store, LEVEL, frames[::-1])
        found = store.labelled(LEVEL)
        good = frames[[0, 2, 3]]
        assert found.ids == good.ids == store.label_ids(LEVEL)
        assert found.level.tolist() == ["spring"] * 3
        for i, atoms in enumerate(good):
            label = Spring().label(atoms)
            assert found.energy[i] == label.energy
            assert label.forces is not None
            assert np.array_equal(found.dense().forces[i], label.forces)
        chosen = [good.ids[2], good.ids[0]]
        assert store.labelled(LEVEL, chosen).ids == tuple(chosen)
        assert store.failed_ids(LEVEL) == (frames.ids[1],)
        assert store.failures(LEVEL) == {frames.ids[1]: "did not converge"}
        assert store.provenance(LEVEL, good.ids[0])["program"] == "spring"
        ids, seconds = store.measured(LEVEL)
        assert ids == good.ids
        assert seconds.tolist() == [1.0, 1.0, 1.0]
        numbers = store.statistics(LEVEL)
        assert (numbers.done, numbers.failed, numbers.lost, numbers.open) == (3, 1, 0, 0)
        assert (numbers.seconds, numbers.mean_seconds) == (4.0, 1.0)


def test_levels_are_told_apart_by_what_changes_the_number(tmp_path: Path) -> None:
    frames = springs([1.0, 2.0])
    with LabelStore(tmp_path / "labels.db") as store:
        settle(store, LEVEL, frames)
        settle(store, ENERGIES, frames[:1])
        assert np.isnan(store.labelled(ENERGIES).forces).all()
        assert np.isfinite(store.labelled(ENERGIES).energy).all()
        assert store.label_ids(ENERGIES) == frames.ids[:1]
        renamed = Fidelity("other name", Spring(seconds=9.0), Price(5.0))
        assert store.label_ids(renamed) == frames.ids
        assert store.label_ids(Fidelity("spring", Spring(k=3.0), Price())) == ()


def test_ids_without_a_label_are_refused(tmp_path: Path) -> None:
    frames = springs(range(1, 1200))
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_frames(frames)
        settle(store, LEVEL, frames[:1])
        with pytest.raises(
            UsageError, match=f"1198 of 1199 frames have no label at spring, the first is {frames.ids[1]}"
        ):
            store.labelled(LEVEL, frames.ids)
        with pytest.raises(UsageError, match="1 of 1 frames are not in the store"):
            store.frames(["absent"])
        with pytest.raises(UsageError, match="has no label at spring"):
            store.provenance(LEVEL, frames.ids[1])


def test_numpy_values_in_a_provenance_are_kept(tmp_path: Path) -> None:
    frames = springs([1.0])
    odd = Label(1.0, np.zeros((2, 3)), 1.0, {"n": np.int64(3), "ok": np.bool_(True), "host": "node7"})
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_frames(frames)
        ledger = Ledger(store)
        ledger.settle_all([(ledger.reserve("train", LEVEL, [Order(frames.ids[0], 1.0)])[0], odd)])
        assert store.provenance(LEVEL, frames.ids[0]) == {"n": 3, "ok": True, "host": "node7"}
        assert store.query("SELECT host FROM attempts") == [("node7",)]


def test_records(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        assert store.record("round/1") is None
        store.put_record("round/1", {"picks": ["a"], "spent": 1.5})
        store.put_record("round/1", {"picks": ["a", "b"], "spent": 1.5})
    with LabelStore(path) as store:
        assert store.record("round/1") == {"picks": ["a", "b"], "spent": 1.5}


def test_an_exception_undoes_the_whole_transaction(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:

        def broken() -> None:
            with store.transaction() as connection:
                connection.execute("INSERT INTO records VALUES ('a', '{}', 0)")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            broken()
        assert store.record("a") is None
        store.put_record("a", {})


def test_a_reader_sees_a_store_in_use(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        store.add_frames(springs([1.0]))
        with LabelStore(path, read_only=True) as reader:
            assert len(reader.frames()) == 1
        store.add_frames(springs([2.0]))
