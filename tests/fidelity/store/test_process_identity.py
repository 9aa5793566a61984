import os
import subprocess
import sys
from dataclasses import replace

import pytest

from fidsel.fidelity.store.process_identity import ProcessIdentity, birth

HERE = ProcessIdentity.this()


def test_an_identity_is_written_and_read() -> None:
    assert ProcessIdentity.parse(HERE.text()) == HERE
    assert (HERE.pid, HERE.born) == (os.getpid(), birth(os.getpid()))


@pytest.mark.parametrize("text", ["", "1234", "[1]", '{"host": "a"}', '{"pid": 1'])
def test_another_text_names_no_process(text: str) -> None:
    assert ProcessIdentity.parse(text) is None


def test_a_process_that_ended_is_known_to_have() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    there = replace(HERE, pid=child.pid, born=birth(child.pid) or "")
    assert there.born
    assert not there.gone(HERE, fresh=False)
    child.communicate(b"\n")
    assert birth(child.pid) is None
    assert there.gone(HERE, fresh=True)


@pytest.mark.parametrize(
    ("changes", "fresh", "gone"),
    [
        ({}, False, False),
        ({"born": "long ago"}, True, True),
        ({"boot": "before"}, False, True),
        ({"boot": "before"}, True, False),
        ({"host": "elsewhere", "born": "long ago"}, False, False),
        ({"machine": "elsewhere", "boot": "before"}, False, False),
        ({"space": "container", "born": "long ago"}, False, False),
    ],
)
def test_only_what_is_certain_counts_as_ended(changes: dict[str, str], fresh: bool, gone: bool) -> None:
    assert replace(HERE, **changes).gone(HERE, fresh) == gone  # type: ignore[arg-type]
