"""A trained model as a force of an OpenMM System."""

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.units import kJ, mol

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.md.surface import surface_of

if TYPE_CHECKING:
    import openmm

    from fidsel.fidelity.source import LabelSource
    from fidsel.models.contract import ForceField

KJ = kJ / mol
"""eV of OpenMM's unit of energy."""


def openmm_force(model: "ForceField | LabelSource", atoms: Atoms) -> "openmm.PythonForce":
    """Return the energy surface of a model as a force, for all particles of a System.

    OpenMM computes in kJ/mol and nm; this converts. Needs an OpenMM that has `PythonForce`, as 8.6 does.

    Parameters
    ----------
    model : a force field or a label source.
    atoms : the molecule, in the order of the particles; `atoms.info` may have `charge` and `spin`.

    Raises
    ------
    UsageError
        where OpenMM has no such forces, or the model cannot treat the molecule.

    Examples
    --------
    >>> import openmm
    >>> from ase.build import molecule
    >>> from fidsel.fidelity import MMFFSource
    >>> from fidsel.fidelity.molecules.molecule import from_smiles
    >>> water, system = molecule("H2O"), openmm.System()
    >>> for mass in water.get_masses():
    ...     _ = system.addParticle(mass)
    >>> _ = system.addForce(openmm_force(MMFFSource(from_smiles("O")), water))
    >>> context = openmm.Context(system, openmm.VerletIntegrator(0.0005))
    >>> context.setPositions(water.positions / 10)
    >>> context.getState(energy=True).getPotentialEnergy()._value < 5
    True
    """
    import openmm

    if not hasattr(openmm, "PythonForce"):
        raise UsageError(
            f"a force in Python needs OpenMM 8.6 or later, this is {openmm.__version__}: update it"
        )
    surface = surface_of(model, Frames.from_atoms([atoms]))

    def compute(state: "openmm.State") -> tuple[float, FloatArray]:
        positions = np.array(state.getPositions(asNumpy=True)._value) * 10
        energy, forces = surface(positions[None])
        return float(energy[0] / KJ), forces[0] * 10 / KJ

    return openmm.PythonForce(compute)
