"""What PySCF is asked: names are checked before anything runs, frames become PySCF molecules."""

import ctypes
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from fidsel.exceptions import MissingExtraError, UsageError
from fidsel.fidelity.source import LabelError, check_positions, state_of

DOUBLE_HYBRIDS = ("2plyp", "b2gp", "dsd", "-dh", "_dh", "xyg", "wb97x-2", "wb97x_2")
"""Parts of the names of double hybrids."""
CARRIES_DISPERSION = ("-d3", "-d4", "-3c")
"""Suffixes by which PySCF would add dispersion or other corrections of its own."""

CLOSEST = 0.1
"""Å; closer atoms make the basis functions linearly dependent."""


def check_functional(xc: str) -> None:
    """Raise unless PySCF can evaluate the density functional as its name means it.

    Raises `UsageError` for unknown functionals (with the nearest name), double hybrids and names that carry
    dispersion.
    """
    from pyscf.dft import libxc

    name = xc.lower()
    if any(part in name for part in CARRIES_DISPERSION):
        raise UsageError(
            f"xc must name the functional alone, got {xc!r}: "
            "write the functional as xc and ask for D3(BJ) by dispersion = 'd3bj'"
        )
    if any(part in name for part in DOUBLE_HYBRIDS):
        raise UsageError(
            f"xc must be no double hybrid, got {xc!r}: PySCF evaluates no more than its SCF part"
        )
    try:
        kind = libxc.xc_type(xc)
    except (KeyError, ValueError) as error:
        known = {str(known).lower() for known in [*libxc.XC_CODES, *libxc.XC_ALIAS]}
        near = get_close_matches(name, sorted(known), n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise UsageError(
            f"unknown density functional {xc!r}{hint} (any name or combination that libxc knows will do, "
            "e.g. 'pbe', 'b3lyp', 'r2scan', '0.25*hf + 0.75*pbe, pbe')"
        ) from error
    if kind == "HF":
        raise UsageError(f"xc must be a density functional, got {xc!r}: for Hartree–Fock say method = 'hf'")


def check_basis(basis: str) -> None:
    """Raise unless some element has this basis set.

    Raises `UsageError`, with the nearest name.
    """
    from pyscf.gto.basis import ALIAS

    if any(has_basis(basis, symbol) for symbol in chemical_symbols[1:37]):
        return
    near = get_close_matches("".join(c for c in basis.lower() if c not in " -_"), sorted(ALIAS), n=1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    raise UsageError(
        f"unknown basis set {basis!r}{hint} (PySCF's names, e.g. '6-31g*', 'def2-svp', 'cc-pvtz')"
    )


@lru_cache(maxsize=512)
def has_basis(basis: str, symbol: str) -> bool:
    """Return whether an element has functions in a basis set."""
    from pyscf import gto
    from pyscf.lib.exceptions import BasisNotFoundError

    with warnings.catch_warnings():
        # PySCF advises to install a package of more basis sets; our own message follows instead.
        warnings.simplefilter("ignore")
        try:
            return bool(gto.basis.load(basis, symbol))
        except (BasisNotFoundError, KeyError):
            return False


@lru_cache(maxsize=512)
def core_potential(basis: str, symbol: str) -> Any:  # Any: PySCF's nested lists
    """Return the effective core potential that belongs to a basis set, empty where there is none.

    PySCF does not take it from the name of the basis by itself, and silently puts all electrons into
    a basis that has no functions for the core.
    """
    from pyscf import gto

    return gto.basis.load_ecp(basis, symbol)


def check_dispersion(functional: str) -> None:
    """Raise unless D3(BJ) is installed and has parameters for the functional ("hf" for Hartree–Fock).

    Raises `MissingExtraError` where pyscf-dispersion is not installed; `UsageError` where the functional
    has no parameters.
    """
    try:
        from pyscf.dispersion import dftd3
    except ImportError as error:
        raise MissingExtraError("pyscf-dispersion", "d3") from error
    from pyscf import gto
    from pyscf.scf.dispersion import parse_disp

    name = parse_disp(functional, "d3bj")[0]
    try:
        dftd3.DFTD3Dispersion(gto.M(atom="He 0 0 0", verbose=0), xc=name, version="d3bj")
    except RuntimeError as error:
        raise UsageError(
            f"D3(BJ) has no parameters for {functional!r} ({error}); leave out dispersion"
        ) from error


def require_gpu_program() -> None:
    """Raise `MissingExtraError` unless gpu4pyscf is installed."""
    if find_spec("gpu4pyscf") is None:
        raise MissingExtraError("gpu4pyscf", "gpu")


def require_gpu() -> None:
    """Raise `LabelError` unless the CUDA driver finds a GPU that this process may use."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except OSError:  # no driver is installed
        failed = True
    if failed or count.value == 0:
        raise LabelError(
            "device = 'cuda' needs a CUDA GPU, and this machine's driver finds none: take device = 'cpu', or "
            "nodes with GPUs (engine.accelerators_per_node)",
            cause="environment",
        )


def molecule(atoms: Atoms, basis: str, memory: int) -> Any:  # Any: PySCF has no types
    """Return the PySCF molecule of a frame.

    Raises `LabelError` for frames that are periodic, have NaN positions, coinciding atoms, an impossible
    charge and spin, or an element the basis set lacks.

    Parameters
    ----------
    atoms : not periodic; `info` may carry `charge` (e, default 0) and `spin` (2S, default 0).
    basis : name of a basis set; its effective core potentials come with it.
    memory : MB PySCF may use.
    """
    from pyscf import gto

    check_positions(atoms)
    if atoms.pbc.any():
        raise LabelError(
            f"PySCF labels molecules, got a frame with pbc = {atoms.pbc.tolist()}; set pbc = False, "
            "or label crystals through an ASE calculator such as CP2K",
            cause="refused",
        )
    _check_distances(atoms)
    symbols = sorted(set(atoms.get_chemical_symbols()))
    for symbol in symbols:
        if not has_basis(basis, symbol):
            raise LabelError(
                f"the basis set {basis!r} has no functions for {symbol}; choose another basis",
                cause="refused",
            )
    potentials = {s: potential for s in symbols if (potential := core_potential(basis, s))}
    charge, spin = state_of(atoms)
    electrons = int(atoms.numbers.sum()) - charge
    if electrons < 1 or not 0 <= spin <= electrons or (electrons - spin) % 2:
        raise LabelError(
            f"{atoms.get_chemical_formula()} with charge {charge} has {electrons} electrons, of which "
            f"spin = 2S = {spin} cannot be unpaired; set atoms.info['charge'] and atoms.info['spin']",
            cause="refused",
        )
    coordinates = list(zip(atoms.get_chemical_symbols(), atoms.positions.tolist(), strict=True))
    return gto.M(
        atom=coordinates, unit="Angstrom", basis=basis, ecp=potentials, charge=charge, spin=spin,
        symmetry=False, verbose=0, max_memory=memory,
    )  # fmt: skip


def _check_distances(atoms: Atoms) -> None:
    distances = atoms.get_all_distances() + np.diag(np.full(len(atoms), np.inf))
    i, j = np.unravel_index(distances.argmin(), distances.shape)
    if distances[i, j] < CLOSEST:
        raise LabelError(
            f"atoms {i} and {j} must not coincide, got a distance of {distances[i, j]:.3g} Å",
            cause="refused",
        )


def basis_functions(atoms: Atoms, basis: str) -> int:
    """Return the number of basis functions of a frame."""
    counts = np.bincount(atoms.numbers)
    return sum(int(counts[z]) * _functions_of(basis, int(z)) for z in np.flatnonzero(counts))


@lru_cache(maxsize=512)
def _functions_of(basis: str, number: int) -> int:
    from pyscf import gto

    symbol = chemical_symbols[number]
    if not has_basis(basis, symbol):
        raise UsageError(f"the basis set {basis!r} has no functions for {symbol}; choose another basis")
    return int(gto.M(atom=[(symbol, (0, 0, 0))], basis=basis, spin=None, verbose=0).nao)


@cache
def start_program() -> None:
    """Load what labels need, once per process, so that no label is charged for it."""
    for name in ("cc.ccsd_t_lambda", "dft", "grad.ccsd_t", "grad.rks", "grad.uks", "mp"):
        import_module(f"pyscf.{name}")
    from pyscf import gto, scf

    scf.RHF(gto.M(atom="H 0 0 0; H 0 0 0.74", basis="sto-3g", verbose=0)).kernel()
    versions()


def versions() -> Mapping[str, str]:
    """Return the versions of the programs behind a label."""
    import pyscf
    from pyscf.dft import libxc

    return {"program": "PySCF", "version": pyscf.__version__, "libxc": libxc.__version__}
