import subprocess
import sys

from fidsel.fidelity import SOURCES
from fidsel.fidelity.sources.registry import QUICK
from fidsel.models import ModelSource


def test_every_label_source_has_a_name() -> None:
    assert {kind: source.__name__ for kind, source in SOURCES.items()} == {
        "calculator": "CalculatorSource",
        "inbox": "InboxSource",
        "model": "ModelSource",
        "openmm": "openmm_source",
        "pyscf": "PySCFSource",
        "table": "TableSource",
        "tblite": "TBLiteSource",
    }
    assert SOURCES["model"] is ModelSource
    assert set(QUICK) <= set(SOURCES)


def test_names_and_engine_load_no_program() -> None:
    code = (
        "import sys; from fidsel.fidelity import SOURCES, LocalEngine; "
        "print(*sorted({'torch', 'openmm', 'pyscf', 'rdkit', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
