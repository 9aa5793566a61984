"""Label sources on OpenMM: MMFF94 of molecules, and any serialized System."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from ase import Atoms
from ase.units import kJ, mol, nm

from fidsel.arguments import Internal
from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import Molecule, check_same_atoms
from fidsel.fidelity.source import Label, LabelError, Value, check_positions, state_of
from fidsel.fidelity.sources.mmff import mmff_system
from fidsel.fidelity.sources.mmff_check import require_described

if TYPE_CHECKING:
    import openmm

Variant = Literal["MMFF94", "MMFF94s"]
MASS_TOLERANCE = 0.5
"""u; largest difference between a particle's mass and its element's standard mass."""


class OpenMMSource(ABC):
    """A label source whose energy surface is an OpenMM System.

    Labels come from OpenMM's Reference platform: double precision, one thread, the same number each
    time. The System is built once per process and source.
    """

    @property
    def forces(self) -> bool:
        """Labels carry forces."""
        return True

    @abstractmethod
    def system(self) -> "openmm.System":
        """Return a fresh System."""

    @abstractmethod
    def settings(self) -> Mapping[str, Value]:
        """Return what decides the numbers."""

    @abstractmethod
    def check(self, atoms: Atoms) -> None:
        """Raise `UsageError` unless this System describes these atoms."""

    def warm_up(self, atoms: Atoms) -> None:
        """Build the System and its Context."""
        self.check(atoms)
        context_of(self)

    def label(self, atoms: Atoms) -> Label:
        """Return energy and forces of one configuration.

        Raises `UsageError` for atoms the System does not describe; `LabelError` where OpenMM fails or the
        energy is not finite.
        """
        import openmm

        check_positions(atoms)
        self.check(atoms)
        context = context_of(self)
        try:
            with _ONE_AT_A_TIME:
                if context.getSystem().usesPeriodicBoundaryConditions():
                    context.setPeriodicBoxVectors(*(atoms.cell.array / nm))
                energy, forces = evaluate(context, atoms.positions)
        except openmm.OpenMMException as error:
            raise LabelError(f"OpenMM could not evaluate {atoms.symbols}: {error}") from error
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise LabelError(
                "OpenMM returned NaN or infinite numbers: do two atoms coincide?", cause="refused"
            )
        return Label(energy, forces, provenance={"program": "OpenMM", "version": openmm.__version__})


@dataclass(frozen=True)
class MMFFSource(OpenMMSource):
    """MMFF94 of one molecule; its bond graph is fixed, so no bond breaks and no proton moves over.

    Parameters
    ----------
    molecule : atoms, bonds and charges, from `from_smiles` or `from_atoms`; frames must have the same
        atoms in the same order.
    variant : "MMFF94", or "MMFF94s" with its stiffer planar nitrogen.

    Raises
    ------
    UsageError
        where MMFF94 has no type for an atom, or one that does not fit it (see `require_described`).

    Examples
    --------
    >>> from fidsel.fidelity.molecules.molecule import from_smiles
    >>> source = MMFFSource(from_smiles("O"))
    >>> water = Atoms("OHH", [[0, 0, 0], [0.969, 0, 0], [-0.235, 0.94, 0]])
    >>> round(source.label(water).energy, 4)
    0.0
    """

    molecule: Molecule
    variant: Variant = "MMFF94"

    def __post_init__(self) -> None:
        require_described(self.molecule, self.variant)

    def system(self) -> "openmm.System":
        """Return a fresh System."""
        return mmff_system(self.molecule, self.variant)

    def settings(self) -> Mapping[str, Value]:
        """Return the variant and the Lewis structure that decides the atom types."""
        return {
            "kind": "mmff",
            "variant": self.variant,
            "numbers": " ".join(map(str, self.molecule.numbers)),
            "bonds": " ".join(f"{i}-{j}" for i, j in self.molecule.bonds),
            "formal_charges": " ".join(map(str, self.molecule.formal_charges)),
        }

    def check(self, atoms: Atoms) -> None:
        """Raise `UsageError` unless the frame has the molecule's atoms in its order."""
        check_same_atoms(self.molecule, atoms)


@dataclass(frozen=True)
class SystemSource(OpenMMSource):
    """Any OpenMM System serialized to XML by `openmm.XmlSerializer`.

    Parameters
    ----------
    path : the XML file.
    digest : hash of its content, taken when the source is made; a file that changes afterwards is
        refused, so that a label always belongs to the settings it is stored under.

    Raises
    ------
    UsageError
        where the file is missing, is no System or has changed.
    """

    path: Path
    digest: str = field(default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path).resolve())
        content = _content(self.path)
        _parse(content, self.path)
        object.__setattr__(self, "digest", self.digest or _digest(content))

    def system(self) -> "openmm.System":
        """Return a fresh System."""
        content = _content(self.path)
        if _digest(content) != self.digest:
            raise UsageError(f"{self.path} changed since the source was made; make a new source from it")
        return _parse(content, self.path)

    def settings(self) -> Mapping[str, Value]:
        """Return the hash of the file's content; its place does not matter."""
        return {"kind": "openmm-system", "digest": self.digest}

    def check(self, atoms: Atoms) -> None:
        """Raise `UsageError` unless particles, masses and periodicity fit the frame."""
        system = context_of(self).getSystem()
        if system.getNumParticles() != len(atoms):
            raise UsageError(
                f"{self.path.name} has {system.getNumParticles()} particles, but the frame has "
                f"{len(atoms)} atoms; both must be the same, in the same order"
            )
        masses = np.array([system.getParticleMass(i)._value for i in range(len(atoms))])
        wrong = np.flatnonzero(np.abs(masses - atoms.get_masses()) > MASS_TOLERANCE)
        if wrong.size:
            i = int(wrong[0])
            raise UsageError(
                f"particle {i} of {self.path.name} weighs {masses[i]:.3f} u, which is not "
                f"{atoms.symbols[i]}; put the atoms of the frame in the System's order"
            )
        if system.usesPeriodicBoundaryConditions() != atoms.pbc.all() or atoms.pbc.any() != atoms.pbc.all():
            needed = (
                "periodic in all directions" if system.usesPeriodicBoundaryConditions() else "not periodic"
            )
            raise UsageError(f"frames for {self.path.name} must be {needed}, got pbc = {atoms.pbc.tolist()}")


@dataclass(frozen=True)
class MMFFFamily:
    """MMFF94 of several molecules: each frame is labelled as the molecule that it is.

    That is the one with the frame's atoms, in their order, and its charge. Of isomers with the same atoms in
    the same order it is the one whose most stretched bond, as a multiple of the sum of covalent radii, is
    stretched least.

    Parameters
    ----------
    sources : of each molecule.
    """

    sources: tuple[MMFFSource, ...]

    @property
    def forces(self) -> bool:
        """Labels carry forces."""
        return True

    def settings(self) -> Mapping[str, Value]:
        """Return the settings of each molecule's source."""
        each = [dict(source.settings()) for source in self.sources]
        return {"kind": "mmff", "variant": self.sources[0].variant, "molecules": json.dumps(each)}

    def of(self, atoms: Atoms) -> MMFFSource:
        """Return the source of the molecule that a frame is.

        Raises
        ------
        UsageError
            where it is none of them.
        """
        numbers, (charge, _) = tuple(atoms.numbers.tolist()), state_of(atoms)
        alike = [s for s in self.sources if s.molecule.numbers == numbers and s.molecule.charge == charge]
        if not alike:
            names = ", ".join(str(source.molecule) for source in self.sources)
            raise UsageError(f"{atoms.symbols} with charge {charge} is none of the molecules {names}")
        return min(alike, key=lambda source: _stretch(source.molecule, atoms))

    def warm_up(self, atoms: Atoms) -> None:
        """Build the System of the frame's molecule, and its Context."""
        self.of(atoms).warm_up(atoms)

    def label(self, atoms: Atoms) -> Label:
        """Return energy and forces of one configuration; see `MMFFSource`."""
        check_positions(atoms)
        return self.of(atoms).label(atoms)


def _stretch(molecule: Molecule, atoms: Atoms) -> float:
    """Return the largest length of a bond over the sum of covalent radii; 0 without bonds."""
    from ase.data import covalent_radii

    i, j = np.array(molecule.bonds, dtype=np.int64).reshape(-1, 2).T
    lengths = np.linalg.norm(atoms.positions[i] - atoms.positions[j], axis=1)
    radii = covalent_radii[atoms.numbers]
    return float((lengths / (radii[i] + radii[j])).max(initial=0.0))


def openmm_source(
    molecules: Annotated[Callable[[], Sequence[Molecule]], Internal],
    variant: Variant = "MMFF94",
    system: Path | None = None,
) -> OpenMMSource | MMFFFamily:
    """Label with an empirical force field in OpenMM: MMFF94 for the molecules of the pool, or any System.

    Parameters
    ----------
    molecules : returns them, at least one; asked where there is no System.
    variant : which parameter set RDKit assigns.
    system : a serialized OpenMM System (XML) to use in place of MMFF94.

    Raises
    ------
    UsageError
        as `MMFFSource` and `SystemSource` do.
    """
    if system is not None:
        return SystemSource(system)
    sources = tuple(MMFFSource(molecule, variant) for molecule in molecules())
    return sources[0] if len(sources) == 1 else MMFFFamily(sources)


def evaluate(context: "openmm.Context", positions: FloatArray) -> tuple[float, FloatArray]:
    """Return energy, eV, and forces (N, 3), eV/Å, at positions (N, 3) in Å: the one change of units."""
    context.setPositions(positions / nm)
    state = context.getState(getEnergy=True, getForces=True)
    energy = state.getPotentialEnergy()._value * (kJ / mol)
    return float(energy), state.getForces(asNumpy=True)._value * (kJ / mol / nm)


def reference_context(system: "openmm.System", integrator: "openmm.Integrator") -> "openmm.Context":
    """Return a Context in double precision on one thread."""
    import openmm

    return openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))


_ONE_AT_A_TIME = Lock()
"""Threads of a process share its Contexts."""


@lru_cache(maxsize=256)
def context_of(source: OpenMMSource) -> "openmm.Context":
    """Return the Context of a source, half a MiB that takes 0.2 s to make: a large family keeps them all."""
    import openmm

    return reference_context(source.system(), openmm.VerletIntegrator(0.001))


def _digest(content: str) -> str:
    return blake2b(content.encode(), digest_size=16).hexdigest()


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the OpenMM System {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the OpenMM System {path} must be XML in UTF-8: {error}") from error


def _parse(content: str, path: Path) -> "openmm.System":
    import openmm

    try:
        system = openmm.XmlSerializer.deserialize(content)
    except (openmm.OpenMMException, ValueError) as error:
        raise UsageError(f"{path} is not a serialized OpenMM object: {error}") from error
    if not isinstance(system, openmm.System):
        raise UsageError(f"{path} must hold an OpenMM System, got {type(system).__name__}")
    return system
