"""The import graph: who may import whom, read from the source, and what works where packages are missing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import shopfloor

ROOT = Path(shopfloor.__file__).parent
NOT_SHIPPED = {"tests", "benchmarks", "examples", "docs", "build", "dist", "runs"}

# Modules at the root that everything shares: numpy and each other, nothing else.
SHARED = {"errors", "frames", "limits", "contract"}
# Modules at the root that put the parts together: they may import everything, and nothing imports them.
APPLICATIONS = {"cli", "__main__", "demo", "doctor"}
# What each part may import of ours besides itself, and of others' besides the standard library.
PARTS: dict[str, tuple[set[str], set[str]]] = {
    "shared": (set(), {"numpy"}),
    "assets": ({"errors", "frames"}, {"numpy", "mujoco"}),
    "configs": (SHARED, {"numpy", "yaml", "tyro"}),
    "envs": (SHARED | {"assets", "configs"}, {"numpy", "mujoco", "gymnasium", "yaml", "PIL", "rich", "tyro"}),
    "train": (
        SHARED | {"envs", "configs", "eval", "deploy"},
        {"numpy", "gymnasium", "torch", "stable_baselines3", "onnx", "onnxruntime", "yaml", "tyro", "rich"},
    ),
    "eval": (SHARED | {"envs", "configs", "deploy"}, {"numpy", "gymnasium", "yaml", "tyro", "rich", "PIL"}),
    "report": (SHARED | {"envs", "eval", "deploy"}, {"numpy", "yaml", "PIL"}),
    "docgen": (SHARED | {"envs", "report"}, {"numpy", "PIL"}),
    "sysid": (SHARED | {"envs", "configs", "deploy"}, {"numpy", "mujoco", "yaml"}),
    "deploy": (SHARED, {"numpy", "onnxruntime"}),
    "deploy.__main__": (SHARED, {"numpy", "tyro", "rich"}),
    "deploy.twin": (SHARED | {"envs", "configs"}, {"numpy", "mujoco", "gymnasium"}),
}


@dataclass(frozen=True)
class Import:
    """One import statement: the importing module, what it names, and where."""

    module: str  # of ours, without the leading "shopfloor."
    target: str
    ours: bool
    at_import_time: bool
    place: str


def module_files() -> dict[str, Path]:
    """The package's modules by name, without the leading ``shopfloor.``; the root is the empty name."""
    folders = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name not in NOT_SHIPPED]
    paths = [path for path in ROOT.glob("*.py") if path.name != "setup.py"]
    paths += [path for folder in folders for path in folder.rglob("*.py")]
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(paths)}
    return {name.removesuffix("__init__").rstrip("."): path for path, name in names.items()}


FILES = module_files()


def statements(tree: ast.AST, at_import_time: bool = True) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import statement, and whether it runs when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        now = at_import_time
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            now = False
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            now = False
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, at_import_time
        yield from statements(node, now)


def imports_of(module: str, path: Path) -> Iterator[Import]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node, now in statements(ast.parse(path.read_text(encoding="utf-8"))):
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, alias.name.split(".")[0] == "shopfloor", now, place)
        elif node.level == 0:
            name = node.module or ""
            ours = name.split(".")[0] == "shopfloor"
            for alias in node.names:
                yield Import(module, f"{name}.{alias.name}", ours, now, place)
        else:
            parts = package.split(".") if package else []
            anchor = parts[: len(parts) - (node.level - 1)]
            base = ".".join([*anchor, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}".lstrip(".")
                yield Import(module, full if full in FILES else base, True, now, place)


IMPORTS = [found for module, path in FILES.items() for found in imports_of(module, path)]


def part_of(module: str) -> str:
    """The row of ``PARTS`` that ``module`` stands in."""
    first, _, rest = module.partition(".")
    if first in SHARED:
        return "shared"
    if first == "deploy" and rest.partition(".")[0] in ("twin", "__main__"):
        return f"deploy.{rest.partition('.')[0]}"
    return first


def test_every_module_has_its_place_in_the_design() -> None:
    known = SHARED | APPLICATIONS | set(PARTS) | {""}
    strangers = sorted(module for module in FILES if module.partition(".")[0] not in known)
    assert not strangers, f"say in this test what these may import: {strangers}"


def test_the_graph_has_the_arrows_that_one_sees() -> None:
    arrows = {(found.module, found.target) for found in IMPORTS if found.ours}
    assert {("cli", "errors"), ("envs.engine.simulation", "errors"), ("", "envs.registry")} <= arrows


def test_imports_inside_the_package_are_relative() -> None:
    absolute = [found.place for found in IMPORTS if found.ours and found.target.split(".")[0] == "shopfloor"]
    assert not absolute


def test_arrows_run_one_way() -> None:
    backwards = []
    for found in IMPORTS:
        if not found.ours or found.module in APPLICATIONS | {""}:
            continue
        part = part_of(found.module)
        target = found.target.partition(".")[0]
        allowed = SHARED if part == "shared" else PARTS[part][0] | {part.partition(".")[0]}
        if found.module.endswith(".__main__"):
            allowed = allowed | {"cli"}  # `python -m shopfloor.train` is the command, errors and exit status included
        # `from .. import __version__` names the root, which is below everything.
        if target and target not in allowed:
            backwards.append(f"{found.place}: {found.module} imports {found.target}")
    assert not backwards, "\n".join(backwards)


def test_only_the_twin_and_the_command_of_deploy_reach_further() -> None:
    """The twin may import environments, so within deploy only the command may import the twin."""
    users = {
        found.module
        for found in IMPORTS
        if found.ours and part_of(found.target) == "deploy.twin" and part_of(found.module) == "deploy"
    }
    assert not users


def test_other_peoples_packages_stay_in_their_part() -> None:
    strays = []
    for found in IMPORTS:
        name = found.target.partition(".")[0]
        if found.ours or name in sys.stdlib_module_names or found.module in APPLICATIONS:
            continue
        allowed = {"gymnasium"} if found.module == "" else PARTS[part_of(found.module)][1]
        if name not in allowed:
            strays.append(f"{found.place}: {found.module} imports {name}")
    assert not strays, "\n".join(strays)


def test_the_batch_engine_has_one_door() -> None:
    doors = {found.module for found in IMPORTS if found.target.startswith("mujoco.batch")}
    assert doors == {"envs.engine.simulation"}


def test_no_cycles_while_importing() -> None:
    graph: dict[str, set[str]] = {module: set() for module in FILES}
    for found in IMPORTS:
        if found.ours and found.at_import_time and found.target in FILES and found.target != found.module:
            graph[found.module].add(found.target)
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        assert module not in path, f"cycle: {' -> '.join([*path[path.index(module) :], module])}"
        if module in done:
            return
        for target in sorted(graph[module]):
            visit(target, [*path, module])
        done.add(module)

    for module in graph:
        visit(module, [])


def test_root_modules_shadow_nothing() -> None:
    """Python started in the root sees a plain folder, whose modules would hide the standard library."""
    names = {module.partition(".")[0] for module in FILES} - {"", "__main__"}
    assert not names & sys.stdlib_module_names


# To `import` and to `importlib.util.find_spec`, a hidden package looks like one that is not installed.
HIDE = """
import sys

class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {hidden!r} else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Hiding, sys.meta_path)
{program}
"""


def run_without(hidden: set[str], program: str) -> None:
    """Run a program in a process that does not find the hidden packages."""
    source = HIDE.format(hidden=hidden, program=program)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


EVERYTHING = {name for _, others in PARTS.values() for name in others} | {"packaging", "tensorboard"}


def test_the_package_imports_with_numpy_alone() -> None:
    run_without(EVERYTHING - {"numpy"}, "import shopfloor, shopfloor.limits, shopfloor.frames, shopfloor.contract")


def test_the_runtime_imports_with_numpy_and_onnxruntime_alone() -> None:
    run_without(EVERYTHING - {"numpy", "onnxruntime"}, "import shopfloor.deploy.runtime")


@pytest.mark.parametrize("part", ["envs", "eval", "report"])
def test_without_torch(part: str) -> None:
    modules = [module for module in FILES if module.partition(".")[0] == part and not module.endswith("__main__")]
    program = "\n".join(f"import shopfloor.{module}" for module in modules)
    run_without({"torch", "stable_baselines3", "tensorboard", "onnx"}, program)


def test_environments_register_and_run_without_the_extras() -> None:
    program = """
import gymnasium
import shopfloor
ids = sorted(id for id in gymnasium.registry if id.startswith("shopfloor/"))
assert ids
env = gymnasium.make(ids[0])
env.reset(seed=0)
env.step(env.action_space.sample())
"""
    run_without({"torch", "stable_baselines3", "tensorboard", "onnx", "onnxruntime", "PIL", "rich", "tyro"}, program)
