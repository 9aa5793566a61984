"""A real campaign in a few seconds: water by MMFF94 and HF/STO-3G, two rounds."""

from pathlib import Path

from fidsel.campaign import iterate
from fidsel.config.build import open_campaign

CONFIG = """\
[campaign]
name = "water"
rounds = 1
test = 4
validation = 3
start = 4

[pool]
source = "normal-modes"
smiles = "O"
frames = 150

[[fidelity]]
name = "mmff94"
kind = "openmm"
price = { per = "label", value = 0.05 }

[[fidelity]]
name = "hf(sto)"
kind = "pyscf"
method = "hf"
basis = "sto-3g"
price = { per = "label", value = 1 }

[recipe]
kind = "cokriging"

[selector]
per_round = 3

[budget]
total = 16
unit = "label"

[engine]
workers = 1
"""


def run_small_campaign(folder: Path) -> Path:
    """Run the campaign to its end in a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fidsel.toml").write_text(CONFIG)
    for _ in iterate(open_campaign(folder)):
        pass
    return folder
