"""Pages of event-driven environments, for `pages`: what a step is and what an action does differs from other tasks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..envs.engine.core import SUCCESS, TIME_LIMIT
from ..envs.registry import arguments_of, event_driven_class, make_env
from ..envs.wafer.cluster.channels import STATIONS
from .channels import observations_section
from .markdown import code, docstring, number, sentence, table
from .pages import (
    INDEX,
    PICTURE_SIZE,
    PICTURE_STEPS,
    argument_table,
    compose,
    metrics_section,
    randomization_section,
    scripted_section,
    starts_section,
    title,
)

SEEN = ("process_1", "process_2")  # modules into which the camera looks
PICTURE_TRANSFER = 0.3  # share of a transfer at which the picture is taken


def event_driven_page(env_id: str) -> str:
    """The page of an event-driven environment: actions have numbers, steps no period, and there is no physics."""
    env: Any = make_env(env_id)
    task, declaration = env.task, event_driven_class(env_id)
    limit = f"{task.max_steps} decisions"
    overview = table(
        ("", ""),
        [
            ("Make", code(f'gymnasium.make("{env_id}")')),
            ("Many at once", code(f'gymnasium.make_vec("{env_id}", num_envs=64)')),
            ("Action space", code(env.action_space)),
            ("Observation space", "`Dict` of `observation`, a `Box` as below, and `action_mask`, `MultiBinary`"),
            ("Control", "event driven: a step is one decision and takes as long as that takes"),
            ("Time limit", limit),
            ("Cameras", ", ".join(map(code, task.cameras))),
        ],
    )
    actions = (
        'The mask of allowed actions is in the observation, in `info["action_mask"]` and, as `sb3-contrib` asks for '
        "it, in `action_masks()`; `action_space.sample` takes it as well. An exported policy decides through "
        "`shopfloor.deploy.decision.DecisionFunction`; the controller loop of a fixed rate and the twin do not take it."
    )
    rewards = 'The reward is the sum of the terms, each its weight times its value; `info["reward_terms"]` has them.'
    ends = [(code(SUCCESS), "terminated", task.success_text)]
    ends += [(code(name), "terminated", text) for name, text in task.failure_texts.items()]
    ends.append((code(TIME_LIMIT), "truncated", limit))
    own = argument_table(declaration, arguments_of(declaration))
    sections = [
        ("Description", docstring(declaration)[0]),
        (
            "Action space",
            f"{actions}\n\n{table(('Num', 'Action'), [(str(i), a) for i, a in enumerate(task.decisions)])}",
        ),
        ("Observation space", observations_section(task)),
        (
            "Rewards",
            f"{rewards}\n\n"
            + table(
                ("Term", "Weight", "Value"),
                [(code(k), number(r.weight), r.description) for k, r in task.rewards.items()],
            ),
        ),
        ("Starting state and randomization", starts_section(task)),
        ("Domain randomization", randomization_section(task)),
        ("Episode end", table(("`termination_reason`", "Episode", "When"), ends)),
        ("Metrics", metrics_section(task)),
        ("Arguments", f"{own}\n\nArguments of every environment: see [the index]({INDEX})."),
        ("Scripted policies", scripted_section(task)),
        ("Version history", table(("Version", "Changes"), [(code(v), text) for v, text in task.versions.items()])),
        ("References", "\n".join(f"- {reference}" for reference in task.references)),
    ]
    return compose(title(env_id), task, overview, sections)


def event_driven_row(env_id: str) -> tuple[str, ...]:
    """The row of an environment in the index."""
    env: Any = make_env(env_id)
    task, name = env.task, title(env_id)
    return (
        f"[{env_id.rpartition('/')[2]}]({name}.md)",
        f'<img src="../images/{name}.png" width="240" alt="{name}">',
        sentence(task.title),
        f"1 of {env.action_space.n}",
        str(sum(c.width for c in task.channels)),
        "decisions",
        f"{task.max_steps} decisions",
        f"{code(task.main_metric)}, {task.metrics[task.main_metric].unit}",
    )


def event_driven_picture(env_id: str) -> Any:
    """An event-driven environment in the middle of a transfer."""
    env: Any = make_env(env_id, render_mode="rgb_array", width=PICTURE_SIZE[0], height=PICTURE_SIZE[1])
    env.reset(seed=0)
    expert = env.task.expert()
    expert.reset(env.cell, np.array([0]))
    state, seen = env.cell.simulator.state, [STATIONS.index(name) for name in SEEN]
    while env.cell.s.step[0] < PICTURE_STEPS or not (state.placed[0] and state.robot_at[0] in seen):
        env.step(int(expert.act(env.cell)[0, 0]))
    env.cell.sim.share = env.cell.sim.share_at(0, PICTURE_TRANSFER)
    try:
        return env.render()
    finally:
        env.close()
