"""Worked examples of fidsel.toml for the page on settings; each is a whole file."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Example:
    """A fidsel.toml and what it is for.

    Parameters
    ----------
    title, text : its heading, and what a reader should know.
    module : name and text of a Python file beside it, where it needs one.
    """

    title: str
    text: str
    toml: str
    module: tuple[str, str] | None = None


TABLES: Final = Example(
    "Labels that are on disk already",
    "Both levels are looked up in one file that holds two sets of labels. The budget counts labels, so every "
    "level has a price: an accurate label costs 1, fifty cheap ones as much as that.",
    """\
[pool]
source = "file"
path = "frames.npz"
units = "eV,Angstrom"

[[fidelity]]
name = "dft"
kind = "table"
path = "frames.npz"
units = "eV,Angstrom"
energy_key = "E_dft"
forces_key = "F_dft"
price = { per = "label", value = 0.02 }

[[fidelity]]
name = "ccsd(t)"
kind = "table"
path = "frames.npz"
units = "eV,Angstrom"
energy_key = "E_cc"
forces_key = "F_cc"
price = { per = "label", value = 1 }

[recipe]
kind = "cokriging"

[budget]
total = 100
unit = "label"
""",
)

CALCULATOR: Final = Example(
    "An ASE calculator with parameters",
    "MMFF94 samples the configurations and is the cheap level. ORCA labels them; its command stands in ASE's "
    "configuration file. Four cores a label are charged as four core-seconds a second.",
    """\
[pool]
source = "md"
smiles = "CCO"
frames = 600
temperature = [300.0, 600.0]

[[fidelity]]
name = "mmff94"
kind = "openmm"

[[fidelity]]
name = "dlpno"
kind = "calculator"
calculator = "orca"
threads = 4
time_limit = 1800.0

[fidelity.parameters]
charge = "{charge}"
mult = "{multiplicity}"
orcasimpleinput = "wB97M-V def2-TZVPP TightSCF EnGrad"
orcablocks = "%pal nprocs 4 end"

[recipe]
kind = "cokriging"

[budget]
total = 24
unit = "core-h"
""",
)

SPRINGS: Final = '''\
"""A label source of one's own: springs of 1 Å between all atoms."""

import numpy as np

from fidsel.fidelity import Label


class Springs:
    forces = True

    def __init__(self, k):
        self.k = k

    def settings(self):
        """All that changes the numbers."""
        return {"kind": "springs", "k": self.k}

    def label(self, atoms):
        gap = atoms.positions[:, None] - atoms.positions
        r = np.linalg.norm(gap, axis=2) + np.eye(len(atoms))
        energy = 0.5 * self.k * ((r - 1) ** 2).sum()
        forces = (2 * self.k * (1 / r - 1)[..., None] * gap).sum(1)
        return Label(energy, forces)
'''

OWN: Final = Example(
    "A label source of your own",
    "The class lies in springs.py, beside fidsel.toml or on PYTHONPATH. `fidsel config validate` builds it "
    "and checks what costs nothing; `fidsel doctor` labels a frame with it.",
    """\
[pool]
source = "md"
smiles = "CO"
frames = 300

[[fidelity]]
name = "springs"
kind = "springs:Springs"
options = { k = 20.0 }
price = { per = "label", value = 0 }

[[fidelity]]
name = "mp2"
kind = "pyscf"
method = "mp2"
basis = "6-31G*"

[recipe]
kind = "cokriging"

[budget]
total = 2
unit = "core-h"
""",
    ("springs.py", SPRINGS),
)

MACE: Final = Example(
    "A MACE model",
    "`elements` are the atomic numbers that occur in the data, here H, C and O; the model knows no others. A "
    'committee of them is `kind = "ensemble"` with `member = { kind = "mace", elements = [1, 6, 8] }`.',
    """\
[pool]
source = "md"
smiles = "CCO"
frames = 1000

[[fidelity]]
name = "hf"
kind = "pyscf"
method = "hf"
basis = "6-31G"

[[fidelity]]
name = "mp2"
kind = "pyscf"
method = "mp2"
basis = "6-31G*"

[model]
kind = "mace"
elements = [1, 6, 8]
channels = 32
device = "cuda"

[recipe]
kind = "asteroid"
pretrain = { steps = 20000 }
finetune = { steps = 5000, learning_rate = 0.0003 }

[budget]
total = 10
unit = "core-h"
""",
)

FAMILY: Final = Example(
    "Several molecules",
    "One network learns all of them from one budget; [families.md](families.md) says how labels are shared. "
    'A file of molecules is named by `molecules = "family.csv"` in place of `smiles`.',
    """\
[pool]
source = "md"
smiles = ["CO", "CCO", "CC(C)O"]
frames = 900

[[fidelity]]
name = "hf"
kind = "pyscf"
method = "hf"
basis = "sto-3g"

[[fidelity]]
name = "mp2"
kind = "pyscf"
method = "mp2"
basis = "6-31G*"

[model]
kind = "painn"

[recipe]
kind = "joint"

[selector]
descriptor = "latent"

[budget]
total = 4
unit = "core-h"
""",
)

EXAMPLES: Final = (TABLES, CALCULATOR, FAMILY, OWN, MACE)
