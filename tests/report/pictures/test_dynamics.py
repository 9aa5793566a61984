"""Pictures of dynamics."""

from pathlib import Path

import numpy as np
from mmff_force_field import MMFFForceField

from fidsel.data import Frames
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md.distances import distribution
from fidsel.md.dynamics.study import Protocol, study
from fidsel.report.pictures.dynamics import dynamics_figure, dynamics_plot

WATER = from_smiles("O")
STARTS = Frames.stack(WATER.numbers, [[[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]] * 2)


def test_the_share_of_replicas_left_and_distances_are_drawn(tmp_path: Path) -> None:
    protocol = Protocol(20.0, (0.5, 10.0), every=5)
    found = study({"mmff": lambda _: MMFFForceField(WATER)}, STARTS, protocol, 1, tmp_path)
    shape = distribution([STARTS.dense().positions], WATER.bonds)
    left, right = dynamics_figure(found, {"mmff": shape, "reference": shape}).axes
    stable, wild = left.lines
    assert np.asarray(stable.get_ydata()).tolist() == [1.0, 1.0]
    assert np.asarray(wild.get_ydata())[-1] == 0.0
    assert np.asarray(wild.get_xdata()).max() == 0.02
    assert [line.get_label() for line in right.lines] == ["mmff", "reference"]
    assert len(dynamics_figure(found, {}).axes) == 1
    assert dynamics_plot(found, {}, tmp_path / "p.png").stat().st_size > 1000
