"""`CalculatorSource`: labels from any ASE calculator, by name."""

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Annotated, Any, Final

import ase
from ase import Atoms

from fidsel.arguments import Bound, Internal, check_arguments
from fidsel.data.outputs.programs import unconverged
from fidsel.exceptions import UsageError
from fidsel.fidelity.engine.boundary import cause_of
from fidsel.fidelity.engine.worker_log import quote
from fidsel.fidelity.source import Cause, Label, LabelError, Value, check_positions, state_of
from fidsel.fidelity.sources.calculator_names import check_calculator, make_calculator

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

NOT_FOUND: Final = (126, 127)
"""Exit codes by which a shell says that a command cannot be run, or is not there."""
NOT_CONVERGED: Final = re.compile(r"(not|n't|no|failed to) (\w+ )?converge", re.IGNORECASE)
OUTPUTS: Final = (".out", ".log", ".err", ".txt", ".dat")
"""Endings of files that programs write for people to read."""

Parameters = Mapping[str, Any]
"""Keyword arguments of a calculator: JSON-able values, nested as the program needs them."""


@dataclass(frozen=True)
class CalculatorSource:
    """Any ASE calculator by name (orca, psi4, cp2k, emt, ...), quippy or torchani.

    `make_calculator` says what takes which parameters. Every label uses a fresh calculator of ASE (Larsen
    et al. 2017, DOI 10.1088/1361-648X/aa680e) in a temporary working directory of its own, which is
    removed afterwards; so paths in `parameters` must be absolute, and labels run in processes, not
    threads.

    A value "{charge}", "{spin}" (2S) or "{multiplicity}" (2S + 1) in `parameters`, alone or inside a
    longer text, takes its number from the frame. A charged or open-shell frame is refused where the
    parameters do not ask for it, since the program would silently treat it as neutral or closed-shell.

    Parameters
    ----------
    calculator : name as ASE knows it; also "quippy" (extra `gap`), "torchani" (extra `ani`), "tblite" for
        crystals.
    parameters : keyword arguments of the calculator, e.g. { orcasimpleinput = "CCSD(T) cc-pVDZ", charge =
        "{charge}" }: a frame's charge and multiplicity go where they are asked for; torchani takes { model =
        "ANI2x" }. Paths must be absolute.
    forces : whether the method gives forces.
    threads : cores the program may use; set the program's own option too.

    Raises
    ------
    UsageError
        for a name that is not known, and parameters that are not JSON-able.
    MissingExtraError
        where the package of a calculator that is not ASE's own is not installed.

    Examples
    --------
    >>> lennard_jones = CalculatorSource("lj", {"epsilon": 0.01, "sigma": 3.0, "rc": 9.0})
    >>> dimer = Atoms("Ar2", [[0, 0, 0], [0, 0, 2 ** (1 / 6) * 3.0]])
    >>> round(lennard_jones.label(dimer).energy, 3)
    -0.01

    ORCA (its command is in ASE's configuration file, section [orca]) and Psi4 (energies in Hartree
    are converted by ASE):

    >>> orca = CalculatorSource("orca", {
    ...     "charge": "{charge}", "mult": "{multiplicity}",
    ...     "orcasimpleinput": "wB97M-V def2-TZVPP TightSCF EnGrad",
    ...     "orcablocks": "%pal nprocs 1 end",
    ... })
    >>> psi4 = CalculatorSource("psi4", {
    ...     "charge": "{charge}", "multiplicity": "{multiplicity}", "reference": "uhf",
    ...     "method": "ccsd(t)", "basis": "cc-pvdz",
    ... })
    """

    calculator: str
    parameters: Parameters = field(default_factory=dict, hash=False)
    forces: bool = True
    threads: Annotated[int, Bound(gt=0), Internal] = 1

    def __post_init__(self) -> None:
        check_calculator(self.calculator)
        check_arguments(self)
        object.__setattr__(self, "parameters", deepcopy(dict(self.parameters)))
        try:
            json.dumps(self.parameters, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(f"parameters of {self.calculator} must be JSON-able values: {error}") from error

    def settings(self) -> Mapping[str, Value]:
        """Return every setting that changes the number."""
        return {
            "kind": "calculator",
            "calculator": self.calculator,
            "parameters": json.dumps(self.parameters, sort_keys=True),
            "forces": self.forces,
        }

    def warm_up(self, atoms: Atoms) -> None:
        """Import the program's package and make a calculator once: what can be wrong with it shows here."""
        parameters = fill_templates(self.parameters, atoms)
        with _folder(self.calculator, atoms):
            self._made(parameters)

    def label(self, atoms: Atoms) -> Label:
        """Return the label of one frame.

        Raises `LabelError` with the cause "environment" where the program is missing or not set up,
        "refused" for frames with NaN positions, elements it does not know or a charge or spin that
        `parameters` do not ask for, and where it gives no forces though the level declares them,
        "unconverged" where it says so, "crashed" where it was ended by a signal, "memory", "failed".
        """
        check_positions(atoms)
        parameters = fill_templates(self.parameters, atoms)
        with _folder(self.calculator, atoms):
            results = self._calculate(atoms, parameters)
        # Forces are the gradient of the free energy where a program smears occupations.
        energy = results.get("free_energy", results["energy"])
        provenance: dict[str, Value] = {"program": self.calculator, "ase": ase.__version__}
        return Label(energy, results["forces"] if self.forces else None, provenance=provenance)

    def _calculate(self, atoms: Atoms, parameters: Parameters) -> Mapping[str, Any]:
        from ase.calculators.calculator import PropertyNotImplementedError

        calculator = self._made(parameters)
        frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, calculator=calculator)
        if self.forces:
            try:
                frame.get_forces(apply_constraint=False)
            except PropertyNotImplementedError as error:
                raise UsageError("it gives no forces with these parameters; set forces = False") from error
        frame.get_potential_energy()
        results: Mapping[str, Any] = calculator.results
        return results

    def _made(self, parameters: Parameters) -> "BaseCalculator":
        try:
            return make_calculator(self.calculator, parameters)
        except TypeError as error:
            raise UsageError(f"its parameters {sorted(parameters)} do not fit: {error}") from error


@contextlib.contextmanager
def _folder(name: str, atoms: Atoms) -> Iterator[None]:
    """Run a calculator in a temporary folder of its own; what it raises becomes a `LabelError`.

    The last lines of what the program wrote there are quoted, since the folder is removed.
    """
    with tempfile.TemporaryDirectory(prefix="fidsel-ase-") as folder, contextlib.chdir(folder):
        try:
            yield
            if told := _failure(Path(folder)):
                raise LabelError(f"{name} gave a label, but its output says {told!r}", cause="unconverged")
        except _failures() as error:
            what = f"{name} failed for {atoms.get_chemical_formula()}: {type(error).__name__}: {error}"
            cause: Cause = "unconverged" if _failure(Path(folder)) else _cause(error)
            raise LabelError(f"{what}{_last_words(Path(folder))}", cause=cause) from error


def _written(folder: Path) -> list[Path]:
    """Return the files that a program wrote for people to read, the newest last."""
    found = [path for path in folder.rglob("*") if path.suffix in OUTPUTS and path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def _failure(folder: Path) -> str:
    """Return what an output of a known program says of a calculation that did not converge; "" = nothing."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in _written(folder))
    return next(filter(None, map(unconverged, texts)), "")


def _last_words(folder: Path) -> str:
    """Return the last lines of the newest output file of a program."""
    return quote(_written(folder)[-1]) if _written(folder) else ""


def _cause(error: BaseException) -> Cause:
    """Return the cause that an error of a calculator stands for."""
    from ase.calculators import calculator as kinds

    if isinstance(error, (kinds.BadConfiguration, kinds.CalculatorSetupError, kinds.EnvironmentError)):
        return "environment"
    if isinstance(error, kinds.SCFError) or NOT_CONVERGED.search(str(error)):
        return "unconverged"
    if isinstance(error, CalledProcessError):
        if error.returncode in NOT_FOUND:
            return "environment"
        return "crashed" if error.returncode < 0 else "failed"
    return cause_of(error)


def _failures() -> tuple[type[BaseException], ...]:
    """Return what calculators raise when the program is missing, its input is wrong or it fails."""
    from ase.calculators.calculator import BadConfiguration

    numerical = (RuntimeError, ValueError, ArithmeticError, MemoryError, LookupError)
    return (*numerical, OSError, ImportError, CalledProcessError, BadConfiguration)


def fill_templates(parameters: Parameters, atoms: Atoms) -> dict[str, Any]:
    """Return parameters with "{charge}", "{spin}" and "{multiplicity}" replaced by the frame's numbers.

    A value that is nothing but a template becomes an integer, one inside a longer text is written out.

    Raises `LabelError` where the frame is charged or open-shell and no template asks for it.

    Examples
    --------
    >>> hydroxide = Atoms("OH", info={"charge": -1, "spin": 0})
    >>> fill_templates({"charge": "{charge}", "head": "* xyz {charge} {multiplicity}"}, hydroxide)
    {'charge': -1, 'head': '* xyz -1 1'}
    """
    charge, spin = state_of(atoms)
    text = json.dumps(dict(parameters))
    if charge and "{charge}" not in text:
        raise LabelError(
            f"the frame has charge {charge}, but no parameter asks for it by '{{charge}}'", cause="refused"
        )
    if spin and "{spin}" not in text and "{multiplicity}" not in text:
        raise LabelError(
            f"the frame has spin = 2S = {spin}, but no parameter asks for it by '{{multiplicity}}'",
            cause="refused",
        )
    numbers = {"{charge}": charge, "{spin}": spin, "{multiplicity}": spin + 1}
    return {key: _filled(value, numbers) for key, value in parameters.items()}


def _filled(value: Any, numbers: Mapping[str, int]) -> Any:  # Any: a JSON value
    if isinstance(value, str):
        if value in numbers:
            return numbers[value]
        for template, number in numbers.items():
            value = value.replace(template, str(number))
        return value
    if isinstance(value, Mapping):
        return {key: _filled(inner, numbers) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(inner, numbers) for inner in value]
    return value
