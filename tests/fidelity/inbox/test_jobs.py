import json
from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Frames, read
from fidsel.exceptions import UsageError
from fidsel.fidelity.inbox.jobs import ALL, FRAME, JOB, Job, write_jobs
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.sources.inbox import InboxSource

LEVEL = Fidelity("PBE/6-31G*", InboxSource("pbe", "6-31g*"), Price(1.0, "label"))
IONS = Frames.stack([8, 1], [[[0, 0, 0], [0.97, 0, 0]], [[0, 0, 0.1], [0.98, 0, 1 / 3]]], charge=-1)


def test_a_folder_for_each_frame(tmp_path: Path) -> None:
    folder = write_jobs(tmp_path / "out", tmp_path / "home", LEVEL, IONS)
    assert {path.name for path in folder.iterdir()} == {*IONS.ids, ALL}
    assert read(folder / ALL).ids == IONS.ids
    for i, frame in enumerate(IONS.ids):
        job = folder / frame
        back = read(job / FRAME)
        assert back.ids == (frame,)
        assert np.array_equal(back.positions, IONS[[i]].positions)
        told = json.loads((job / JOB).read_text())
        assert (told["frame"], told["charge"], told["multiplicity"]) == (frame, -1, 1)
        assert told["settings"] == dict(LEVEL.source.settings())
        assert "* xyz -1 1\n" in (job / "orca.inp").read_text()
        (job / "deep").mkdir()
        assert Job.of(job / "deep" / "orca.out") == Job(frame, LEVEL.name, LEVEL.key)
    assert Job.of(tmp_path / "orca.out") is None


def test_programs_get_no_input_of_a_periodic_frame(tmp_path: Path) -> None:
    crystal = IONS[:1].replace(pbc=True, cell=[5 * np.eye(3)])
    (job,) = (
        path for path in write_jobs(tmp_path, tmp_path / "home", LEVEL, crystal).iterdir() if path.is_dir()
    )
    assert {path.name for path in job.iterdir()} == {JOB, FRAME}


def test_a_damaged_job_is_named(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("{")
    with pytest.raises(UsageError, match=r"job\.json does not say its job .*: export it again"):
        Job.of(tmp_path / "orca.out")
