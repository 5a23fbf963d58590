"""Fundamental periods of cluster tools and bounds that no schedule beats.

In steady state a series tool finishes one wafer every `period` seconds. Three things can limit it: the robot, which
has a round of transports to do for every wafer; a step, whose m modules must each be emptied, refilled and let work;
and the load locks, which are modules of their own whose process is vent, exchange and pump. The classical sequences
are the pull (backward) sequence of a one-armed robot, which serves the last step first so that each transport finds
an empty module, and the swap sequence of a two-armed robot, which exchanges wafers at each station in recipe order.
For each of them the period is exactly the largest of the three: the event graph of the sequence has no other critical
circuits, because each circuit through several steps is made of the same arcs as circuits through one.

The sequences are not always the best schedules. A one-armed robot that goes on from the lock where it has put a
finished wafer with a raw one from the same lock saves a move, and a robot that stays at a module saves one where the
process is shorter than a move. `lower_bound` allows for all of that and holds for every schedule.

Sources: T. Perkinson, P. McLarty, R. Gyurcsik and R. Cavin, "Single-wafer cluster tool performance: an analysis of
throughput", IEEE Trans. Semicond. Manuf. 7(3), 1994 (period, process-bound and transport-bound regions); T.
Perkinson, R. Gyurcsik and P. McLarty, the same journal 9(3), 1996 (redundant modules); S. Wood, "Simple performance
models for integrated processing tools", ibid. 9(3), 1996 (lot time linear in the number of wafers); S. Venkatesh,
R. Davenport, P. Foxhoven and J. Nulman, "A steady-state throughput analysis of cluster tools: dual-blade versus
single-blade robots", ibid. 10(4), 1997 (swap); S. Rostami, B. Hamidzadeh and D. Camporese, "An optimal periodic
scheduler for dual-arm robots in cluster tools with residency constraints", IEEE Trans. Robot. Autom. 17(5), 2001, and
J.-H. Kim, T.-E. Lee, H.-Y. Lee and D.-B. Park, "Scheduling analysis of time-constrained dual-armed cluster tools",
IEEE Trans. Semicond. Manuf. 16(3), 2003 (residency windows with two arms); N. Wu, C. Chu, F. Chu and M. Zhou, "A
Petri net method for schedulability and scheduling problems in single-arm cluster tools with wafer residency time
constraints", ibid. 21(2), 2008 (robot waits, necessary and sufficient conditions with one arm); M. Dawande, H. N.
Geismar, S. Sethi and C. Sriskandarajah, "Sequencing and scheduling in robotic cells: recent developments", J.
Scheduling 8, 2005 (lower bounds over all cyclic schedules).
"""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import ShopfloorError
from .tool import Tool

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Period:
    """Steady state of a cyclic sequence.

    Attributes:
        time: between finished wafers, s.
        robot: what the robot alone would need, s.
        steps: what each step alone would need, s.
        locks: what the load locks alone would need, s; 0 where they are always ready.
        stays: from putting a wafer into a module of each step to lifting it out again, s.
    """

    time: float
    robot: float
    steps: tuple[float, ...]
    locks: float
    stays: tuple[float, ...]

    @property
    def wafers_per_hour(self) -> float:
        """Throughput, 1/h."""
        return SECONDS_PER_HOUR / self.time

    @property
    def bottleneck(self) -> str:
        """What limits the period: `robot`, `locks` or `step 1`, `step 2`, ...; the robot where they tie."""
        if self.robot >= self.time:
            return "robot"
        return "locks" if self.locks >= self.time else f"step {self.steps.index(self.time) + 1}"


@dataclass(frozen=True)
class Waits:
    """A pull sequence in which the robot waits in front of stations, so that residency windows are kept.

    Attributes:
        period: between finished wafers, s.
        waits: before taking a wafer at the load lock and at each step, J + 1 times, s.
        stays: from putting a wafer into a module of each step to lifting it out again, s.
    """

    period: float
    waits: tuple[float, ...]
    stays: tuple[float, ...]


def access_times(tool: Tool) -> tuple[list[float], list[float], list[float]]:
    """Pick, place and swap time in s at the load lock and at each step, slit valves included."""
    robot = tool.robot
    valves = [0.0] + [tool.valve_open] * len(tool.steps)
    swap = robot.pick + robot.rotate + robot.place
    return [robot.pick + v for v in valves], [robot.place + v for v in valves], [swap + v for v in valves]


def pull_turnarounds(tool: Tool) -> list[float]:
    """Time in s that a module of each step stands without a working wafer under a one-armed robot, at least.

    From the robot's access to the finished wafer to the end of loading the next: the finished one goes to the next
    station, the next one is fetched from the station before, with three moves between.
    """
    take, give, _ = access_times(tool)
    move, count = tool.robot.move, len(tool.steps)
    # with a single step the station after and the station before are the same load lock
    between = tool.robot.index if count == 1 else move
    return [
        take[i] + move + give[(i + 1) % (count + 1)] + between + take[i - 1] + move + give[i]
        for i in range(1, count + 1)
    ]


def pull_period(tool: Tool) -> Period:
    """Steady state of the pull sequence of a one-armed robot, with mean process times and without cleans.

    Raises:
        ShopfloorError: load locks of more than one slot, for which there is no closed form.
    """
    _single_slots(tool)
    take, give, _ = access_times(tool)
    move, count = tool.robot.move, len(tool.steps)
    turnarounds = pull_turnarounds(tool)
    robot = sum(take) + sum(give) + 2 * (count + 1) * move
    # the lock is in use from the finished wafer's arrival to the raw one's departure: all but these two transports
    service = robot - (take[count] + 2 * move) - (move + give[1])
    if count == 1:
        service = give[0] + tool.robot.index + take[0]
        # a single module is reloaded by a robot that has not left it
        robot = turnarounds[0] + (move if tool.steps[0].modules > 1 else 0.0)
    return _period(tool, robot, turnarounds, service)


def swap_period(tool: Tool) -> Period:
    """Steady state of the swap sequence of a two-armed robot, with mean process times and without cleans.

    Raises:
        ShopfloorError: load locks of more than one slot, for which there is no closed form.
    """
    _single_slots(tool)
    swap = access_times(tool)[2]
    robot = sum(swap) + len(swap) * tool.robot.move
    return _period(tool, robot, swap[1:], swap[0])


def sequence_period(tool: Tool) -> Period:
    """Steady state of the classical sequence of the tool's robot: pull with one arm, swap with two."""
    return pull_period(tool) if tool.robot.arms == 1 else swap_period(tool)


def _single_slots(tool: Tool) -> None:
    if tool.load_locks is not None and tool.load_locks.slots > 1:
        raise ShopfloorError(
            f"no closed form for load locks of {tool.load_locks.slots} slots, which are away once in several wafers; "
            "use lower_bound, or simulate"
        )


def _period(tool: Tool, robot: float, turnarounds: list[float], service: float) -> Period:
    pairs = list(zip(tool.steps, turnarounds, strict=True))
    steps = tuple((tool.valve_close + step.process + turnaround) / step.modules for step, turnaround in pairs)
    locks = 0.0 if tool.load_locks is None else (tool.load_locks.away + service) / tool.load_locks.count
    time = max(robot, locks, *steps)
    # the turnaround includes the valve, before which the wafer is not lifted
    stays = tuple(step.modules * time - turnaround + tool.valve_open for step, turnaround in pairs)
    return Period(time, robot, steps, locks, stays)


# -- residency windows ----------------------------------------------------------------------------------------------


def pull_waits(tool: Tool) -> Waits | None:
    """Shortest period and robot waits of a pull sequence that keeps all residency windows; None if there are none.

    A wait before the wafer of step i - 1 is taken shortens the stay at step i, which otherwise is
    `modules * period - turnaround`, and lengthens the robot's round. At the period of the sequence without windows
    the waits that are needed either fit into the robot's idle time or, since a longer period lengthens each stay by
    at least as much as the idle time, fit nowhere (Wu et al. 2008).

    Raises:
        ShopfloorError: the robot has two arms, or the tool load locks that are not always ready.
    """
    if tool.robot.arms != 1 or tool.load_locks is not None:
        raise ShopfloorError("robot waits are known for one arm and load locks that are always ready; simulate others")
    if any(step.residency < tool.valve_open for step in tool.steps):
        return None  # the window is over before the valve is open
    free = pull_period(tool)
    waits = [max(0.0, stay - _longest_stay(tool, i)) for i, stay in enumerate(free.stays)]
    if len(tool.steps) == 1 and tool.steps[0].modules == 1:
        # the robot that reloads the only module is back in time whatever the process takes
        return Waits(free.time, (0.0, 0.0), free.stays)
    idle = free.time - free.robot - sum(waits)
    if idle < -1e-9 * free.time:
        return None
    stays = tuple(stay - wait for stay, wait in zip(free.stays, waits, strict=True))
    return Waits(free.time, (*waits, max(idle, 0.0)), stays)


def swap_keeps_windows(tool: Tool) -> bool:
    """Whether the swap sequence at its shortest period keeps all residency windows.

    A longer period only lengthens the stays, so that no other period of the sequence does if this one does not.
    """
    stays = swap_period(tool).stays
    return all(stay <= _longest_stay(tool, i) * (1.0 + 1e-12) for i, stay in enumerate(stays))


def _longest_stay(tool: Tool, index: int) -> float:
    step = tool.steps[index]
    return tool.valve_close + step.process + step.residency


# -- bounds for all schedules ---------------------------------------------------------------------------------------


def lower_bound(tool: Tool) -> float:
    """Mean time between finished wafers in s that no schedule beats in the long run, cleans and locks included."""
    return max(_robot_bound(tool), _lock_bound(tool), *_step_bounds(tool))


def lot_bound(tool: Tool) -> float:
    """Shortest time in s from an empty tool with full load locks to the last wafer of the lot in a load lock.

    Holds for every schedule of a lot with mean process times. Besides the time per wafer, the first wafer must reach
    a step and the last one must leave it (Wood 1996).
    """
    take, give, _ = access_times(tool)
    robot, count, wafers = tool.robot, len(tool.steps), tool.lot_size
    through = [step.process + tool.valve_close for step in tool.steps]
    # transport i takes a wafer from station i to the next, whose process follows
    transport = [take[i] + robot.move + give[(i + 1) % (count + 1)] for i in range(count + 1)]
    change = robot.move if robot.arms == 1 else min(robot.move, robot.rotate)
    # the last wafer, once in the load lock, asks for no further move
    bounds = [wafers * _robot_bound(tool) - min(change, robot.index)]
    if tool.load_locks is not None:
        bounds.append(wafers * _lock_bound(tool) - tool.load_locks.away)
    for i, (step, (turnaround, cleaned)) in enumerate(zip(tool.steps, _turnarounds(tool), strict=True)):
        most = -(-wafers // step.modules)  # wafers of the module that has most
        cleans = (most - 1) // step.clean_every if step.clean_every else 0
        work = most * through[i] + (most - 1 - cleans) * turnaround + cleans * cleaned
        before = sum(transport[: i + 1]) + sum(through[:i])
        after = sum(transport[i + 1 :]) + sum(through[i + 1 :])
        bounds.append(before + work + after)
    return max(bounds)


def _robot_bound(tool: Tool) -> float:
    """Work of the robot per wafer.

    A move follows every access but two kinds: an exchange with the other arm, and the same wafer or lock again.
    """
    robot = tool.robot
    change = robot.move if robot.arms == 1 else min(robot.move, robot.rotate)
    count = len(tool.steps)
    # a swap opens the valve once for two accesses
    valves = tool.valve_open * count * (2 if robot.arms == 1 else 1)
    accesses = (count + 1) * (robot.pick + robot.place) + valves
    shortest = [tool.valve_close + step.process * (1.0 - step.spread) for step in tool.steps]
    stays = sum(min(robot.move, time) for time in shortest)
    return accesses + (count + 1) * change + stays + min(change, robot.index)


def _step_bounds(tool: Tool) -> list[float]:
    """Time of each step's modules per wafer."""
    bounds = []
    for step, (turnaround, cleaned) in zip(tool.steps, _turnarounds(tool), strict=True):
        extra = (cleaned - turnaround) / step.clean_every if step.clean_every else 0.0
        bounds.append((tool.valve_close + step.process + turnaround + extra) / step.modules)
    return bounds


def _turnarounds(tool: Tool) -> list[tuple[float, float]]:
    """Shortest time in s from one wafer to the next in a module of each step, without and with a clean.

    A clean fills the part of a turnaround in which the module is empty.
    """
    take, give, swap = access_times(tool)
    robot, turnarounds = tool.robot, []
    for i, (step, pull) in enumerate(zip(tool.steps, pull_turnarounds(tool), strict=True), start=1):
        if len(tool.steps) == 1:
            # the raw wafer may come from the lock's other slot or, with a move, from another lock
            pull += min(0.0, robot.move - robot.index)
        empty, turnaround = pull - take[i] - give[i], pull
        if robot.arms == 2:
            empty = min(empty, robot.rotate, 2.0 * robot.move)
            turnaround = min(swap[i], take[i] + empty + give[i])
        turnarounds.append((turnaround, take[i] + max(tool.valve_close + step.clean, empty) + give[i]))
    return turnarounds


def _lock_bound(tool: Tool) -> float:
    """Time of the load locks per wafer.

    A lock's turn under vacuum takes its `slots` picks and `slots` places at least. With one arm each raw wafer must
    be brought away before the next; where that takes longer than being away, or changing slots longer than that
    share of it, half-empty locks would be better, and the bound counts the smaller.
    """
    locks, robot = tool.load_locks, tool.robot
    if locks is None:
        return 0.0
    take, give, _ = access_times(tool)
    if robot.arms == 1:
        trip = 2.0 * robot.move + min(give[1], take[-1])
        change = min(robot.index, trip)
    else:
        trip = change = min(robot.index, robot.rotate, 2.0 * robot.move)
    trip, change = min(trip, locks.away), min(change, locks.away / locks.slots)
    service = locks.slots * (robot.pick + robot.place + change) + (locks.slots - 1) * trip
    return (locks.away + service) / (locks.count * locks.slots)
