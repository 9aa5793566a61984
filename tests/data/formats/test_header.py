import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidsel.data.formats.header import columns, flags, lattice, number, parse


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("", {}),
        ("\n", {}),
        ("energy charge spin level group Lattice pbc Properties", {}),
        ("the charge is neutral, the level low; don't panic, energy=-3.5", {"energy": "-3.5"}),
        ("energy = -3.5 charge =1 spin= 2", {"energy": "-3.5", "charge": "1", "spin": "2"}),
        ("pbc=\"T T F\" name='two words'", {"pbc": "T T F", "name": "two words"}),
        (r'group="a \"b\" \\c"', {"group": r'a "b" \c'}),
        ("a=[[1, 0], [0, 1]] b={1 2}", {"a": "[1, 0], [0, 1]", "b": "1 2"}),
        ("name=a=b energy=1", {"name": "a=b", "energy": "1"}),
        ('"my key"=3', {"my key": "3"}),
        ('an "unfinished quote energy=1', {"energy": "1"}),
    ],
)
def test_pairs_are_read_and_words_are_not(line: str, values: dict[str, str]) -> None:
    assert parse(line).values == values


def test_the_word_behind_a_pair_is_kept() -> None:
    assert parse("energy = -76.4 Hartree, charge=0").after == {"energy": "Hartree"}


@given(st.text(max_size=200))
def test_any_line_is_read(line: str) -> None:
    assert isinstance(parse(line).values, dict)


def test_a_hostile_line_takes_no_time() -> None:
    for piece in ('a="', "a=[", "a=[[", "=", "a= ", "\\", "'"):
        parse(piece * 100_000)


T, F = True, False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F", [F, F, F]), ("FFF", [F, F, F]), ("f f f", [F, F, F]), ("none", [F, F, F]), ("no", [F, F, F]),
        ("T", [T, T, T]), ("TTF", [T, T, F]), ("T T F", [T, T, F]), ("[true, true, false]", [T, T, F]),
        ("1 1 0", [T, T, F]), ("110", [T, T, F]), ("yes", [T, T, T]), ("0", [F, F, F]), (".true.", [T, T, T]),
    ],
)  # fmt: skip
def test_flags_of_all_spellings(text: str, expected: list[bool]) -> None:
    assert flags(text).tolist() == expected


@pytest.mark.parametrize("text", ["T T", "T T T T", "", "maybe", "xyz", "TF"])
def test_flags_are_one_or_three(text: str) -> None:
    with pytest.raises(ValueError, match="pbc must be one flag or three, each T or F"):
        flags(text)


def test_numbers_of_fortran_are_numbers() -> None:
    assert number("-1.5D+02,", "energy") == -150
    assert np.isnan(number("None", "energy"))
    with pytest.raises(ValueError, match="the energy must be one number, got 'low'"):
        number("low", "energy")


def test_a_lattice_is_nine_numbers() -> None:
    assert lattice("1 0 0 0.5 2 0 0 0 3").tolist() == [[1, 0, 0], [0.5, 2, 0], [0, 0, 3]]
    for text in ("1 2 3", "T", "1 0 0 0 1 0 0 0 x"):
        with pytest.raises(ValueError, match="Lattice must be nine numbers"):
            lattice(text)


@pytest.mark.parametrize(
    "text", ["species:S", "species:S:0", "species:S:-1", "species:S:x", "pos:R:3:pos:R:3"]
)
def test_columns_are_triples_with_names_of_their_own(text: str) -> None:
    with pytest.raises(ValueError, match="Properties must"):
        columns(text)
