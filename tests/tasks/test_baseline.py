"""Baselines of trainings on files: names, real GFN2-xTB on formaldehyde, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames
from typer.testing import CliRunner

from fidsel.cli.app import app
from fidsel.config.load import check_config
from fidsel.data import write
from fidsel.data.label_file import LabelFile
from fidsel.exceptions import UsageError
from fidsel.fidelity.sources.tblite import TBLiteSource
from fidsel.models import Baseline, load
from fidsel.models.combinations.labels import SourceLabels
from fidsel.tasks.baseline import named_baseline
from fidsel.tasks.train import TrainConfig, train_files

QUIET = ("model.sigmas=[10]",)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> LabelFile:
    """Labels that differ from GFN2-xTB by a smooth force between the atoms."""
    pytest.importorskip("tblite")
    bare = frames(40, level="accurate")
    gfn2 = SourceLabels(TBLiteSource()).of(bare)
    whole = bare.replace(energy=bare.energy * 0.05 + gfn2.energy, forces=bare.forces * 0.05 + gfn2.forces)
    return LabelFile(str(write(tmp_path_factory.mktemp("labels") / "accurate.extxyz", whole)))


def test_short_names_stand_for_sections(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    assert named_baseline("GFN1") == {"kind": "tblite", "method": "GFN1-xTB"}
    assert named_baseline("mmff94") == {"kind": "openmm"}
    assert named_baseline(str(tmp_path)) == {"kind": "model", "path": str(tmp_path)}
    assert named_baseline("mine:Potential") == {"kind": "mine:Potential"}
    assert named_baseline("lj") == named_baseline("ase:lj") == {"kind": "calculator", "calculator": "lj"}
    for text in ("gfn2", "mmff94", str(tmp_path), "lj", "ase:lj"):
        values = {
            "model": {"kind": "sgdml", "baseline": named_baseline(text)},
            "recipe": {"kind": "standard"},
        }
        assert check_config(TrainConfig, values, (), "a test").model.baseline is not None


def test_gfn2_beneath_a_kernel_leaves_less_to_learn(labels: LabelFile, tmp_path: Path) -> None:
    with_it = train_files(labels, out=tmp_path / "with", settings=QUIET, baseline="gfn2")
    without = train_files(labels, out=tmp_path / "without", settings=QUIET)
    assert str(with_it.baseline).endswith("the baseline helps")
    assert without.baseline is None
    force_mae = [one.errors["force_mae"] for one in (with_it, without)]
    assert force_mae[0] is not None
    assert force_mae[1] is not None
    assert force_mae[0] < 0.5 * force_mae[1]
    model = load(tmp_path / "with")
    assert isinstance(model, Baseline)
    atoms = frames(1, seed=3)[0]
    atoms.calc = model.calculator()
    assert np.isfinite(atoms.get_forces()).all()


def test_the_command_line_takes_it(labels: LabelFile, tmp_path: Path) -> None:
    out = tmp_path / "model"
    arguments = ["train", labels.text, "--baseline", "gfn2", "--out", str(out), *QUIET]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "the baseline helps" in done.stderr
    assert isinstance(load(out), Baseline)


def test_a_baseline_that_does_not_help_is_left_out(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(40))))
    found = train_files(accurate, out=tmp_path / "m", settings=QUIET, baseline="lj")
    assert str(found.baseline).endswith("the baseline does not help")
    assert not isinstance(load(tmp_path / "m"), Baseline)
    always = (*QUIET, "model.baseline.always=true")
    asked = train_files(accurate, out=tmp_path / "always", settings=always, baseline="lj")
    assert asked.baseline == "as asked"


@pytest.mark.parametrize(
    ("baseline", "overrides", "why"),
    [
        ("nobody", (), "nobody"),
        ("gfn2", ("model.baseline.method=GFN3",), "model.baseline.*method"),
        (
            None,
            ("model.kind=ensemble", "model.member={kind='sgdml',baseline={kind='tblite'}}"),
            "whole model",
        ),
        (None, ("model.baseline.kind=table", "model.baseline.path=labels.xyz"), "table"),
    ],
)
def test_baselines_that_cannot_be_are_refused_before_anything_is_trained(
    tmp_path: Path, baseline: str | None, overrides: tuple[str, ...], why: str
) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(20))))
    with pytest.raises(UsageError, match=why):
        train_files(accurate, out=tmp_path / "m", settings=overrides, baseline=baseline)
    assert not (tmp_path / "m").exists()


def test_an_element_that_the_baseline_lacks_is_named(tmp_path: Path) -> None:
    pytest.importorskip("tblite")
    numbers = np.tile([92, 8, 1, 1], 20)
    heavy = frames(20).replace(numbers=numbers)
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", heavy)))
    with pytest.raises(UsageError, match="the baseline cannot treat these frames"):
        train_files(accurate, out=tmp_path / "m", settings=QUIET, baseline="gfn2")
    assert not (tmp_path / "m" / "model.json").exists()
