from pathlib import Path
from typing import Any

import pytest
from mace_checkpoint import checkpoint
from morse_molecule import frames
from pydantic import TypeAdapter
from spring_systems import painn, shaken, training

from fidsel.config.load import check_config
from fidsel.config.models import EnsembleSection, Model, ModelSection
from fidsel.data import write
from fidsel.data.label_file import LabelFile
from fidsel.exceptions import UsageError
from fidsel.models import MACE, Average, Baseline, Ensemble, ForceField, PaiNN, load
from fidsel.models.device import resolve
from fidsel.tasks.train import TrainConfig, train_files
from fidsel.training import Stage, Standard, TrainingData
from fidsel.training.evaluate import validation_error

COMMITTEE = {"kind": "ensemble", "members": 3, "member": {"kind": "painn", "features": 4}}


def section(**values: object) -> ModelSection:
    made: ModelSection = TypeAdapter(Model).validate_python(COMMITTEE | values)
    return made


def test_an_ensemble_has_members_of_its_member_section() -> None:
    factory = section().build(Path())
    model = factory(seed=1)
    assert isinstance(model, Ensemble)
    assert [m.network.settings()["features"] for m in model.networks] == [4, 4, 4]
    first, second = (m.state()[1]["readout.weight"] for m in model.members[:2])
    assert (first == PaiNN(features=4, seed=1).state()[1]["readout.weight"]).all()
    assert not (first == second).all()


def test_an_ensemble_is_of_networks_where_nothing_is_said() -> None:
    made: ModelSection = TypeAdapter(Model).validate_python({"kind": "ensemble"})
    assert isinstance(made, EnsembleSection)
    assert (made.members, made.member.kind, made.learner) == (4, "painn", PaiNN)


def test_an_average_is_of_a_kernel_and_a_network_where_nothing_is_said() -> None:
    usual: ModelSection = TypeAdapter(Model).validate_python({"kind": "average"})
    model = usual.build(Path())(seed=1)
    assert isinstance(model, Average)
    assert [member.kind for member in model.members] == ["sgdml", "painn"]
    members = [{"kind": "sgdml", "sigmas": [5.0]}, {"kind": "sgdml", "sigmas": [9.0]}, {"kind": "egnn"}]
    made: ModelSection = TypeAdapter(Model).validate_python({"kind": "average", "members": members})
    assert [member.kind for member in made.build(Path())(seed=0).members] == ["sgdml", "sgdml", "egnn"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"kind": "average", "members": [{"kind": "painn"}]}, r"model\.members must have .* 2"),
        (
            {
                "kind": "average",
                "members": [{"kind": "sgdml"}, {"kind": "sgdml", "baseline": {"kind": "tblite"}}],
            },
            "a baseline lies beneath the whole model",
        ),
        ({"kind": "ensemble", "member": {"features": 4}}, r"model\.member\.kind is required"),
        (COMMITTEE | {"members": 1}, r"model\.members must be greater than or equal to 2, got 1"),
        (
            COMMITTEE | {"member": {"kind": "panin"}},
            "kind 'panin', did you mean 'painn'",
        ),
        (COMMITTEE | {"member": {"kind": "painn", "layer": 2}}, r"model\.member: unknown key 'layer'"),
        (COMMITTEE | {"member": COMMITTEE}, r"unknown model\.member\.kind 'ensemble'"),
        (
            COMMITTEE | {"member": {"kind": "painn", "device": "gpu"}},
            r"model\.member\.device: a device is 'auto', 'cpu', 'cuda' or 'cuda:N', got 'gpu'",
        ),
    ],
)
def test_an_ensemble_that_cannot_be_is_named(model: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_config(TrainConfig, {"model": model, "recipe": {"kind": "standard"}}, (), "here")


LEARNERS: list[dict[str, object]] = [
    {"kind": "sgdml"},
    {"kind": "painn", "features": 4},
    {"kind": "schnet", "features": 4},
    {"kind": "egnn", "features": 4},
    {"kind": "gemnet", "atom": 4, "edge": 4},
    {"kind": "fidsel.models:PaiNN", "options": {"features": 4}},
]


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda learner: str(learner["kind"]))
def test_a_model_is_built_where_its_section_says(learner: dict[str, object]) -> None:
    def built(device: dict[str, str]) -> ForceField:
        made: ModelSection = TypeAdapter(Model).validate_python(learner | device)
        return made.build(Path())(seed=0)

    for device, where in (({}, resolve("auto")), ({"device": "cpu"}, "cpu")):
        assert str(built(device).device) == where  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="device 'cuda:99' must be on this machine"):
        built({"device": "cuda:99"})


def test_members_are_built_where_their_section_says() -> None:
    made = section(member={"kind": "painn", "features": 4, "device": "cpu"})
    model = made.build(Path())(seed=0)
    assert isinstance(model, Ensemble)
    assert [str(network.device) for network in model.networks] == ["cpu"] * 3
    with pytest.raises(UsageError, match="must be on this machine"):
        section(member={"kind": "sgdml", "device": "cuda:99"}).build(Path())


def test_an_ensemble_is_trained_from_files(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(30, level="accurate"))))
    settings = ["model.member.kind=sgdml", "model.member.sigmas=[10]", "model.members=3"]
    found = train_files(accurate, out=tmp_path / "model", model="ensemble", settings=tuple(settings))
    assert found.model.kind == "ensemble"
    model = load(tmp_path / "model")
    assert isinstance(model, Ensemble)
    assert model.disagreement(frames(5, 2)).frame_forces.min() > 0
    with pytest.raises(UsageError, match="'asteroid' trains one network, not an ensemble"):
        train_files(
            accurate,
            out=tmp_path / "other",
            cheap=(accurate,),
            recipe="asteroid",
            model="ensemble",
            settings=tuple(settings),
        )


def test_a_checkpoint_is_read_where_it_is_trusted(theirs: Any, tmp_path: Path) -> None:
    def factory(**values: object) -> ForceField:
        given = {"kind": "mace", "checkpoint": "mace.model"} | values
        made: ModelSection = TypeAdapter(Model).validate_python(given)
        return made.build(tmp_path)(seed=0)

    checkpoint(theirs, tmp_path / "mace.model")
    with pytest.raises(UsageError, match="a checkpoint brings its own channels: leave them out"):
        factory(channels=8)
    with pytest.raises(UsageError, match="trust"):
        factory()
    again = factory(trust=True)
    assert isinstance(again, MACE)
    assert again.network.settings()["cutoff"] == 4.0


def model_of(**values: object) -> ModelSection:
    made: ModelSection = TypeAdapter(Model).validate_python(values)
    return made


def test_a_network_of_several_molecules_is_a_start_for_another(tmp_path: Path) -> None:
    """As many steps on as few labels: from the network of water, ammonia and methane, and from nothing."""
    first = Standard(stage=Stage(steps=200, batch=8, learning_rate=1e-2, validate_every=50))
    known = first(TrainingData(training("accurate"), training("accurate", 8, 50)), painn, 0).model
    known.save(tmp_path / "family")
    factory = model_of(kind="painn", device="cpu", start="family").build(tmp_path)
    assert (factory(seed=3).state()[1]["readout.weight"] == known.state()[1]["readout.weight"]).all()
    data = TrainingData(shaken("CH3OH", 8, 1), shaken("CH3OH", 6, 2))
    short = Standard(stage=Stage(steps=40, batch=8, learning_rate=3e-3, validate_every=20))
    tests = shaken("CH3OH", 20, 3)
    tuned, scratch = (short(data, begin, 0).model for begin in (factory, painn))
    assert validation_error(tuned, tests) < 0.8 * validation_error(scratch, tests)
    off = tuned.predict(tests).energy - tests.energy
    assert abs(off.mean()) < 1.0, "eV: of -600, from reference energies fitted anew"
    frozen = Standard(stage=Stage(steps=4, validate_every=2, frozen=("embedding", "blocks.0")))
    kept = frozen(data, factory, 0).model.state()[1]
    same = {name for name, value in kept.items() if (value == known.state()[1][name]).all()}
    assert {name for name in kept if name.startswith(("embedding", "blocks.0"))} <= same
    assert "readout.weight" not in same


def test_what_is_no_start_is_refused(tmp_path: Path) -> None:
    PaiNN(features=4, layers=1).save(tmp_path / "painn")
    Baseline(PaiNN(features=4), None, {"kind": "springs"}).save(tmp_path / "above")
    for values, text in (
        ({"kind": "sgdml", "start": "painn"}, "model.start is for networks"),
        ({"kind": "painn", "features": 8, "start": "painn"}, "brings its own features: leave them out"),
        ({"kind": "schnet", "start": "painn"}, "must hold a 'schnet' model, got 'painn'"),
        ({"kind": "painn", "start": "above"}, "got 'baseline' above a baseline: give model.baseline too"),
        ({"kind": "painn", "start": "nothing"}, "nothing"),
        ({"kind": "ensemble", "member": {"kind": "painn", "start": "painn"}}, "must begin with different"),
    ):
        with pytest.raises(UsageError, match=text):
            model_of(**values).build(tmp_path)
    above = model_of(kind="painn", device="cpu", start="above", baseline={"kind": "tblite"}).build(tmp_path)
    assert isinstance(above(seed=0), PaiNN)
