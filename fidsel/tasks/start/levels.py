"""What a new campaign begins with: levels of theory, budget and pool by the size of its molecule."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from ase import Atoms

from fidsel.campaign.plans.minimum_budget import FEWEST, MinimumBudget, shown_above
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.buying.reservations import MARGIN
from fidsel.fidelity.sources.expected import expected_seconds, expected_xtb_seconds
from fidsel.fidelity.sources.pyscf_input import has_basis

BUDGETS: Final = ("20core-min", "40core-min", "60core-min")
"""Tried in turn where nobody says what may be spent: on two cores the last is half an hour."""
VALIDATION: Final = 8
"""Accurate labels kept for validation."""
WANTED: Final = 20
"""Accurate training labels that a level must leave money for."""
BASES: Final = ("6-31G*", "def2-SVP")
"""Basis sets, of which the first with all elements is taken; the last has heavy ones, by core potentials."""

FORCE_FIELD: Final = """\
[[fidelity]]
name = "mmff94"
kind = "openmm"
{free}
"""
BASELINE: Final = """\

[model.baseline]
kind = "tblite"       # GFN2-xTB beneath the model, used where it makes the labels easier to learn;
                      # it takes milliseconds for every configuration that is predicted
"""
HEAVIEST: Final = 86
"""Atomic number up to which GFN1-xTB and GFN2-xTB have parameters."""
XTB: Final = """\
[[fidelity]]
name = "gfn1-xtb"     # milliseconds a label: its errors say where to label
kind = "tblite"
method = "GFN1-xTB"
{cheap}
"""
HARTREE_FOCK: Final = """\
[[fidelity]]
name = "hf"
kind = "pyscf"
method = "hf"
basis = "sto-3g"
{cheap}
"""
CHEAP_MP2: Final = """\
[[fidelity]]
name = "mp2"          # for DFT: method = "dft", xc = "pbe"
kind = "pyscf"
method = "mp2"
basis = "{basis}"
frozen_core = true
{cheap}
"""
COUPLED_CLUSTER: Final = """\
[[fidelity]]
name = "ccsd(t)"
kind = "pyscf"
method = "ccsd(t)"
basis = "{basis}"
frozen_core = true
time_limit = 600.0    # s, after which one label is given up
{accurate}
"""
MP2: Final = """\
[[fidelity]]
name = "mp2"          # {dearer}
kind = "pyscf"
method = "mp2"
basis = "{basis}"
frozen_core = true
time_limit = 900.0    # s, after which one label is given up
{accurate}
"""
DFT: Final = """\
[[fidelity]]
name = "pbe"          # {dearer}
kind = "pyscf"
method = "dft"
xc = "pbe"
basis = "{basis}"
density_fit = true
grid = 1              # 2 and 3 have smoother forces and take longer
time_limit = 1800.0   # s, after which one label is given up
{accurate}
"""
PRICES: Final = {
    "free": 'price = { per = "label", value = 0 }\n',
    "cheap": 'price = { per = "label", value = 0.1 }   # in accurate labels\n',
    "accurate": 'price = { per = "label", value = 1 }\n',
}
"""Written where the budget counts labels; a budget of time is charged what labels are measured to take."""
LADDER: Final = ("ccsd(t)", "mp2", "dft")
"""Accurate levels, best first."""
TEXTS: Final = {"ccsd(t)": COUPLED_CLUSTER, "mp2": MP2, "dft": DFT}


@dataclass(frozen=True)
class Start:
    """What a new campaign begins with.

    Parameters
    ----------
    method : of the accurate level.
    seconds : core-seconds that one of its labels should take.
    levels : the `[[fidelity]]` sections.
    baseline : the `[model.baseline]` section, "" where tblite is not installed or lacks an element.
    frames : configurations in the pool.
    """

    method: str
    seconds: float
    levels: str
    baseline: str
    budget: Budget
    frames: int


def starting_point(atoms: Atoms, budget: str | None, force_field: bool) -> Start:
    """Return levels that a budget pays for: the best accurate one with `WANTED` labels to train on.

    Raises a `UsageError` where the budget pays for no level, or the basis set lacks an element.

    Parameters
    ----------
    atoms : the molecule; `info` carries its charge and spin = 2S.
    budget : what may be spent; None = the least of `BUDGETS` that pays for any of the levels.
    force_field : whether MMFF94 knows the molecule.
    """
    xtb = find_spec("tblite") is not None and max(atoms.numbers) <= HEAVIEST
    tried = [Budget.parse(text) for text in ((budget,) if budget else BUDGETS)]
    # coupled cluster has no forces of open shells
    ladder = LADDER[1:] if atoms.info.get("spin", 0) else LADDER
    basis = basis_for(atoms)
    seconds = {method: expected_seconds(method, basis, atoms) for method in ladder}
    # a budget of labels pays for any level: what a label takes is measured against the longest default
    clock = [Budget.parse(BUDGETS[-1]) if one.unit == "label" else one for one in tried]
    for wanted in (WANTED, FEWEST):
        for one, time in zip(tried, clock, strict=True):
            for method, each in seconds.items():
                headroom = (MARGIN - 1) * each
                takes = MinimumBudget(
                    method, each, _beside(method, basis, atoms), VALIDATION, wanted, headroom=headroom
                )
                if time.pays(takes.total):
                    levels = _levels(method, basis, seconds, one, force_field, xtb)
                    return Start(method, each, levels, BASELINE if xtb else "", one, pool_size(len(atoms)))
    method, each = list(seconds.items())[-1]
    least = shown_above(clock[-1], (VALIDATION + WANTED) * each)
    raise UsageError(
        f"a label of {method} with {basis} should take some {each:.0f} core-s for a molecule of {len(atoms)} "
        f"atoms: a campaign takes {least}, and {tried[-1]} may be spent. Raise --budget, or begin with "
        "`fidsel config template` and name a quicker accurate level, such as tblite's GFN2-xTB"
    )


def pool_size(atoms: int) -> int:
    """Return how many configurations to sample: fewer of large molecules, whose kernels grow with their size.

    >>> pool_size(3), pool_size(9), pool_size(24)
    (600, 310, 200)
    """
    return max(200, min(600, 2800 // atoms // 10 * 10))


def basis_for(atoms: Atoms) -> str:
    """Return the basis set to begin with.

    >>> basis_for(Atoms("OH2")), basis_for(Atoms("CIH3"))
    ('6-31G*', 'def2-SVP')
    """
    symbols = set(atoms.get_chemical_symbols())
    return next((basis for basis in BASES if all(has_basis(basis, one) for one in symbols)), BASES[-1])


def _beside(method: str, basis: str, atoms: Atoms) -> float:
    """Return the core-seconds of the cheap labels of an accurate frame."""
    return expected_seconds("mp2", basis, atoms) if method == "ccsd(t)" else expected_xtb_seconds(atoms)


def _levels(
    method: str, basis: str, seconds: dict[str, float], budget: Budget, force_field: bool, xtb: bool
) -> str:
    free = FORCE_FIELD if force_field and not xtb else ""
    if method == "ccsd(t)":
        quick = CHEAP_MP2
    elif xtb:
        quick = XTB
    else:
        quick = "" if force_field else HARTREE_FOCK
    prices = PRICES if budget.unit == "label" else dict.fromkeys(PRICES, "")
    better = LADDER[max(LADDER.index(method) - 1, 0)]
    dearer = f"{better} has no forces of open shells"
    if better in seconds:
        dearer = f"{better} would take some {seconds[better]:.0f} core-s a label here"
    texts = (free, quick, TEXTS[method])
    return "".join(text.format(**prices, dearer=dearer, basis=basis) for text in texts)
