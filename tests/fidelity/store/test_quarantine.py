"""A label that cannot be meant is kept, shown and not used, until a person releases it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from toy_labels import Spring, springs

from fidsel.exceptions import UsageError
from fidsel.fidelity import Budget, Fidelity, InlineEngine, LabelStore, Price, buy
from fidsel.fidelity.store.failures import failed_frames
from fidsel.fidelity.store.quarantine import beside, meant, reject, release, set_aside

CHEAP, DEAR = (
    Fidelity("cheap", Spring(k=2.0), Price(0.1, "label")),
    Fidelity("dear", Spring(k=2.2), Price(1.0, "label")),
)
FRAMES = springs(1 + 0.05 * np.arange(30))
BUDGET = Budget(100.0, "label")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    with LabelStore(tmp_path / "labels.db") as store:
        for level in (CHEAP, DEAR):
            buy(store, InlineEngine(), level, FRAMES[:20], "train", budget=BUDGET)
        yield store


def damage(store: LabelStore, row: int, factor: float) -> None:
    """Multiply the energy and the forces of one dear label."""
    label = store.labelled(DEAR, FRAMES.ids[row : row + 1])
    store.connection.execute(
        "UPDATE labels SET energy = ?, forces = ? WHERE key = ? AND frame_id = ?",
        [label.energy[0] * factor, (label.forces * factor).tobytes(), DEAR.key, FRAMES.ids[row]],
    )


def test_sound_labels_stay(store: LabelStore) -> None:
    assert set_aside(store, DEAR, [CHEAP]) == {}
    assert store.unseen_ids(DEAR) == ()
    assert store.label_ids(DEAR) == FRAMES.ids[:20]


@pytest.mark.parametrize("factor", [1e12, 1e5, -1.0])
def test_an_absurd_label_is_set_aside_and_released(store: LabelStore, factor: float) -> None:
    damage(store, 7, factor)
    bad = FRAMES.ids[7]
    assert set(set_aside(store, DEAR, [CHEAP])) == {bad}
    assert bad not in store.label_ids(DEAR)
    assert bad not in store.labelled(DEAR).ids
    assert store.failures(DEAR)[bad].startswith("set aside: ")
    (failure,) = failed_frames(store, DEAR)
    assert (failure.frame_id, failure.cause, failure.cost, failure.again) == (bad, "quarantined", 1.0, False)
    with pytest.raises(UsageError, match="have no label at dear"):
        store.labelled(DEAR, [bad])
    again = buy(store, InlineEngine(), DEAR, FRAMES[:20], "train", budget=BUDGET)
    assert (again.ids_failed, again.ids_done, again.cost) == ((bad,), (), 0.0)
    with pytest.raises(UsageError, match="no label of a frame zz is set aside: `fidsel status --failed`"):
        release(store, [CHEAP, DEAR], ["zz"])
    assert release(store, [CHEAP, DEAR], [bad[:8]]) == 1
    assert store.label_ids(DEAR) == FRAMES.ids[:20]
    assert set_aside(store, DEAR, [CHEAP]) == {}


def test_later_labels_are_judged_by_earlier_ones(store: LabelStore) -> None:
    set_aside(store, DEAR, [CHEAP])
    buy(store, InlineEngine(), DEAR, FRAMES[20:22], "train", budget=BUDGET)
    damage(store, 21, 1e4)
    assert set(set_aside(store, DEAR, [CHEAP])) == {FRAMES.ids[21]}
    assert release(store, [DEAR], None) == 1


def test_labels_of_the_same_frames(store: LabelStore) -> None:
    frames = store.labelled(DEAR)[[3, 1]] + FRAMES[25:26]
    found = beside(store, frames, [CHEAP])
    expected = store.labelled(CHEAP, [FRAMES.ids[3], FRAMES.ids[1]])
    np.testing.assert_array_equal(found.energy, [*expected.energy, np.nan])
    np.testing.assert_array_equal(found.forces[:4], expected.forces)
    assert np.isnan(found.forces[4:]).all()
    assert np.isnan(beside(store, frames, ()).energy).all()


def test_a_person_rejects_labels_that_look_sound_and_takes_it_back_by_name(store: LabelStore) -> None:
    set_aside(store, DEAR, [CHEAP])
    damage(store, 3, 1e9)
    store.connection.execute("UPDATE labels SET quarantine = NULL WHERE frame_id = ?", [FRAMES.ids[3]])
    set_aside(store, DEAR, [CHEAP])
    assert reject(store, [DEAR], [FRAMES.ids[7][:10], FRAMES.ids[9]], "wrong electronic state") == 2
    told = {failure.frame_id: failure.error for failure in failed_frames(store, DEAR)}
    assert told[FRAMES.ids[7]] == "rejected: wrong electronic state"
    assert set(told) == {FRAMES.ids[row] for row in (3, 7, 9)}
    assert FRAMES.ids[7] in store.label_ids(CHEAP), "only the level that is meant"
    assert release(store, [CHEAP, DEAR], None) == 1, "what looked absurd alone"
    assert store.aside_ids(DEAR) == (FRAMES.ids[7], FRAMES.ids[9])
    assert set_aside(store, DEAR, [CHEAP]) == {}
    assert release(store, [CHEAP, DEAR], [FRAMES.ids[7]]) == 1
    assert store.aside_ids(DEAR) == (FRAMES.ids[9],)


def test_what_cannot_be_rejected_is_named_and_nothing_is(store: LabelStore) -> None:
    frame, stranger = FRAMES.ids[2], FRAMES.ids[25]
    for levels, frames, why, words in (
        ([CHEAP, DEAR], [frame], "wrong", "has labels of cheap and dear: say which with --level"),
        ([CHEAP, DEAR], [stranger], "wrong", "no label of cheap or dear of a frame"),
        ([DEAR], [frame, stranger], "wrong", "no label of dear of a frame"),
        ([DEAR], [frame], "  ", "say why"),
    ):
        with pytest.raises(UsageError, match=words):
            reject(store, levels, frames, why)
    assert store.aside_ids(DEAR) == store.aside_ids(CHEAP) == ()
    assert reject(store, [DEAR], [frame], "wrong") == 1
    with pytest.raises(UsageError, match="is used: `fidsel status --failed`"):
        reject(store, [DEAR], [frame], "wrong")


def test_a_beginning_that_fits_several_frames_means_none_of_them(store: LabelStore) -> None:
    common = next(one[0] for one in FRAMES.ids if sum(other[0] == one[0] for other in FRAMES.ids[:20]) > 1)
    for do in (
        lambda: reject(store, [DEAR], [common], "wrong"),
        lambda: meant(FRAMES.ids[:20], [common], "no frame {}"),
    ):
        with pytest.raises(
            UsageError, match=f"{common} begins the ids of .* frames, .*: give more of the id"
        ):
            do()
    assert store.aside_ids(DEAR) == ()
    assert meant(["ab", "abc"], ["ab"], "no frame {}") == {"ab"}, "a whole id is itself"
