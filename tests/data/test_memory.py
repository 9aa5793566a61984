"""What there is of memory: the machine's, or what the process is allowed."""

import os
import re
import subprocess
import sys

import pytest

from fidsel.data.memory import available_memory, require_memory
from fidsel.errors import FidselError


def test_it_is_part_of_the_machine() -> None:
    assert 0 < available_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


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
