import pickle

import pytest

from fidsel.exceptions import FidselError, MissingExtraError, UsageError, unknown


def test_nearest_name_is_told_where_one_is_near() -> None:
    assert str(unknown("picker", "gredy", ["random", "greedy"])).startswith(
        "unknown picker 'gredy', did you mean 'greedy'?"
    )
    assert str(unknown("picker", "xyz", ["random", "greedy"])) == (
        "unknown picker 'xyz'. Available: greedy, random"
    )


@pytest.mark.parametrize(
    ("error", "code", "other"),
    [(FidselError("x"), 1, Exception), (UsageError("x"), 2, ValueError),
     (MissingExtraError("mace", "mace"), 2, ImportError)],
)  # fmt: skip
def test_errors_are_caught_as_python_s_own_and_know_their_exit_code(
    error: FidselError, code: int, other: type[Exception]
) -> None:
    assert error.exit_code == code
    assert isinstance(error, (FidselError, other))
    assert isinstance(error, other)


def test_usage_errors_come_through_a_pipe() -> None:
    assert str(pickle.loads(pickle.dumps(UsageError("left")))) == "left"


def test_a_missing_extra_says_what_installs_it() -> None:
    error = MissingExtraError("tblite", "xtb")
    assert str(error) == "tblite is not installed: pip install 'fidsel[xtb]'"
    assert (error.package, error.extra) == ("tblite", "xtb")
