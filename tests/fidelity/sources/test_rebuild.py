import json

import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity import CalculatorSource, MMFFSource, PySCFSource, from_smiles
from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.sources.openmm import MMFFFamily
from fidsel.fidelity.sources.rebuild import SOURCES, described, rebuilt
from fidsel.fidelity.sources.table import TableSource

GIVEN: dict[str, LabelSource] = {
    "mmff94": MMFFSource(from_smiles("CC(=O)[O-]")),
    "mmff94s": MMFFSource(from_smiles("C[C@H](F)Cl"), "MMFF94s"),
    "mmff94 of two": MMFFFamily((MMFFSource(from_smiles("CCO")), MMFFSource(from_smiles("COC")))),
    "hf": PySCFSource("hf", "sto-3g", conv_tol=1e-9, frozen_core=False),
    "lj": CalculatorSource("lj", {"epsilon": 0.01, "rc": 9.0}),
}


@pytest.mark.parametrize("name", GIVEN)
def test_a_source_comes_back_through_json(name: str) -> None:
    source = GIVEN[name]
    again = rebuilt(json.loads(json.dumps(described(source))))
    assert again == source
    assert again.settings() == source.settings()


def test_tblite_comes_back() -> None:
    pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")
    from fidsel.fidelity.sources.tblite import TBLiteSource

    source = TBLiteSource("GFN1-xTB", solvent="water", temperature=500.0)
    assert rebuilt(json.loads(json.dumps(described(source)))) == source


def test_what_may_start_programs_or_lies_elsewhere_is_not_described() -> None:
    assert described(CalculatorSource("orca", {"orcasimpleinput": "HF"})) is None
    assert described(TableSource("labels.npz")) is None
    assert rebuilt({"kind": "calculator", "arguments": {"calculator": "orca", "parameters": {}}}) is None
    assert rebuilt({"kind": "my.module:Source", "arguments": {}}) is None
    assert set(SOURCES) == {"calculator", "openmm", "openmm-family", "pyscf", "tblite"}


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown method"):
        rebuilt({"kind": "pyscf", "arguments": {"method": "magic", "basis": "sto-3g"}})
