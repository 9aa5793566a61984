"""A GAP of SOAP descriptors as a force field of fidsel, fitted by gap_fit of quippy-ase (extra `gap`)."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.io import write

from fidsel.data import Frames
from fidsel.exceptions import FidselError
from fidsel.models import ForceField
from fidsel.models.contract import Prediction, Tensors

BOX = 50.0
"""Å, edge of the box that each molecule is alone in."""


class GAP(ForceField):
    """A Gaussian approximation potential (Bartók & Csányi 2015, DOI 10.1002/qua.24927).

    Parameters
    ----------
    n_max, l_max, zeta, cutoff, smearing : of SOAP; the defaults are those of Fonseca et al. 2021.
    sparse : sparse points of each element.
    energy_noise, force_noise : regularisation, eV per atom and eV/Å.
    xml : the fitted potential; None = not fitted.
    offset : eV, added to the energies of the potential.
    """

    kind = "gap"

    def __init__(
        self,
        n_max: int = 12,
        l_max: int = 6,
        *,
        zeta: int = 2,
        cutoff: float = 5.0,
        smearing: float = 0.3,
        sparse: int = 4000,
        energy_noise: float = 1e-3,
        force_noise: float = 2e-2,
        xml: str | None = None,
        offset: float = 0.0,
    ) -> None:
        super().__init__("")
        self.settings = {
            "n_max": n_max, "l_max": l_max, "zeta": zeta, "cutoff": cutoff, "smearing": smearing,
            "sparse": sparse, "energy_noise": energy_noise, "force_noise": force_noise,
        }  # fmt: skip
        self.xml, self.offset = xml, offset

    def fit(self, train: Frames, validation: Frames, weights: Any = None) -> tuple[Self, dict[str, Any]]:  # noqa: ARG002
        """Return the fitted potential; nothing is chosen, so nothing validates, and frames weigh alike."""
        own, offset = self.settings, float(np.mean(train.energy))
        soap = (
            f"soap n_max={own['n_max']} l_max={own['l_max']} zeta={own['zeta']} cutoff={own['cutoff']} "
            f"cutoff_transition_width=1.0 atom_sigma={own['smearing']} delta=0.3 covariance_type=dot_product "
            f"n_sparse={own['sparse']} sparse_method=cur_points add_species=T"
        )
        with tempfile.TemporaryDirectory() as folder:
            energies = train.energy - offset
            frames = [
                boxed(atoms, energy=float(energy), force=forces)
                for atoms, energy, forces in zip(train, energies, train.dense().forces, strict=True)
            ]
            write(Path(folder) / "train.xyz", frames, format="extxyz")
            told = subprocess.run(
                [
                    "gap_fit", "atoms_filename=train.xyz", "gp_file=gap.xml", "e0_method=average",
                    "energy_parameter_name=gap_energy", "force_parameter_name=gap_force",
                    "virial_parameter_name=none", "do_copy_at_file=F", "sparse_separate_file=F",
                    f"default_sigma={{{own['energy_noise']} {own['force_noise']} 0 0}}",
                    "sparse_jitter=1e-8", f"gap={{{soap}}}",
                ],
                cwd=folder, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if told.returncode:
                raise FidselError(f"gap_fit failed: {(told.stdout + told.stderr)[-500:]}")
            xml = (Path(folder) / "gap.xml").read_text()
        return type(self)(**own, xml=xml, offset=offset), {}

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:  # noqa: ARG002
        """Return energies and forces, frame by frame."""
        from quippy.potential import Potential

        if self.xml is None:
            raise FidselError("this GAP is not fitted: call fit first")
        potential, energy, forces = Potential("IP GAP", param_str=self.xml), [], []
        for atoms in frames:
            own = boxed(atoms)
            own.calc = potential
            energy.append(own.get_potential_energy() + self.offset)
            forces.append(own.get_forces())
        return Prediction(np.array(energy), np.concatenate(forces))

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what defines the potential."""
        return self.settings | {"xml": self.xml, "offset": self.offset}, {}

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:  # noqa: ARG003
        """Return the potential that `state` came from."""
        return cls(**{name: value for name, value in settings.items() if name not in ("kind", "level")})


def boxed(atoms: Atoms, energy: float | None = None, force: Any = None) -> Atoms:
    """Return a molecule alone in its box, with labels under names that ASE leaves where they are."""
    own = Atoms(atoms.numbers, atoms.positions, cell=[BOX] * 3)
    if energy is not None:
        own.info["gap_energy"] = energy
        own.new_array("gap_force", np.asarray(force))
    return own
