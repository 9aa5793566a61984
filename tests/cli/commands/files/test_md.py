"""`fidsel md`: dynamics, how long they last, and what comes of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from command_line import fidsel
from spring_systems import painn, shaken

from fidsel.data import write
from fidsel.models import SGDML, EnergyReference, Ensemble


def starts(folder: Path, name: str = "H2O", n: int = 2) -> Path:
    return write(folder / f"{name}.extxyz", shaken(name, n).unlabelled())


def test_a_study_writes_all_there_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, picture, reference = tmp_path / "t.extxyz", tmp_path / "p.svg", starts(tmp_path, "CH3OH", 20)
    start = write(tmp_path / "s.extxyz", shaken("CH3OH", 3))
    words = [
        "md",
        "mmff94",
        start,
        "--time",
        "20fs",
        "--dt",
        "0.5,10",
        "--temperature",
        "300K,400",
        "--every",
        10,
    ]
    words += ["--out", out, "--picture", picture, "--reference", reference]
    done = fidsel(capfd, *words, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["largest_stable_step_fs"] == {"mmff94": 0.5}
    assert [run["survived"] for run in found["runs"]] == [1.0, 0.0]
    assert [one["temperature"] for one in found["runs"][0]["replicas"]] == [300, 400, 300]
    assert {one["cause"] for one in found["runs"][1]["replicas"]} <= {
        "overlap",
        "torn bond",
        "temperature",
        "energy drift",
    }
    assert 0 < found["against_reference"]["mmff94 CH4O 0.5 fs"]["h_of_r"] < 2
    frames = read(out, ":")
    assert [atoms.info["time"] for atoms in frames if atoms.info["timestep"] == 0.5] == [
        time for time in (0.0, 5.0, 10.0, 15.0, 20.0) for _ in range(3)
    ]
    assert picture.read_text().startswith("<?xml")
    assert not (tmp_path / "t.extxyz.part").exists()
    assert "ns/day" in done.err
    again = fidsel(capfd, *words)
    assert again.code == 2
    assert "--force" in again.err
    shown = fidsel(capfd, *words, "--force")
    assert shown.code == 0
    assert "0.5 fs is the largest stable one" in shown.err
    assert "replicas that ended" in shown.out


def test_a_committee_that_doubts_gives_candidates(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    reference = EnergyReference({1: -100.0, 8: -100.0}, 3)
    seen = shaken("H2O", 4)
    members = [painn(seed).replace(reference=reference).having_seen(seen) for seed in (1, 2)]
    model, start, stops = Ensemble(members).save(tmp_path / "model"), starts(tmp_path), tmp_path / "c.extxyz"
    words = [
        "md",
        model,
        start,
        "--steps",
        "40",
        "--stops",
        stops,
        "--outside",
        "0.0",
        "--replicas",
        "3",
        "--json",
    ]
    done = fidsel(capfd, *words)
    assert done.code == 0, done.err
    (found,) = json.loads(done.out)["runs"]
    unsure = found["causes"]["uncertain"]
    assert found["survived"] == pytest.approx(1 - (sum(found["causes"].values()) - unsure) / 3)
    assert len(read(stops, ":")) == json.loads(done.out)["candidates"] == unsure > 0
    details = [one["detail"] for one in found["replicas"] if one["cause"] == "uncertain"]
    assert all("outside of training" in detail for detail in details)
    again = fidsel(capfd, *words)
    assert again.code == 2
    assert "name another --stops, or give --force" in again.err
    sure = fidsel(capfd, *[word if word != "0.0" else "100" for word in words], "--force")
    assert (sure.code, json.loads(sure.out)["candidates"], stops.exists()) == (0, 0, False)
    assert "a model was unsure of no frame" in sure.err


def test_without_a_bath_energy_is_conserved(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = [
        "md",
        "mmff94",
        starts(tmp_path),
        "--ensemble",
        "nve",
        "--dt",
        "0.1",
        "--steps",
        "200",
        "--every",
        "2",
    ]
    done = fidsel(capfd, *words, "--json")
    (found,) = json.loads(done.out)["runs"]
    assert (found["survived"], found["friction_per_fs"], found["time_fs"]) == (1.0, 0.0, 20.0)
    assert found["drift_mev_per_atom_ps"] < 20


def test_geometry_and_frequencies_are_checked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start = starts(tmp_path)
    done = fidsel(capfd, "md", "mmff94", start, "--check", "mmff94", "--json")
    assert done.code == 0, done.err
    (found,) = json.loads(done.out)["checks"]
    assert (found["system"], len(found["frequencies"])) == ("H2O", 3)
    assert found["frequency_max"] < 1e-3
    assert "relaxed geometry" in fidsel(capfd, "md", "mmff94", start, "--check", "mmff94").out


def test_mistakes_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start = starts(tmp_path)
    empty, torn = tmp_path / "empty.extxyz", tmp_path / "torn.extxyz"
    empty.write_text("")
    water = shaken("H2O", 1)
    write(torn, water.replace(positions=water.positions * [[1], [9], [1]]))
    x = water.positions.copy()
    x[0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", z=water.numbers, R=x[None], e_unit="eV", r_unit="Angstrom")
    silicon = starts(tmp_path, "SiH4")
    untrained = painn().save(tmp_path / "untrained")
    network = painn().replace(reference=EnergyReference({1: -100.0, 8: -100.0}, 3)).save(tmp_path / "network")
    waters = shaken("H2O", 6)
    kernel = SGDML([10.0], symmetries=False).fit(waters[:4], waters[4:])[0].save(tmp_path / "kernel")
    for words, said in (
        (["mmff94", start, "--dt", "0"], "timesteps of dynamics must be a finite number > 0"),
        (["mmff94", start, "--dt", "-1"], "timesteps of dynamics must be a finite number > 0"),
        (["mmff94", start, "--time", "soon"], "a time is a number and fs, ps or ns"),
        (["mmff94", start, "--temperature", "hot"], "'hot' holds no number"),
        (["mmff94", start, "--ensemble", "nvt"], "langevin"),
        (["mmff94", start, "--bonds", "some"], "kept"),
        (["mmff94", start, "--friction", "0"], "nve"),
        (["mmff94", empty], "is empty"),
        (["mmff94", tmp_path / "nan.npz"], "finite"),
        (["mmff94", torn], "MMFF94 has no type for the bonding of one of atom 1 (H)"),
        (["mmff94", start, "--out", tmp_path / "t.unknown"], "written as .extxyz or .xyz or .traj"),
        (["mmff94", start, "--reference", silicon], "the reference must have the molecules of the starts"),
        (["no/model", start], "no/model"),
        (["mmff94", start, "--check", "mmff94", "--out", tmp_path / "t.extxyz"], "--check runs no dynamics"),
        (["mmff94", start, "--check", "mmff94", "--time", "5ps"], "--check runs no dynamics"),
        (["mmff94", start, "--time-limit", "5"], "--time-limit is for --check alone"),
        (["mmff94", start, "--replicas", "0"], "replicas of dynamics must be a whole number > 0"),
        ([untrained, start], "never trained"),
        ([network, silicon], "[14]"),
        ([kernel, silicon], "one molecule"),
        ([network, start, "--uncertain", "0.1"], "needs a committee"),
        ([network, start, "--outside", "0.1"], "does not know the distances"),
        ([network, start, "--bound", "0.1"], "needs a model of a campaign, got a painn model alone"),
    ):
        done = fidsel(capfd, "md", *words)
        assert done.code == 2, (words, done.err)
        assert said in done.err, done.err


def test_it_starts_from_the_training_frames_of_a_campaign(
    small_campaign: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for folder in (small_campaign, small_campaign / "rounds" / "0000"):
        done = fidsel(capfd, "md", small_campaign, folder, "--time", "2fs", "--replicas", "3", "--json")
        assert done.code == 0, done.err
        (found,) = json.loads(done.out)["runs"]
        assert len(found["replicas"]) == 3
    few = fidsel(capfd, "md", small_campaign, small_campaign, "--bound", "0.3")
    assert few.code == 2
    assert "needs at least 9 calibration frames, got 4" in few.err
