"""Runs from start to end, also those that were killed."""

from pathlib import Path

import numpy as np
import pytest
from ase.data import atomic_masses
from ase.units import fs, kB
from mmff_force_field import MMFFForceField

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md.bonding import Bonding
from fidsel.md.dynamics.replicas import ReplicaRun
from fidsel.md.dynamics.samples import Samples
from fidsel.md.dynamics.simulation import simulate
from fidsel.md.dynamics.stops import Stops
from fidsel.md.langevin import Thermostat
from fidsel.models.checkpoints import Checkpoints

WATER = from_smiles("O")
STARTS = Frames.stack(WATER.numbers, [[[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]] * 3)


class KilledError(Exception):
    """The process was killed."""


def run(friction: float = 0.01, timestep: float = 0.5, **limits: float) -> ReplicaRun:
    return ReplicaRun.of_model(
        MMFFForceField(WATER), STARTS, [300.0, 600.0], Thermostat(timestep, friction), Stops(**limits)
    )


def test_a_killed_run_goes_on_to_the_last_bit(tmp_path: Path) -> None:
    hot = run(hot=2.0, friction=0.1)  # replicas end on the way
    whole = simulate(hot, 120, 7, Samples(tmp_path / "whole", 3), every=4)
    assert len(whole.causes) > 0

    def kept() -> Checkpoints:
        return Checkpoints(tmp_path, "a" * 32, every=0.0)

    calls = 0

    def dies(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        nonlocal calls
        calls += 1
        if calls == 61:
            raise KilledError
        return hot.surface(x)

    mortal = ReplicaRun(dies, hot.frames, hot.bonds, hot.temperatures, hot.thermostat, hot.stops)
    samples = Samples(tmp_path / "part", 3)
    with pytest.raises(KilledError):
        simulate(mortal, 120, 7, samples, every=4, checkpoint=kept().task("run"))
    torn = len(samples)
    with samples.path.open("ab") as file:
        file.write(b"half a sample")
    again = simulate(hot, 120, 7, samples, every=4, checkpoint=kept().task("run"))
    assert 0 < torn < len(samples)
    assert samples.path.read_bytes() == whole.samples.path.read_bytes()
    assert [end.step for end in again.ends] == [end.step for end in whole.ends]
    assert again.causes == whole.causes
    done = simulate(mortal, 120, 7, samples, every=4, checkpoint=kept().task("run"))
    assert samples.path.read_bytes() == whole.samples.path.read_bytes()
    assert done.to_dict()["replicas"] == whole.to_dict()["replicas"]


def test_a_record_says_what_happened(tmp_path: Path) -> None:
    heard: list[tuple[int, int, str]] = []
    found = simulate(
        run(friction=0.0, timestep=0.25),
        400,
        1,
        Samples(tmp_path / "nve", 3),
        every=10,
        names=("mmff", "H2O"),
        tell=lambda *told: heard.append(told),
    )
    assert (found.survived, dict(found.causes)) == (1.0, {})
    assert found.times.tolist() == [100.0] * 3
    assert len(found.samples) == 41 * 3
    assert found.drift() < 1.0
    assert 50 < found.temperature() < 600
    record = found.to_dict()
    assert record["replicas"][1] == {
        "replica": 1, "temperature": 600.0, "step": 400, "time_fs": 100.0, "cause": None, "detail": "",
    }  # fmt: skip
    assert heard[-1][:2] == (400, 400)
    assert "3 of 3 replicas" in heard[-1][2]
    assert heard[-1][2].endswith("ns/day in all")
    assert found.candidates() is None


def test_temperatures_average_to_that_of_the_bath(tmp_path: Path) -> None:
    bath = ReplicaRun.of_model(
        MMFFForceField(WATER), STARTS[np.zeros(20, dtype=int)], [300.0], Thermostat(1.0, 0.1), Stops()
    )
    found = simulate(bath, 400, 3, Samples(tmp_path / "bath", 3), every=5)
    assert found.temperature() == pytest.approx(300, rel=0.1)


def test_the_temperature_of_a_vibration_does_not_depend_on_the_time_step(tmp_path: Path) -> None:
    stiff, start = 40.0, Frames.stack([1], np.zeros((2000, 1, 3)))
    omega = np.sqrt(stiff / atomic_masses[1]) * fs
    for timestep in (0.1 / omega, 1.0 / omega):
        spring = ReplicaRun(
            lambda x: (0.5 * stiff * (x**2).sum(axis=(1, 2)), -stiff * x),
            start,
            Bonding.same((), 2000),
            np.full(2000, 300.0),
            Thermostat(timestep, 0.3 / timestep),
            Stops(hot=np.inf, loss=np.inf),
        )
        found = simulate(spring, 60, 3, Samples(tmp_path / "spring", 1), every=3)
        rows = found.samples.read()
        assert found.temperature() == pytest.approx(300, rel=0.02)
        slow = rows["kinetic"][rows["step"] > 20].mean() / (1.5 * kB)
        assert slow == pytest.approx(300 * (1 - (timestep * omega / 2) ** 2), rel=0.03)


def test_what_does_not_belong_to_a_run_begins_anew(tmp_path: Path) -> None:
    samples, made = Samples(tmp_path / "run", 3), run()

    def simulated(steps: int, note: str = "") -> bytes:
        kept = Checkpoints(tmp_path, "a" * 32)
        found = simulate(made, steps, 7, samples, every=4, checkpoint=kept.task("run"))
        assert [note in one for one in kept.notes] == [True] * bool(note)
        assert [end.step for end in found.ends] == [steps] * 3
        return samples.path.read_bytes()

    whole = simulated(24)
    short = simulated(12, "is 24 steps on, 12 are asked for: begun anew")  # the one before is past its end
    assert whole.startswith(short)
    assert len(short) < len(whole)
    assert simulated(24) == whole
    samples.cut(3)  # a power failure, after which the checkpoint is there and the samples are not
    assert simulated(24, "has 3 of the 21 samples that its checkpoint tells of: begun anew") == whole


def test_drift_is_the_slope_of_each_replica(tmp_path: Path) -> None:
    found = simulate(run(friction=0.0), 40, 1, Samples(tmp_path / "nve", 3), every=2)
    rows = found.samples.read()
    slopes = []
    for replica in range(3):
        own = rows[rows["replica"] == replica]
        slopes.append(abs(np.polyfit(own["step"] * 0.5e-3, own["loss"], 1)[0]))
    assert found.drift() == pytest.approx(1000 * np.mean(slopes) / 3, rel=1e-6)


def test_a_linear_molecule_turns_about_two_axes(tmp_path: Path) -> None:
    start = Frames.stack([6, 8, 8], [[[0, 0, 0], [0, 0, 1.16], [0, 0, -1.16]]] * 400)
    still = ReplicaRun(
        lambda x: (np.zeros(len(x)), np.zeros_like(x)),
        start,
        Bonding.same((), 400),
        np.full(400, 300.0),
        Thermostat(1e-6, 0.0),
        Stops(),
    )
    found = simulate(still, 1, 0, Samples(tmp_path / "co2", 3), every=1)
    assert found.temperature() == pytest.approx(300, rel=0.1)
