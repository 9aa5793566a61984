"""`TBLiteSource`: labels by extended tight binding, milliseconds each for small molecules."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from ase import Atoms

from fidsel.arguments import Bound, Internal, PositiveInt, check_arguments
from fidsel.exceptions import MissingExtraError, UsageError
from fidsel.fidelity.source import Cause, Label, LabelError, Value, check_positions, state_of
from fidsel.fidelity.sources.pyscf import to_ase_units

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Method = Literal["GFN2-xTB", "GFN1-xTB", "IPEA1-xTB"]
Solvation = Literal["alpb", "gbsa"]

HEAVIEST: Final = 86
"""Atomic number of the last element with parameters."""
KELVIN: Final = 3.166808578545117e-6
"""Hartree."""
CAUSES: Final[tuple[tuple[str, Cause], ...]] = (
    ("not converged", "unconverged"),
    ("failed to solve eigenvalue", "unconverged"),
    ("interatomic distances", "refused"),
    ("not compatible", "refused"),
    ("no support", "refused"),
)
"""What tblite says, and the cause it stands for."""


@dataclass(frozen=True)
class TBLiteSource:
    """Extended tight binding by tblite: milliseconds a label, with the charge and spin of each frame.

    GFN2-xTB: Bannwarth et al. 2019, DOI 10.1021/acs.jctc.8b01176. Charge and spin = 2S are the frame's.
    Forces are the analytic gradient of the free energy at the electronic temperature. Every label starts
    from the same guess, so that the same frame gives the same label. On one idle core a label takes
    0.5 ms for 4 atoms, 1.1 ms for 9 and 5 ms for 18 (`benchmarks/label_costs.py`).

    Surfaces of atoms in a solvent are integrated on a grid that does not turn with the molecule: in water
    forces change with its orientation by up to 12 meV/Å, energies by 0.2 meV.

    Parameters
    ----------
    method : parametrisation; GFN2-xTB is the newest, IPEA1-xTB was made for ionisation energies.
    solvent : name of a solvent as tblite knows it, e.g. "water"; by default the gas phase. Forces in a
        solvent change with the orientation of the molecule, in water by up to 12 meV/Å: no model learns below
        that.
    solvation : model of the solvent.
    temperature : K, of the electrons; a higher one helps open shells to converge and changes the numbers.
    accuracy : of the convergence thresholds, in units of tblite's own; less is tighter.
    max_iterations : largest number of iterations of the charges; changes no number.
    threads : cores one label uses; changes no number beyond the last digits. Small molecules want one.

    Raises
    ------
    UsageError
        for unknown names and numbers out of range.
    MissingExtraError
        where tblite is not installed.

    Examples
    --------
    >>> water = Atoms("OHH", [[0, 0, 0], [0.9572, 0, 0], [-0.2399872, 0.9266272, 0]])
    >>> round(TBLiteSource().label(water).energy, 4)
    -137.9718
    """

    method: Method = "GFN2-xTB"
    solvent: str | None = None
    solvation: Solvation = "alpb"
    temperature: Annotated[float, Bound(gt=0, le=1e5)] = 300.0
    accuracy: Annotated[float, Bound(gt=1e-4, le=1e3)] = 1.0
    max_iterations: PositiveInt = 250
    threads: Annotated[int, Bound(gt=0), Internal] = 1

    def __post_init__(self) -> None:
        check_arguments(self)
        _program()
        if self.solvent is not None:
            self._check_solvent()

    @property
    def forces(self) -> bool:
        """Labels carry forces."""
        return True

    @property
    def concurrent(self) -> bool:
        """Whether threads of one process may label at the same time: they may, and gain by it."""
        return True

    @property
    def cost_exponent(self) -> float:
        """Power of the number of atoms that the cost grows with, between 4 and 21 atoms."""
        return 2.0

    def size(self, atoms: Atoms) -> float:
        """Return the number of atoms."""
        return float(len(atoms))

    def settings(self) -> Mapping[str, Value]:
        """Return every setting that changes the number."""
        return {
            "kind": "tblite",
            "method": self.method,
            "solvent": self.solvent,
            "solvation": self.solvation if self.solvent is not None else None,
            "temperature": self.temperature,
            "accuracy": self.accuracy,
        }

    def warm_up(self, atoms: Atoms) -> None:  # noqa: ARG002 - the same for every frame
        """Load tblite, and label an atom: its first label takes longer."""
        self.label(Atoms("He"))

    def check(self, atoms: Atoms) -> None:
        """Raise unless the frame is one that tblite can treat.

        Its own checks are too few: some frames that it should refuse end its process.

        Raises
        ------
        LabelError
            with cause "refused": positions that are not finite, a periodic frame, an element without
            parameters, a charge or spin that the number of electrons does not allow.
        """
        check_positions(atoms)
        if atoms.pbc.any():
            raise LabelError(
                "tblite is for molecules here, the frame is periodic: take kind = 'calculator', "
                "calculator = 'tblite', or a level for crystals",
                cause="refused",
            )
        if len(odd := atoms.numbers[(atoms.numbers < 1) | (atoms.numbers > HEAVIEST)]):
            raise LabelError(
                f"{self.method} has parameters for H to Rn (1 to {HEAVIEST}), got atomic numbers "
                f"{sorted(set(odd.tolist()))}",
                cause="refused",
            )
        charge, spin = state_of(atoms)
        electrons = sum(map(valence_electrons, atoms.numbers.tolist())) - charge
        if electrons < 0 or not 0 <= spin <= electrons or (electrons - spin) % 2:
            raise LabelError(
                f"{self.method} has {electrons} valence electrons for {atoms.get_chemical_formula()} of "
                f"charge {charge}, which spin = 2S = {spin} does not fit: correct charge and spin",
                cause="refused",
            )

    def label(self, atoms: Atoms) -> Label:
        """Return the label of a molecule (`atoms.info` carries `charge` and `spin` = 2S, default 0).

        Raises `LabelError` "refused" for frames that tblite cannot treat (see `check`), "unconverged" where
        the charges do not converge, "failed" else.
        """
        self.check(atoms)
        program = _program()
        with _threads().limit(limits=self.threads, user_api="openmp"):
            try:
                found = self._calculator(atoms).singlepoint()
            except program.error as error:
                raise self._failure(atoms, str(error)) from error
        energy, forces = to_ase_units(float(found.get("energy")), found.get("gradient"))
        return Label(energy, forces, provenance={"program": "tblite", "version": program.version})

    def _calculator(self, atoms: Atoms) -> Any:  # Any: tblite's types are not known to be there
        from ase.units import Bohr

        charge, spin = state_of(atoms)
        made = _program().interface.Calculator(
            self.method, atoms.numbers, atoms.positions / Bohr, charge, spin
        )
        made.set("verbosity", 0)
        made.set("accuracy", self.accuracy)
        made.set("max-iter", self.max_iterations)
        made.set("temperature", self.temperature * KELVIN)
        if self.solvent is not None:
            made.add(f"{self.solvation}-solvation", self.solvent)
        return made

    def _failure(self, atoms: Atoms, said: str) -> LabelError:
        cause: Cause = next((cause for text, cause in CAUSES if text in said.lower()), "failed")
        advice = {
            "unconverged": f"; raise max_iterations ({self.max_iterations}) or the electronic temperature",
            "refused": "; correct the frame, or leave it out",
        }
        what = f"{self.method} of {atoms.get_chemical_formula()}: {said}{advice.get(cause, '')}"
        return LabelError(what, cause=cause)

    def _check_solvent(self) -> None:
        """Raise a `UsageError` for a solvent that this method has no parameters for."""
        try:
            self._calculator(Atoms("He"))
        except (_program().error, ValueError) as error:
            raise UsageError(
                f"{self.method} has no {self.solvation} parameters for solvent {self.solvent!r} ({error}): "
                "take another solvent of tblite's documentation, such as 'water', or another model of it"
            ) from error


def valence_electrons(number: int) -> int:
    """Return how many electrons of an element the GFN methods count.

    Those outside of the noble-gas core, without filled d and f shells of p-block and group 12 elements;
    three for the lanthanides, whose f shell belongs to the core.

    >>> [valence_electrons(number) for number in (1, 6, 17, 26, 30, 35, 58, 79, 82)]
    [1, 4, 7, 8, 2, 7, 3, 11, 4]
    """
    core = max(noble for noble in (0, 2, 10, 18, 36, 54) if noble < number)
    outside = number - core
    if core == 54 and outside > 17:
        outside -= 14
    elif core == 54 and outside > 3:
        return 3
    return outside - 10 if core >= 18 and outside > 11 else outside


class _Program(NamedTuple):
    """tblite: its interface, a module without types, its version, and what it raises."""

    interface: Any
    version: str
    error: type[Exception]


@lru_cache(maxsize=1)
def _program() -> _Program:
    try:
        from tblite import interface
        from tblite.exceptions import TBLiteRuntimeError
    except ImportError as error:
        raise MissingExtraError("tblite", "xtb") from error
    return _Program(interface, version("tblite"), TBLiteRuntimeError)


@lru_cache(maxsize=1)
def _threads() -> "ThreadpoolController":
    """Return what bounds the threads of tblite's loops.

    They are as many as the cores unless bounded, and wait for each other by turning: on a machine with
    other work a label of a small molecule then takes thirty times its time.
    """
    from threadpoolctl import ThreadpoolController

    _program()
    return ThreadpoolController()
