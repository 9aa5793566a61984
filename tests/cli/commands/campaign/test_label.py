"""`fidsel label`, and how `iterate` and `status` tell of labels that are awaited."""

import json
from pathlib import Path
from time import sleep

import pytest
from command_line import fidsel, write_campaign

from fidsel.data import read, write

TABLE = 'kind = "table"\npath = "pool.npz"\nenergy_key = "E_accurate"\nforces_key = "F_accurate"'
INBOX = 'kind = "inbox"\nmethod = "ccsd(t)"\nbasis = "cc-pvtz"'


def asking(folder: Path) -> Path:
    """Return the folder of a campaign whose accurate labels other people compute."""
    write_campaign(folder)
    path = folder / "fidsel.toml"
    assert TABLE in path.read_text()
    path.write_text(path.read_text().replace(TABLE, INBOX))
    return folder


def test_a_campaign_waits_and_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, jobs = asking(tmp_path / "campaign"), tmp_path / "jobs"
    pool = folder / "pool.npz"
    labels = read(pool, energy_key="E_accurate", forces_key="F_accurate", units="eV,Angstrom")
    write(tmp_path / "labels.xyz", labels)
    waits = fidsel(capfd, "iterate", "-C", folder, "--json")
    assert waits.code == 5
    assert "the campaign waits for 9 labels of accurate that other people compute" in waits.err
    found = json.loads(waits.out)
    assert (found["work"]["awaited"], found["finished"]) == ({"accurate": 9}, False)
    assert found["state"] == "round 0 waits for labels of other people"
    status = fidsel(capfd, "status", "-C", folder)
    assert (status.code, "9 labels of accurate are awaited of other people" in status.err) == (0, True)
    done = fidsel(capfd, "label", "export", "-C", folder, "--out", jobs)
    assert (done.code, done.out) == (0, f"accurate: 9 jobs in {jobs / 'accurate'}\n")
    asked = set(read(jobs / "accurate" / "frames.xyz").ids)
    rows = [i for i, frame in enumerate(labels.ids) if frame in asked]
    write(tmp_path / "some.xyz", labels[rows[:-1]])
    some = fidsel(capfd, "label", "import", tmp_path / "some.xyz", "-C", folder)
    told = "labels stored: 8 of accurate; known before: 0; awaited still: 1 of accurate\n"
    assert (some.code, some.out) == (0, told)
    every = fidsel(capfd, "label", "import", tmp_path / "labels.xyz", "-C", folder, "--json")
    assert every.code == 1
    answer = json.loads(every.out)
    assert (answer["stored"], answer["known"], len(answer["refused"])) == ({"accurate": 1}, 8, 71)
    while (waits := fidsel(capfd, "iterate", "-C", folder)).code == 5:
        fidsel(capfd, "label", "import", tmp_path / "labels.xyz", "-C", folder)
    assert waits.code == 0, waits.err


def test_a_driver_in_the_background_may_wait_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = asking(tmp_path / "campaign")
    assert fidsel(capfd, "iterate", "-C", folder).code == 5
    waits = fidsel(capfd, "iterate", "--detach", "-C", folder)
    if waits.code == 0:  # it was seen to begin before it ended
        assert "drives the campaign now" in waits.err
        while "waits for 9 labels of accurate" not in (folder / "iterate.log").read_text():
            sleep(0.1)
    else:
        assert (waits.code, "waits for 9 labels of accurate" in waits.err) == (5, True)


def test_what_is_awaited_is_withdrawn(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = asking(tmp_path / "campaign")
    none = fidsel(capfd, "label", "export", "-C", folder, "--out", tmp_path / "jobs")
    assert (none.code, "no label is awaited" in none.err) == (0, True)
    assert fidsel(capfd, "iterate", "-C", folder).code == 5
    wrong = fidsel(capfd, "label", "withdraw", "-C", folder)
    assert (wrong.code, "or give --all" in wrong.err) == (2, True)
    done = fidsel(capfd, "label", "withdraw", "--all", "-C", folder, "--json")
    assert json.loads(done.out) == {"withdrawn": 9}
    shown = fidsel(capfd, "status", "--failed", "-C", folder)
    assert "withdrawn: nobody computes it" in shown.out
