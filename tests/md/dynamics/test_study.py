"""Several models, molecules and time steps."""

from pathlib import Path

import pytest
from mmff_force_field import MMFFForceField

from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import MMFFSource
from fidsel.fidelity.molecules.molecule import from_frames, from_smiles
from fidsel.md.dynamics.simulation import Tell
from fidsel.md.dynamics.stops import Doubt, Stops
from fidsel.md.dynamics.study import Protocol, Study, study, systems

WATER = from_smiles("O")
STARTS = Frames.stack(WATER.numbers, [[[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]] * 2)
AMMONIA = Frames.stack(
    [7, 1, 1, 1], [[[0, 0, 0.12], [0, 0.94, -0.27], [0.81, -0.47, -0.27], [-0.81, -0.47, -0.27]]]
)
MODELS = {
    "good": lambda frames: MMFFSource(from_frames(frames)),
    "bad": lambda frames: MMFFForceField(from_frames(frames), reach=0.9),
}


def test_molecules_are_parted() -> None:
    assert [(part.formulas[0], len(part)) for part in systems(STARTS[:1] + AMMONIA + STARTS[1:])] == [
        ("H2O", 2),
        ("H3N", 1),
    ]


def test_models_molecules_and_time_steps_are_compared(tmp_path: Path) -> None:
    protocol = Protocol(time=60.0, timesteps=(10.0, 0.5), replicas=2, every=10)
    found = study(MODELS, STARTS + AMMONIA, protocol, 1, tmp_path)
    assert [(one.model, one.system, one.run.thermostat.timestep) for one in found.simulations] == [
        (model, system, step) for model in MODELS for system in ("H2O", "H3N") for step in (0.5, 10.0)
    ]
    good, wild = found.simulations[:2]
    assert (good.survived, len(good.ends)) == (1.0, 2)
    assert wild.survived == 0
    assert found.largest_step() == {"good": 0.5, "bad": None}
    record = found.to_dict()
    assert record["largest_stable_step_fs"] == {"good": 0.5, "bad": None}
    ended = [one for run in record["runs"] for one in run["replicas"] if one["cause"]]
    assert all(0 < one["time_fs"] <= 60.0 for one in ended)
    assert {one["cause"] for one in ended} <= {"overlap", "torn bond", "temperature", "energy drift"}
    assert record["runs"][0]["survived"] == 1.0


def test_a_time_is_never_cut_short(tmp_path: Path) -> None:
    found = study({"good": MODELS["good"]}, STARTS, Protocol(2.1, (0.1, 0.7, 2.0)), 1, tmp_path)
    assert [one.steps for one in found.simulations] == [21, 3, 2]


def test_a_study_tells_what_it_could_not_go_on_from(tmp_path: Path) -> None:
    done = study({"good": MODELS["good"]}, STARTS, Protocol(10.0), 1, tmp_path)
    assert done.notes == ()
    (kept,) = tmp_path.glob("*/00.safetensors")
    kept.write_bytes(kept.read_bytes()[:100])
    again = study({"good": MODELS["good"]}, STARTS, Protocol(10.0), 1, tmp_path)
    (note,) = again.to_dict()["notes"]
    assert note.startswith(f"checkpoint {kept} is left aside")
    assert note.endswith("this part begins anew")
    assert again.to_dict()["runs"][0]["replicas"] == done.to_dict()["runs"][0]["replicas"]


def test_a_step_is_stable_only_if_all_below_it_are(tmp_path: Path) -> None:
    found = study({"good": MODELS["good"]}, STARTS, Protocol(20.0, (0.5, 1.0)), 1, tmp_path)
    assert found.largest_step() == {"good": 1.0}
    assert Study(found.simulations[:1]).largest_step() == {"good": 0.5}


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for wrong in (
        {"timesteps": (0.0,)},
        {"timesteps": (-1.0,)},
        {"timesteps": ()},
        {"time": 0.1},
        {"every": 0},
    ):
        with pytest.raises(UsageError, match=r"time steps|(timesteps|every) of dynamics must be"):
            Protocol(**wrong)
    with pytest.raises(UsageError, match="temperatures of dynamics must be a finite number > 0"):
        Protocol(temperatures=(0.0,))
    with pytest.raises(UsageError, match=r"replicas of dynamics must be a whole number > 0, got 1\.5"):
        Protocol(replicas=1.5)
    with pytest.raises(UsageError, match=r"timesteps of dynamics must be a sequence, such as \(0.5,\)"):
        Protocol(timesteps=0.5)
    two = Frames.stack([1, 1, 1, 1], [[[0, 0, 0], [0, 0, 0.74], [0, 0, 20.0], [0, 0, 20.74]]])
    with pytest.raises(UsageError, match=r"start 0 is out of the physical range \(fragments apart\)"):
        study({"mmff": lambda _: MMFFForceField(WATER)}, two, Protocol(10.0), 0, tmp_path)
    with pytest.raises(FidselError, match=r"cannot label the first frame.*the frame must have the 3 atoms"):
        study({"other": lambda _: MMFFSource(WATER)}, AMMONIA, Protocol(10.0), 0, tmp_path)


def test_a_label_source_is_asked_for_no_doubt(tmp_path: Path) -> None:
    source = {"good": MODELS["good"]}
    with pytest.raises(UsageError, match="a label source has no doubt of its own"):
        study(source, STARTS, Protocol(time=1.0, stops=Stops(doubt=Doubt(outside=0.1))), 1, tmp_path)
    with pytest.raises(UsageError, match="need a trained model"):
        study(source, STARTS, Protocol(time=1.0, cautious=True), 1, tmp_path)


def test_every_model_is_tried_on_every_molecule_before_the_first_run(tmp_path: Path) -> None:
    heard: list[str] = []

    def tells(name: str) -> Tell:
        return lambda step, _of, _detail: heard.append(f"{name} {step}")

    for only_water in (lambda _: MMFFSource(WATER), lambda _: MMFFForceField(WATER)):
        for models in ({"other": only_water}, {"good": MODELS["good"], "other": only_water}):
            with pytest.raises(FidselError, match="the 3 atoms"):
                study(models, STARTS + AMMONIA, Protocol(10.0), 0, tmp_path, tells=tells)
    assert heard == []
