"""A campaign over three small molecules: GFN1-xTB and Hartree-Fock labels, a tiny network."""

from pathlib import Path

FAMILY = """\
[campaign]
name = "family"
rounds = 1
test = 6
validation = 6
start = 6
control = "off"

[pool]
source = "normal-modes"
smiles = ["O", "N", "C"]
frames = 120

[[fidelity]]
name = "gfn1"
kind = "tblite"
method = "GFN1-xTB"
price = { per = "label", value = 0.05 }

[[fidelity]]
name = "hf"
kind = "pyscf"
method = "hf"
basis = "sto-3g"
price = { per = "label", value = 1 }

[model]
kind = "painn"
features = 8
layers = 1
device = "cpu"

[recipe]
kind = "joint"
stage = { steps = 40, batch = 8, validate_every = 20 }

[selector]
descriptor = "latent"
clusters = 3
energy_clusters = 2
fine_clusters = 10

[budget]
total = 22
unit = "label"

[engine]
workers = 1

[tracking]
enabled = false
"""


def write_family(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the campaign with some texts in place of others."""
    text = FAMILY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fidsel.toml").write_text(text)
    return folder
