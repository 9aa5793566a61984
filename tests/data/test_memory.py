"""What there is of memory: the machine's, or what the process is allowed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fidsel.data import memory
from fidsel.data.memory import SHARE, available_memory, machine_memory, memory_share, require_memory
from fidsel.exceptions import FidselError


def test_it_is_part_of_the_machine() -> None:
    assert 0 < available_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert available_memory() <= machine_memory() <= psutil.virtual_memory().total


def test_what_does_not_fit_is_refused_with_numbers_and_a_remedy() -> None:
    require_memory(1024, "some numbers", "take fewer")
    with pytest.raises(
        FidselError, match=r"many numbers need 9.31e\+08 GiB of memory, and there are .* GiB: take fewer"
    ):
        require_memory(1e18, "many numbers", "take fewer")


def test_a_limit_of_the_process_counts() -> None:
    code = (
        "import resource; from fidsel.data.memory import available_memory; "
        "soft = 4 << 30; resource.setrlimit(resource.RLIMIT_AS, (soft, soft)); print(available_memory())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"\d+\n", told)
    assert 0 < int(told) < 4 << 30


@pytest.mark.parametrize("version", [0, 1])
def test_the_limit_of_a_job_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    line = ("0::/job/step\n", "4:memory:/job/step\n")[version]
    _, limit, use, copies = memory.CGROUPS[version]
    job = tmp_path / "cgroup" / "job"
    (job / "step").mkdir(parents=True)
    (job / "step" / limit).write_text("max\n")
    (job / limit).write_text(f"{2**26}\n")
    (job / use).write_text(f"{2**25 + 2**20}\n")
    (job / "memory.stat").write_text(f"anon 5\n{copies} {2**20}\n")
    (tmp_path / "membership").write_text(line)
    roots = [(str(tmp_path / "none"), *files) for _, *files in memory.CGROUPS]
    roots[version] = (str(tmp_path / "cgroup"), limit, use, copies)
    monkeypatch.setattr(memory, "CGROUPS", tuple(roots))
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "membership")
    assert (machine_memory(), available_memory()) == (2**26, 2**25)
    from fidsel.models.sgdml.solver.solve import device_memory

    assert device_memory("cpu") == 2**26
    assert memory_share(2) == int(SHARE * 2**25)
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "nothing")
    assert machine_memory() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
