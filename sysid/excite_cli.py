"""`shopfloor excite --env ID --out LOG`: record a motion that shows what the plant is made of.

It runs through the controller runtime, against the twin. A hidden plant for trials comes from `--randomization` and
`--set`: one sample, kept for all episodes. The summary tells it, but `shopfloor identify` does not look there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..deploy.twin import MujocoTwin
from ..envs.engine.describe import canonical_id
from ..envs.randomization import NOMINAL
from ..envs.registry import make_task
from ..errors import ShopfloorError
from .arguments import positive, values_of, whole
from .excitation import clear_excitation
from .logs import EPISODES
from .recorder import Recorded, hide_plant, record, write_summary


def main(argv: Sequence[str]) -> int:
    """Record an excitation.

    Raises:
        ShopfloorError: if an argument is wrong, or the way is not clear.
    """
    arguments = _parser().parse_args(argv)
    folder = Path(arguments.out)
    if folder.is_dir() and any(folder.glob(EPISODES)):
        raise ShopfloorError(f"{folder} holds a log already; name another folder")
    kwargs = values_of(arguments.kwargs, "--kwargs")
    env_id = canonical_id(arguments.env)
    task = make_task(env_id, **kwargs)
    ticks = round(arguments.seconds * task.timing.control_hz)
    seeds = list(range(arguments.seed, arguments.seed + arguments.episodes))
    tables, reaches = clear_excitation(task, seeds, ticks, arguments.reach)
    # one tick more than commands, for the frame that shows what the last one did
    twin = MujocoTwin(env_id, kwargs, max_steps=ticks + 1, randomization=arguments.randomization)
    plant = hide_plant(twin, arguments.seed, values_of(arguments.set, "--set"))
    episodes = record(twin, tables, seeds, folder, realtime=arguments.realtime)
    about = {"seconds": arguments.seconds, "reach": reaches, "seeds": seeds}
    write_summary(folder, twin.describe(), Recorded(episodes, plant), about)
    print(f"environment  {env_id} at {task.timing.control_hz:g} Hz")
    print(f"plant        {'hidden, ' + str(len(plant)) + ' terms' if plant else 'nominal'}")
    for episode, reach in zip(episodes, reaches, strict=True):
        print(f"seed {episode.seed}  {len(episode.log.ticks)} ticks, excursions up to {reach:.2g} ({episode.reason})")
    print(f"log          {folder}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shopfloor excite", description="Record an excitation of a plant, for `shopfloor identify`."
    )
    parser.add_argument("--env", metavar="ID", required=True, help="environment, such as ArmReach-v0")
    parser.add_argument("--out", metavar="LOG", required=True, help="folder of the log")
    parser.add_argument("--kwargs", nargs="+", default=[], metavar="NAME=VALUE", help="task arguments")
    parser.add_argument("--episodes", type=whole, default=8, help="episodes, one a seed (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=8.0, help="length of an episode (%(default)s)")
    parser.add_argument("--seed", type=whole, default=0, help="seed of the first episode (%(default)s)")
    parser.add_argument("--reach", type=positive, default=1.2, help="largest excursion, rad or m (%(default)s)")
    parser.add_argument("--randomization", metavar="SPLIT|SPEC", default=NOMINAL, help="hidden plant (%(default)s)")
    parser.add_argument("--set", nargs="+", default=[], metavar="TERM=VALUE", help="values of the hidden plant")
    parser.add_argument(
        "--realtime", action=argparse.BooleanOptionalAction, default=False, help="keep deadlines (%(default)s)"
    )
    return parser
