"""Frames and labels that are not what was stored are found before anything is trained on them."""

from pathlib import Path

import numpy as np
import pytest
from toy_labels import Spring, springs

from fidsel.fidelity import Fidelity, LabelStore, Ledger, Order, Price, StoreError
from fidsel.fidelity.store.audit import audit

LEVEL = Fidelity("spring", Spring(), Price(1.0, "label"))
FRAMES = springs([1.0, 2.0, 3.0])
BAD = FRAMES.ids[1]


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    made = LabelStore(tmp_path / "labels.db")
    ledger = Ledger(made)
    made.add_frames(FRAMES)
    for attempt, atoms in zip(
        ledger.reserve("train", LEVEL, [Order(name, 1.0) for name in FRAMES.ids]), FRAMES, strict=True
    ):
        ledger.settle_all([(attempt, LEVEL.source.label(atoms))])
    return made


def moved(by: float) -> bytes:
    return (FRAMES[1].positions + by).astype(np.float64).tobytes()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("positions", moved(1e-3)),
        ("positions", moved(np.nan)),
        ("positions", b"short"),
        ("positions", "text"),
        ("positions", 3.5),
        ("numbers", np.array([1, 7]).tobytes()),
        ("numbers", np.array([1, 8, 8]).tobytes()),
        ("numbers", b""),
        ("cell", np.ones((3, 3)).tobytes()),
        ("cell", b""),
        ("pbc", b"\x01\x00\x00"),
        ("charge", 1),
        ("charge", "neutral"),
        ("spin", 2),
        ("spin", 0.5),
    ],
)
def test_a_frame_that_is_not_its_id(store: LabelStore, column: str, value: object) -> None:
    with store.transaction() as connection:
        connection.execute(f"UPDATE frames SET {column} = ? WHERE frame_id = ?", [value, BAD])
    for read in (store.frames, lambda: store.frames([BAD]), lambda: store.labelled(LEVEL)):
        with pytest.raises(StoreError, match=rf"the configuration of frame {BAD} is not what was stored"):
            read()
    assert store.frames([FRAMES.ids[0]]).ids == FRAMES.ids[:1]
    assert any(f"configurations that are not what was stored: frames {BAD};" in text for text in audit(store))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("energy", b"\x00\x00\x80?"),
        ("energy", "high"),
        ("forces", b"1234"),
        ("forces", "text"),
        ("forces", 1.0),
    ],
)
def test_a_label_that_does_not_fit_its_frame(store: LabelStore, column: str, value: object) -> None:
    with store.transaction() as connection:
        connection.execute(f"UPDATE labels SET {column} = ? WHERE frame_id = ?", [value, BAD])
    with pytest.raises(StoreError, match=rf"the label at spring of frame {BAD} is not what was stored"):
        store.labelled(LEVEL)
    assert audit(store) == (f"labels that are not what was stored: frames {BAD}; put back a backup",)


def test_a_sound_store(store: LabelStore) -> None:
    assert audit(store) == ()
