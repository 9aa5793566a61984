from functools import partial
from pathlib import Path

import pytest
from command_line import fidsel
from morse_molecule import frames

from fidsel.cli.tables.training import stage_lines
from fidsel.data import write
from fidsel.data.label_file import LabelFile
from fidsel.tasks.train import train_files

KERNEL = {
    "sigma": 160.0,
    "nu": 2.5,
    "lam": 1e-10,
    "tried": [{"sigma": 80.0}, {"sigma": 160.0}],
    "metric": "identity",
}


def found(*notes: dict[str, object], **more: object) -> dict[str, object]:
    stages = [{"stage": f"stage {i}", "seconds": 1.5, "notes": one} for i, one in enumerate(notes)]
    return {"stages": stages, "diagnostics": {}, "warnings": [], "notes": [], **more}


def test_width_and_metric_are_said() -> None:
    assert list(stage_lines(found(KERNEL))) == [
        "stage 0: σ = 160 1/Å of 2 from 80 to 160, ν = 2.5, λ = 1e-10; 1.5 s"
    ]
    (line,) = stage_lines(found({**KERNEL, "metric": "learnt", "energy_outliers": 2}))
    assert "λ = 1e-10, learnt metric; " in line
    assert "far from all others: 2; 1.5 s" in line


def test_networks_committees_warnings_and_notes_are_said() -> None:
    told = found(
        {"best_validation": 0.01234},
        {"each": [{"sigma": 20.0}, {"sigma": 10.0}]},
        warnings=["γ leaves few"],
        notes=["checkpoint left aside"],
    )
    assert list(stage_lines(told)) == [
        "stage 0: best validation loss 0.01234; 1.5 s",
        "stage 1: 2 members; σ = 10, 20 1/Å; 1.5 s",
        "γ leaves few",
        "checkpoint left aside",
    ]


def test_a_loss_that_was_still_falling_is_said_with_what_to_give() -> None:
    notes = {"steps": 4000, "settled": False, "second_half": 0.31, "best_validation": 0.5}
    first, second, more = stage_lines(found({**notes, "settled": True}, notes))
    assert first.startswith(
        "stage 0: 4000 steps, settled; their second half took 31% off the validation loss"
    )
    assert second.startswith("stage 1: 4000 steps; ")
    assert more == (
        "the validation loss had not settled at the end of stage 1: twice the time, --minutes 1, may lower "
        "it further"
    )
    assert len(list(stage_lines(found({**notes, "second_half": 0.01})))) == 1


def test_train_tells_the_width_and_errors_of_energies_per_atom(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "data.extxyz", frames(30))
    shown = fidsel(capfd, "train", data, "--out", tmp_path / "model", "model.sigmas=[5,10]")
    assert shown.code == 0
    assert "train: σ = " in shown.err
    assert "training: train: 1/30 fits, loss" in shown.err
    made = train_files(
        LabelFile(str(data)), out=tmp_path / "again", settings=("model.sigmas=[5,10]",)
    ).to_dict()
    mae, rmse = (1000 * made[f"validation_energy_{name}_per_atom"] for name in ("mae", "rmse"))
    assert f"energy MAE {mae:.3g} and RMSE {rmse:.3g} meV/atom" in shown.err
    assert made["validation_energy_mae"] == pytest.approx(4 * made["validation_energy_mae_per_atom"])
    assert made["validation_energy_rmse"] == pytest.approx(4 * made["validation_energy_rmse_per_atom"])
    assert made["notes"] == ()


def test_energies_alone_or_forces_alone_have_errors_of_their_own(tmp_path: Path) -> None:
    data = write(tmp_path / "data.npz", frames(30).replace(energy=None))
    made = train_files(LabelFile(str(data)), out=tmp_path / "m", settings=("model.sigmas=[10]",))
    assert made.errors["energy_mae"] is made.errors["energy_rmse_per_atom"] is None
    assert made.errors["force_rmse"] is not None
    assert 0 < made.errors["force_rmse"] < 10


def test_a_truncated_checkpoint_is_noted_and_the_training_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = write(tmp_path / "data.npz", frames(30)), tmp_path / "model"
    train = partial(train_files, data, out=out, settings=("model.sigmas=[5,10]",))

    class Stop(BaseException):
        """In place of a signal."""

    def stop(what: str, done: int, total: int, detail: str = "") -> None:
        raise Stop

    with monkeypatch.context() as patched:
        patched.setattr("fidsel.models.checkpoints.Checkpoint.due", lambda _: True)
        with pytest.raises(Stop):
            train(report=stop)
    (kept,) = tmp_path.glob(".model.training/*/00.safetensors")
    kept.write_bytes(kept.read_bytes()[:-3])
    made = train()
    assert "is left aside, as it is damaged" in made.notes[0]
    assert not (tmp_path / ".model.training").exists()
