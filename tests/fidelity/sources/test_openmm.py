"""MMFF94 and serialized Systems as label sources."""

import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openmm
import pytest
from ase import Atoms
from ase.build import molecule as build
from ase.units import kcal, mol

from fidsel.exceptions import UsageError
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.molecules.molecule import from_atoms, from_smiles, rdkit_mol
from fidsel.fidelity.source import LabelError, LabelSource
from fidsel.fidelity.sources.openmm import (
    MMFFFamily,
    MMFFSource,
    SystemSource,
    context_of,
    openmm_source,
)
from fidsel.md.sampling.conformer_search import conformers

ETHANOL = build("CH3CH2OH")


@pytest.fixture(scope="module")
def mmff() -> MMFFSource:
    return MMFFSource(from_atoms(ETHANOL, 0))


@pytest.fixture
def serialized(mmff: MMFFSource, tmp_path: Path) -> SystemSource:
    path = tmp_path / "ethanol.xml"
    path.write_text(openmm.XmlSerializer.serialize(mmff.system()))
    return SystemSource(path)


def shaken(scale: float = 0.05, seed: int = 0) -> Atoms:
    atoms = ETHANOL.copy()
    atoms.positions += np.random.default_rng(seed).normal(scale=scale, size=atoms.positions.shape)
    return atoms


@pytest.mark.parametrize("name", ["CH3CH2OH", "CH3CN", "HCOOH", "CH3NO2", "C4H4S"])
def test_forces_are_minus_the_gradient(name: str) -> None:
    atoms = build(name)
    source = MMFFSource(from_atoms(atoms, 0))
    atoms.positions += np.random.default_rng(1).normal(scale=0.08, size=atoms.positions.shape)
    forces, numeric, h = source.label(atoms).forces, np.zeros((len(atoms), 3)), 1e-4
    for i, axis in np.ndindex(numeric.shape):
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[i, axis] += sign * h
            ends.append(source.label(moved).energy)
        numeric[i, axis] = -(ends[0] - ends[1]) / (2 * h)
    np.testing.assert_allclose(forces, numeric, atol=2e-6)


@pytest.mark.parametrize("name", ["ethanol", "aspirin", "toluene"])
def test_forces_resemble_density_functional_theory(name: str, data_folder: Path) -> None:
    data = np.load(data_folder / "rmd17" / f"{name}.npz")
    rows = np.linspace(0, len(data["R"]) - 1, 20).astype(int)
    frames = [Atoms(data["z"], data["R"][row]) for row in rows]
    source = MMFFSource(from_atoms(frames[0], 0))
    assert {from_atoms(frame, 0) for frame in frames} == {source.molecule}
    ours = np.array([source.label(frame).forces for frame in frames]).ravel()
    theirs = data["F_pbe"][rows].ravel() * kcal / mol
    assert np.corrcoef(ours, theirs)[0, 1] > 0.85
    assert 0.7 < (ours @ theirs) / (theirs @ theirs) < 1.2


def test_energy_is_in_ev(mmff: MMFFSource) -> None:
    from rdkit.Chem import rdForceFieldHelpers
    from rdkit.Chem.rdDistGeom import EmbedMolecule

    rdmol = rdkit_mol(mmff.molecule)
    EmbedMolecule(rdmol, randomSeed=1)
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(
        rdmol, rdForceFieldHelpers.MMFFGetMoleculeProperties(rdmol)
    )
    energy = mmff.label(Atoms(ETHANOL.numbers, rdmol.GetConformer().GetPositions())).energy
    assert energy == pytest.approx(field.CalcEnergy() * kcal / mol, abs=1e-6)


def test_the_label_depends_on_the_frame_alone(mmff: MMFFSource) -> None:
    first = mmff.label(shaken(seed=1))
    mmff.label(shaken(seed=2, scale=0.2))
    again = pickle.loads(pickle.dumps(mmff)).label(shaken(seed=1))
    assert again.energy == first.energy
    assert (again.forces == first.forces).all()
    assert isinstance(mmff, LabelSource)
    assert mmff.forces


def test_threads_do_not_mix_their_frames(mmff: MMFFSource) -> None:
    frames = [shaken(seed=seed) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        energies = [label.energy for label in pool.map(mmff.label, frames)]
    assert energies == [mmff.label(frame).energy for frame in frames]


def test_a_broken_bond_is_still_a_bond(mmff: MMFFSource) -> None:
    far = ETHANOL.copy()
    proton = next(j for i, j in mmff.molecule.bonds if {far.numbers[i], far.numbers[j]} == {1, 8})
    far.positions[proton] += [0, 0, 4.0]
    assert mmff.label(far).energy > mmff.label(ETHANOL).energy + 10


def test_a_serialized_system_gives_the_same_label(mmff: MMFFSource, serialized: SystemSource) -> None:
    one, two = mmff.label(shaken()), pickle.loads(pickle.dumps(serialized)).label(shaken())
    assert two.energy == pytest.approx(one.energy, abs=1e-10)
    np.testing.assert_allclose(two.forces, one.forces, atol=1e-9)


def test_the_key_follows_the_content_not_the_path(
    mmff: MMFFSource, serialized: SystemSource, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.xml"
    copy.write_text(serialized.path.read_text())
    price = Price(0.0)
    key = Fidelity("a", serialized, price).key
    assert Fidelity("b", SystemSource(copy), price).key == key
    copy.write_text(openmm.XmlSerializer.serialize(MMFFSource(mmff.molecule, "MMFF94s").system()) + "\n")
    assert Fidelity("b", SystemSource(copy), price).key != key
    assert Fidelity("c", mmff, price).key != Fidelity("d", MMFFSource(mmff.molecule, "MMFF94s"), price).key


def test_a_file_that_changed_is_refused(serialized: SystemSource) -> None:
    serialized.path.write_text(serialized.path.read_text() + "\n")
    with pytest.raises(UsageError, match="changed since the source was made"):
        serialized.label(ETHANOL)


def test_frames_of_other_atoms_are_refused(mmff: MMFFSource, serialized: SystemSource) -> None:
    with pytest.raises(UsageError, match="9 atoms"):
        mmff.label(build("H2O"))
    with pytest.raises(UsageError, match="9 particles, but the frame has 3 atoms"):
        serialized.label(build("H2O"))
    order = np.argsort(ETHANOL.numbers)
    with pytest.raises(UsageError, match=r"particle 0 .* is not H"):
        serialized.label(ETHANOL[order])
    periodic = ETHANOL.copy()
    periodic.set_cell(np.eye(3) * 20)
    periodic.pbc = True
    with pytest.raises(UsageError, match="must be not periodic"):
        serialized.label(periodic)


def test_a_periodic_system_uses_the_frame_s_cell(tmp_path: Path) -> None:
    system, force = openmm.System(), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(0.45)
    for _ in range(2):
        system.addParticle(39.95)
        force.addParticle(0.0, 0.34, 1.0)
    system.addForce(force)
    path = tmp_path / "argon.xml"
    path.write_text(openmm.XmlSerializer.serialize(system))
    source = SystemSource(path)
    energies = [
        source.label(Atoms("Ar2", [[0, 0, 0], [0, 0, 6.0]], cell=np.eye(3) * a, pbc=True)).energy
        for a in (10.0, 20.0)
    ]
    assert energies[0] < energies[1] - 1e-4
    with pytest.raises(LabelError, match="OpenMM could not evaluate Ar2"):
        source.label(Atoms("Ar2", [[0, 0, 0], [0, 0, 4.0]], cell=np.eye(3) * 5, pbc=True))
    with pytest.raises(UsageError, match="must be periodic in all directions"):
        source.label(Atoms("Ar2", [[0, 0, 0], [0, 0, 4.0]]))


def test_coinciding_atoms_are_a_label_error() -> None:
    source = MMFFSource(from_smiles("O"))
    with pytest.raises(LabelError, match="do two atoms coincide"):
        source.label(Atoms("OHH", np.zeros((3, 3))))


@pytest.mark.parametrize("content", ["hello", "<System/>", "<a"])
def test_files_that_are_no_system_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.xml"
    path.write_text(content)
    with pytest.raises(UsageError, match="not a serialized OpenMM object"):
        SystemSource(path)


def test_other_openmm_objects_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "integrator.xml"
    path.write_text(openmm.XmlSerializer.serialize(openmm.VerletIntegrator(0.001)))
    with pytest.raises(UsageError, match="must hold an OpenMM System, got VerletIntegrator"):
        SystemSource(path)
    with pytest.raises(UsageError, match="No such file"):
        SystemSource(tmp_path / "nowhere.xml")


def test_a_family_labels_each_frame_as_its_molecule() -> None:
    """Also isomers whose atoms come in the same order, which bonds alone tell apart."""
    each = [MMFFSource(from_smiles(smiles)) for smiles in ("CCCC", "CC(C)C", "CCO")]
    family = MMFFFamily(tuple(each))
    for source in each:
        for start in conformers(source.molecule, 2, seed=1):
            shaken = start + np.random.default_rng(0).normal(scale=0.05, size=start.shape)
            atoms = Atoms(source.molecule.numbers, shaken)
            assert family.of(atoms) is source
            label, own = family.label(atoms), source.label(atoms)
            assert label.energy == own.energy
            assert np.array_equal(label.forces, own.forces)
    with pytest.raises(UsageError, match="OH2 with charge 0 is none of the molecules"):
        family.label(Atoms("OH2", [[0, 0, 0], [1, 0, 0], [0, 1, 0]]))


def test_the_key_of_a_family_is_of_all_its_molecules() -> None:
    water, methanol = (MMFFSource(from_smiles(smiles)) for smiles in ("O", "CO"))
    one = Fidelity("mmff94", MMFFFamily((water, methanol)), Price(0.0))
    assert one.key != Fidelity("mmff94", water, Price(0.0)).key
    assert one.key != Fidelity("mmff94", MMFFFamily((water, MMFFSource(from_smiles("CCO")))), Price(0.0)).key
    assert openmm_source(lambda: [water.molecule]) == water
    assert openmm_source(lambda: [water.molecule, methanol.molecule]) == MMFFFamily((water, methanol))


def test_a_context_is_made_once_and_given_back() -> None:
    water = from_smiles("O")
    first = context_of(MMFFSource(water))
    assert context_of(MMFFSource(water)) is first, "equal sources share it"
    assert context_of(MMFFSource(water, "MMFF94s")) is not first
    gone = weakref.ref(first)
    del first
    context_of.cache_clear()
    assert gone() is None
