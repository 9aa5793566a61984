import threading
from collections.abc import Iterator

import pytest
import torch

from fidsel.models.sgdml.cores import one_core_each, spread

CPU = torch.device("cpu")


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_pieces_come_in_order_from_as_many_threads_as_torch_has() -> None:
    both = threading.Barrier(2, timeout=60)  # passed only by two pieces at a time

    def work(piece: int) -> tuple[int, int]:
        both.wait()
        return piece, torch.get_num_threads()

    with one_core_each(), one_core_each():
        assert torch.get_num_threads() == 1
        assert list(spread(work, range(6), CPU)) == [(piece, 1) for piece in range(6)]
    told: list[int] = []
    later = threading.Thread(target=lambda: told.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert [*told, torch.get_num_threads()] == [2, 2]


@pytest.mark.usefixtures("two_threads")
def test_what_a_piece_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError), one_core_each():
        list(spread(lambda piece: 1 // piece, [2, 1, 0], CPU))
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_elsewhere_one_piece_follows_the_other() -> None:
    here = threading.get_ident()
    assert list(spread(lambda _: threading.get_ident(), [0, 1], CPU)) == [here, here]
    with one_core_each():
        assert list(spread(lambda _: threading.get_ident(), [0], CPU)) == [here]
