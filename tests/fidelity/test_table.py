"""Labels on disk are found by configuration, not by place."""

import os
import pickle
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from morse_molecule import frames

from fidsel.data import Frames, Units, write
from fidsel.errors import UsageError
from fidsel.fidelity import (
    Budget,
    Fidelity,
    LabelError,
    LabelSource,
    LabelStore,
    Price,
    TableSource,
    Task,
    buy,
)
from fidsel.fidelity.task import Result

WATER = Frames.stack(
    [8, 1, 1],
    np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    + np.random.default_rng(0).normal(scale=0.05, size=(20, 3, 3)),
    energy=np.arange(20.0),
    forces=np.random.default_rng(1).normal(size=(20, 3, 3)),
)


@pytest.fixture
def table(tmp_path: Path) -> TableSource:
    return TableSource(write(tmp_path / "water.xyz", WATER))


@pytest.mark.parametrize("level", ["ccsdt", "b3lyp"])
def test_h2co(data_folder: Path, level: str) -> None:
    path = data_folder / "h2co" / "h2co.npz"
    source = TableSource(path, f"E_{level}", f"F_{level}", Units())
    with np.load(path) as archive:
        z, xyz, energy, forces = (archive[key] for key in ("z", "R", f"E_{level}", f"F_{level}"))
    for i in np.random.default_rng(0).choice(len(xyz), 50, replace=False):
        label = source.label(Atoms(z, xyz[i]))
        assert label.energy == energy.ravel()[i]
        assert np.array_equal(label.forces, forces[i])


def test_every_frame_is_found(table: TableSource) -> None:
    assert isinstance(table, LabelSource)
    copy = pickle.loads(pickle.dumps(table))
    for i in np.random.default_rng(0).permutation(20):
        label = copy.label(WATER[int(i)])
        assert label.energy == WATER.energy[i]
        assert label.forces is not None
        assert np.allclose(label.forces, WATER.dense().forces[i])
        assert label.seconds == 0


def test_a_frame_a_little_displaced_is_found(table: TableSource) -> None:
    near = WATER[3].copy()
    near.positions += 4e-6
    assert table.label(near).energy == 3.0
    far = WATER[3].copy()
    far.positions[1, 2] += 2e-5
    with pytest.raises(LabelError, match=r"H2O is not among the 20 labelled frames of .*, to 1e-05 Å"):
        table.label(far)
    with pytest.raises(LabelError, match="to 0 Å"):
        TableSource(table.path, tolerance=0.0).label(near)


@pytest.mark.parametrize("change", [{"charge": 1}, {"spin": 2}])
def test_another_state_is_another_frame(table: TableSource, change: dict[str, int]) -> None:
    atoms = WATER[0].copy()
    atoms.info |= change
    with pytest.raises(LabelError, match="is not among"):
        table.label(atoms)


def test_energies_only(tmp_path: Path) -> None:
    path = write(tmp_path / "water.xyz", WATER.replace(forces=None))
    with pytest.raises(LabelError, match="has an energy but no forces"):
        TableSource(path).label(WATER[0])
    assert TableSource(path, forces=False).label(WATER[0]).forces is None


def test_key_follows_the_content_not_the_path(table: TableSource, tmp_path: Path) -> None:
    def key(source: TableSource) -> str:
        return Fidelity("table", source, Price(0.0)).key

    other = tmp_path / "copy.xyz"
    other.write_bytes(table.path.read_bytes())
    assert key(table) == key(TableSource(other, seconds_per_label=3.0))
    assert key(table) != key(TableSource(other, units=Units("Hartree", "Angstrom")))
    assert key(table) != key(TableSource(other, forces=False))
    stat = other.stat()
    write(other, WATER.replace(energy=WATER.energy + 1))
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert key(table) != key(TableSource(other))
    assert TableSource(other).label(WATER[0]).energy == 1.0


@dataclass(frozen=True)
class NoEngine:
    workers: int = 1

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        raise AssertionError(f"a look-up needs no engine, it was given {tasks}")


def test_a_table_is_bought_from_without_an_engine(table: TableSource, tmp_path: Path) -> None:
    level = Fidelity("table", TableSource(table.path, seconds_per_label=2.0), Price(1.0))
    with LabelStore(tmp_path / "labels.db") as store:
        bought = buy(
            store, NoEngine(), level, WATER[:5].unlabelled(), "train", budget=Budget(9.0, "core-second")
        )
        assert (len(bought.ids_done), len(bought.ids_refused), bought.cost) == (4, 1, 8.0)
        assert np.array_equal(store.labelled(level).energy, WATER.energy[:4])


def test_misuse(table: TableSource, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs energy_key and forces_key or none, got 'energy' and None"):
        TableSource(table.path, energy_key="energy")
    with pytest.raises(UsageError, match="tolerance of a table must be a number ≥ 0, got -1"):
        TableSource(table.path, tolerance=-1)
    with pytest.raises(UsageError, match=r"absent\.xyz cannot be read: No such file"):
        TableSource(tmp_path / "absent.xyz").settings()


def test_wrong_labels_are_refused_unless_trusted(tmp_path: Path) -> None:
    good = frames(30)
    bad = write(tmp_path / "bad.npz", good.replace(energy=good.energy + 1e4 * (np.arange(30) == 7)))
    with pytest.raises(
        UsageError, match=r"the table .*bad.npz cannot be trained on: .*frame 7.*trust_labels = true"
    ):
        TableSource(bad).frames()
    with pytest.raises(UsageError, match="frame 7"):
        TableSource(bad).label(good[0])
    trusted = TableSource(bad, trust_labels=True)
    assert len(trusted.frames()) == 30
    assert trusted.label(good[7]).energy == pytest.approx(good.energy[7] + 1e4)
    assert trusted.settings() == TableSource(bad).settings(), "the labels are the same"


def test_rows_of_the_file_are_named_although_some_cannot_be_looked_up(tmp_path: Path) -> None:
    good = frames(30)
    energy, xyz = good.energy + 1e4 * (np.arange(30) == 7), good.positions.copy()
    xyz[0] = np.nan
    bad = write(tmp_path / "bad.npz", good.replace(energy=energy, positions=xyz))
    with pytest.raises(UsageError, match="frame 7"):
        TableSource(bad).frames()
