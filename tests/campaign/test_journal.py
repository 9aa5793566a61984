"""What a campaign writes down comes back as it was, and damage of it is told by the record's name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fidsel.campaign.journal import NAMES, Journal
from fidsel.campaign.records.decisions import (
    BaselineVerdict,
    EditNote,
    EditNotes,
    Elapsed,
    End,
    HeldOutFor,
    Identity,
    LateLabels,
    Levels,
    PlanRecord,
    Refreshed,
    Sampled,
    Settings,
    Stage,
    TableContents,
    TrainingIds,
)
from fidsel.campaign.records.round import Allocation, Draft, HeldOut, Pick
from fidsel.exceptions import FidselError
from fidsel.fidelity import LabelStore

RANDOM = tuple(Pick(frame, row, "dear", -1, "random start") for row, frame in enumerate("abc"))
PICKED = (Pick("f", 5, "dear", 2, "largest error"),)
RECORDS: list[Any] = [
    Identity("1", "tiny", 7),
    Levels((("cheap", "k1"), ("dear", "k2"))),
    Sampled(120),
    HeldOut(("a",), ("b", "c"), ()),
    HeldOutFor({"test": None, "budget": 22.0}, bounded=False),
    PlanRecord("{}", {"cheap": "labels"}),
    BaselineVerdict("k3", used=True, why="it helps"),
    Settings({"campaign.seed": 1, "pool.temperature": [300.0]}),
    EditNotes((EditNote(1, "budget.total = 3"),)),
    End(3, "budget spent"),
    TableContents({"k1": "abcd"}),
    Elapsed({"labelling": 4.5}, "training", 100.0),
    Stage("training labels of dear", 3.5, "train", "dear", 8),
    Allocation(("a",), {"cheap": ("a", "b")}, RANDOM[:1], 2.5, {"kind": "none"}, ("a note",)),
    Draft(2, ("p",), {"cheap": ("x",)}),
    LateLabels({"dear": ("a",), "cheap": ()}),
    Refreshed("6 new candidates"),
]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with LabelStore(tmp_path / "labels.db") as store:
        yield Journal(store)


def index_of(record: Any) -> int | None:
    return 3 if "{" in NAMES[type(record)] else None


def test_every_kind_of_record_is_tried() -> None:
    assert {type(record) for record in RECORDS} == set(NAMES)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_is_written_is_read(journal: Journal, record: Any) -> None:
    index = index_of(record)
    assert journal.read(type(record), index) is None
    with pytest.raises(FidselError, match=rf"has no record '{NAMES[type(record)].format(index)}'"):
        journal.require(type(record), index)
    journal.write(record, index)
    assert journal.read(type(record), index) == record
    assert Journal(journal.store).require(type(record), index) == record, "another process reads the same"
    if index is not None:
        assert journal.read(type(record), 2) is None, "rounds are told apart"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("text", ["{", "[1, 2]", '"x"', "[" * 100_000])
def test_a_damaged_record_is_named(journal: Journal, record: Any, text: str) -> None:
    index = index_of(record)
    journal.write(record, index)
    name = NAMES[type(record)].format(index)
    with journal.store.transaction() as connection:
        connection.execute("UPDATE records SET value = ? WHERE name = ?", [text, name])
    with pytest.raises(FidselError, match=rf"record '{name}' in .*labels\.db is damaged: .*Put back a copy"):
        journal.read(type(record), index)


@pytest.mark.parametrize(
    ("record", "row", "told"),
    [
        (RECORDS[-4], {"accurate": ["a"]}, r"cheap is missing"),
        (
            RECORDS[-4],
            {"accurate": ["a"], "cheap": {}, "picks": [{"frame": "a"}]},
            r"picks\[0\]\.row is missing",
        ),
        (RECORDS[-3], {"picks": "2", "probes": [], "cheap": {}}, "picks must be a whole number, got '2'"),
        (RECORDS[-2], {"dear": "abc"}, r"frames\.dear must be a list, got 'abc'"),
    ],
)
def test_the_entry_that_does_not_fit_is_named(
    journal: Journal, record: Any, row: dict[str, Any], told: str
) -> None:
    journal.store.put_record(NAMES[type(record)].format(3), row)
    with pytest.raises(FidselError, match=told):
        journal.read(type(record), 3)


def test_a_level_is_a_pair(journal: Journal) -> None:
    journal.store.put_record("levels", {"levels": [["cheap"]]})
    with pytest.raises(FidselError, match=r"'levels' .* must be pairs of a name and a key"):
        journal.read(Levels)


def test_a_record_is_read_from_the_store_once(journal: Journal) -> None:
    journal.write(Sampled(5))
    assert journal.read(Sampled) is journal.read(Sampled)
    journal.write(Sampled(6))
    assert journal.read(Sampled) == Sampled(6)


@pytest.fixture
def three_rounds(journal: Journal) -> Journal:
    """Round 0 draws a, b, c; round 1 probes p and picks f; round 2 probes q and picks g."""
    journal.write(Levels((("cheap", "k1"), ("dear", "k2"))))
    journal.write(Allocation(tuple("abc"), {"cheap": tuple("abcd")}, RANDOM, 1.0), 0)
    journal.write(Draft(1, ("p",), {}), 1)
    journal.write(Allocation(("f",), {"cheap": ("f", "a")}, PICKED, 1.0), 1)
    journal.write(Draft(1, ("q",), {}), 2)
    journal.write(Allocation(("g",), {"cheap": ("p", "g")}, PICKED, 1.0), 2)
    return journal


def test_probes_are_trained_on_one_round_later(three_rounds: Journal) -> None:
    assert three_rounds.bought(-1) == TrainingIds(cheap={"cheap": ()})
    assert three_rounds.training_ids(0) == TrainingIds(tuple("abc"), tuple("abc"), {"cheap": tuple("abcd")})
    second = TrainingIds(tuple("abcf"), tuple("abc"), {"cheap": tuple("abcdf")})
    assert three_rounds.training_ids(1) == second
    third = TrainingIds(tuple("abcfpg"), tuple("abcp"), {"cheap": tuple("abcdfpg")})
    assert three_rounds.training_ids(2) == third
    assert three_rounds.probes(1) == ("p",)
    assert three_rounds.probes(0) == ()


def test_late_labels_are_trained_on_one_round_later(three_rounds: Journal) -> None:
    assert three_rounds.late(1) == three_rounds.late(-1) == {}
    three_rounds.write(LateLabels({"cheap": ("d",), "dear": ("b", "f")}), 1)
    found = three_rounds.training_ids(1)
    assert (found.accurate, found.random, found.cheap) == (("a", "c"), ("a", "c"), {"cheap": tuple("abcf")})
    assert three_rounds.bought(1).accurate == tuple("abcf")
    assert three_rounds.training_ids(2).accurate == tuple("abcfpg")


def test_what_is_bought_follows_what_is_written(three_rounds: Journal) -> None:
    """The answer is kept, but not beyond the next writing."""
    assert three_rounds.bought(3) == three_rounds.bought(3) == three_rounds.training_ids(3)
    before = three_rounds.bought(3).accurate
    three_rounds.write(Allocation(("h",), {"cheap": ()}, PICKED, 1.0), 3)
    assert three_rounds.bought(3).accurate == (*before, "h")


def test_a_campaign_is_begun_with_round_0(journal: Journal) -> None:
    assert not journal.begun
    journal.write(Allocation((), {}, (), 0.0), 0)
    assert journal.begun
