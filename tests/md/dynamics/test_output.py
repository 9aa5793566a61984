"""Trajectories in files."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from mmff_force_field import MMFFForceField

from fidsel.data import Frames, read
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md.dynamics.output import frames_of, write_trajectories
from fidsel.md.dynamics.simulation import Simulation
from fidsel.md.dynamics.study import Protocol, study

WATER = from_smiles("O")
STARTS = Frames.stack(WATER.numbers, [[[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]] * 2)


@pytest.mark.parametrize("ending", [".extxyz", ".traj"])
def test_all_samples_are_written_with_what_is_known_of_them(tmp_path: Path, ending: str) -> None:
    model = MMFFForceField(WATER)
    found = study(
        {"mmff": lambda _: model}, STARTS, Protocol(5.0, temperatures=(300.0, 500.0), every=5), 1, tmp_path
    )
    path = write_trajectories(tmp_path / f"run{ending}", found)
    images = ase.io.read(path, ":")
    rows = found.simulations[0].samples.read()
    assert [(one.info["replica"], one.info["time"]) for one in images] == [
        (replica, time) for time in (0.0, 2.5, 5.0) for replica in (0, 1)
    ]
    last = images[-1]
    assert (last.info["temperature"], last.info["model"], last.info["timestep"]) == (500.0, "mmff", 0.5)
    np.testing.assert_allclose(last.positions, rows["positions"][-1], atol=1e-7)
    np.testing.assert_allclose(last.get_velocities(), rows["velocities"][-1], atol=1e-7)
    expected = model.predict(Frames.from_atoms([last]))
    assert last.get_potential_energy() == pytest.approx(expected.energy[0], abs=1e-5)
    np.testing.assert_allclose(last.get_forces(), expected.forces, atol=1e-4)


def test_extxyz_is_read_again(tmp_path: Path) -> None:
    found = study({"mmff": lambda _: MMFFForceField(WATER)}, STARTS, Protocol(5.0, every=5), 1, tmp_path)
    again = read(write_trajectories(tmp_path / "run.extxyz", found))
    assert len(again) == 6
    assert again.has_forces.all()


@pytest.mark.parametrize("ending", [".extxyz", ".traj"])
def test_frames_are_not_all_in_memory(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = study({"mmff": lambda _: MMFFForceField(WATER)}, STARTS, Protocol(5.0, every=1), 1, tmp_path)
    alive: list[weakref.ref[Atoms]] = []

    def watched(simulation: Simulation) -> Iterator[Atoms]:
        for atoms in frames_of(simulation):
            atoms.calc = None  # a cycle, which would be freed later
            alive.append(weakref.ref(atoms))
            assert sum(one() is not None for one in alive) <= 3
            yield atoms

    monkeypatch.setattr("fidsel.md.dynamics.output.frames_of", watched)
    write_trajectories(tmp_path / f"run{ending}", found)
    assert len(alive) == 22


@pytest.mark.parametrize("name", ["run", "run.unknown", "run.cube", "run.gif"])
def test_formats_without_trajectories_are_refused(tmp_path: Path, name: str) -> None:
    found = study({"mmff": lambda _: MMFFForceField(WATER)}, STARTS, Protocol(1.0, every=2), 1, tmp_path)
    with pytest.raises(UsageError, match=r"a trajectory is written as .extxyz or .xyz or .traj, got .*run"):
        write_trajectories(tmp_path / name, found)
