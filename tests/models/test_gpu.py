"""Models are on a CUDA device what they are on the CPU; run with -m gpu where there is one."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, mixed, network
from ase.build import molecule
from morse_molecule import SWAP, frames
from morse_source import Morse

from fidsel.data import Frames
from fidsel.models import MACE, SGDML, Baseline, Ensemble, ForceField, NetworkForceField, Sum, load
from fidsel.models.combinations.labels import SourceLabels
from fidsel.testing import model as contract
from fidsel.testing.model import check_moving
from fidsel.training.optimise.fit import fit
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.recipes.joint import Joint
from fidsel.training.stage import Stage, TrainingData

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

EVERY = sorted(ARCHITECTURES)
SHORT = Stage(steps=5, batch=4, validate_every=5)
LONG = Stage(steps=200, learning_rate=3e-3, batch=10, validate_every=20)
SOLVERS = {"exact": 1e-9, "iterative": 1e-6}
"""λ with which each converges."""


def kernel(solver: str = "exact", device: str = "cpu") -> SGDML:
    model = SGDML([10.0], SOLVERS[solver], symmetries=[SWAP], solver=solver, device=device)
    return model.fit(frames(30), frames(0))[0]


def heads() -> NetworkForceField:
    return network("painn").with_heads(["low", "morse"])


def mace() -> ForceField:
    start = MACE(elements=[1, 6, 8], channels=8, correlation=2, radial=6, cutoff=4.0).to(dtype=torch.float64)
    return fit(start, frames(8), frames(4, seed=1), SHORT)[0]


def springs(n: int, seed: int = 0) -> Frames:
    """Return frames of ethanol, nine atoms with a spring of 4 eV/Å² between any two."""
    rest, rng = molecule("CH3CH2OH"), np.random.default_rng(seed)
    positions = rest.positions + 0.05 * rng.normal(size=(n, 9, 3))
    bond = positions[:, :, None] - positions[:, None]
    length = np.linalg.norm(bond, axis=3)
    strain = length - rest.get_all_distances()
    forces = -4.0 * (strain / (length + np.eye(9)))[..., None] * bond
    return Frames.stack(
        rest.numbers, positions, energy=(strain**2).sum((1, 2)), forces=forces.sum(2), level="springs"
    )


MODELS: dict[str, Callable[[], ForceField]] = {
    **{kind: lambda kind=kind: network(kind) for kind in EVERY},  # type: ignore[misc]
    "committee": lambda: Ensemble([network("painn", seed) for seed in range(3)]),
    "baseline": lambda: Baseline(kernel(), SourceLabels(Morse("cheap"))),
    "heads": heads,
    "kernels": lambda: Ensemble([kernel(), kernel("iterative")]),
    "sgdml": kernel,
    "sum": lambda: Sum([network("egnn"), kernel()], "morse"),
}
if find_spec("mace") is not None:
    MODELS["mace"] = mace


def assert_keeps_the_contract(model: ForceField) -> None:
    """Check what holds on every device; files, and copies elsewhere, need not predict the same bits."""
    some = frames(3, seed=5)
    contract.check_shapes(model, some)
    contract.check_deterministic(model, some)
    contract.check_forces_are_gradients(model, some)
    contract.check_rotation(model, some)
    contract.check_permutation(model, some, SWAP)
    contract.check_batch_equals_single(model, some)
    contract.check_calculator(model, some)
    check_moving(model, some, "cpu", 1e-6)


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_a_model_is_the_same_there_and_back(kind: str) -> None:
    model = MODELS[kind]()
    check_moving(model, frames(5, seed=2), "cuda", 1e-7)
    check_moving(model.to("cuda"), frames(5, seed=2), "cpu", 1e-7)


@pytest.mark.parametrize("kind", [*EVERY, "committee", "heads"])
def test_frames_of_several_sizes_are_predicted_the_same(kind: str) -> None:
    here, there = (model.predict(mixed()) for model in (MODELS[kind](), MODELS[kind]().to("cuda")))
    np.testing.assert_allclose(there.energy, here.energy, rtol=0, atol=1e-7)
    np.testing.assert_allclose(there.forces, here.forces, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", EVERY)
def test_a_network_learns_there_and_keeps_the_contract(kind: str) -> None:
    model, history = fit(network(kind).to("cuda"), frames(40), frames(20, seed=1), LONG)
    assert model.device.type == "cuda"
    assert history.validation[-1] < 0.5 * history.validation[0]
    assert_keeps_the_contract(model)


@pytest.mark.parametrize("kind", EVERY)
def test_single_precision_there_is_double_precision_but_for_rounding(kind: str) -> None:
    start, some = network(kind).to("cuda", dtype=torch.float32), frames(3, seed=5)
    single, history = fit(start, frames(40), frames(20, seed=1), LONG)
    assert (single.device.type, single.dtype) == ("cuda", torch.float32)
    assert history.validation[-1] < 0.5 * history.validation[0]
    double = single.to(dtype=torch.float64)
    contract.check_forces_are_gradients(double, some)
    expected, found = double.predict(some), single.predict(some)
    np.testing.assert_allclose(found.energy, expected.energy, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.forces, expected.forces, rtol=0, atol=1e-4)
    contract.check_deterministic(single, some)
    contract.check_rotation(single, some, 1e-4)
    contract.check_permutation(single, some, SWAP, 1e-4)
    contract.check_batch_equals_single(single, some, 1e-4)
    check_moving(single, some, "cpu", 1e-4)


@pytest.mark.parametrize("kind", [*EVERY, "sgdml"])
def test_a_larger_molecule_has_the_same_forces_each_time(kind: str) -> None:
    train, validation, some = springs(40), springs(10, seed=1), springs(5, seed=2)
    if kind == "sgdml":
        model: ForceField = SGDML([10.0], 1e-9, device="cuda").fit(train, validation)[0]
    else:
        model = fit(network(kind).to("cuda"), train, validation, SHORT)[0]
    contract.check_deterministic(model, some)
    contract.check_forces_are_gradients(model, some)
    contract.check_rotation(model, some)
    contract.check_batch_equals_single(model, some)
    check_moving(model, some, "cpu", 1e-6)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs a second CUDA device")
def test_a_second_device_is_as_good_as_the_first() -> None:
    trained = [
        fit(network("painn").to(device), frames(40), frames(20, seed=1), LONG)[0]
        for device in ("cuda:0", "cuda:1")
    ]
    assert [str(model.device) for model in trained] == ["cuda:0", "cuda:1"]
    first, second = (model.predict(frames(5, seed=2)) for model in trained)
    np.testing.assert_allclose(second.forces, first.forces, rtol=0, atol=1e-3)
    for model in (trained[1], kernel(device="cuda:1")):
        assert_keeps_the_contract(model)


@pytest.mark.parametrize("kind", EVERY)
def test_a_committee_learns_there_as_one_program(kind: str) -> None:
    members = [network(kind, seed).to("cuda") for seed in range(3)]
    committee, history = train_one(Ensemble(members), frames(40), frames(20, seed=1), LONG)
    assert isinstance(committee, Ensemble)
    assert {member.device.type for member in committee.networks} == {"cuda"}
    assert len(history.notes["each"]) == 3
    assert history.validation[-1] < 0.5 * history.validation[0]
    check_moving(committee, frames(5, seed=2), "cpu", 1e-7)


def test_heads_learn_there_together() -> None:
    low = frames(30, 5, depth=3.6, level="low")
    data = TrainingData(frames(20), frames(10, seed=1), (low,))
    trained = Joint(stage=LONG)(data, lambda seed: network("painn", seed).to("cuda"), 0)
    assert isinstance(trained.model, NetworkForceField)
    assert (trained.model.levels, trained.model.device.type) == (("low", "morse"), "cuda")
    (history,) = trained.histories
    assert history.validation[-1] < 0.5 * history.validation[0]
    check_moving(trained.model, frames(5, seed=2), "cpu", 1e-7)


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_sgdml_is_fitted_there(solver: str) -> None:
    here, there = (kernel(solver, device).predict(frames(20, seed=2)) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.forces, here.forces, rtol=0, atol=1e-3)
    np.testing.assert_allclose(there.energy, here.energy, rtol=0, atol=1e-3)
    assert_keeps_the_contract(kernel(solver, "cuda"))


def test_sigma_is_chosen_there() -> None:
    chosen = [
        SGDML([2.0, 8.0, 32.0], device=device).fit(frames(20), frames(10, seed=1))[1]["sigma"]
        for device in ("cpu", "cuda")
    ]
    assert chosen[0] == chosen[1]


def test_a_kernel_knows_there_how_unsure_it_is() -> None:
    some = frames(3, seed=2)
    here, there = (kernel(device=device).covariance(some) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-4 * np.abs(here).max())


def test_a_file_written_there_is_read_anywhere(tmp_path: Path) -> None:
    for model in (network("painn").to("cuda"), kernel(device="cuda")):
        folder = model.save(tmp_path / model.kind)
        expected = model.predict(frames(5)).forces
        for device in ("cpu", "cuda", "auto"):
            found = load(folder, device).predict(frames(5)).forces
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)
