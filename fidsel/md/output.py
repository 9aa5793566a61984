"""Trajectories as files of frames."""

from collections.abc import Iterator
from pathlib import Path

import ase.io
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.formats import UnknownFileTypeError, filetype

from fidsel.data.atomic import replacing
from fidsel.exceptions import UsageError
from fidsel.md.simulation import Simulation
from fidsel.md.study import Study


def require_format(path: Path) -> None:
    """Raise a `UsageError` unless ASE writes several frames into a file of such a name."""
    try:
        name = filetype(str(path), read=False)
        known = ase.io.formats.ioformats[name]
    except (UnknownFileTypeError, KeyError) as error:
        known_ones = "take .extxyz or .traj"
        raise UsageError(f"{path} has no ending of a format that ASE writes: {known_ones}") from error
    if not known.can_write or known.single:
        raise UsageError(f"ASE writes no trajectories as {path.suffix}: take .extxyz or .traj")


def write_trajectories(path: Path, study: Study) -> Path:
    """Write all samples, each with energy, forces, momenta and where it is from, in the order of runs.

    Parameters
    ----------
    path : its ending names the format, as ASE knows it.
    """
    require_format(path)
    images = [atoms for one in study.simulations for atoms in frames_of(one)]
    with replacing(path) as unfinished:
        ase.io.write(unfinished, images)
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
