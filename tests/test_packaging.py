"""The wheel holds every module and data file, nothing else, and works where it is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import shopfloor

ROOT = Path(shopfloor.__file__).parent
DATA_FOLDERS = {"configs"}
ROOT_FILES = {"py.typed", "constraints.txt"}


def run(command: list[str], cwd: Path, **options: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def sources() -> list[str]:
    """Every file that git tracks or would (what it ignores is generated)."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-coz", "--exclude-standard"]
    names = run(command, ROOT).split("\0")
    return [name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(sources: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `python -m build` makes, by way of the source distribution, from a clean copy."""
    copy = tmp_path_factory.mktemp("shopfloor-source")
    for name in sources:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)], out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    """The package's files in the wheel, relative to the package."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert all(name.startswith("shopfloor/") for name in names)
    return {name.removeprefix("shopfloor/") for name in names}


def shipped(name: str) -> bool:
    """Whether a file of the repository belongs into the wheel."""
    top, _, rest = name.partition("/")
    if not rest:
        return name in ROOT_FILES or (name.endswith(".py") and name != "setup.py")
    return top in DATA_FOLDERS or (ROOT / top / "__init__.py").is_file()


def test_the_wheel_holds_exactly_the_package(sources: list[str], contents: set[str]) -> None:
    expected = {name for name in sources if shipped(name)}
    assert len(expected) > 20
    assert expected - contents == set(), "not in the wheel: a file type that setup.py does not list?"
    assert contents - expected == set(), "in the wheel, but not of the package"


def test_every_folder_with_modules_is_a_package(sources: list[str]) -> None:
    folders = {Path(name).parent for name in sources if name.endswith(".py") and shipped(name)}
    lacking = [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").is_file()]
    assert not lacking, f"without __init__.py: {lacking}"


def test_tests_and_tools_stay_out(contents: set[str]) -> None:
    tops = {name.partition("/")[0] for name in contents}
    assert not tops & {"tests", "benchmarks", "examples", "docs", "setup.py", "Makefile"}


def test_metadata_keeps_torch_out_of_the_base(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        (entries,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        requirements = [
            line.removeprefix("Requires-Dist: ")
            for line in archive.read(name).decode().splitlines()
            if line.startswith("Requires-Dist: ")
        ]
        assert "shopfloor = shopfloor.cli:main" in archive.read(entries).decode()
    base = " ".join(line for line in requirements if "extra ==" not in line)
    assert "gymnasium" in base
    assert "mujoco" in base
    for heavy in ("torch", "stable-baselines3", "onnx", "tensorboard", "pytest"):
        assert heavy not in base
    assert any(line.startswith("torch") and 'extra == "train"' in line for line in requirements)


def test_the_installed_wheel_works(wheel: Path, tmp_path: Path) -> None:
    """From the wheel alone: every module imports, every environment runs, nothing comes from the checkout."""
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    program = f"""
import sys
sys.path.insert(0, {str(target)!r})
import importlib, pkgutil
import gymnasium, shopfloor
for found in pkgutil.walk_packages(shopfloor.__path__, "shopfloor."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
ids = sorted(id for id in gymnasium.registry if id.startswith("shopfloor/"))
assert ids
for id in ids:
    env = gymnasium.make(id)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()
strays = [m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "shopfloor"
          and m.__file__ and not m.__file__.startswith({str(target)!r})]
assert not strays, strays
"""
    run([sys.executable, "-P", "-c", program], tmp_path)


def test_tests_import_the_installed_package_once() -> None:
    """The repository root is a package too: pytest must not have imported it under another name."""
    root = str(ROOT / "__init__.py")
    names = [name for name, module in sys.modules.items() if getattr(module, "__file__", None) == root]
    assert names == ["shopfloor"]
    assert str(ROOT) not in sys.path
