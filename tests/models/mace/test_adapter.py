import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, molecule
from ase.calculators.emt import EMT
from mace_checkpoint import checkpoint
from morse_molecule import SWAP, frames
from spring_systems import shaken

from fidsel.data import Frames
from fidsel.exceptions import MissingExtraError, UsageError
from fidsel.models import MACE, EnergyReference, load
from fidsel.models.mace.build import UNSAFE
from fidsel.testing import check_force_field
from fidsel.training.optimise.fit import fit
from fidsel.training.stage import Stage

pytestmark = pytest.mark.skipif(find_spec("mace") is None, reason="needs pip install 'fidsel[mace]'")

TINY: dict[str, Any] = {"channels": 8, "correlation": 2, "radial": 6, "cutoff": 4.0}


def tiny(*elements: int, **options: Any) -> MACE:
    """An untrained model in double precision, ready to predict."""
    model = MACE("toy", elements=elements, **(TINY | {"neighbours": 6.0} | options)).to(dtype=torch.float64)
    return model.replace(reference=EnergyReference(dict.fromkeys(elements, 0.0)))


def rattled(atoms: Atoms, seed: int = 0) -> Atoms:
    moved = atoms.copy()
    moved.positions += 0.1 * np.random.default_rng(seed).normal(size=atoms.positions.shape)
    return moved


def slab() -> Atoms:
    """Periodic along two directions, with an atom outside of the cell along the third."""
    atoms = fcc111("Cu", (2, 1, 2))
    add_adsorbate(atoms, "O", 1.5, "fcc")
    atoms.positions[:, 2] -= 1.0
    return atoms


def assert_same_as_theirs(mace: Any, model: MACE, path: Path, **options: Any) -> None:
    calculator = mace.calculators.MACECalculator(path, device="cpu", default_dtype="float64", **options)
    for atoms in (molecule("CH3CH2OH"), bulk("Cu"), rattled(bulk("Cu", cubic=True)), rattled(slab())):
        prediction = model.predict(Frames.from_atoms([atoms]))
        atoms.calc = calculator
        assert prediction.energy[0] == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(prediction.forces, atoms.get_forces(), atol=1e-9)


def test_a_trained_model_keeps_the_contract_in_double_precision() -> None:
    start = MACE(elements=[1, 6, 8], **TINY).to(dtype=torch.float64)
    model, _ = fit(start, frames(8), frames(4, seed=1), Stage(steps=5, batch=4))
    check_force_field(model, frames(3, seed=5), swap=SWAP, periodic=True)
    assert model.network.config["avg_num_neighbors"] == 3.0
    assert model.latent(frames(2)).shape == (8, 16)


def test_training_in_single_precision_lowers_the_error_and_keeps_the_contract() -> None:
    stage = Stage(steps=60, batch=8, learning_rate=5e-2, validate_every=10)
    model, history = fit(MACE(elements=[1, 6, 8], **TINY), frames(32), frames(8, seed=1), stage)
    assert model.dtype == torch.float32
    assert history.validation[-1] < 0.5 * history.validation[0]
    check_force_field(model, frames(3, seed=5), swap=SWAP, periodic=True, tolerance=1e-4)


def test_training_lowers_the_error_on_crystals_and_clusters_together() -> None:
    some = [rattled(bulk("Cu", cubic=True), seed) for seed in range(10)]
    some += [rattled(Atoms("Cu3", [[0, 0, 0], [2.4, 0, 0], [1.2, 2.1, 0]]), seed) for seed in range(10)]
    for atoms in some:
        atoms.calc = EMT()
    labels = Frames.from_atoms(some, level="emt").replace(
        energy=np.array([atoms.get_potential_energy() for atoms in some]),
        forces=np.concatenate([atoms.get_forces() for atoms in some]),
    )
    stage = Stage(steps=60, batch=5, learning_rate=5e-2, validate_every=10)
    _, history = fit(MACE(elements=[29], **TINY), labels[::2], labels[1::2], stage)
    assert history.validation[-1] < 0.5 * np.linalg.norm(labels.forces, axis=1).mean()


def test_a_supercell_has_the_energy_and_forces_of_its_cells() -> None:
    cell, model = rattled(bulk("SiC", "zincblende", a=4.36)), tiny(6, 14)
    one, many = (model.predict(Frames.from_atoms([atoms])) for atoms in (cell, cell.repeat((2, 1, 3))))
    assert many.energy[0] == pytest.approx(6 * one.energy[0], rel=1e-9)
    np.testing.assert_allclose(many.forces, np.tile(one.forces, (6, 1)), atol=1e-12)
    assert np.abs(one.forces).max() > 1e-4


def test_forces_in_a_crystal_are_the_slope_of_the_energy() -> None:
    model, step = tiny(6, 14), 1e-3
    crystal = Frames.from_atoms([rattled(bulk("SiC", "zincblende", a=4.36))])
    shifts = step * np.eye(6).reshape(6, 2, 3)
    up, down = (
        np.concatenate([model.energies(crystal.replace(positions=crystal.positions + s)) for s in shifted])
        for shifted in (shifts, -shifts)
    )
    slope = (up - down).reshape(2, 3) / (2 * step)
    np.testing.assert_allclose(model.predict(crystal).forces, -slope, rtol=1e-4, atol=1e-8)


def test_a_molecule_in_a_large_box_is_the_molecule() -> None:
    alone = molecule("H2O")
    boxed = alone.copy()
    boxed.set_cell(20 * np.eye(3))
    boxed.pbc = True
    boxed.wrap()
    prediction = tiny(1, 8).predict(Frames.from_atoms([alone, boxed]))
    assert prediction.energy[0] == pytest.approx(prediction.energy[1], abs=1e-9)
    np.testing.assert_allclose(prediction.forces[:3], prediction.forces[3:], atol=1e-9)


def test_an_atom_alone_has_no_force() -> None:
    assert (tiny(1).predict(Frames.stack([1], np.zeros((2, 1, 3)))).forces == 0).all()


def test_a_checkpoint_predicts_as_maces_own_calculator(theirs: Any, tmp_path: Path) -> None:
    path = checkpoint(theirs, tmp_path / "plain.model")
    model = MACE(checkpoint=path, trust=True, level="dft")
    assert_same_as_theirs(theirs, model, path)
    assert_same_as_theirs(theirs, load(model.save(tmp_path / "saved")), path)  # type: ignore[arg-type]


def test_a_foundation_models_options_are_understood(theirs: Any, tmp_path: Path) -> None:
    blocks = theirs.modules.interaction_classes
    options = {
        "interaction_cls": blocks["RealAgnosticDensityResidualInteractionBlock"],
        "interaction_cls_first": blocks["RealAgnosticDensityInteractionBlock"],
        "pair_repulsion": True,
        "distance_transform": "Agnesi",
        "use_reduced_cg": False,
    }
    path = checkpoint(theirs, tmp_path / "foundation.model", **options)
    assert_same_as_theirs(theirs, MACE(checkpoint=path, trust=True), path)


def test_one_of_a_checkpoints_levels_is_chosen(theirs: Any, tmp_path: Path) -> None:
    path = checkpoint(theirs, tmp_path / "two.model", heads=2)
    assert_same_as_theirs(theirs, MACE(checkpoint=path, trust=True, head="cc"), path, head="cc")
    with pytest.raises(UsageError, match="several levels of theory: choose head = dft or cc"):
        MACE(checkpoint=path, trust=True)
    with pytest.raises(UsageError, match="did you mean 'dft'"):
        MACE(checkpoint=path, trust=True, head="dfd")


def test_a_checkpoint_is_fine_tuned(theirs: Any, tmp_path: Path) -> None:
    path = checkpoint(theirs, tmp_path / "plain.model")
    model = MACE(checkpoint=path, trust=True)
    stage = Stage(steps=60, batch=8, learning_rate=5e-2, validate_every=10)
    tuned, history = fit(model, frames(16), frames(8, seed=1), stage)
    assert history.validation[-1] < 0.5 * history.validation[0]
    assert tuned.level == "morse"
    assert tuned.network.config["avg_num_neighbors"] == 7.5


def test_a_checkpoint_learns_another_level_beside_what_it_must_keep(theirs: Any, tmp_path: Path) -> None:
    """Elements' energies follow the labels at hand, frozen parts stay, replayed frames of old ones count."""
    model = MACE(checkpoint=checkpoint(theirs, tmp_path / "plain.model"), trust=True, level="dft")
    before = model.references[0].per_element
    shift = {1: -3.0, 6: 20.0, 8: 40.0}
    new, old = frames(16), model.predict(water := shaken("H2O", 12))
    replayed = water.replace(energy=old.energy, forces=old.forces, level="morse")
    both = new.replace(level="morse") + replayed
    moved = both.replace(energy=both.energy + both.per_frame(np.add, np.vectorize(shift.get)(both.numbers)))
    held = np.arange(len(moved)) % 4 == 0
    stage = Stage(steps=40, batch=8, learning_rate=1e-2, validate_every=10, frozen=("mace.interactions.0",))
    tuned, _ = fit(model, moved[~held], moved[held], stage)
    errors = tuned.predict(moved).energy - moved.energy
    assert np.abs(errors).max() < 2.0, "the shifts are tens of eV"
    kept = [name for name in model.state()[1] if name.startswith("mace.interactions.0")]
    assert kept
    assert all(torch.equal(tuned.state()[1][name], model.state()[1][name]) for name in kept)
    assert tuned.references[0].per_element[29] == before[29], "an element without labels keeps its energy"


def test_a_checkpoint_is_read_only_where_it_is_trusted(theirs: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="set trust = true"):
        MACE(checkpoint=checkpoint(theirs, tmp_path / "plain.model"))
    with pytest.raises(UsageError, match=r"must be a .* No such file"):
        MACE(checkpoint=tmp_path / "absent.model", trust=True)
    torch.save({"model": 1}, tmp_path / "other.pt")
    with pytest.raises(UsageError, match="must hold a ScaleShiftMACE, got dict"):
        MACE(checkpoint=tmp_path / "other.pt", trust=True)


def test_another_reach_is_kept_in_files_and_leaves_no_jump(tmp_path: Path) -> None:
    model, r = tiny(1, 8), np.array([2.5 - 1e-6, 2.5 + 1e-6, 3.0])
    pairs = Frames.stack([1, 8], np.stack([np.zeros((3, 3)), r[:, None] * [0, 0, 1]], axis=1))
    shorter = load(model.with_cutoff(2.5).save(tmp_path))
    far, near = model.predict(pairs), shorter.predict(pairs)
    assert (model.with_cutoff(4.0).predict(pairs).energy == far.energy).all()
    assert (model.with_cutoff(2.5).predict(pairs).energy == near.energy).all()
    np.testing.assert_allclose(near.energy, near.energy[2], atol=1e-9)
    assert np.ptp(far.energy) > 1e-4


def test_building_leaves_no_trace(theirs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import e3nn

    monkeypatch.delenv(UNSAFE)
    torch.set_default_dtype(torch.float32)
    random, optimisation = torch.random.get_rng_state(), e3nn.get_optimization_defaults()
    same, other = [MACE(elements=[1], **TINY, seed=seed).state()[1] for seed in (1, 1)], tiny(1, seed=2)
    assert all(torch.equal(same[0][name], same[1][name]) for name in same[0])
    name = "mace.node_embedding.linear.weight"
    assert not torch.allclose(same[0][name].double(), other.state()[1][name])
    assert torch.equal(torch.random.get_rng_state(), random)
    assert torch.get_default_dtype() == torch.float32
    assert e3nn.get_optimization_defaults() == optimisation
    assert UNSAFE not in os.environ


def test_what_it_cannot_do_is_refused() -> None:
    model = MACE(elements=[1, 6], **TINY)
    with pytest.raises(UsageError, match=r"for elements \[1, 6\], frames have \[1, 6, 8\]"):
        fit(model, frames(4), frames(2), Stage(steps=1))
    with pytest.raises(UsageError, match="one level of theory, not dft, cc"):
        model.with_heads(["dft", "cc"])
    with pytest.raises(UsageError, match="correlation of mace must be a whole number ≥ 1, got 0"):
        MACE(correlation=0)


def test_misplaced_atoms_are_refused() -> None:
    model, pair = tiny(1), Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.7]], [[0, 0, 0], [0, 0, 0]]])
    with pytest.raises(UsageError, match=r"atoms must be apart, atoms \[0, 1\] of frame 1"):
        model.predict(pair)
    with pytest.raises(UsageError, match=r"positions must be finite, those of atoms \[1\] of frame 0"):
        model.predict(Frames.stack([1, 1], [[[0, 0, 0], [0, 0, np.nan]]]))


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mace", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fidsel\[mace\]'"):
        MACE()


def test_importing_the_models_does_not_import_mace() -> None:
    code = "import sys, fidsel.models; print(*sorted({'mace', 'e3nn', 'matscipy'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
