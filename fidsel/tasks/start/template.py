"""A commented fidsel.toml for a new campaign."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase import Atoms

from fidsel.config.load import FILE, check_config
from fidsel.config.parts import molecules as molecules_in
from fidsel.config.parts import read_pool
from fidsel.config.schema import PoolSection
from fidsel.data.atomic import make_folder, write_text
from fidsel.data.path_name import path_name
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.molecules.molecule import Molecule
from fidsel.fidelity.sources.mmff_terms import INSTEAD
from fidsel.md.sampling.pool import refuse_single, require_sampling
from fidsel.refine.system import systems
from fidsel.tasks.start.levels import VALIDATION, starting_point

TEXT = """\
# A fidsel campaign. `fidsel config schema --markdown` lists every setting, `fidsel config validate`
# checks this file.

[campaign]
name = {name}
seed = 0
rounds = 3            # rounds of picking after the random start
validation = {validation}        # accurate labels kept for validation; they are spend
# test = 40           # held-out labels beside the budget; by default they cost at most half of it
control = "owned"     # "bought" also buys a random control arm, beside the budget

[pool]
{pool}

# Levels of theory, cheapest first; the last one is the accurate one.
{levels}
[model]
{learner}
device = "auto"       # a CUDA device where there is any; "cpu", "cuda" or "cuda:1" ask for one
{baseline}
[recipe]
{recipe}

[selector]
{picker}
[budget]
total = {total}
unit = {unit}
"""

KERNEL: Final = {
    "learner": """\
kind = "sgdml"        # closed-form kernel, one small molecule; "painn", "gemnet" ... are networks""",
    "recipe": """\
kind = "cokriging"    # surrogate of cheap labels + residual; networks take "joint", mace "asteroid\"""",
    "picker": """\
kind = "variance-reduction" # frames that leave a kernel least unsure; "cluster-error" goes by measured errors
""",
}
"""What learns one molecule."""
NETWORK: Final = {
    "learner": """\
kind = "painn"        # a network learns several molecules; "gemnet" is slower and more accurate""",
    "recipe": """\
kind = "joint"        # one network learns all levels at once, each through a head of its own""",
    "picker": """\
kind = "cluster-error"
descriptor = "latent" # features of the network; "soap" needs the extra of that name
""",
}
"""What learns several."""
SAMPLED = """\
source = "md"         # MMFF94 dynamics; "normal-modes" or "file"
{molecule}
frames = {frames}          # candidate configurations{shared}
temperature = [500.0]
"""


def template_text(
    smiles: str | Sequence[str] | None = None,
    structure: Path | None = None,
    pool: Path | None = None,
    budget: str | None = None,
    name: str = "my-molecule",
    *,
    charge: int | None = None,
    spin: int | None = None,
    units: str | None = None,
    molecules: Path | None = None,
) -> str:
    """Return a fidsel.toml; exactly one of `smiles`, `structure`, `pool` and `molecules` is given.

    Levels of theory and the size of the pool follow from the size of the molecule, of several of the largest,
    see `fidsel.tasks.start.levels`. Raises a `UsageError` where none or several are, a charge comes with a
    SMILES, the molecule or a named file cannot be read, a file names another charge or spin, MMFF94, which
    samples the configurations, does not describe the molecule, or the budget cannot be read, is not one of
    CPU time or labels, or pays for no level of theory.

    Parameters
    ----------
    smiles, structure, pool : the molecule, several SMILES, or a file of configurations.
    budget : what may be spent; None = tens of core-minutes, more for larger molecules.
    charge, spin : total charge, e, and unpaired electrons (2S), with `structure` or `pool`; None = as the
        file says.
    units : "energy,length" of the pool, where it does not say.
    molecules : a CSV or SDF file of several molecules.
    """
    if smiles is not None and not isinstance(smiles, str):
        smiles = smiles[0] if len(smiles) == 1 else list(smiles)
    given = {"smiles": smiles, "structure": structure, "path": pool, "molecules": molecules}
    named = {
        key: value if isinstance(value, list) else str(value)
        for key, value in given.items()
        if value is not None
    }
    if len(named) != 1:
        raise UsageError(
            "a new campaign needs exactly one of --smiles, --molecules, "
            f"--structure and --pool, got {len(named)}; for example: fidsel init methanol --smiles CO"
        )
    ((key, value),) = named.items()
    line = f"{key} = {_quoted(value)}"
    if key in ("smiles", "molecules") and charge is not None:
        raise UsageError(f"a SMILES has its own charge, e.g. [O-]C=O: leave out --charge, got {charge}")
    line += "" if charge is None else f"\ncharge = {charge}"
    line += "" if spin is None else f"\nspin = {spin}"
    line += f"\nunits = {_quoted(units)}" if units else ""
    first, count = _first({key: value, "charge": charge, "spin": spin, "units": units})
    start = starting_point(first, _measurable(budget), key != "path")
    shared = f", {start.frames} of each of {count} molecules" if count > 1 else ""
    sampled = SAMPLED.format(molecule=line, frames=count * start.frames, shared=shared)
    section = f'source = "file"\n{line}' if key == "path" else sampled
    total, unit = _amount(start.budget)
    return TEXT.format(
        name=_quoted(name),
        pool=section.rstrip(),
        levels=start.levels,
        baseline=start.baseline,
        total=total,
        unit=_quoted(unit),
        validation=VALIDATION,
        **(KERNEL if count == 1 else NETWORK),
    )


def _first(given: Mapping[str, Any]) -> tuple[Atoms, int]:  # Any: settings of a pool
    """Return the molecule of a new campaign, of several the largest, and how many there are."""
    known = {key: value for key, value in given.items() if value is not None}
    source = {"source": "file"} if "path" in known else {"source": "md", "frames": 1}
    section = check_config(PoolSection, source | known, (), "the new campaign")
    if section.source == "file":
        frames = read_pool(section, Path(), told=True)
        return frames[int(np.argmax(frames.sizes))], len(systems(frames))
    found = list(molecules_in(section, Path()).values())
    for one in found:
        _sampled(one)
    states = {(one.charge, one.spin): one for one in found}
    if len(states) > 1:
        told = ", ".join(f"{one} (charge {charge}, spin {spin})" for (charge, spin), one in states.items())
        raise UsageError(
            f"all molecules of a campaign must have the same charge and spin, got {told}: begin one campaign "
            "for each of these states"
        )
    made = max(found, key=lambda one: sum(one.numbers))
    # only the elements count here
    state = {"charge": made.charge, "spin": made.spin}
    return Atoms(made.numbers, np.zeros((len(made.numbers), 3)), info=state), len(found)


def create(
    folder: Path,
    *,
    smiles: str | Sequence[str] | None = None,
    structure: Path | None = None,
    pool: Path | None = None,
    molecules: Path | None = None,
    budget: str | None = None,
    charge: int | None = None,
    spin: int | None = None,
    units: str | None = None,
) -> Path:
    """Write fidsel.toml into a folder and return its path; files named in it are made absolute.

    Raises a `UsageError` where the folder already has one, and as `template_text`.
    """
    path = folder / FILE
    if path.exists():
        raise UsageError(f"{path} exists already and is kept; choose another folder or edit it")
    text = template_text(
        smiles,
        structure.resolve() if structure else None,
        pool.resolve() if pool else None,
        budget,
        path_name(folder),
        charge=charge,
        spin=spin,
        units=units,
        molecules=molecules.resolve() if molecules else None,
    )
    make_folder(folder)
    write_text(path, text)
    return path


def _sampled(made: Molecule) -> None:
    """Raise unless MMFF94, which a new campaign samples with, describes the molecule."""
    refuse_single(made)
    try:
        require_sampling(made)
    except UsageError as error:
        why = str(error).removesuffix(INSTEAD).rstrip(" .")
        raise UsageError(
            f"{why}. A new campaign samples its configurations with MMFF94: give a file of them instead, "
            "with --pool; GFN2-xTB makes one from a structure: fidsel md gfn2 FILE.xyz --temperature 500 "
            "--replicas 4 --time 10ps --out pool.extxyz (and --charge and --spin where FILE says neither)"
        ) from error


def _measurable(text: str | None) -> str | None:
    """Return a budget that the levels of a new campaign, which compute on CPUs, can be charged to."""
    if text is not None and Budget.parse(text).unit == "gpu-second":
        raise UsageError(f"no label source measures GPU time: write a budget such as 2core-h, got {text!r}")
    return text


def _amount(budget: Budget) -> tuple[str, str]:
    """Return a budget as number and unit, as it was written.

    >>> _amount(Budget.parse("20core-min")), _amount(Budget.parse("90 core-min")), _amount(Budget.parse("50"))
    (('20', 'core-min'), ('90', 'core-min'), ('50', 'label'))
    """
    size, name = budget.scale
    return f"{budget.total / size:.15g}", name.removesuffix("s") if budget.unit == "label" else name


def _quoted(text: str | list[str]) -> str:
    """Return a TOML string, or a list of such."""
    return json.dumps(text, ensure_ascii=False)
