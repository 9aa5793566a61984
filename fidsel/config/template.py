"""A commented fidsel.toml for a new campaign."""

import json
import tomllib
from pathlib import Path

from fidsel.config.load import FILE, check_config
from fidsel.config.parts import molecule, read_pool
from fidsel.config.schema import Config
from fidsel.data.atomic import make_folder, write_text
from fidsel.errors import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.molecule import Molecule
from fidsel.md.pool import refuse_single, require_sampling

BUDGET = "20core-min"

TEXT = """\
# A fidsel campaign. `fidsel config schema --markdown` lists every setting, `fidsel config validate`
# checks this file.

[campaign]
name = {name}
seed = 0
rounds = 3            # rounds of picking after the random start
test = 40             # held-out configurations, labelled beside the budget, never used to decide
validation = 8        # accurate labels kept for validation; they are spend
control = "owned"     # "bought" also buys a random control arm, beside the budget

[pool]
{pool}

# Levels of theory, cheapest first; the last one is the accurate one.
{levels}
[model]
kind = "sgdml"        # closed-form kernel, one small molecule; "painn", "gemnet" ... are networks
device = "auto"       # a CUDA device where there is any; "cpu", "cuda" or "cuda:1" ask for one

[recipe]
kind = "cokriging"    # surrogate of cheap labels + residual; networks take "joint", mace "asteroid"

[selector]
kind = "cluster-error"

[budget]
total = {total}
unit = {unit}
"""

SAMPLED = """\
source = "md"         # MMFF94 dynamics; "normal-modes" or "file"
{molecule}
frames = 600          # candidate configurations
temperature = [500.0]
"""

FORCE_FIELD = """\
[[fidelity]]
name = "mmff94"
kind = "openmm"
{free}
"""

QUANTUM = """\
[[fidelity]]
name = "mp2"          # for DFT: method = "dft", xc = "pbe"
kind = "pyscf"
method = "mp2"
basis = "6-31G*"
frozen_core = true
{cheap}
[[fidelity]]
name = "ccsd(t)"
kind = "pyscf"
method = "ccsd(t)"
basis = "6-31G*"
frozen_core = true
time_limit = 600.0    # s, after which one label is given up
{accurate}
"""
"""Measured on methanol, one core: 0.5 s and 6 s a label with forces; MP2 is cheaper here than DFT (1 s with
PBE and 6-31G on grid 2) and closer to CCSD(T)."""

PRICES = {
    "free": 'price = { per = "label", value = 0 }\n',
    "cheap": 'price = { per = "label", value = 0.1 }   # in accurate labels\n',
    "accurate": 'price = { per = "label", value = 1 }\n',
}
"""Written where the budget counts labels; a budget of time is charged what labels are measured to take."""


def template_text(
    smiles: str | None = None,
    structure: Path | None = None,
    pool: Path | None = None,
    budget: str = BUDGET,
    name: str = "my-molecule",
    *,
    charge: int | None = None,
    spin: int | None = None,
    units: str | None = None,
) -> str:
    """Return a fidsel.toml; exactly one of `smiles`, `structure` and `pool` is given.

    Parameters
    ----------
    smiles, structure, pool : the molecule, or a file of configurations.
    budget : what may be spent.
    name : of the campaign.
    charge, spin : total charge, e, and unpaired electrons (2S), with `structure` or `pool`; None = as the
        file says.
    units : "energy,length" of the pool, where it does not say.

    Raises
    ------
    UsageError
        where none or several are, a charge comes with a SMILES, or the budget cannot be read or is not one
        of CPU time or labels.
    """
    given = {"smiles": smiles, "structure": structure, "path": pool}
    named = {key: str(value) for key, value in given.items() if value is not None}
    if len(named) != 1:
        raise UsageError(
            f"a new campaign needs exactly one of --smiles, --structure and --pool, got {len(named)}; "
            f"for example: fidsel init methanol --smiles CO"
        )
    ((key, value),) = named.items()
    line = f"{key} = {_quoted(value)}"
    if smiles is not None and charge is not None:
        raise UsageError(f"a SMILES has its own charge, e.g. [O-]C=O: leave out --charge, got {charge}")
    line += "" if charge is None else f"\ncharge = {charge}"
    line += "" if spin is None else f"\nspin = {spin}"
    line += f"\nunits = {_quoted(units)}" if units else ""
    section = f'source = "file"\n{line}' if key == "path" else SAMPLED.format(molecule=line)
    total, unit = _amount(_measurable(budget))
    prices = PRICES if unit == "label" else dict.fromkeys(PRICES, "")
    levels = QUANTUM if key == "path" else FORCE_FIELD + QUANTUM
    return TEXT.format(
        name=_quoted(name),
        pool=section.rstrip(),
        levels=levels.format(**prices),
        total=total,
        unit=_quoted(unit),
    )


def create(
    folder: Path,
    *,
    smiles: str | None,
    structure: Path | None,
    pool: Path | None,
    budget: str = BUDGET,
    charge: int | None = None,
    spin: int | None = None,
    units: str | None = None,
) -> Path:
    """Write fidsel.toml into a folder and return its path; files named in it are made absolute.

    Raises
    ------
    UsageError
        where the folder already has one, the molecule or a named file cannot be read, a file names another
        charge or spin, or MMFF94, which samples the configurations, does not describe the molecule.
    """
    path = folder / FILE
    if path.exists():
        raise UsageError(f"{path} exists already and is kept; choose another folder or edit it")
    text = template_text(
        smiles,
        structure.resolve() if structure else None,
        pool.resolve() if pool else None,
        budget,
        folder.resolve().name,
        charge=charge,
        spin=spin,
        units=units,
    )
    section = check_config(Config, tomllib.loads(text), (), f"the new {path}").pool
    if pool is not None:
        read_pool(section, folder, told=True)
    else:
        _sampled(molecule(section, folder))
    make_folder(folder)
    write_text(path, text)
    return path


def _sampled(made: Molecule) -> None:
    """Raise unless MMFF94, which a new campaign samples with, describes the molecule."""
    refuse_single(made)
    try:
        require_sampling(made)
    except UsageError as error:
        raise UsageError(
            f"{error}. A new campaign samples its configurations with MMFF94: start from a file of "
            "configurations instead, with --pool"
        ) from error


def _measurable(text: str) -> Budget:
    """Return a budget that the levels of a new campaign, which compute on CPUs, can be charged to."""
    budget = Budget.parse(text)
    if budget.unit == "gpu-second":
        raise UsageError(f"no label source measures GPU time: write a budget such as 2core-h, got {text!r}")
    return budget


def _amount(budget: Budget) -> tuple[str, str]:
    """Return a budget as number and unit, as it was written.

    >>> _amount(Budget.parse("20core-min")), _amount(Budget.parse("90 core-min")), _amount(Budget.parse("50"))
    (('20', 'core-min'), ('90', 'core-min'), ('50', 'label'))
    """
    size, name = budget.scale
    return f"{budget.total / size:.15g}", name.removesuffix("s") if budget.unit == "label" else name


def _quoted(text: str) -> str:
    """Return a TOML string."""
    return json.dumps(text, ensure_ascii=False)
