"""Trajectories as files of frames."""

from collections.abc import Iterator
from pathlib import Path

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import write_extxyz
from ase.io.trajectory import TrajectoryWriter

from fidsel.data.atomic import replacing, require_ending
from fidsel.md.dynamics.simulation import Simulation
from fidsel.md.dynamics.study import Study

FORMATS = (".extxyz", ".xyz", ".traj")
"""Of ASE's, those that it writes frame by frame: long trajectories need not be in memory."""


def write_trajectories(path: Path, study: Study) -> Path:
    """Write all samples, each with energy, forces, momenta and where it is from, in the order of runs.

    Parameters
    ----------
    path : its ending names the format, see `FORMATS`.
    """
    require_ending(path, "a trajectory", *FORMATS)
    images = (atoms for one in study.simulations for atoms in frames_of(one))
    with replacing(path) as unfinished:
        if path.suffix.lower() == ".traj":
            with TrajectoryWriter(unfinished) as trajectory:
                for atoms in images:
                    trajectory.write(atoms)
        else:
            with unfinished.open("w", encoding="utf-8") as file:
                for atoms in images:
                    write_extxyz(file, [atoms])
    return path


def frames_of(simulation: Simulation) -> Iterator[Atoms]:
    """Yield the samples of a run in the order of time; `info` tells model, time, replica and temperature."""
    run = simulation.run
    for rows in simulation.samples.pieces():
        for row in rows:
            replica = int(row["replica"])
            atoms = run.frames[replica]
            atoms.set_positions(row["positions"])
            atoms.set_velocities(row["velocities"])
            atoms.info |= {
                "model": simulation.model,
                "replica": replica,
                "temperature": float(run.temperatures[replica]),
                "timestep": run.thermostat.timestep,
                "time": float(row["step"] * run.thermostat.timestep),
            }
            atoms.calc = SinglePointCalculator(atoms, energy=float(row["energy"]), forces=row["forces"])
            yield atoms
