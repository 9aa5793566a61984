"""What workers print is bounded, and quoted by failures."""

from pathlib import Path

import pytest

from fidsel.fidelity.engine.worker_log import KEPT, LARGEST, QUOTED, cut_log, quote, size_of

FATAL = """before
Fatal Python error: Segmentation fault

Current thread 0x1 (most recent call first):
  File "inner.py", line 3 in inner
  File "outer.py", line 5 in outer
  File "a.py", line 1 in a
  File "b.py", line 1 in b

Extension modules: numpy._core._multiarray_umath (total: 1)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_the_last_part_of_a_long_log_is_kept(log: Path) -> None:
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * LARGEST + b"\nlast line\n")
        cut_log(log)
        assert size_of(log) == KEPT + len(b"[...]\n")
        writer.write(b"written after\n")
    assert log.read_bytes().endswith(b"last line\nwritten after\n")
    assert quote(log).endswith("last line | written after")


def test_a_short_log_is_left_alone(log: Path) -> None:
    log.write_bytes(b"x" * LARGEST)
    cut_log(log)
    assert size_of(log) == LARGEST


def test_a_log_that_is_gone_is_empty(log: Path) -> None:
    cut_log(log)
    assert (size_of(log), quote(log)) == (0, "")


def test_a_quote_begins_where_it_is_told(log: Path) -> None:
    log.write_text("before\n")
    assert quote(log, size_of(log)) == ""
    log.write_text("before\nafter\n\n")
    assert quote(log, len("before\n")) == "; it printed last: after"
    assert quote(log, 10**6) == "; it printed last: before | after"  # cut since


def test_a_quote_is_bounded_and_can_be_stored(log: Path) -> None:
    log.write_bytes(b"".join(b"%d \xff\x00 %s\n" % (i, b"y" * 500) for i in range(100)))
    found = quote(log)
    assert len(found) < QUOTED + 50
    assert found.endswith("y" * 500)
    assert "\x00" not in found


def test_of_a_crash_the_innermost_calls_are_quoted(log: Path) -> None:
    log.write_text(FATAL)
    found = quote(log)
    assert found.startswith("; it printed last: before | Fatal Python error: Segmentation fault")
    assert 'File "inner.py", line 3 in inner' in found
    assert "Extension modules" not in found
