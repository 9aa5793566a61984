"""Fixtures shared by all tests."""

import gc
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Arrays of tests are small: several threads would only wait for each other. Read when torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Most of what tests wait for is the flushing of what fidsel and MLflow write, so their folders lie in memory
# where there is room for them, and programs that tests write there may run.
MEMORY, ROOM = Path("/dev/shm"), 8 * 2**30
if MEMORY.is_dir() and "PYTEST_DEBUG_TEMPROOT" not in os.environ:
    there = os.statvfs(MEMORY)
    if there.f_bavail * there.f_frsize > ROOM and not there.f_flag & os.ST_NOEXEC:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)

# A shell starts what runs in the background with these ignored, and programs inherit that: tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder with the reference data, or skip."""
    folder = Path(os.environ.get("FIDSEL_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder}; set FIDSEL_DATA to the folder that holds it")
    return folder.resolve()


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """Folder that nobody may write to."""
    from mounts import mounted

    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    if os.getuid() != 0:
        yield folder
        return
    with mounted(folder, "ro,size=1m"):  # permissions do not bind root
        yield folder


@pytest.fixture(scope="session")
def small_campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished campaign of two rounds; copy it before writing to it."""
    from small_campaign import run_small_campaign

    return run_small_campaign(tmp_path_factory.mktemp("small") / "water")


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow store with its tables and nothing else; making one takes seconds, so copy it."""
    from fidsel.tracking import Store

    folder = tmp_path_factory.mktemp("mlflow")
    Store.of(None, folder).client()
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def fresh_store(empty_mlflow: Path) -> Callable[[Path], Any]:
    """Puts an empty MLflow store into a folder, and returns it."""
    from fidsel.tracking import Store

    def put(folder: Path) -> Store:
        (folder / "mlartifacts").mkdir(parents=True)
        shutil.copy(empty_mlflow, folder / "mlflow.db")
        (folder / "mlartifacts" / ".home").write_text(str(folder.resolve()))
        return Store.of(None, folder)

    return put


@pytest.fixture(autouse=True, scope="module")
def own_kinds_go_away() -> Iterator[None]:
    """Forget the models that a module's tests made known, so that no test depends on those before it."""
    from fidsel.models import MODELS

    before = set(MODELS)
    yield
    for kind in MODELS.keys() - before:
        del MODELS[kind]


@pytest.fixture
def own_modules_go_away() -> Iterator[None]:
    """Forget the modules of campaigns that a test opened, which another process would not know."""
    from fidsel.fidelity.engine.pins import PINS, unpin
    from fidsel.fidelity.own_modules import ADDED

    yield
    for name in list(PINS):
        unpin(name)
        for loaded in [one for one in sys.modules if one.partition(".")[0] == name]:
            del sys.modules[loaded]
    sys.path[:] = [path for path in sys.path if path not in ADDED]
    ADDED.clear()


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Leave memory to reference counts, without the collection of cycles."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The `mace` package, with the global state that it changes put back afterwards; or skip."""
    pytest.importorskip("mace", reason="needs pip install 'fidsel[mace]'")
    import torch

    from fidsel.models.mace.build import UNSAFE

    monkeypatch.setenv(UNSAFE, "1")
    default = torch.get_default_dtype()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mace.calculators
        import mace.modules

        torch.set_default_dtype(torch.float64)
        yield mace
    torch.set_default_dtype(default)


@pytest.fixture(scope="session")
def family() -> Any:
    """A network with heads for an accurate level and a prior, trained on three molecules."""
    from spring_systems import with_prior

    return with_prior()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window, or skip."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install 'fidsel[test]'")
    found = os.environ.get("FIDSEL_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium on this machine; set FIDSEL_BROWSER to one")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=BROWSER_ARGUMENTS)
        yield started
        started.close()
