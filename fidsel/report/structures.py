"""The 3D view of a report: two frames of each cluster, drawn by chemiscope from inside the file."""

import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import numpy as np
from ase import Atoms

from fidsel.arrays import FloatArray
from fidsel.data.formats.elements import atoms_label
from fidsel.exceptions import FidselError
from fidsel.report.content import UNITS, ClusterTable, Mark, Structure
from fidsel.report.pictures.plot import CROWD
from fidsel.report.sentences import TELLING, in_unit

SCRIPT = "chemiscope/sphinx/static/chemiscope.min.js"
BAR = 0.18
"""Å, radius of the bar of a marked distance: wider than a bond, which may lie inside."""
LICENCES = ("chemiscope/static/chemiscope-widget.mjs.LICENSE.txt", "licenses/LICENSE")


def viewer_script() -> str:
    """Return chemiscope's JavaScript, safe inside a script element.

    Raises `FidselError` where chemiscope is missing, or lays its files out in another way.
    """
    return _read(SCRIPT).replace("</script", "<\\/script")


def viewer_licences() -> str:
    """Return the licences of chemiscope and of what its JavaScript contains."""
    return "\n\n".join(_read(name) for name in LICENCES)


@cache
def _read(name: str) -> str:
    try:
        package = distribution("chemiscope")
    except PackageNotFoundError as error:
        raise FidselError(
            "a report draws structures with chemiscope, which is not installed: "
            "pip install 'chemiscope>=1.1,<2'"
        ) from error
    for file in package.files or ():
        if str(file).endswith(name):
            return file.read_text(encoding="utf-8")
    raise FidselError(
        f"chemiscope {package.version} has no {name}: install a version that has, "
        "pip install 'chemiscope>=1.1,<2'"
    )


def structures_json(table: ClusterTable, unit: str) -> str:
    """Return the frames of all clusters as chemiscope wants them, safe inside a script element.

    Molecules of the same atoms are turned onto each other, so that the eye can compare them.
    """
    seen: dict[bytes, FloatArray] = {}
    clusters = {}
    for row in table.rows:
        marks = [mark for mark in row.marks if abs(mark.shift) >= TELLING] or row.marks[:1]
        clusters[str(row.cluster)] = {
            role: _entry(structure, turned(structure.atoms, seen), marks, table.lowest, UNITS[unit])
            for role, structure in (("representative", row.representative), ("worst", row.worst))
            if structure is not None
        }
    return json.dumps(clusters, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _entry(
    structure: Structure, atoms: Atoms, marks: Sequence[Mark], lowest: float, units: Sequence[str]
) -> dict[str, Any]:
    """Return a frame, its marked distances and what stands under it."""
    drawn: dict[str, Any] = {
        "size": len(atoms),
        "names": [atoms_label(atoms.numbers, atom) for atom in range(len(atoms))],
        "elements": atoms.get_chemical_symbols(),
        **{axis: atoms.positions[:, i].round(3).tolist() for i, axis in enumerate("xyz")},
    }
    if atoms.pbc.any():
        drawn["cell"] = atoms.cell.array.ravel().tolist()
    known = np.isfinite(structure.error)
    vectors = [atoms.get_distance(*mark.atoms, mic=True, vector=True) for mark in marks]
    if marks:
        drawn["shapes"] = {"marks": _bars([atoms.positions[mark.atoms[0]] for mark in marks], vectors)}
    return {
        "row": structure.row,
        "error": [f"{in_unit(structure.error, shown)} {shown}" for shown in units] if known else [],
        "above": f"{structure.energy - lowest:.3f} eV" if np.isfinite(structure.energy) else "",
        "marks": [
            f"{mark.label} {np.linalg.norm(vector):.2f} Å"
            for mark, vector in zip(marks, vectors, strict=True)
        ],
        "structure": drawn,
    }


def _bars(bases: Sequence[FloatArray], vectors: Sequence[FloatArray]) -> dict[str, Any]:
    """Return a bar from one atom to the other of each marked distance."""
    rounded = {"bases": np.round(bases, 3).tolist(), "vectors": np.round(vectors, 3).tolist()}
    return {"kind": "cylinders", "parameters": {"global": rounded | {"radii": BAR, "colors": CROWD}}}


def turned(atoms: Atoms, seen: dict[bytes, FloatArray]) -> Atoms:
    """Return a molecule turned onto the first one of the same atoms, that one onto its own axes."""
    if atoms.pbc.any():
        return atoms
    xyz = atoms.positions - atoms.positions.mean(axis=0)
    onto = seen.setdefault(atoms.numbers.tobytes(), xyz @ _axes(xyz))
    left, _, right = np.linalg.svd(xyz.T @ onto)
    proper = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return Atoms(atoms.numbers, xyz @ (left * proper) @ right)


def _axes(xyz: FloatArray) -> FloatArray:
    """Return the rotation that lays a molecule flat: its longest axis along x, its shortest along z."""
    axes = np.linalg.eigh(xyz.T @ xyz)[1][:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(3)])
    axes[:, 2] = np.cross(axes[:, 0], axes[:, 1])
    return np.asarray(axes)
