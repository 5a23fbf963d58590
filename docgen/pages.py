"""`shopfloor docs`: one page for each environment, written from its declaration.

What a page says about spaces, rewards, starts, ends and arguments is read from the task itself, so a page that differs
from what this module writes is out of date; `shopfloor docs --check` says so.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from ..envs.control import ActionInterface
from ..envs.engine.core import PHYSICS_ERROR, SUCCESS, TIME_LIMIT
from ..envs.engine.env import CellEnv
from ..envs.engine.rendering import CellRenderer
from ..envs.engine.task import Task
from ..envs.engine.vector_env import CellVectorEnv
from ..envs.randomization import load_spec
from ..envs.randomization.describe import distribution_text, drawn_text, split_texts, target_text
from ..envs.registry import env_ids, event_driven_ids, make_task, task_arguments, task_class
from ..envs.sensing import POLICY
from ..errors import ShopfloorError
from .cameras import cameras_section
from .channels import observations_section
from .markdown import code, docstring, number, quoted, sentence, table
from .sweeps import sweeps_section, write_sweep_pictures

DOCS = Path(__file__).parents[1] / "docs"
INDEX = "README.md"
PICTURE_SIZE = (960, 720)
PICTURE_STEPS = 25  # steps of an event-driven environment before the picture; a task says how many it wants
PICTURE_BYTES = 400_000
NOTE = "<!-- Written by `shopfloor docs` from the declaration of the task; edit that one and run it again. -->"


# -- parts of a page ------------------------------------------------------------------------------------------------


def title(env_id: str) -> str:
    """`ArmReach` of `shopfloor/ArmReach-v0`."""
    return env_id.rpartition("/")[2].rpartition("-")[0]


def _overview(env_id: str, task: Task, env: CellEnv) -> str:
    timing = task.timing
    return table(
        ("", ""),
        [
            ("Make", code(f'gymnasium.make("{env_id}")')),
            ("Many at once", code(f'gymnasium.make_vec("{env_id}", num_envs=64)')),
            ("Action space", code(env.action_space)),
            ("Observation space", _space_text(env)),
            ("Control", f"{number(timing.control_hz)} Hz, physics step {number(1000 * timing.timestep_s)} ms"),
            ("Time limit", f"{timing.max_steps} steps, {number(timing.horizon_s)} s"),
            ("Cameras", ", ".join(map(code, task.cameras))),
        ],
    )


def _space_text(env: CellEnv) -> str:
    space: Any = env.observation_space
    shape = "×".join(map(str, space.shape)) if space.shape else ""
    return f"`Box`, {shape} components, `{space.dtype}`, bounds as below"


def _variants(env_id: str) -> list[tuple[str, Any]]:
    """Values of arguments other than the defaults: those that docstrings name in quotes, and the other truth value."""
    _, described = docstring(task_class(env_id))
    out: list[tuple[str, Any]] = []
    for name, parameter in task_arguments(env_id).items():
        default = parameter.default
        if isinstance(default, bool):
            out.append((name, not default))
        elif isinstance(default, str):
            out += [(name, value) for value in quoted(described.get(name, "")) if value != default]
    return out


def _actions(env_id: str) -> str:
    interfaces: dict[str, tuple[str, ActionInterface]] = {}
    default = make_task(env_id).make_action()
    interfaces[default.name] = ("", default)
    for name, value in _variants(env_id):
        action = make_task(env_id, **{name: value}).make_action()
        interfaces.setdefault(action.name, (f"{name}={value!r}", action))
    parts = [
        "Actions lie in [-1, 1]: -1 is the minimum and +1 the maximum of the set-point in the table, linear in "
        "between. Values outside are clipped; a value that is not finite is an error."
    ]
    for how, action in interfaces.values():
        if len(interfaces) > 1:
            parts.append(f"### {action.name}\n\n" + (f"With {code(how)}." if how else "The default."))
        parts.append("\n\n".join(docstring(type(action))[0].split("\n\n")[:2]))
        parts.append(
            table(
                ("Num", "Name", "Unit", "Min", "Max", "Frame", "Description"),
                [
                    (str(i), code(t.name), t.unit, number(t.low), number(t.high), t.frame or "–", t.description)
                    for i, t in enumerate(action.terms)
                ],
            )
        )
    return "\n\n".join(parts)


def _rewards(task: Task) -> str:
    text = (
        'The reward is the sum of the terms, each its weight times a value in [0, 1]; `info["reward_terms"]` has them.'
    )
    rows = [(code(name), number(r.weight), r.description) for name, r in task.rewards.items()]
    return f"{text}\n\n{table(('Term', 'Weight', 'Value'), rows)}"


def starts_section(task: Task) -> str:
    """The start distribution."""
    seen = {c.name: c.group for c in task.channels}
    rows = []
    for term in task.start:
        where = f"{code(term.name)}, {seen[term.name]}" if term.name in seen else "–"
        size = "" if term.size == 1 else f" × {term.size}"
        span = f"[{number(term.low)}, {number(term.high)}]"
        rows.append((code(term.name), term.kind + size, span, term.unit, where, term.description))
    text = (
        "Every episode is drawn from this distribution, as a function of the seed and the number of the episode alone. "
        '`info["task_params"]` has the draw, and `reset(options={"task_params": {...}})` forces values.'
    )
    head = ("Parameter", "Distribution", "Range", "Unit", "Channel", "Description")
    return f"{text}\n\n{table(head, rows)}"


def randomization_section(task: Task) -> str:
    """The terms of the randomization spec and its splits."""
    if task.randomization is None:
        return ""
    spec = load_spec(task.randomization)
    source = f"`configs/randomization/{task.randomization}.yaml`"
    text = (
        f'`gymnasium.make(..., randomization="train")` also varies the machine itself. The spec is {source}, '
        f"`{spec.hash}`: {spec.description}. Every value is a function of the spec, the split, the seed and the number "
        'of the episode; `info["randomization"]` has the values, and `reset(options={"randomization": {...}})` forces '
        "them. [Domain randomization](../randomization.md) explains splits, files and wrappers."
    )
    rows = [
        (
            code(term.name) + (" (structural)" if term.structural else ""),
            term.description,
            target_text(term) or "–",
            code(term.effect),
            distribution_text(term),
            drawn_text(term),
        )
        for term in spec.terms
    ]
    terms = table(("Term", "What varies", "Target", "Effect", "Distribution in training", "Drawn"), rows)
    conditions = [f"- {c.name}: {code(c.expression)}" for c in spec.constraints]
    splits = table(("Split", "Episodes"), [(code(k), v) for k, v in split_texts(spec).items()])
    meaning = "× scales the nominal value, + adds to it; anything else replaces it."
    if spec.structural:
        meaning += " Structural terms are nominal in every split but `structural`."
    parts = [text, terms, meaning]
    if conditions:
        parts.append("Draws that break a condition are drawn again:\n\n" + "\n".join(conditions))
    return "\n\n".join([*parts, splits])


def _ends(task: Task) -> str:
    rows = [(code(SUCCESS), "terminated" if task.terminate_on_success else "goes on", task.success_text)]
    rows += [(code(name), "terminated", text) for name, text in task.failure_texts.items()]
    rows.append((code(TIME_LIMIT), "truncated", f"{task.timing.max_steps} steps"))
    rows.append((code(PHYSICS_ERROR), "terminated", "the simulation failed; the state before is written to a file"))
    text = 'Success is its own predicate, never derived from the reward: `info["is_success"]`.'
    return f"{text}\n\n{table(('`termination_reason`', 'Episode', 'When'), rows)}"


def metrics_section(task: Task) -> str:
    """The metrics."""
    rows = [
        (code(name) + (" (main)" if name == task.main_metric else ""), m.unit, m.better, m.description)
        for name, m in task.metrics.items()
    ]
    return table(("Metric", "Unit", "Better", "Meaning"), rows)


def argument_table(owner: Any, parameters: dict[str, inspect.Parameter]) -> str:
    """What the arguments of a class or function mean."""
    _, described = docstring(owner)
    _, of_pictures = docstring(CellRenderer)
    rows = []
    for name, parameter in parameters.items():
        value = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
        default = "required" if value is inspect.Parameter.empty else code(repr(value))
        meaning = described.get(name, "")
        if meaning.startswith("see `CellRenderer`"):
            meaning = of_pictures[name.removeprefix("render_")]
        rows.append((code(name), default, meaning))
    return table(("Argument", "Default", "Meaning"), rows)


def _differences(env_id: str) -> str:
    """What each variant of an environment has that the default one has not, and the other way round."""
    default = make_task(env_id)
    lines = []
    for name, value in _variants(env_id):
        task = make_task(env_id, **{name: value})
        changes = []
        for what, before, after in (
            ("channels", [c.name for c in default.channels], [c.name for c in task.channels]),
            ("rewards", list(default.rewards), list(task.rewards)),
            ("metrics", list(default.metrics), list(task.metrics)),
            ("randomization terms", _terms(default), _terms(task)),
            ("start parameters", [t.name for t in default.start], [t.name for t in task.start]),
        ):
            gone, new = [x for x in before if x not in after], [x for x in after if x not in before]
            instead, dropped = ", ".join(map(code, new)), ", ".join(map(code, gone))
            if new and gone:
                changes.append(f"{what} {instead} instead of {dropped}")
            elif new or gone:
                changes.append(f"also {what} {instead}" if new else f"no {what} {dropped}")
        if task.goal_size and not default.goal_size:
            changes.append(
                "observations are a `Dict` of `observation`, `achieved_goal` and `desired_goal` "
                f"({task.goal_size} components each)"
            )
        if task.terminate_on_success != default.terminate_on_success:
            changes.append("success does not end the episode")
        if task.make_action().name != default.make_action().name:
            changes.append(f"action interface {code(task.make_action().name)}")
        if task.timing != default.timing:
            timing = task.timing
            changes.append(f"control at {number(timing.control_hz)} Hz, time limit {number(timing.horizon_s)} s")
        if changes:
            lines.append(f"- {code(f'{name}={value!r}')}: {'; '.join(changes)}")
    return "\n".join(lines)


def _terms(task: Task) -> list[str]:
    return [] if task.randomization is None else [t.name for t in load_spec(task.randomization).terms]


def scripted_section(task: Task) -> str:
    """What expert and oracle do."""
    parts = [f"**Expert.** {docstring(type(task.expert()))[0]}"]
    oracle = task.oracle()
    if oracle is not None:
        parts.append(f"**Oracle.** {docstring(type(oracle))[0]}")
    return "\n\n".join(parts)


# -- pages ----------------------------------------------------------------------------------------------------------


def page(env_id: str) -> str:
    """The page of one environment."""
    task = make_task(env_id)
    env = CellEnv(task)
    body, _ = docstring(type(task))
    own = task_arguments(env_id)
    name = title(env_id)
    argument_text = argument_table(type(task), own) if own else "None of its own."
    changes = _differences(env_id)
    history = table(("Version", "Changes"), [(code(v), text) for v, text in task.versions.items()])
    argument_parts = (argument_text, changes, f"Arguments of every environment: see [the index]({INDEX}).")
    sections = [
        ("Description", body),
        ("Action space", _actions(env_id)),
        ("Observation space", observations_section(task)),
        ("Cameras", cameras_section(task)),
        ("Rewards", _rewards(task)),
        ("Starting state and randomization", starts_section(task)),
        ("Domain randomization", randomization_section(task)),
        ("Episode end", _ends(task)),
        ("Metrics", metrics_section(task)),
        ("Arguments", "\n\n".join(filter(None, argument_parts))),
        ("Other forms", forms_section(env_id, task)),
        ("Scripted policies", scripted_section(task)),
        ("Measured", sweeps_section(name)),
        ("Version history", history),
        ("References", "\n".join(f"- {reference}" for reference in task.references)),
    ]
    return compose(name, task, _overview(env_id, task, env), sections)


def forms_section(env_id: str, task: Task) -> str:
    """Pictures of the environment under other arguments, and how it is made with them."""
    parts = []
    for word, arguments in task.pictured.items():
        given = ", ".join(f"{key}={value!r}".replace("'", '"') for key, value in arguments.items())
        parts.append(f"![{title(env_id)}, {given}](../images/{title(env_id)}-{word}.png)")
        parts.append(f'`gymnasium.make("{env_id}", {given})`')
    return "\n\n".join(parts)


def compose(name: str, task: Any, overview: str, sections: Sequence[tuple[str, str]]) -> str:
    """A page of its title, picture, overview and sections."""
    head = [
        NOTE,
        f"# {name}",
        f"![{name}](../images/{name}.png)",
        f"{sentence(task.title)}",
        overview,
    ]
    return "\n\n".join([*head, *(f"## {heading}\n\n{text}" for heading, text in sections if text)]) + "\n"


def index() -> str:
    """The page that lists all environments and what they share."""
    from .event_driven import event_driven_row

    rows: list[tuple[str, ...]] = []
    for env_id in env_ids():
        task, name = make_task(env_id), title(env_id)
        sees = sum(c.width for c in task.channels if c.group == POLICY)
        rows.append(
            (
                f"[{env_id.rpartition('/')[2]}]({name}.md)",
                f'<img src="../images/{name}.png" width="240" alt="{name}">',
                sentence(task.title),
                str(len(task.make_action().terms)),
                str(sees),
                f"{number(task.timing.control_hz)} Hz",
                f"{number(task.timing.horizon_s)} s",
                f"{code(task.main_metric)}, {task.metrics[task.main_metric].unit}",
            )
        )
    rows += [event_driven_row(env_id) for env_id in event_driven_ids()]
    head = ("Id", "", "Task", "Actions", "Observations", "Control", "Limit", "Main metric")
    parts = [
        NOTE,
        "# Environments",
        table(head, rows),
        "## Arguments of every environment",
        "Besides those of its task, `gymnasium.make` passes on:",
        argument_table(CellEnv, own_parameters(CellEnv)),
        "and `gymnasium.make_vec`:",
        argument_table(CellVectorEnv, own_parameters(CellVectorEnv)),
    ]
    return "\n\n".join(parts) + "\n"


def own_parameters(env: type) -> dict[str, inspect.Parameter]:
    """The keyword arguments of an environment class that are not the task."""
    parameters = inspect.signature(env).parameters
    return {name: p for name, p in parameters.items() if name not in ("task", "num_envs")}


def pages() -> dict[str, str]:
    """All pages by file name."""
    from .event_driven import event_driven_page

    out = {f"{title(env_id)}.md": page(env_id) for env_id in env_ids()}
    out |= {f"{title(env_id)}.md": event_driven_page(env_id) for env_id in event_driven_ids()}
    return {INDEX: index(), **out}


def pictures() -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Environment and arguments of every picture, by file name."""
    out: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for env_id in env_ids():
        out[f"{title(env_id)}.png"] = (env_id, {})
        for word, arguments in make_task(env_id).pictured.items():
            out[f"{title(env_id)}-{word}.png"] = (env_id, arguments)
    return out | {f"{title(env_id)}.png": (env_id, {}) for env_id in event_driven_ids()}


def picture(env_id: str, path: Path, arguments: Mapping[str, Any] | None = None) -> None:
    """Render an environment in the middle of the expert's work, small enough for a repository."""
    from PIL import Image

    from .event_driven import event_driven_picture

    drawn = event_driven_picture(env_id) if env_id in event_driven_ids() else _picture(env_id, arguments or {})
    image = Image.fromarray(np.asarray(drawn))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)
    if path.stat().st_size > PICTURE_BYTES:
        image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def _picture(env_id: str, arguments: Mapping[str, Any]) -> Any:
    from ..envs.playback import Playback

    play = Playback(make_task(env_id, **arguments), "expert")
    for _ in range(play.cell.task.picture_steps):
        play.step()
    renderer = CellRenderer(play.cell, *PICTURE_SIZE)
    try:
        return renderer.render()
    finally:
        renderer.close()


def stale(folder: Path, expected: dict[str, str]) -> list[str]:
    """Names of pages that are missing, differ from what they should be, or belong to no environment."""
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def main(argv: Sequence[str]) -> int:
    """Write the pages, or check them; returns 1 if a check finds one out of date."""
    parser = argparse.ArgumentParser(prog="shopfloor docs", description="Write one page for each environment.")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the pages (docs/environments)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    parser.add_argument("--pictures", action="store_true", help="render all pictures anew, not only missing ones")
    options = parser.parse_args(argv)
    if options.out is None and not DOCS.is_dir():
        raise ShopfloorError("the pages are part of the repository, not of the wheel: name a folder with --out")
    folder = options.out or DOCS / "environments"
    expected = pages()
    if options.check:
        names = stale(folder, expected)
        for name in names:
            print(f"{folder / name} is out of date", file=sys.stderr)
        if names:
            print("run `shopfloor docs`", file=sys.stderr)
        return 1 if names else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale(folder, expected):
        if name in expected:
            (folder / name).write_text(expected[name], encoding="utf-8")
            print(f"{folder / name} written")
        else:
            print(f"{folder / name} belongs to no environment", file=sys.stderr)
    for path in write_sweep_pictures(folder.parent / "images"):
        print(f"{path} written")
    for name, (env_id, arguments) in pictures().items():
        path = folder.parent / "images" / name
        if options.pictures or not path.exists():
            picture(env_id, path, arguments)
            print(f"{path} rendered, {path.stat().st_size // 1000} kB")
    return 0
