import sqlite3
import warnings

import pytest

from fidsel.data.formats.foreign import parsing
from fidsel.exceptions import FidselError, UsageError


@pytest.mark.parametrize(
    "error", [KeyError("natoms"), sqlite3.DatabaseError("x"), StopIteration(), EOFError()]
)
def test_whatever_a_parser_raises_names_the_file(error: Exception) -> None:
    with (
        pytest.raises(UsageError, match=rf"a\.db cannot be read as an ASE database: {type(error).__name__}"),
        parsing("a.db", "an ASE database"),
    ):
        raise error


def test_our_own_errors_pass_and_warnings_are_not_shown() -> None:
    with pytest.raises(FidselError, match="as it was"), parsing("a.db", "an ASE database"):
        raise FidselError("as it was")
    with parsing("a.db", "an ASE database"):
        warnings.warn("shaky", UserWarning, stacklevel=1)


def test_a_long_message_is_cut_and_an_interrupt_is_no_damage() -> None:
    with pytest.raises(UsageError) as found, parsing("a.db", "an ASE database"):
        raise ValueError("x" * 5000)
    assert len(str(found.value)) < 400
    with pytest.raises(KeyboardInterrupt), parsing("a.db", "an ASE database"):
        raise KeyboardInterrupt
