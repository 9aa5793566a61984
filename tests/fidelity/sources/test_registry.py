import subprocess
import sys

from fidsel.fidelity import SOURCES
from fidsel.models import ModelSource


def test_every_label_source_has_a_name() -> None:
    assert {kind: source.__name__ for kind, source in SOURCES.items()} == {
        "calculator": "CalculatorSource",
        "mmff94": "MMFFSource",
        "model": "ModelSource",
        "openmm": "SystemSource",
        "pyscf": "PySCFSource",
        "table": "TableSource",
    }
    assert SOURCES["model"] is ModelSource
    for source in SOURCES.values():
        assert all(hasattr(source, name) for name in ("label", "settings")), source
        assert "forces" in {*dir(source), *source.__dataclass_fields__}, source  # type: ignore[attr-defined]


def test_names_and_engine_load_no_program() -> None:
    code = (
        "import sys; from fidsel.fidelity import SOURCES, LocalEngine; "
        "print(*sorted({'torch', 'openmm', 'pyscf', 'rdkit', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
