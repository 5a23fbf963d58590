"""The README: its Python runs, its commands and targets exist, its links lead somewhere; and so for the examples."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import shopfloor
from shopfloor import cli, doctor
from shopfloor.envs import registry
from shopfloor.envs.registry import env_ids, make_task, register_task, task_class
from shopfloor.errors import ShopfloorError

ROOT = Path(shopfloor.__file__).parent
README = ROOT / "README.md"
EXAMPLES = ROOT / "examples"
if not README.is_file():
    pytest.skip("not a checkout", allow_module_level=True)
TEXT = README.read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def python(*words: str) -> str:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_python_blocks_run_one_after_another() -> None:
    assert len(blocks("python")) >= 4
    python("-c", "\n".join(blocks("python")))


def test_the_first_example_stands_alone() -> None:
    first = blocks("python")[0]
    assert len([line for line in first.splitlines() if line]) == 5
    python("-c", first)


def test_make_targets_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join([*blocks("sh"), *re.findall(r"`(make [^`]*)`", TEXT)])))
    assert {"demo", "test"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))


def test_make_variables_exist() -> None:
    for name in re.findall(r"`make [^`]*?\b([A-Z_]+)=", TEXT):
        assert re.search(rf"^{name} \?=", MAKEFILE, flags=re.MULTILINE)


def test_subcommands_and_their_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    code = "\n".join([*blocks("sh"), *re.findall(r"`(shopfloor [^`]*)`", TEXT)])
    lines = re.findall(r"\bshopfloor ([a-z]+)([^#\n]*)", code)
    assert {"train", "export", "eval", "run", "list", "render", "view", "doctor"} <= {name for name, _ in lines}
    for name, rest in lines:
        assert name in cli.COMMANDS
        for option in re.findall(r"(--[a-z]+(?:\.[a-z]+)*)", rest):
            help_text = python("-m", "shopfloor", name, "--help")
            assert option == "--help" or re.sub(r"(--env\.kwargs)\..*", r"\1", option) in help_text, (
                f"shopfloor {name} {option}"
            )


def test_links_lead_to_files() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in link]
    assert len(links) >= 10
    assert not [link for link in links if not (ROOT / link).exists()]


def test_files_named_in_the_layout_exist() -> None:
    rows = section("Layout")
    for name in re.findall(r"`([a-z]+(?:/|\.py))`", rows):
        assert (ROOT / name).exists() or (ROOT / "envs" / name).exists(), name


def section(heading: str) -> str:
    return TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_extras_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {name for group in re.findall(r"\[([a-z,]+)\]\"", section("Install")) for name in group.split(",")}
    assert {"render", "train", "deploy", "dev"} <= named <= set(project["optional-dependencies"])


def test_every_environment_is_in_the_table_and_has_a_picture() -> None:
    for env_id in env_ids():
        name = env_id.rpartition("/")[2]
        assert f"[`{env_id}`](docs/environments/{name.rpartition('-')[0]}.md)" in TEXT
        assert f"docs/images/{name.rpartition('-')[0]}.png" in TEXT


def test_debian_packages_are_those_that_make_installs() -> None:
    packages = re.search(r"^GL_PACKAGES := (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert packages is not None
    assert f"apt-get install {packages[1]}" in TEXT


# -- examples -----------------------------------------------------------------------------------------------------

# how each one is run here: command-line arguments, or a call where the defaults take too long
RUNS = {
    "add_an_environment": ("main()", "solves 16 of 16"),
    "estimate_pose": ("main(count=32, epochs=1, rows=4)", "without looking: "),
    "rollout": ("main('shopfloor/WaferTransfer-v0')", "expert: success"),
    "vector_env": ("main(num_envs=4, steps=60)", "steps/s"),
    "train_sb3": ("main(steps=512, num_envs=16)", "total_timesteps | 512"),
    "goal_conditioned": ("main(steps=330, num_envs=2)", "ep_rew_mean"),
    "randomize_your_own": ("main(episodes=3)", "episodes repeat"),
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_examples_run(name: str) -> None:
    call, says = RUNS[name]
    if name == "estimate_pose" and subprocess.run([sys.executable, "-m", doctor.__name__, "--can-render"]).returncode:
        pytest.skip("no OpenGL here")
    # from its own module name, as an import, so that the call can be a shorter one than the script's
    program = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); import {name}; {name}.{call}"
    assert says in python("-c", program)


def test_an_example_is_a_script() -> None:
    assert "solves 16 of 16" in python(str(EXAMPLES / "add_an_environment.py"))


# -- tasks of one's own ---------------------------------------------------------------------------------------------


@pytest.fixture
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    import gymnasium

    monkeypatch.setattr(registry, "TASKS", dict(registry.TASKS))
    monkeypatch.setattr(registry, "MAX_STEPS", dict(registry.MAX_STEPS))
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    monkeypatch.setattr(gymnasium, "registry", gymnasium.envs.registration.registry)


def test_a_task_of_ones_own_is_an_environment(clean_registry: None) -> None:
    import gymnasium

    task = task_class("ArmReach-v0")
    env_id = register_task("Mine-v3", task)
    assert env_id == "shopfloor/Mine-v3"
    assert env_id in env_ids()
    assert type(make_task("Mine-v3", goal="position")) is task
    env = gymnasium.make(env_id, goal="position")
    assert env.spec.max_episode_steps == task.timing.max_steps
    env.reset(seed=0)
    assert register_task("Mine-v3", task) == env_id  # again, as a module that is reloaded does


@pytest.mark.parametrize("name", ["Mine", "Mine-3", "my/Mine-v0", "-v0", "shopfloor/Mine-v0"])
def test_malformed_names_are_refused(clean_registry: None, name: str) -> None:
    with pytest.raises(ShopfloorError, match="such as Gantry-v0"):
        register_task(name, task_class("ArmReach-v0"))


def test_a_name_belongs_to_one_task(clean_registry: None) -> None:
    with pytest.raises(ShopfloorError, match="'ArmReach-v0' is taken"):
        register_task("ArmReach-v0", task_class("WaferTransfer-v0"))
