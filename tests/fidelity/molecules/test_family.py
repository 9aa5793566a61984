"""Several molecules from SMILES and files: names, doubles, isomers, files that lack something."""

from pathlib import Path

import pytest
from rdkit import Chem

from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.family import named_smiles, read_molecules
from fidsel.fidelity.molecules.molecule import from_smiles


def test_isomers_are_different_molecules() -> None:
    found = named_smiles(["CCO", "COC", "CCCC", "CC(C)C"])
    assert [len(one) for one in found.values()] == [9, 9, 14, 14]
    assert found["CCCC"].numbers == found["CC(C)C"].numbers, "told apart by their bonds alone"


@pytest.mark.parametrize(
    ("smiles", "text"),
    [
        (["CO", "OC"], "'CO' and 'OC' are the same molecule"),
        (["CO", "CO"], "'CO' is given to two molecules"),
        (["CO", "C(("], "is not a valid SMILES"),
        (["CO", ""], "valid SMILES"),
    ],
)
def test_what_is_no_list_of_molecules_is_refused(smiles: list[str], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        named_smiles(smiles)


def test_a_table_gives_names_and_spins(tmp_path: Path) -> None:
    path = tmp_path / "family.csv"
    path.write_text("Name, SMILES, spin\nmethanol, CO,\n, CCO,\noxygen, O=O, 2\n", encoding="utf-8")
    found = read_molecules(path)
    assert list(found) == ["methanol", "CCO", "oxygen"]
    assert found["methanol"] == from_smiles("CO")
    assert [one.spin for one in found.values()] == [0, 0, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,formula\nmethanol,CH4O\n", "must have a column named smiles.* names name, formula"),
        ("", "must have a column named smiles.* names nothing"),
        ("name,smiles\n", "holds no molecule"),
        ("name,smiles\nmethanol,C(\n", "line 2: 'C\\(' is not a valid SMILES"),
        ("name,smiles\na: b,CO\n", "without ': ' in it"),
        ("name,smiles,spin\nmethanol,CO,two\n", "line 2: invalid literal"),
        ("name,smiles,spin\nmethanol,CO,-2\n", "line 2: 18 electrons cannot have -2 of them unpaired"),
        ("name,smiles,spin\nmethanol,CO,1\n", "line 2: 18 electrons cannot have 1 of them unpaired"),
        ("name,smiles\na,CO\na,CCO\n", "'a' is given to two molecules"),
    ],
)
def test_a_table_that_lacks_something_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "family.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_molecules(path)


def test_structures_give_names(tmp_path: Path) -> None:
    path = tmp_path / "family.sdf"
    with Chem.SDWriter(str(path)) as writer:
        for name, smiles in (("methanol", "CO"), ("", "C[C@H](F)Cl"), ("acetate", "CC(=O)[O-]")):
            mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
            mol.SetProp("_Name", name)
            writer.write(mol)
    found = read_molecules(path)
    assert list(found)[0::2] == ["methanol", "acetate"]
    assert [one.charge for one in found.values()] == [0, 0, -1]
    assert [len(one) for one in found.values()] == [6, 8, 7]


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"from a \.csv or an \.sdf file"):
        read_molecules(tmp_path / "family.xyz")
    with pytest.raises(UsageError, match="cannot be read"):
        read_molecules(tmp_path / "none.csv")
