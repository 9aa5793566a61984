"""Several molecules, each under a name: from a list of SMILES, a CSV file or an SDF file."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import Molecule, from_smiles

MARK: Final = ": "
"""Stands between the name of a molecule and the rest of the group of its frames."""
COLUMNS: Final = ("name", "smiles", "spin")
"""Of a CSV file; only `smiles` is needed."""


def group_of(name: str, rest: str) -> str:
    """Return the group of frames of a molecule.

    >>> group_of("ethanol", "T500-c0"), group_of("", "T500-c0")
    ('ethanol: T500-c0', 'T500-c0')
    """
    return f"{name}{MARK}{rest}" if name else rest


def named_smiles(smiles: Iterable[str]) -> dict[str, Molecule]:
    """Return the molecules of some SMILES, each named by its own.

    Raises
    ------
    UsageError
        see `from_smiles` and `distinct`.

    Examples
    --------
    >>> list(named_smiles(["CO", "CCO"]).values())
    [Molecule(CO, 6 atoms, charge 0), Molecule(CCO, 9 atoms, charge 0)]
    """
    return distinct((one, from_smiles(one)) for one in smiles)


def read_molecules(path: Path) -> dict[str, Molecule]:
    """Return the molecules of a file by name; one without a name is called by its SMILES.

    Parameters
    ----------
    path : a CSV file with a column `smiles`, and `name` and `spin` (2S, by default what the SMILES says)
        where it has them; or an SDF file, whose coordinates are not read.

    Raises
    ------
    UsageError
        where it cannot be read, has no such column or no molecule, and see `distinct`.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".sdf"):
        raise UsageError(f"molecules are read from a .csv or an .sdf file, got {path}")
    try:
        found = _table(path) if kind == ".csv" else _structures(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"the molecules in {path} cannot be read: {error}") from error
    if not found:
        raise UsageError(f"{path} holds no molecule: give one a line")
    return distinct(found)


def distinct(found: Iterable[tuple[str, Molecule]]) -> dict[str, Molecule]:
    """Return molecules by name.

    Raises
    ------
    UsageError
        where a name or a molecule comes twice, or a name cannot be told from the rest of a group.
    """
    known: dict[str, Molecule] = {}
    names: dict[tuple[str, int], str] = {}
    for name, made in found:
        if not name.strip() or MARK in name:
            raise UsageError(f"the name of a molecule must be a text without {MARK!r} in it, got {name!r}")
        if name in known:
            raise UsageError(f"the name {name!r} is given to two molecules: leave one out, or rename it")
        first = names.setdefault((made.smiles, made.spin), name)
        if first != name:
            raise UsageError(
                f"{first!r} and {name!r} are the same molecule ({made.smiles}): leave one out, since each "
                "has an equal share of the frames"
            )
        known[name] = made
    return known


def _table(path: Path) -> list[tuple[str, Molecule]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        columns = [str(name).strip().lower() for name in rows.fieldnames or ()]
        if "smiles" not in columns:
            raise UsageError(
                f"{path} must have a column named smiles, and may have {' and '.join(COLUMNS[::2])}: its "
                f"first line names {', '.join(columns) or 'nothing'}"
            )
        rows.fieldnames = columns
        return [_row(row, f"{path}, line {rows.line_num}") for row in rows]


def _row(row: Mapping[str, str | None], where: str) -> tuple[str, Molecule]:
    values = {name: (row.get(name) or "").strip() for name in COLUMNS}
    try:
        made = from_smiles(values["smiles"])
        if values["spin"]:
            made = replace(made, spin=_possible(made, int(values["spin"])))
    except ValueError as error:  # a UsageError is one
        raise UsageError(f"{where}: {error}") from error
    return values["name"] or values["smiles"], made


def _possible(made: Molecule, spin: int) -> int:
    """Return a spin 2S; raise a `UsageError` where the electrons of the molecule cannot have it."""
    electrons = sum(made.numbers) - made.charge
    if not 0 <= spin <= electrons or (electrons - spin) % 2:
        raise UsageError(
            f"{electrons} electrons cannot have {spin} of them unpaired, as the column spin says"
        )
    return spin


def _structures(path: Path) -> list[tuple[str, Molecule]]:
    from rdkit import Chem, rdBase

    found = []
    with rdBase.BlockLogs(), path.open("rb") as file:
        for number, mol in enumerate(Chem.ForwardSDMolSupplier(file), 1):
            if mol is None:
                raise UsageError(f"molecule {number} of {path} cannot be read by RDKit: mend or remove it")
            smiles = Chem.MolToSmiles(mol)
            name = mol.GetProp("_Name").strip() if mol.HasProp("_Name") else ""
            found.append((name or smiles, from_smiles(smiles)))
    return found
