import pytest
from ase import Atoms

from fidsel.exceptions import UsageError
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.source import LabelError, LabelSource
from fidsel.fidelity.sources.inbox import InboxSource


def test_only_people_bring_its_labels() -> None:
    source = InboxSource("ccsd(t)", "cc-pvtz", forces=False)
    assert isinstance(source, LabelSource)
    assert source.settings()["method"] == "ccsd(t)"
    with pytest.raises(LabelError, match="other people compute ccsd") as caught:
        source.label(Atoms("H"))
    assert caught.value.cause == "refused"


def test_its_labels_have_a_declared_price() -> None:
    source = InboxSource("hf", "sto-3g")
    assert Fidelity("hf", source, Price(2.0, "label")).outside
    assert Fidelity("hf", source, Price(0.0)).outside
    with pytest.raises(UsageError, match="labels of hf, which other people compute, are paid by the label"):
        Fidelity("hf", source, Price(1.0, "core-second"))
