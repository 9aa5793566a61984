"""The demo: a campaign on methanol whose labels are computed here and now, in a few minutes."""

from pathlib import Path

from fidsel.data.atomic import make_folder, write_text
from fidsel.exceptions import UsageError

DEMO = """\
# The demo of fidsel: methanol, MP2 -> CCSD(T) above GFN2-xTB, every label computed on this machine.

[campaign]
name = "methanol demo"
seed = 0
rounds = 2
test = 20             # held-out CCSD(T) labels, beside the budget
validation = 6
control = "bought"    # random CCSD(T) labels at equal spend, beside the budget

[pool]
source = "md"
smiles = "CO"
frames = 600
temperature = [300.0, 1000.0]

[[fidelity]]
name = "mp2"
kind = "pyscf"
method = "mp2"
basis = "6-31G"
frozen_core = true
time_limit = 60.0

[[fidelity]]
name = "ccsd(t)"
kind = "pyscf"
method = "ccsd(t)"
basis = "6-31G"
frozen_core = true
time_limit = 60.0

[model]
kind = "sgdml"

[model.baseline]      # beneath the model wherever it makes the labels easier to learn
kind = "tblite"
method = "GFN2-xTB"

[recipe]
kind = "cokriging"

[selector]
kind = "cluster-error"

[budget]
total = 1.2
unit = "core-min"
"""


def create_demo(folder: Path) -> None:
    """Write the demo's fidsel.toml into a folder; a demo begun there goes on.

    Raises a `UsageError` where the folder holds another campaign.
    """
    path = folder / "fidsel.toml"
    if not path.exists():
        make_folder(folder)
        write_text(path, DEMO)
    elif path.read_text(encoding="utf-8") != DEMO:
        raise UsageError(f"{path} belongs to another campaign; name a new folder: fidsel demo FOLDER")
