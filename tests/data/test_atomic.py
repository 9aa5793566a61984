import errno
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fidsel.data.atomic import (
    folder_for,
    replacing,
    replacing_folder,
    require_writable,
    write_bytes,
    write_text,
)
from fidsel.exceptions import FidselError, UsageError


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Make the system refuse longer files, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_utf8_with_bare_line_feeds(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "Å\nσ\n")
    assert (tmp_path / "a.txt").read_bytes() == "Å\nσ\n".encode()
    assert names(tmp_path) == ["a.txt"]


def test_a_refused_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"earlier")
    with file_size_limit(1000), pytest.raises(FidselError, match=r"could not write .*a\.bin: File too large"):
        write_bytes(path, b"x" * 100_000)
    assert path.read_bytes() == b"earlier"
    assert names(tmp_path) == ["a.bin"]


def test_advice_fits_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(FidselError, match=r"a\.txt: No space left on device; free space"), replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FidselError, match=r"c\.txt: No such file or directory; make its folder first"):
        write_text(tmp_path / "b" / "c.txt", "")
    path.write_text("earlier")
    with (
        pytest.raises(
            FidselError, match=r"\. What was there before is unchanged; choose a folder that you may"
        ),
        replacing(path),
    ):
        raise OSError(errno.EROFS, "Read-only file system")


def test_an_interrupted_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "earlier")

    def interrupted() -> None:
        with replacing(path) as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "earlier"
    assert names(tmp_path) == ["a.txt"]


def test_the_unfinished_file_has_the_suffix_and_the_folder(tmp_path: Path) -> None:
    with replacing(tmp_path / "frames.npz") as unfinished:
        assert unfinished.suffix == ".npz"
        assert unfinished.parent == tmp_path
        unfinished.touch()


@pytest.mark.parametrize("parent", ["absent", "file"])
def test_an_impossible_folder_is_named(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FidselError, match=rf"could not write .*{parent}/a\.txt: (No such|Not a directory)"):
        write_text(tmp_path / parent / "a.txt", "text")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("earlier")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    write_text(tmp_path / "link.txt", "later")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "later"


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    model = tmp_path / "model"
    for content in ("a", "b"):
        with replacing_folder(model) as unfinished:
            (unfinished / f"{content}.txt").write_text(content)
        assert names(model) == [f"{content}.txt"]
    assert names(tmp_path) == ["model"]


def test_a_failed_folder_leaves_the_earlier_one(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "model") as unfinished:
        (unfinished / "a.txt").write_text("earlier")

    def full_disk() -> None:
        with replacing_folder(tmp_path / "model") as unfinished:
            (unfinished / "a.txt").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(FidselError, match="No space left on device"):
        full_disk()
    assert (tmp_path / "model" / "a.txt").read_text() == "earlier"
    assert names(tmp_path) == ["model"]


def test_what_cannot_be_written_is_told_before(tmp_path: Path) -> None:
    require_writable(None, tmp_path / "new.npz")
    assert names(tmp_path) == []
    for path in (tmp_path, tmp_path / "missing" / "a.npz"):
        with pytest.raises(UsageError, match=f"{path} must be a file in a folder that exists"):
            require_writable(path)


def test_a_folder_that_lets_nobody_write_is_told_before(read_only_folder: Path) -> None:
    refusal = r"could not write .*(Read-only|Permission denied).*choose a folder that you may write to"
    with pytest.raises(FidselError, match=refusal):
        require_writable(read_only_folder / "a.npz")
    with pytest.raises(FidselError, match=refusal), folder_for(read_only_folder):
        raise AssertionError("nothing may be computed")


def fail_in(folder: Path, *made: str) -> None:
    """Fail when so many files are there."""

    def work() -> None:
        with folder_for(folder):
            for name in made:
                (folder / name).touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_folder_that_nothing_came_into_goes_again(tmp_path: Path) -> None:
    fail_in(tmp_path / "new")
    fail_in(tmp_path / "begun", "picks.npz")
    (tmp_path / "there").mkdir()
    fail_in(tmp_path / "there")
    with folder_for(tmp_path / "done"):
        pass
    assert names(tmp_path) == ["begun", "done", "there"]
