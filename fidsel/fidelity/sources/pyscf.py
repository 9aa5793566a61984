"""`PySCFSource`: labels by quantum chemistry, with forces only where they are right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from ase import Atoms

from fidsel.arguments import Bound, Internal, NonNegativeInt, PositiveInt, check_arguments
from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import Cause, Label, LabelError, Value
from fidsel.fidelity.sources.pyscf_input import (
    basis_functions,
    check_basis,
    check_dispersion,
    check_functional,
    molecule,
    require_gpu,
    require_gpu_program,
    start_program,
    versions,
)
from fidsel.fidelity.sources.pyscf_methods import (
    Engine,
    NotConvergedError,
    Outcome,
    Tolerances,
    coupled_cluster,
    has_correlation,
    isolated,
    mean_field,
    moller_plesset,
    self_consistent_field,
)

Method = Literal["hf", "dft", "mp2", "ccsd", "ccsd(t)"]
COST_EXPONENTS = {"hf": 3.0, "dft": 3.0, "mp2": 5.0, "ccsd": 6.0, "ccsd(t)": 7.0}
CORRELATED = ("mp2", "ccsd", "ccsd(t)")


@dataclass(frozen=True)
class PySCFSource:
    """Quantum chemistry of molecules by PySCF (Sun et al. 2020, DOI 10.1063/5.0006074).

    Frames with `spin` = 0 are treated restricted, others unrestricted. Energies are total energies.
    Every calculation starts from the same atomic guess, so that the same frame gives the same label.

    ========= ============================ ==================================================
    method    forces                       energies only
    ========= ============================ ==================================================
    hf, dft   yes, density fitting too     functionals with VV10 non-local correlation
    mp2       yes, frozen core too         with density fitting
    ccsd      yes, frozen core too         with density fitting
    ccsd(t)   closed shells, no            open shells, `unrestricted`; with density fitting
              density fitting
    ========= ============================ ==================================================

    Parameters
    ----------
    method : method; "dft" needs `xc`.
    basis : basis set, e.g. "def2-SVP"; its effective core potentials come with it.
    xc : density functional as libxc names it, e.g. "pbe" or "b3lyp".
    forces : false buys energies only (cheaper; needed where the method has no forces).
    density_fit : density fitting (other numbers, less time).
    frozen_core : leave the core electrons uncorrelated; a number: the electrons of that many of the lowest
        orbitals.
    unrestricted : different orbitals for different spins also where `spin` = 0.
    grid : level of the DFT integration grid. Forces on formaldehyde change with its orientation by 27, 1.7,
        0.2 and 0.1 meV/Å on levels 0 to 3 (PBE/6-31G): no model learns below that.
    dispersion : D3(BJ) dispersion of HF or DFT, in place of VV10 where the functional has it; needs the extra
        `d3`.
    device : where HF or DFT is computed; "cuda" needs a CUDA GPU and the extra `gpu` (gpu4pyscf, Li et al.
        2025, DOI 10.1021/acs.jpca.4c05876); changes no number beyond its convergence.
    conv_tol : Hartree, convergence of the self-consistent field; see `Tolerances` for what follows.
    max_cycle : largest number of SCF and of CC iterations; changes no number.
    threads : cores one label uses; changes no number.
    memory : MB PySCF may use; changes no number.

    Raises
    ------
    UsageError
        for unknown names, options that do not fit the method, and forces the method cannot give.
    MissingExtraError
        where `dispersion` is asked for and pyscf-dispersion is not installed, or `device` = "cuda" and
        gpu4pyscf is not.

    Examples
    --------
    >>> level = PySCFSource("hf", "sto-3g")
    >>> label = level.label(Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]))
    >>> round(label.energy, 2), label.provenance["program"]
    (-30.39, 'PySCF')
    """

    method: Method
    basis: str
    xc: str | None = None
    forces: bool = True
    density_fit: bool = False
    frozen_core: bool | NonNegativeInt = False
    unrestricted: Annotated[bool, Internal] = False
    grid: Annotated[int, Bound(ge=0, le=9)] = 3
    dispersion: Literal["d3bj"] | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    conv_tol: Annotated[float, Bound(gt=0, le=1e-5), Internal] = 1e-10
    max_cycle: PositiveInt = 100
    threads: Annotated[int, Bound(gt=0), Internal] = 1
    memory: Annotated[int, Bound(gt=0), Internal] = 4000

    def __post_init__(self) -> None:
        check_arguments(self)
        check_basis(self.basis)
        if (self.method == "dft") != (self.xc is not None):
            raise UsageError(
                f"xc goes with method = 'dft', got method = {self.method!r} and xc = {self.xc!r}"
            )
        if self.xc is not None:
            check_functional(self.xc)
        if self.frozen_core is not False and self.method not in CORRELATED:
            raise UsageError(f"frozen_core is for {', '.join(CORRELATED)}, got method = {self.method!r}")
        if self.dispersion is not None:
            if self.method in CORRELATED:
                raise UsageError(f"dispersion is for hf and dft, got method = {self.method!r}")
            check_dispersion(self.xc or "hf")
        if self.device == "cuda":
            if self.method in CORRELATED:
                raise UsageError(f"device = 'cuda' is for hf and dft, got method = {self.method!r}")
            require_gpu_program()
        if self.forces and (reason := self._energies_only()):
            raise UsageError(f"{reason} gives no forces here, only energies; set forces = False")

    def _energies_only(self) -> str | None:
        """Return what about these settings rules out forces, or None."""
        if self.method in CORRELATED and self.density_fit:
            return f"{self.method} with density fitting"
        if self.method == "ccsd(t)" and self.unrestricted:
            return "unrestricted ccsd(t)"
        if self.xc is not None and self.dispersion is None:
            from pyscf.dft import libxc

            return f"the non-local VV10 correlation of {self.xc!r}" if libxc.is_nlc(self.xc) else None
        return None

    @property
    def cost_exponent(self) -> float:
        """Formal power of the cost in the number of basis functions."""
        return COST_EXPONENTS[self.method]

    def size(self, atoms: Atoms) -> float:
        """Return the number of basis functions of a frame."""
        return float(basis_functions(atoms, self.basis))

    def settings(self) -> Mapping[str, Value]:
        """Return every setting that changes the number; names in lower case, as PySCF reads them."""
        return {
            "kind": "pyscf",
            "method": self.method,
            "basis": self.basis.lower(),
            "xc": self.xc and self.xc.lower().replace(" ", ""),
            "grid": self.grid if self.xc else None,
            "forces": self.forces,
            "density_fit": self.density_fit,
            "frozen_core": self.frozen_core,
            "unrestricted": self.unrestricted,
            "dispersion": self.dispersion,
            "conv_tol": self.conv_tol,
        }

    def warm_up(self, atoms: Atoms) -> None:  # noqa: ARG002 - the same for every frame
        """Load PySCF and what labels need of it; raise `LabelError` where the GPU asked for is not there."""
        if self.device == "cuda":
            require_gpu()
        start_program()

    def label(self, atoms: Atoms) -> Label:
        """Return the label of a molecule (`atoms.info` carries `charge` and `spin` = 2S, default 0).

        Raises `LabelError` "refused" for frames PySCF cannot treat, "unconverged" where an iteration does
        not converge, also not in the second way that is tried (see `pyscf_methods`), "memory" and "failed".
        """
        mol = molecule(atoms, self.basis, self.memory)
        if mol.spin and self.method == "ccsd(t)" and self.forces:
            raise LabelError(
                f"open-shell ccsd(t) gives no forces here, got spin = {mol.spin}; set forces = False",
                cause="refused",
            )
        try:
            with isolated(self.threads):
                outcome = self._run(mol)
        except (RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
            what = f"{self.method} of {atoms.get_chemical_formula()}"
            raise LabelError(f"{what}: {error}", cause=_cause(error)) from error
        energy, forces = to_ase_units(outcome.energy, outcome.gradient)
        return Label(energy, forces, provenance={**versions(), **outcome.diagnostics})

    def _run(self, mol: Engine) -> Outcome:
        tolerances = Tolerances(self.conv_tol, self.max_cycle)
        frozen = self._frozen(mol)
        field = self_consistent_field(
            mol,
            tolerances,
            xc=self.xc,
            grid=self.grid,
            unrestricted=self.unrestricted or mol.spin > 0,
            density_fit=self.density_fit,
            dispersion=self.dispersion,
            device=self.device,
        )
        if self.method not in CORRELATED or not has_correlation(field, frozen):
            return mean_field(field, self.forces)
        if self.method == "mp2":
            return moller_plesset(field, frozen, self.forces)
        return coupled_cluster(field, tolerances, frozen, self.method == "ccsd(t)", self.forces)

    def _frozen(self, mol: Engine) -> int:
        """Return the number of uncorrelated orbitals, those behind an effective core potential left out."""
        from pyscf.data.elements import chemcore

        if self.method not in CORRELATED:
            return 0
        return int(chemcore(mol) if self.frozen_core is True else self.frozen_core)


def _cause(error: Exception) -> Cause:
    if isinstance(error, NotConvergedError):
        return "unconverged"
    if isinstance(error, UsageError):
        return "refused"
    return "memory" if isinstance(error, MemoryError) else "failed"


def to_ase_units(energy: float, gradient: FloatArray | None) -> tuple[float, FloatArray | None]:
    """Return the energy in eV and the forces F = −∇E in eV/Å.

    Parameters
    ----------
    energy : Hartree.
    gradient : (N, 3) ∇E in Hartree/Bohr, or None.
    """
    from ase.units import Bohr, Hartree

    forces = None if gradient is None else -np.asarray(gradient, dtype=np.float64) * (Hartree / Bohr)
    return energy * Hartree, forces
