"""MMFF94 in OpenMM against RDKit's own energies, term by term."""

import numpy as np
import openmm
import pytest
from openmm import unit
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import Molecule, from_smiles, rdkit_mol
from fidsel.fidelity.sources.mmff import mmff_system
from fidsel.fidelity.sources.mmff_terms import MMFFTerms, mmff_terms, mmff_types
from fidsel.fidelity.sources.openmm import reference_context

ASPIRIN, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C"
SMILES = [
    "O", "CCO", "C=O", "O=CC=CO", "C1CC1", "C1=CC1", "C1CO1", "C1CN1", "C1CCC1", "C1=CCC1", "C12CC1C2",
    "C1CCCCC1", "c1ccccc1", "CC(=O)[O-]", "C[NH3+]", "NC(N)=[NH2+]", "c1c[nH]c[nH+]1", "OP(=O)([O-])OC",
    "CS", "CSSC", "CS(C)=O", "CS(=O)(=O)N", "CP(C)C", "c1ccsc1", "CF", "CC(Cl)(Cl)Cl", "BrC=C", "CI",
    "CC#N", "CC#C", "C=C=C", "O=C=O", "CN=C=S", "CN=[N+]=[N-]", "C[N+]#[C-]", "C[N+](=O)[O-]", "CC(N)=O",
    "c1nnn[nH]1", "C[Si](C)(C)C", "O=c1cc[nH]c(=O)[nH]1", "O=c1cccc[nH]1", "c1cccc2cccc2c1", "O.O",
    "[Na+].[Cl-]", ASPIRIN, CAFFEINE,
]  # fmt: skip
SWITCHES = ("Bond", "Angle", "StretchBend", "Oop", "Torsion", "VdW", "Ele")
GROUPS = {"Bond": 1, "Angle": 2 + 4, "StretchBend": 8, "Oop": 16, "Torsion": 32, "VdW": 64}
TOLERANCE = 1e-3


def geometries(molecule: Molecule, n: int) -> FloatArray:
    """(n, N, 3) Å: an embedded geometry distorted by 0.01 to 0.2 Å per coordinate."""
    mol, rng = rdkit_mol(molecule), np.random.default_rng(5)
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=7) == 0
    xyz = mol.GetConformer().GetPositions()
    return np.array([xyz + rng.normal(scale=s, size=xyz.shape) for s in np.linspace(0.01, 0.2, n)])


def rdkit_energies(molecule: Molecule, variant: str, terms: set[str], frames: FloatArray) -> FloatArray:
    """Energies (n,) kcal/mol of some kinds of terms by RDKit."""
    mol, properties = mmff_types(molecule, variant)
    rdDistGeom.EmbedMolecule(mol, randomSeed=7)
    for name in SWITCHES:
        getattr(properties, f"SetMMFF{name}Term")(name in terms)
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(
        mol, properties, nonBondedThresh=1e6, ignoreInterfragInteractions=False
    )
    return np.array([field.CalcEnergy(xyz.ravel().tolist()) for xyz in frames])


def openmm_energies(context: openmm.Context, frames: FloatArray, groups: int = -1) -> FloatArray:
    """Energies (n,) kcal/mol of some force groups by OpenMM."""
    out = []
    for xyz in frames:
        context.setPositions(xyz / 10)
        energy = context.getState(getEnergy=True, groups=groups).getPotentialEnergy()
        out.append(energy.value_in_unit(unit.kilocalorie_per_mole))
    return np.array(out)


def context_of(molecule: Molecule, variant: str = "MMFF94") -> openmm.Context:
    return reference_context(mmff_system(molecule, variant), openmm.VerletIntegrator(0.001))


@pytest.mark.parametrize("smiles", SMILES)
def test_energies_equal_rdkit_s(smiles: str) -> None:
    molecule = from_smiles(smiles)
    frames = geometries(molecule, 50)
    ours = openmm_energies(context_of(molecule), frames)
    theirs = rdkit_energies(molecule, "MMFF94", set(SWITCHES), frames)
    assert np.abs(ours - theirs).max() < TOLERANCE
    assert np.ptp(theirs) > 0.1


@pytest.mark.parametrize("variant", ["MMFF94", "MMFF94s"])
@pytest.mark.parametrize("smiles", [ASPIRIN, CAFFEINE, "CC(N)=O", "CC#N", "C[NH3+]"])
def test_each_kind_of_term_equals_rdkit_s(smiles: str, variant: str) -> None:
    molecule = from_smiles(smiles)
    frames, context = geometries(molecule, 10), context_of(molecule, variant)
    for name, groups in GROUPS.items():
        terms = {"VdW", "Ele"} if name == "VdW" else {name}
        theirs = rdkit_energies(molecule, variant, terms, frames)
        assert np.abs(openmm_energies(context, frames, groups) - theirs).max() < TOLERANCE, name


@pytest.mark.parametrize("smiles", [CAFFEINE, "O=c1cccc[nH]1", "c1ccccc1", "CCO"])
def test_rings_are_aromatic_where_mmff94_says_so(smiles: str) -> None:
    """RDKit's optimiser assigns and evaluates in one go: with no steps it gives the energy."""
    molecule = from_smiles(smiles)
    mol = rdkit_mol(molecule)
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=7) == 0
    xyz = mol.GetConformer().GetPositions()
    ((_, energy),) = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(
        mol, maxIters=0, ignoreInterfragInteractions=False
    )
    assert openmm_energies(context_of(molecule), xyz[None])[0] == pytest.approx(energy, abs=TOLERANCE)


def test_the_molecules_exercise_every_kind_of_term() -> None:
    every = [mmff_terms(from_smiles(smiles)) for smiles in SMILES]
    for name in MMFFTerms.__dataclass_fields__:
        assert any(getattr(terms, name) for terms in every), name


def test_planar_nitrogen_is_stiffer_in_mmff94s() -> None:
    molecule = from_smiles("Nc1ccccc1")
    frames = geometries(molecule, 5)
    plain, static = (openmm_energies(context_of(molecule, v), frames) for v in ("MMFF94", "MMFF94s"))
    assert np.abs(plain - static).min() > 1e-3


def test_pairs_leave_out_near_neighbours_and_scale_only_charges_of_1_4_pairs() -> None:
    molecule = from_smiles("CCCC")
    pairs = dict(mmff_terms(molecule).pairs)
    assert (0, 1) not in pairs
    assert (0, 2) not in pairs
    _, properties = mmff_types(molecule)
    full = properties.GetMMFFPartialCharge(0) * properties.GetMMFFPartialCharge(3)
    radius, depth, charges = pairs[0, 3]
    assert charges == pytest.approx(0.75 * full)
    assert (radius, depth) == pytest.approx(properties.GetMMFFVdWParams(0, 3)[2:])


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("CB(O)O", r"no type for atom 1 \(B\)"),
        ("C[Hg]C", r"no type for atom 1 \(Hg\)"),
        ("C[CH2]", r"no radicals, got .* with 1 unpaired"),
        ("O.[H][H]", r"one of atom 1 \(H\), atom 2 \(H\)"),
    ],
)
def test_an_atom_without_a_type_is_named(smiles: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mmff_system(from_smiles(smiles))


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown MMFF94 variant 'mmff94s'.* Available: MMFF94, MMFF94s"):
        mmff_system(from_smiles("C"), "mmff94s")
