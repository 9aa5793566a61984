"""`[[fidelity]]`: one level of theory each, cheapest first, the last one is the accurate one."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PositiveFloat, PositiveInt, Tag

from fidsel.config.memory import Memory
from fidsel.config.strict import OwnClass, Strict, kind_or_custom
from fidsel.data.lookup import TOLERANCE
from fidsel.exceptions import UsageError
from fidsel.fidelity.level import Per
from fidsel.fidelity.sources.tblite import Method, Solvation


class PriceConfig(Strict):
    """What one label costs, in the budget's base unit: core-seconds, accurate labels, or GPU-seconds."""

    per: Per = "core-second"
    """"label": known beforehand; "core-second": the CPU time each label used; "allocated-second": its wall
    time × cores, as clusters bill."""
    value: Annotated[float, Field(ge=0)] = 1.0
    """Price per unit; 0 for labels already owned."""

    @property
    def declared(self) -> bool:
        """Whether the cost of a label is known before it is bought."""
        return self.per == "label" or self.value == 0


class LevelConfig(Strict):
    """What all kinds of fidelity have in common."""

    name: str
    """Short name used in tables, e.g. "ccsd(t)"."""
    price: PriceConfig | None = None
    """What a label costs; by default its measured core-seconds (needed unless the budget is of core time)."""
    time_limit: PositiveFloat | None = None
    """Seconds of wall time, from when its calculation begins, after which one label is given up."""
    memory_limit: Memory | None = None
    """Memory that one label and the programs it starts may hold, like "4 GiB"; by default the machine's
    memory divided by the workers."""
    threads: PositiveInt = 1
    """Cores one label uses."""


class TableLevel(LevelConfig):
    """Labels that are on disk already."""

    kind: Literal["table"]
    """Labels that are on disk already."""
    path: str
    """File or folder of configurations and labels, relative to fidsel.toml; formats: docs/files.md."""
    units: str | None = None
    """"energy,length" of the file, e.g. "kcal/mol,Angstrom"; needed where the file does not say."""
    energy_key: str | None = None
    """Name of the energies in the file."""
    forces_key: str | None = None
    """Name of the forces in the file."""
    forces: bool = True
    """Whether the table has forces."""
    tolerance: Annotated[float, Field(ge=0)] = TOLERANCE
    """Å, by which coordinates may differ from the frame that is looked up."""
    trust_labels: bool = False
    """Go on with labels that look wrong (`fidsel check` tells which)."""


class OpenMMLevel(LevelConfig):
    """An empirical force field in OpenMM: MMFF94 for the molecule of the pool, or any System."""

    kind: Literal["openmm"]
    """An empirical force field."""
    variant: Literal["MMFF94", "MMFF94s"] = "MMFF94"
    """Which parameter set RDKit assigns."""
    system: str | None = None
    """A serialized OpenMM System (XML) to use in place of MMFF94."""


class PySCFLevel(LevelConfig):
    """Quantum chemistry by PySCF."""

    kind: Literal["pyscf"]
    """Quantum chemistry by PySCF."""
    method: Literal["hf", "dft", "mp2", "ccsd", "ccsd(t)"]
    """Method; "dft" needs `xc`."""
    basis: str
    """Basis set, e.g. "def2-SVP"."""
    xc: str | None = None
    """Density functional, e.g. "pbe" or "b3lyp"."""
    forces: bool = True
    """False buys energies only (cheaper; needed where the method has no forces)."""
    density_fit: bool = False
    """Density fitting (other numbers, less time)."""
    frozen_core: bool = False
    """Leave the core electrons uncorrelated."""
    grid: Annotated[int, Field(ge=0, le=9)] = 3
    """Level of the DFT integration grid. Forces on formaldehyde change with its orientation by 27, 1.7, 0.2
    and 0.1 meV/Å on levels 0 to 3 (PBE/6-31G): no model learns below that."""
    dispersion: Literal["d3bj"] | None = None
    """D3(BJ) dispersion; needs the extra `d3`."""
    max_cycle: PositiveInt = 100
    """Largest number of SCF and of CC iterations."""


class TBLiteLevel(LevelConfig):
    """Extended tight binding by tblite: milliseconds a label, with the charge and spin of each frame."""

    kind: Literal["tblite"]
    """Extended tight binding."""
    method: Method = "GFN2-xTB"
    """Parametrisation; GFN2-xTB is the newest, IPEA1-xTB was made for ionisation energies."""
    solvent: str | None = None
    """Name of a solvent, e.g. "water"; by default the gas phase. Forces in a solvent change with the
    orientation of the molecule, in water by up to 12 meV/Å: no model learns below that."""
    solvation: Solvation = "alpb"
    """Model of the solvent."""
    temperature: PositiveFloat = 300.0
    """K, of the electrons; a higher one helps open shells to converge and changes the numbers."""
    accuracy: PositiveFloat = 1.0
    """Of the convergence thresholds, in units of tblite's own; less is tighter."""
    max_iterations: PositiveInt = 250
    """Largest number of iterations of the charges."""


class CalculatorLevel(LevelConfig):
    """Any ASE calculator by name (orca, psi4, cp2k, emt, ...), quippy or torchani."""

    kind: Literal["calculator"]
    """Any ASE calculator."""
    calculator: str
    """Name as ASE knows it; also "quippy" (extra `gap`), "torchani" (extra `ani`), "tblite" for crystals."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the calculator, e.g. { orcasimpleinput = "CCSD(T) cc-pVDZ", charge = "{charge}" }:
    a frame's charge and multiplicity go where they are asked for; torchani takes { model = "ANI2x" }. Paths
    must be absolute."""
    forces: bool = True
    """Whether the method gives forces."""


class ModelLevel(LevelConfig):
    """A trained force field."""

    kind: Literal["model"]
    """A trained force field."""
    path: str
    """Folder of the model, relative to fidsel.toml."""


class CustomLevel(LevelConfig):
    """A person's own label source: `kind = "package.module:Class"`; its contract is checked first."""

    kind: OwnClass
    """A label source: a class in a module of the campaign's folder or of PYTHONPATH."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class."""


Level = Annotated[
    Annotated[TableLevel, Tag("table")]
    | Annotated[OpenMMLevel, Tag("openmm")]
    | Annotated[PySCFLevel, Tag("pyscf")]
    | Annotated[TBLiteLevel, Tag("tblite")]
    | Annotated[CalculatorLevel, Tag("calculator")]
    | Annotated[ModelLevel, Tag("model")]
    | Annotated[CustomLevel, Tag("custom")],
    Discriminator(kind_or_custom),
]


def refuse_unpriced(levels: Sequence[Level], unit: str) -> None:
    """Raise unless a budget in a unit can be charged for the labels of every level.

    Sources measure core-seconds: other units need prices that a person declares.
    """
    for level in levels:
        if unit == "label" and level.price is None:
            raise UsageError(f"with a budget in labels, fidelity {level.name!r} needs `price`")
        if unit.startswith("gpu") and not (level.price and level.price.declared):
            raise UsageError(
                f"a budget in {unit} cannot be charged for fidelity {level.name!r}, since no label source "
                "measures GPU time: take core-h, or declare the GPU-seconds of a label, for example "
                'price = { per = "label", value = 30 }'
            )
