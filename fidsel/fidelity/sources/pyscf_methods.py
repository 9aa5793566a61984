"""Energies and gradients from PySCF in Hartree and Bohr, each with the convergence and response it needs."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import Value

Engine = Any
"""A PySCF object; PySCF carries no types."""

T1_LIMIT = 0.02
"""Above it a single reference is doubtful (Lee and Taylor 1989, DOI 10.1002/qua.560360824)."""
CONTAMINATION_LIMIT = 0.1
"""Largest excess of ⟨S²⟩ over S(S + 1), relative to S(S + 1), or to 1 for singlets."""
DAMPING = 0.7
"""Part of each coupled-cluster step that is taken where full steps did not converge."""
GAP_LIMIT = 0.5
"""eV; below it the self-consistent field may have several solutions."""


class NotConvergedError(RuntimeError):
    """An iteration ended at its limit of cycles."""


@dataclass(frozen=True)
class Tolerances:
    """When iterations stop.

    Parameters
    ----------
    energy : Hartree, change of the energy in the last cycle of the self-consistent field; the orbital
        gradient falls below 0.1·√energy, coupled-cluster energies change less than 10·energy and
        amplitudes and multipliers less than 0.01·√energy.
    cycles : largest number of cycles of each iteration.
    """

    energy: float
    cycles: int


@dataclass(frozen=True)
class Outcome:
    """A finished calculation.

    Parameters
    ----------
    energy : Hartree.
    gradient : (N, 3) Hartree/Bohr, ∇E; None where it was not asked for.
    diagnostics : plain values and flags.
    """

    energy: float
    gradient: FloatArray | None
    diagnostics: Mapping[str, Value]


@contextmanager
def isolated(threads: int) -> Iterator[None]:
    """Run PySCF on a number of threads, with its scratch files in a folder that is removed afterwards."""
    from pyscf import lib
    from pyscf.scf import hf

    with (
        tempfile.TemporaryDirectory(prefix="fidsel-pyscf-") as folder,
        lib.temporary_env(lib.param, TMPDIR=folder),
        # Checkpoints are never read again, and objects that outlive the folder would look for theirs.
        lib.temporary_env(hf, MUTE_CHKFILE=True),
        lib.with_omp_threads(threads),
    ):
        yield


def self_consistent_field(
    mol: Engine,
    tolerances: Tolerances,
    *,
    xc: str | None,
    grid: int,
    unrestricted: bool,
    density_fit: bool,
    dispersion: str | None,
    device: str = "cpu",
) -> Engine:
    """Return the converged mean field of a molecule, by DIIS and where that fails by Newton's method.

    Raises `NotConvergedError` where the field does not converge in `tolerances.cycles`.

    Parameters
    ----------
    xc : density functional; None = Hartree–Fock.
    grid : level of the integration grid, 0 to 9; VV10, whose cost is quadratic in the number of grid
        points and which varies slowly, is integrated two levels lower.
    unrestricted : different orbitals for different spins, also for singlets.
    density_fit : approximate the two-electron integrals with the default auxiliary basis.
    dispersion : "d3bj" or None.
    device : "cpu" or "cuda"; what does not converge on a GPU goes on without it.
    """
    from pyscf import dft, scf

    if xc is None:
        field = scf.UHF(mol) if unrestricted else scf.RHF(mol)
    else:
        field = dft.UKS(mol, xc=xc) if unrestricted else dft.RKS(mol, xc=xc)
        field.grids.level, field.nlcgrids.level = grid, max(grid - 2, 0)
        if dispersion is not None:
            # D3(BJ) is fitted as the replacement of the non-local VV10 term, not as an addition to it.
            field.nlc = False
    if density_fit:
        field = field.density_fit()
    if dispersion is not None:
        field.disp = dispersion
    field.conv_tol, field.conv_tol_grad = tolerances.energy, 0.1 * tolerances.energy**0.5
    field.max_cycle = tolerances.cycles
    if device == "cuda":
        field = field.to_gpu()
    field.kernel()
    if not field.converged:
        field = on_cpu(field)
        _converge_second_order(field)
    if not field.converged:
        raise NotConvergedError(
            f"the self-consistent field did not converge in {tolerances.cycles} cycles; raise max_cycle, "
            "or leave out the frame (a stretched bond or a wrong charge or spin is the usual cause)"
        )
    return field


def on_cpu(field: Engine) -> Engine:
    """Return a mean field in the memory of the CPU."""
    return field.to_cpu() if hasattr(field, "to_cpu") else field


def _converge_second_order(field: Engine) -> None:
    """Continue with Newton's method from the orbitals where extrapolation (DIIS) ended.

    Degenerate states such as the π radical OH oscillate under DIIS and need it.
    """
    newton = field.newton()
    newton.kernel(field.mo_coeff, field.mo_occ)
    for name in ("converged", "e_tot", "mo_coeff", "mo_occ", "mo_energy"):
        setattr(field, name, getattr(newton, name))
    field.second_order = True


def mean_field(field: Engine, forces: bool) -> Outcome:
    """Return the outcome of Hartree–Fock or DFT; DFT gradients include the response of the grid."""
    gradient = None
    if forces:
        method = field.nuc_grad_method()
        if hasattr(method, "grid_response"):
            method.grid_response = True
        gradient = method.kernel()
        gradient = gradient.get() if hasattr(gradient, "get") else gradient  # from a GPU
    return Outcome(float(field.e_tot), gradient, mean_field_diagnostics(on_cpu(field)))


def has_correlation(field: Engine, frozen: int) -> bool:
    """Return whether a Hartree–Fock field leaves anything to correlate.

    With fewer than two correlated electrons, or no virtual orbital, Hartree–Fock is exact in its basis.

    Raises `UsageError` where the frozen core leaves nothing, or one spin alone could be correlated.
    """
    orbitals = np.shape(field.mo_occ)[-1]
    active = [n - frozen for n in field.mol.nelec]
    virtual = [orbitals - n for n in field.mol.nelec]
    if min(active) < 0:
        raise UsageError(f"frozen_core must leave electrons, got {frozen} of {field.mol.nelec} orbitals")
    if sum(active) < 2 or max(virtual) == 0:
        return False
    if min(active) == 0 or min(virtual) == 0:
        raise UsageError(
            f"correlation is offered where both spins have electrons and virtual orbitals, got {active} "
            f"correlated electrons and {virtual} virtual orbitals; use method = 'hf' or a larger basis"
        )
    return True


def moller_plesset(field: Engine, frozen: int, forces: bool) -> Outcome:
    """Return the outcome of second-order perturbation theory (MP2) on a Hartree–Fock field."""
    from pyscf import mp

    method = mp.MP2(field, frozen=frozen or None)
    method.kernel()
    gradient = method.nuc_grad_method().kernel() if forces else None
    return Outcome(float(method.e_tot), gradient, mean_field_diagnostics(field))


def coupled_cluster(
    field: Engine, tolerances: Tolerances, frozen: int, triples: bool, forces: bool
) -> Outcome:
    """Return the outcome of CCSD or CCSD(T) on a Hartree–Fock field.

    The gradient of CCSD(T) needs the Λ amplitudes of CCSD(T) itself: those of CCSD give forces that
    are off by some 0.05 eV/Å and look fine.

    Raises `NotConvergedError` where the amplitudes or the multipliers do not converge.

    Parameters
    ----------
    field : converged Hartree–Fock.
    frozen : lowest orbitals left uncorrelated.
    forces : compute the gradient; not for unrestricted CCSD(T).
    """
    from pyscf import cc

    method = cc.CCSD(field, frozen=frozen or None)
    method.conv_tol, method.conv_tol_normt = 10 * tolerances.energy, 0.01 * tolerances.energy**0.5
    method.max_cycle = tolerances.cycles
    integrals = method.ao2mo()
    method.kernel(eris=integrals)
    solver = "diis"
    if not method.converged:
        _damp(method)
        guess = (method.t1, method.t2) if _sensible(method.t1, method.t2) else (None, None)
        method.kernel(*guess, eris=integrals)
        solver = "damped"
    if not method.converged:
        raise NotConvergedError(
            f"the CCSD amplitudes did not converge in {tolerances.cycles} cycles, nor in as many damped "
            "ones; raise max_cycle, or leave out the frame (a stretched bond needs a multi-reference method)"
        )
    energy = float(method.e_tot)
    if triples:
        energy += float(method.ccsd_t(eris=integrals))
    gradient = _coupled_cluster_gradient(method, integrals, triples) if forces else None
    diagnostic = t1_diagnostic(method.t1, frozen, field.mol.nelec)
    return Outcome(
        energy,
        gradient,
        {
            **mean_field_diagnostics(field),
            "cc_solver": solver,
            "t1": diagnostic,
            "t1_flag": diagnostic > T1_LIMIT,
        },
    )


def _sensible(*amplitudes: Engine) -> bool:
    """Return whether amplitudes are worth going on from: no iteration that diverged has them all below 1."""
    parts = [part for each in amplitudes for part in (each if isinstance(each, tuple) else (each,))]
    return all(bool(np.abs(part).max(initial=0.0) < 1) for part in parts)


def _damp(method: Engine) -> None:
    """Have the iteration go on with a longer memory and smaller steps: it stops at the same amplitudes."""
    method.diis_space, method.iterative_damping = 2 * method.diis_space, DAMPING


def _coupled_cluster_gradient(method: Engine, integrals: Engine, triples: bool) -> FloatArray:
    from pyscf.grad import ccsd_t

    converged, l1, l2 = _multipliers(method, integrals, triples, None, None)
    if not converged:
        _damp(method)
        converged, l1, l2 = _multipliers(method, integrals, triples, l1, l2)
    gradient = ccsd_t.Gradients(method) if triples else method.nuc_grad_method()
    if not converged:
        raise NotConvergedError(
            f"the coupled-cluster multipliers did not converge in {method.max_cycle} cycles; raise max_cycle"
        )
    out: FloatArray = gradient.kernel(method.t1, method.t2, l1, l2, eris=integrals)
    return out


def _multipliers(
    method: Engine, integrals: Engine, triples: bool, l1: Engine, l2: Engine
) -> tuple[bool, Engine, Engine]:
    """Return whether the Λ amplitudes converge from a guess, and what they are."""
    from pyscf.cc import ccsd_t_lambda

    if triples:
        converged, l1, l2 = ccsd_t_lambda.kernel(
            method, integrals, method.t1, method.t2, l1, l2,
            max_cycle=method.max_cycle, tol=method.conv_tol_normt, verbose=0,
        )  # fmt: skip
        return bool(converged), l1, l2
    l1, l2 = method.solve_lambda(l1=l1, l2=l2, eris=integrals)
    return bool(method.converged_lambda), l1, l2


def t1_diagnostic(t1: Engine, frozen: int, electrons: tuple[int, int]) -> float:
    """Return T1 = ‖t₁‖/√N over N correlated electrons (Lee and Taylor 1989).

    Parameters
    ----------
    t1 : (n_occupied, n_virtual) of a closed shell, or a pair of such arrays, one per spin.
    frozen : uncorrelated orbitals.
    electrons : number of each spin.

    Examples
    --------
    A closed shell has the same T1 whichever way its amplitudes are written.

    >>> t = np.full((3, 4), 0.01)
    >>> t1_diagnostic(t, 1, (4, 4)) == t1_diagnostic((t, t), 1, (4, 4))
    True
    """
    correlated = sum(electrons) - 2 * frozen
    square = sum(np.vdot(t, t) for t in t1) / 2 if isinstance(t1, tuple) else np.vdot(t1, t1)
    return float(np.sqrt(square / correlated))


def mean_field_diagnostics(field: Engine) -> dict[str, Value]:
    """Return gap (HOMO–LUMO of one spin, the smaller one, eV), ⟨S²⟩ where unrestricted, and their flags."""
    from ase.units import Hartree

    out: dict[str, Value] = {"solver": "newton" if getattr(field, "second_order", False) else "diis"}
    gaps = [
        float(energy[~occupied].min() - energy[occupied].max()) * Hartree
        for energy, occupied in zip(
            np.atleast_2d(field.mo_energy), np.atleast_2d(field.mo_occ) > 0, strict=True
        )
        if occupied.any() and not occupied.all()
    ]
    if gaps:
        out |= {"gap": min(gaps), "gap_flag": min(gaps) < GAP_LIMIT}
    if np.ndim(field.mo_occ) == 2:
        squared, spin = float(field.spin_square()[0]), field.mol.spin / 2
        exact = spin * (spin + 1)
        out |= {"s_squared": squared, "spin_flag": squared - exact > CONTAMINATION_LIMIT * (exact or 1.0)}
    return out
