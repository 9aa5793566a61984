from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from fidsel.data import Units, read, read_with_notes
from fidsel.data.reading import last_structure
from fidsel.exceptions import UsageError

ACETATE_MOL2 = """\
@<TRIPOS>MOLECULE
acetate
 7 6 0 0 0
SMALL
GASTEIGER

@<TRIPOS>ATOM
      1 C1          0.0000    0.0000    0.0000 C.3     1  ACE        -0.2000
      2 C2          1.5000    0.0000    0.0000 C.2     1  ACE         0.3000
      3 O1          2.1000    1.1000    0.0000 O.co2   1  ACE        -0.5500
      4 O2          2.1000   -1.1000    0.0000 O.co2   1  ACE        -0.5500
      5 H1         -0.3600    1.0000    0.0000 H       1  ACE         0.0000
      6 H2         -0.3600   -0.5000    0.8700 H       1  ACE         0.0000
      7 H3         -0.3600   -0.5000   -0.8700 H       1  ACE         0.0000
@<TRIPOS>BOND
     1     1     2    1
     2     2     3   ar
     3     2     4   ar
     4     1     5    1
     5     1     6    1
     6     1     7    1
"""
NEUTRAL_CHARGES = {"-0.2000": " 0.0000", " 0.3000": " 0.0000", "-0.5500": " 0.0000"}


def embedded(smiles: str) -> Any:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
    return mol


def sdf(path: Path, *molecules: Any) -> Path:
    with Chem.SDWriter(str(path)) as writer:
        for mol in molecules:
            writer.write(mol)
    return path


SPECIES = {"CC(=O)[O-]": (-1, 0), "C[NH3+]": (1, 0), "O": (0, 0), "[CH3]": (0, 1), "[NH3+]CC(=O)[O-]": (0, 0)}


def test_structures_of_an_sdf_file_keep_charge_and_spin(tmp_path: Path) -> None:
    molecules = [embedded(smiles) for smiles in SPECIES]
    frames = read(sdf(tmp_path / "a.sdf", *molecules))
    assert list(zip(frames.charge.tolist(), frames.spin.tolist(), strict=True)) == list(SPECIES.values())
    for i, mol in enumerate(molecules):
        rows = slice(frames.offsets[i], frames.offsets[i + 1])
        np.testing.assert_allclose(frames.positions[rows], mol.GetConformer().GetPositions(), atol=6e-5)
        assert frames.numbers[rows].tolist() == [atom.GetAtomicNum() for atom in mol.GetAtoms()]


def test_a_mol_file_and_a_pdb_file_keep_the_charge(tmp_path: Path) -> None:
    Chem.MolToMolFile(embedded("CC(=O)[O-]"), str(tmp_path / "a.mol"))
    Chem.MolToPDBFile(embedded("CC(=O)[O-]"), str(tmp_path / "a.pdb"))
    for name in ("a.mol", "a.pdb"):
        assert read(tmp_path / name).charge.tolist() == [-1]
        assert last_structure(tmp_path / name).info == {"charge": -1}


def test_charges_of_a_mol2_file(tmp_path: Path) -> None:
    (tmp_path / "a.mol2").write_text(ACETATE_MOL2 * 2)
    assert read(tmp_path / "a.mol2").charge.tolist() == [-1, -1]
    plain = ACETATE_MOL2.replace("GASTEIGER", "NO_CHARGES")
    for charge, zero in NEUTRAL_CHARGES.items():
        plain = plain.replace(charge, zero)
    (tmp_path / "b.mol2").write_text(plain)
    assert read(tmp_path / "b.mol2").charge.tolist() == [-1], "by its atom types"
    (tmp_path / "c.mol2").write_text(ACETATE_MOL2.replace("-0.2000", "-0.6000"))
    with pytest.raises(UsageError, match=r"c\.mol2, entry 1: the charges of its atoms add up to -1\.400"):
        read(tmp_path / "c.mol2")


def test_models_of_a_pdb_file_are_frames(tmp_path: Path) -> None:
    mol = embedded("CO")
    AllChem.EmbedMultipleConfs(mol, 3, randomSeed=1)
    (tmp_path / "a.pdb").write_text(Chem.MolToPDBBlock(mol))
    frames, notes = read_with_notes(tmp_path / "a.pdb")
    assert len(frames) == 3
    for i in range(3):
        np.testing.assert_allclose(frames[i].positions, mol.GetConformer(i).GetPositions(), atol=6e-4)
    assert any("columns 79 and 80" in note for note in notes)
    assert last_structure(tmp_path / "a.pdb").info == {}, "no charge is named"


@pytest.mark.parametrize(("lengths", "periodic"), [((9, 8, 7), True), ((1, 1, 1), False)])
def test_the_cell_of_a_pdb_file(lengths: tuple[int, int, int], periodic: bool, tmp_path: Path) -> None:
    told = (
        "CRYST1" + "".join(f"{length:9.3f}" for length in lengths) + "  90.00  90.00  90.00 P 1           1\n"
    )
    (tmp_path / "a.pdb").write_text(told + Chem.MolToPDBBlock(embedded("O")))
    frames = read(tmp_path / "a.pdb")
    assert frames.pbc.all() == periodic
    np.testing.assert_allclose(frames.cell[0], np.diag(lengths) * periodic, atol=1e-9)


def test_angles_that_no_cell_has_are_refused(tmp_path: Path) -> None:
    told = "CRYST1    9.000    9.000    9.000 190.00  90.00  10.00 P 1           1\n"
    (tmp_path / "a.pdb").write_text(told + Chem.MolToPDBBlock(embedded("O")))
    with pytest.raises(UsageError, match=r"a\.pdb cannot be read as a PDB file"):
        read(tmp_path / "a.pdb")


def test_a_drawing_and_missing_hydrogens_are_refused(tmp_path: Path) -> None:
    flat = Chem.MolFromSmiles("CCO")
    AllChem.Compute2DCoords(flat)
    Chem.MolToMolFile(flat, str(tmp_path / "flat.mol"))
    with pytest.raises(UsageError, match=r"flat\.mol, entry 1: this is a drawing in a plane"):
        read(tmp_path / "flat.mol")
    Chem.MolToMolFile(Chem.RemoveHs(embedded("CCO")), str(tmp_path / "bare.mol"))
    with pytest.raises(UsageError, match=r"bare\.mol, entry 1: 6 hydrogens are not written"):
        read(tmp_path / "bare.mol")


def test_fields_of_an_sdf_file_are_read_when_named(tmp_path: Path) -> None:
    mol = embedded("O")
    mol.SetProp("E_hf", "-76.0")
    path = sdf(tmp_path / "a.sdf", mol)
    assert np.isnan(read(path).energy).all()
    with pytest.raises(UsageError, match="without its unit"):
        read(path, energy_key="E_hf")
    hartree = Units("Hartree", "Angstrom")
    assert read(path, energy_key="E_hf", units=hartree).energy[0] == pytest.approx(
        -76 * hartree.energy_factor
    )


def test_a_field_must_not_contradict_the_formal_charges(tmp_path: Path) -> None:
    mol = embedded("O")
    mol.SetProp("charge", "1")
    with pytest.raises(UsageError, match="the charge is told in two ways"):
        read(sdf(tmp_path / "a.sdf", mol))


@pytest.mark.parametrize("count", ["-1", "4000000000", "99999999", "many"])
def test_a_number_of_atoms_that_cannot_be_is_refused_at_once(tmp_path: Path, count: str) -> None:
    """RDKit counts down from it, for minutes."""
    lines = ACETATE_MOL2.split("\n")
    lines[2] = f"{count} 6 0 0 0"
    (tmp_path / "a.mol2").write_text("\n".join(lines))
    with pytest.raises(UsageError, match=r"a\.mol2, entry 1 says that it has '.*' atoms and has"):
        read(tmp_path / "a.mol2")


@pytest.mark.parametrize("suffix", [".sdf", ".mol", ".mol2", ".pdb"])
def test_what_is_no_molecule_is_refused(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").write_text("nothing of a molecule\n" * 9)
    with pytest.raises(UsageError, match=rf"a\{suffix}"):
        read(tmp_path / f"a{suffix}")
