"""Labels on disk are found by configuration, not by place."""

import os
import pickle
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from morse_molecule import frames

from fidsel.data import Frames, Units, write
from fidsel.data.state import State
from fidsel.exceptions import UsageError
from fidsel.fidelity import (
    Budget,
    Coverage,
    Fidelity,
    LabelError,
    LabelSource,
    LabelStore,
    MMFFSource,
    Price,
    TableSource,
    Task,
    buy,
    from_smiles,
)
from fidsel.fidelity.engine.task import Result, Usage

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


def key(source: TableSource) -> str:
    return Fidelity("table", source, Price(0.0)).key


def test_key_follows_name_and_settings(table: TableSource, tmp_path: Path) -> None:
    other = tmp_path / "copy.xyz"
    other.write_bytes(table.path.read_bytes())
    assert key(table) != key(TableSource(other))
    named = TableSource(table.path, name="dft")
    assert key(named) == key(TableSource(other, name="dft", seconds_per_label=3.0))
    assert key(named) != key(TableSource(other, name="cc"))
    assert key(named) != key(TableSource(other, name="dft", units=Units("Hartree", "Angstrom")))
    assert key(named) != key(TableSource(other, name="dft", forces=False))
    assert key(named) != key(TableSource(other, name="dft", state=State(charge=1)))


def test_a_file_written_again_is_read_again(table: TableSource) -> None:
    before, content, stat = key(table), table.content(), table.path.stat()
    write(table.path, WATER.replace(energy=WATER.energy + 1))
    os.utime(table.path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert table.label(WATER[0]).energy == 1.0
    assert key(table) == before
    assert table.content() != content


def test_labels_may_be_added_to_a_table_not_changed(table: TableSource) -> None:
    write(table.path, WATER[:12])
    assert table.covers(WATER).tolist() == [True] * 12 + [False] * 8
    taken = WATER[4:12]
    write(table.path, WATER[[*range(12, 20), *range(12)]])
    assert table.covers(WATER).all()
    table.confirm(taken)
    write(table.path, WATER[:6])
    table.confirm(taken)
    changed = WATER.energy.copy()
    changed[9] += 2e-6
    write(table.path, WATER.replace(energy=changed))
    with pytest.raises(UsageError, match=r"1 of 8 labels .* row 9 had 9.0000.*added to a table, not changed"):
        table.confirm(taken)
    forces = WATER.forces.copy()
    forces[3 * 10 + 2, 1] += 2e-5
    write(table.path, WATER.replace(forces=forces))
    with pytest.raises(UsageError, match="1 of 8 labels taken from"):
        table.confirm(taken)


def test_frames_are_found_in_another_order_of_atoms(table: TableSource) -> None:
    order = np.array([2, 0, 1])
    for i in (0, 7):
        atoms = WATER[i][order]
        atoms.info |= WATER[i].info
        label = table.label(atoms)
        assert label.energy == WATER.energy[i]
        assert label.forces is not None
        np.testing.assert_array_equal(label.forces, WATER.dense().forces[i][order])
    dense = WATER.dense()
    turned = Frames.stack(
        dense.numbers[order], dense.positions[:, order], energy=WATER.energy, forces=dense.forces[:, order]
    )
    assert table.covers(turned).all()
    table.confirm(turned)
    with pytest.raises(UsageError, match="2 of 20 labels"):
        table.confirm(turned.replace(energy=np.where(WATER.energy > 17, 0.0, WATER.energy)))


def test_what_is_not_there_is_said_with_its_reason(table: TableSource) -> None:
    moved = WATER[0][[1, 0, 2]]
    moved.positions[0, 0] += 0.01
    with pytest.raises(LabelError, match="stand in another order there, and no frame agrees") as caught:
        table.label(moved)
    assert caught.value.cause == "refused"
    ion = WATER[0].copy()
    ion.info |= {"charge": 1, "spin": 1}
    with pytest.raises(
        LabelError, match=r"there as charge 0, 0 unpaired .* here they are charge 1, 1 unpaired"
    ):
        table.label(ion)
    with pytest.raises(LabelError, match="it has no frame of these atoms, charge and spin"):
        table.label(Atoms("HF", [[0, 0, 0], [0, 0, 0.9]]))
    far = WATER[3].copy()
    far.positions[1, 2] += 0.02
    with pytest.raises(LabelError, match=r"the nearest is 0\.02 Å away"):
        table.label(far)


def test_a_table_covers_what_it_has_labels_for(tmp_path: Path) -> None:
    forces = WATER.forces.copy()
    forces[:6] = np.nan
    path = write(tmp_path / "water.xyz", WATER[:10].replace(forces=forces[:30]))
    source = TableSource(path)
    assert isinstance(source, Coverage)
    assert source.covers(WATER).tolist() == [False] * 2 + [True] * 8 + [False] * 10
    assert TableSource(path, forces=False).covers(WATER).tolist() == [True] * 10 + [False] * 10
    assert source.covers(WATER[:0]).tolist() == []
    assert not isinstance(MMFFSource(from_smiles("O")), Coverage)


def test_a_state_is_given_to_frames_that_name_none(tmp_path: Path) -> None:
    path = tmp_path / "water.npz"
    dense = WATER.dense()
    np.savez(
        path, z=dense.numbers, R=dense.positions, E=dense.energy, F=dense.forces, e_unit="eV", r_unit="Ang"
    )
    source = TableSource(path, state=State(charge=-2, others=True))
    anion = WATER[4].copy()
    anion.info |= {"charge": -2, "spin": 0}
    assert source.label(anion).energy == 4.0
    with pytest.raises(LabelError, match="there as charge -2"):
        source.label(WATER[4])
    written = TableSource(write(tmp_path / "water.xyz", WATER), state=State(charge=-2, others=True))
    assert written.label(WATER[4]).energy == 4.0


@dataclass(frozen=True)
class NoEngine:
    workers: int = 1

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        raise AssertionError(f"a look-up needs no engine, it was given {tasks}")

    def running(self) -> Mapping[str, Usage]:
        return {}


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
    with pytest.raises(UsageError, match="tolerance of a table must be a finite number ≥ 0, got -1"):
        TableSource(table.path, tolerance=-1)
    with pytest.raises(UsageError, match=r"absent\.xyz cannot be read: No such file"):
        TableSource(tmp_path / "absent.xyz").frames()


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


def test_a_table_stays_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = frames(3)
    for name, energies in (("one", made.energy), ("two", made.energy + 1.0)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "t.extxyz", made.replace(energy=energies))
        os.utime(tmp_path / name / "t.extxyz", (0, 0))
    monkeypatch.chdir(tmp_path / "one")
    one = TableSource(Path("t.extxyz"))
    settings = one.settings()
    monkeypatch.chdir(tmp_path / "two")
    two = TableSource(Path("t.extxyz"))
    assert two.label(made[0]).energy == pytest.approx(made.energy[0] + 1.0)
    assert one.label(made[0]).energy == pytest.approx(made.energy[0])
    assert one.settings() == settings != two.settings()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one" / "t.extxyz").unlink()
    with pytest.raises(UsageError, match=r"the table t\.extxyz cannot be read"):
        pickle.loads(pickle.dumps(one)).label(made[0])
