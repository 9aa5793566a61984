"""How a model compares for a molecule at rest: as words and as numbers."""

from collections.abc import Mapping
from typing import Any

NUMBERS = ("rmsd", "bond_mae", "angle_mae", "frequency_mae", "frequency_max")


def words(check: Mapping[str, Any]) -> str:  # Any: plain values
    """Return what a check says, in a line."""
    told = (
        f"RMSD {check['rmsd']:.3f} Å, bonds {check['bond_mae']:.3f} Å, angles {check['angle_mae']:.2g}°, "
        f"frequencies {check['frequency_mae']:.3g} 1/cm (largest {check['frequency_max']:.3g})"
    )
    turns = [
        f"{one['bond']} {1000 * one['mae']:.3g} of {1000 * one['reference_barrier']:.3g} meV"
        for one in check["torsions"]
    ]
    told += f"; error along torsions, of their barrier: {', '.join(turns)}" if turns else ""
    others = check.get("conformers", {})
    if not others.get("count"):
        return told
    return f"{told}; of {others['count']} conformers' energies: {1000 * others['mae']:.3g} meV"


def numbers(check: Mapping[str, Any]) -> dict[str, float]:  # Any: plain values
    """Return the numbers of a check, Å, degrees and 1/cm, and eV of what it has of torsions and conformers.

    Of torsions they are means.
    """
    found = {name: float(check[name]) for name in NUMBERS}
    if turns := check["torsions"]:
        for name, key in (("torsion_mae", "mae"), ("torsion_barrier", "reference_barrier")):
            found[name] = sum(turn[key] for turn in turns) / len(turns)
    if check.get("conformers", {}).get("count"):
        found |= {f"conformer_{name}": float(check["conformers"][name]) for name in ("mae", "range")}
    return found
