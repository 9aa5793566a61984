"""Structures of molecules with their charges: SDF and MOL files, mol2 and PDB, read by RDKit; Å."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import cellpar_to_cell

from fidsel.arrays import FloatArray
from fidsel.data.formats.electrons import NAMES, WHOLE
from fidsel.data.formats.foreign import parsing
from fidsel.data.formats.labels import Keys, unread
from fidsel.data.formats.loaded import Image, Loaded, pack
from fidsel.data.formats.stated import EV_ANGSTROM, Stated
from fidsel.exceptions import UsageError

if TYPE_CHECKING:
    from rdkit import Chem

CELL = 2.0
"""Å; CRYST1 of programs that have no cell says 1 Å or 0."""


def load_sdf(path: Path, keys: Keys, name: str) -> Loaded:
    """Return the molecules of an SDF or MOL file; charges are the sums of formal charges.

    Fields of the file are no labels unless they are asked for by name, and then their unit must be given.

    Raises `UsageError` where an entry cannot be read, is a drawing in a plane, or lacks its hydrogens.
    """
    from rdkit import Chem, rdBase

    images, fields = [], set()
    with rdBase.BlockLogs(), parsing(name, "an SDF file"):
        for i, mol in enumerate(Chem.SDMolSupplier(str(path), sanitize=False, removeHs=False)):
            where = f"{name}, entry {i + 1}"
            values = {} if mol is None else mol.GetPropsAsDict()
            fields |= set(values)
            named = {key: values[key] for key in keys.wanted("energy", values) if keys.energy is not None}
            images.append(_image(mol, where, _state(values), named))
    loaded = pack(name, images)
    said = Stated(None, "a field of an SDF file, without its unit") if loaded.energy else EV_ANGSTROM
    return replace(
        loaded, stated=said, available=tuple(sorted(fields)), unread=unread(fields, [loaded.energy])
    )


def load_mol2(path: Path, _keys: Keys, name: str) -> Loaded:
    """Return the molecules of a mol2 file; charges are the sums of those of the atoms.

    Where the file has no charges of atoms they follow from its atom types.

    Raises `UsageError` where an entry cannot be read.
    """
    from rdkit import Chem, rdBase

    entries = re.split(r"(?m)^(?=@<TRIPOS>MOLECULE)", path.read_text(encoding="utf-8"))
    images = []
    with rdBase.BlockLogs(), parsing(name, "a mol2 file"):
        for i, text in enumerate(entry for entry in entries if entry.startswith("@<TRIPOS>MOLECULE")):
            where = f"{name}, entry {i + 1}"
            _require_count(text, where)
            mol = Chem.MolFromMol2Block(text, sanitize=True, removeHs=False)
            if mol is None:
                mol = Chem.MolFromMol2Block(text, sanitize=False, removeHs=False)
            images.append(_image(mol, where, {}, {}, None if mol is None else _partial(mol, where)))
    return pack(name, images)


def _require_count(text: str, where: str) -> None:
    """Raise where the number of atoms of a mol2 entry cannot be: RDKit would look for them for minutes."""
    lines = [line for line in text.split("\n")[1:] if not line.startswith("#")]
    count = (lines[1].split() or [""])[0] if len(lines) > 1 else ""
    if not re.fullmatch(r"[0-9]{1,9}", count) or int(count) > len(lines):
        raise UsageError(
            f"{where} says that it has {count[:20]!r} atoms and has {len(lines)} lines: write it anew"
        )


def load_pdb(path: Path, _keys: Keys, name: str) -> Loaded:
    """Return the models of a PDB file; charges are the sums of the columns 79 and 80.

    Raises `UsageError` where the file cannot be read.
    """
    from rdkit import Chem, rdBase

    text = path.read_text(encoding="utf-8")
    with rdBase.BlockLogs(), parsing(name, "a PDB file"):
        cell = _cryst(text)
        images = [
            _image(
                Chem.MolFromPDBBlock(model, sanitize=False, removeHs=False, proximityBonding=False),
                f"{name}, model {i + 1}", {}, {}, None, cell,
            )
            for i, model in enumerate(_models(text))
        ]  # fmt: skip
    loaded = pack(name, images)
    return replace(
        loaded, notes=(*loaded.notes, "charges are those of columns 79 and 80, none where they are empty")
    )


def _image(
    mol: "Chem.Mol | None",
    where: str,
    state: dict[str, Any],
    energies: dict[str, Any],
    charge: int | None = None,
    cell: FloatArray | None = None,
) -> Image:
    """Return a molecule as an image; its charge is that given, else the sum of formal charges."""
    if mol is None or mol.GetNumAtoms() == 0 or mol.GetNumConformers() == 0:
        raise UsageError(f"{where}: RDKit cannot read this molecule; write it again, with coordinates")
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    positions = np.array(mol.GetConformer().GetPositions(), dtype=np.float64)
    drawn = mol.HasProp("_MolFileInfo") and mol.GetProp("_MolFileInfo")[20:22] == "2D"
    if drawn and len(numbers) > 2 and not positions[:, 2].any():
        raise UsageError(f"{where}: this is a drawing in a plane; give a file with 3D coordinates")
    if missing := _missing_hydrogens(mol):
        raise UsageError(
            f"{where}: {missing} hydrogens are not written: add them with coordinates, e.g. by obabel -h, "
            "or mark radicals as such (M  RAD)"
        )
    formal = sum(atom.GetFormalCharge() for atom in mol.GetAtoms()) if charge is None else charge
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    told = {"charge": formal} if mol.GetNumBonds() or formal else {}
    info = state | told | ({"spin": unpaired} if unpaired else {})
    vectors = np.zeros((3, 3)) if cell is None else cell
    return Image(numbers, positions, vectors, [cell is not None] * 3, energies, {}, info, where)


def _missing_hydrogens(mol: "Chem.Mol") -> int:
    """Return how many hydrogens the bonds of a molecule leave room for; 0 where the file has no bonds."""
    from rdkit import Chem

    if not mol.GetNumBonds():
        return 0
    filled = Chem.Mol(mol)
    filled.UpdatePropertyCache(strict=False)
    return int(sum(atom.GetNumImplicitHs() for atom in filled.GetAtoms()))


def _state(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what fields say of the electrons; it must not contradict the formal charges."""
    told = {key: value for key, value in fields.items() if key.lower() in NAMES}
    return {"total_charge" if key.lower() == "charge" else key: value for key, value in told.items()}


def _partial(mol: "Chem.Mol", where: str) -> int | None:
    """Return the sum of the charges of atoms, None where the file has none."""
    named = "_TriposPartialCharge"
    charges = [float(atom.GetProp(named)) for atom in mol.GetAtoms() if atom.HasProp(named)]
    if not any(charges):
        return None
    total = sum(charges)
    if abs(total - round(total)) > WHOLE:
        raise UsageError(f"{where}: the charges of its atoms add up to {total:.3f}, which is no whole number")
    return round(total)


def _models(text: str) -> Iterator[str]:
    """Yield the atoms of each model; those of a file without models are one."""
    model: list[str] = []
    for line in [*text.splitlines(), "END"]:
        if line.startswith(("ATOM", "HETATM")):
            model.append(line)
        elif line.startswith(("ENDMDL", "END")) and model:
            yield "\n".join([*model, "END\n"])
            model = []


def _cryst(text: str) -> FloatArray | None:
    """Return the cell of a PDB file as row vectors, None where it has none."""
    match = re.search(r"(?m)^CRYST1(.{27})(.{21})", text)
    if match is None:
        return None
    try:
        lengths = [float(match[1][i : i + 9]) for i in (0, 9, 18)]
        angles = [float(match[2][i : i + 7]) for i in (0, 7, 14)]
    except ValueError:
        return None
    return np.asarray(cellpar_to_cell([*lengths, *angles])) if min(lengths) > CELL else None
