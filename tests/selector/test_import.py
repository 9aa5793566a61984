import subprocess
import sys


def test_importing_the_selector_is_light() -> None:
    code = "import sys, fidsel.selector; print(*[m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["torch", "sklearn", "matplotlib", "scipy.cluster.hierarchy", "openmm", "rdkit", "mlflow"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
