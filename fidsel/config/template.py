"""A commented fidsel.toml for a new campaign."""

import json
from pathlib import Path

from fidsel.data.atomic import make_folder, write_text
from fidsel.errors import UsageError
from fidsel.fidelity.budget import SPELLINGS, Budget

TEXT = """\
# A fidsel campaign. `fidsel config schema` documents every setting, `fidsel config validate` checks
# this file.

[campaign]
name = {name}
seed = 0
rounds = 4            # rounds of picking after the random start
test = 60             # held-out configurations, labelled beside the budget, never used to decide
validation = 8        # accurate labels kept for validation; they are spend
control = "owned"     # "bought" also buys a random control arm, beside the budget

[pool]
{pool}

# Levels of theory, cheapest first; the last one is the accurate one.
{levels}
[model]
kind = "sgdml"        # closed-form kernel, one small molecule; "painn" is a network

[recipe]
kind = "cokriging"    # surrogate on cheap labels + residual on accurate ones; "asteroid" for networks

[selector]
kind = "cluster-error"

[budget]
total = {total}
unit = {unit}
"""

SAMPLED = """\
source = "md"         # MMFF94 dynamics; "normal-modes" or "file"
{molecule}
frames = 1000
temperature = [500.0]
"""

SOURCES = """\
[[fidelity]]
name = "mmff94"
kind = "openmm"

[[fidelity]]
name = "pbe"
kind = "pyscf"
method = "dft"
xc = "pbe"
basis = "def2-SVP"

[[fidelity]]
name = "ccsd(t)"
kind = "pyscf"
method = "ccsd(t)"
basis = "6-31G"
time_limit = 600.0

"""

QUANTUM_ONLY = SOURCES[SOURCES.index('[[fidelity]]\nname = "pbe"') :]


def template_text(
    smiles: str | None = None,
    structure: Path | None = None,
    pool: Path | None = None,
    budget: str = "1core-h",
    name: str = "my-molecule",
) -> str:
    """Return a fidsel.toml; exactly one of `smiles`, `structure` and `pool` is given.

    Raises
    ------
    UsageError
        where none or several are, or the budget cannot be read.
    """
    given = {"smiles": smiles, "structure": structure, "path": pool}
    named = {key: str(value) for key, value in given.items() if value is not None}
    if len(named) != 1:
        raise UsageError(
            f"a new campaign needs exactly one of --smiles, --structure and --pool, got {len(named)}; "
            f"for example: fidsel init methanol --smiles CO"
        )
    ((key, value),) = named.items()
    line = f"{key} = {json.dumps(value)}"
    section = f'source = "file"\n{line}\n' if key == "path" else SAMPLED.format(molecule=line)
    amount = Budget.parse(budget)
    unit = {"core-second": "core-h", "gpu-second": "gpu-h", "label": "label"}[amount.unit]
    return TEXT.format(
        name=json.dumps(name),
        pool=section.rstrip(),
        levels=QUANTUM_ONLY if key == "path" else SOURCES,
        total=amount.total / SPELLINGS[unit][1],
        unit=json.dumps(unit),
    )


def create(
    folder: Path, *, smiles: str | None, structure: Path | None, pool: Path | None, budget: str
) -> Path:
    """Write fidsel.toml into a folder and return its path; files named in it are made absolute.

    Raises
    ------
    UsageError
        where the folder already has one, or a named file does not exist.
    """
    path = folder / "fidsel.toml"
    if path.exists():
        raise UsageError(f"{path} exists already and is kept; choose another folder or edit it")
    for file in (structure, pool):
        if file is not None and not file.exists():
            raise UsageError(f"{file} does not exist; give the path of an existing file")
    text = template_text(
        smiles,
        structure.resolve() if structure else None,
        pool.resolve() if pool else None,
        budget,
        folder.resolve().name,
    )
    make_folder(folder)
    write_text(path, text)
    return path
