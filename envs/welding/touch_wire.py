"""The wire as a probe: where its end is, when its circuit closes on the part, and what a push leaves behind.

A source of low current holds the wire at an open-circuit voltage. Metal to metal it falls to nearly nothing; through
mill scale it does so only as the wire breaks in. As a share of the open circuit it is R / (1 + R), with the contact's
resistance R in units of the source's.

The wire is a cantilever of the stick-out: pushed sideways by more than its elastic limit 2 s L^2 / (3 E d) (beam of
diameter d and length L, yield strength s) it stays bent. Along its axis it gives way into the conduit and comes back.

Heuristics, without a source: how scale is spread over resistances, and how it gives way with the push.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from ..randomness import counter_normal, counter_uniform, episode_key
from .touch_fit import AXIS, SQUARE, wire_end
from .touch_joint import TouchedPart, to_place, to_world

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
RowIndex = NDArray[np.intp]

STICKOUT = 0.020  # m, nominal, for touching
WIRE_DIAMETER = 1.2e-3  # m
YIELD_PA, YOUNG_PA = 0.9e9, 210e9  # of drawn ER70S-6
ELASTIC = 2.0 * YIELD_PA * STICKOUT**2 / (3.0 * YOUNG_PA * WIRE_DIAMETER)  # m of sideways push
LATENCY_S, SCAN_S = 0.012, 0.004  # contact to latched position, which the controller takes off; width of its scatter
BREAK_IN = 0.4e-3  # m of push in which the resistance of a contact falls by e
CLEAN_OHM, SCALE_OHM = (0.01, 0.1), (2.0, 20.0)  # contact resistance at first touch over the source's
SPATTER = (0.5e-3, 2.5e-3)  # m, height of what sticks on a plate
CUT_STICKOUT, CUT_BEND = 0.12e-3, 0.12e-3  # m, scatter of a wire that has just been cut
REST_NOISE = 0.1  # of the voltage's noise that is left in a mean over 10 ms of a fast input, a hundred samples


class TouchWire:
    """Wire and touch circuit of all rows.

    Needs the row arrays `voltage_noise` (share of the open circuit), `latency` (s), `scale_share`, `spatter_share`,
    `touch_noise` (m), `threshold` (share of the open circuit) and `probes` (number of the present search).

    Args:
        s: rows.
        part: what is touched.
        chunk_s: time between two looks.
    """

    def __init__(self, s: Rows, part: TouchedPart, chunk_s: float):
        self.part, self._dt = part, chunk_s
        self._tcp = s.sim.output("site_xpos", "site", "tcp")
        for name, shape in (
            ("stickout", ()), ("bend", (2,)), ("gap", ()), ("gap_before", ()), ("tcp_before", (3,)), ("raised", ()),
            ("contact_ohm", ()), ("scatter", (2,)), ("trigger_time", ()), ("latched", (3,)), ("has_latched", ()),
            ("voltage", ()), ("looks", ()), ("cuts", ()), ("bent", ()),
        ):  # fmt: skip
            s.new(name, shape)

    def reset(self, s: Rows, rows: RowIndex) -> None:
        """In free air; the task has written `stickout` and `bend`."""
        for name in ("raised", "scatter", "latched", "has_latched", "looks", "cuts", "bent"):
            getattr(s, name)[rows] = 0.0
        s.trigger_time[rows] = np.inf
        s.contact_ohm[rows] = s.voltage[rows] = 1.0

    def place(self, s: Rows) -> Array:
        """Nominal end of the wire (n, 3) as the controller sees it: station, across, up."""
        return to_place(self.part.joint, self._tcp)

    def measure_gap(self, s: Rows) -> None:
        """Distance of the wire's end from the part, now."""
        end = to_place(self.part.joint, self._tcp) + wire_end(s.stickout, s.bend)
        s.gap[...] = self.part.distance(to_world(self.part.joint, end))

    def begin_chunk(self, s: Rows) -> None:
        """Remember where the wire is."""
        s.gap_before[...] = s.gap
        s.tcp_before[...] = self._tcp

    def arm(self, s: Rows, rows: Mask) -> None:
        """Begin a search: what the wire will meet is drawn by the number of the search."""
        key, probe = episode_key(s.seed, s.episode), s.probes.astype(np.int64)
        u = [counter_uniform(key, probe, stream) for stream in range(5)]
        scaled = u[0] < s.scale_share
        low, high = (np.where(scaled, b, a) for a, b in zip(CLEAN_OHM, SCALE_OHM, strict=True))
        s.contact_ohm[...] = np.where(rows, low * np.exp(np.log(high / low) * u[1]), s.contact_ohm)
        raised = np.where(u[2] < s.spatter_share, SPATTER[0] + (SPATTER[1] - SPATTER[0]) * u[3], 0.0)
        s.raised[...] = np.where(rows, raised, s.raised)
        s.scatter[:, 0] = np.where(rows, SCAN_S * (u[4] - 0.5), s.scatter[:, 0])
        s.scatter[:, 1] = np.where(rows, s.touch_noise * counter_normal(key, probe, 6), s.scatter[:, 1])
        s.trigger_time[rows], s.has_latched[rows] = np.inf, 0.0

    def rearm(self, s: Rows, rows: Mask) -> None:
        """Go on with a search whose trigger was noise."""
        s.trigger_time[rows], s.has_latched[rows] = np.inf, 0.0

    def cut(self, s: Rows, rows: Mask) -> None:
        """Cut the wire: it is as long as it should be, and nearly straight."""
        key, count = episode_key(s.seed, s.episode), s.cuts.astype(np.int64)
        z = np.stack([counter_normal(key, count, 10 + 2 * k) for k in range(3)], axis=1)
        s.stickout[...] = np.where(rows, CUT_STICKOUT * z[:, 0], s.stickout)
        s.bend[...] = np.where(rows[:, None], CUT_BEND * z[:, 1:], s.bend)
        s.cuts += rows

    def feel(self, s: Rows, now: Array, searching: Mask) -> None:
        """Take in a chunk that has ended at `now` (n,), s: bend, circuit, trigger and latch."""
        self._bend(s)
        push = s.raised - s.gap
        s.looks += 1.0
        noise = s.voltage_noise * counter_normal(episode_key(s.seed, s.episode), s.looks.astype(np.int64), 20)
        if searching.any():
            self._trigger(s, now, push, noise, searching & np.isinf(s.trigger_time))
            self._latch(s, now)
        ohm = s.contact_ohm * np.exp(-np.maximum(push, 0.0) / BREAK_IN)
        true = np.where(push > 0.0, ohm / (1.0 + ohm), 1.0)
        s.voltage[...] = np.minimum(np.maximum(true + REST_NOISE * noise, 0.0), 1.0)

    def _trigger(self, s: Rows, now: Array, push: Array, noise: Array, waiting: Mask) -> None:
        """When the voltage falls below the threshold, by contact or by noise."""
        level = s.threshold / (1.0 - s.threshold)
        needed = np.maximum(BREAK_IN * np.log(s.contact_ohm / level), 0.0)
        before = s.raised - s.gap_before
        closed = waiting & (push >= needed)
        moved = np.where(push > before, push - before, 1.0)
        share = np.minimum(np.maximum((needed - before) / moved, 0.0), 1.0)
        at = now - self._dt * (1.0 - share)
        tripped = waiting & ~closed & (push <= 0.0) & (1.0 + noise < s.threshold)
        delay = np.maximum(LATENCY_S + s.latency + s.scatter[:, 0], 0.0)
        s.trigger_time[...] = np.where(closed, at + delay, np.where(tripped, now, s.trigger_time))

    def _latch(self, s: Rows, now: Array) -> None:
        """Positions at the instants of the triggers, between the ends of the chunk."""
        begin = now - self._dt
        due = (s.trigger_time <= now + 1e-12) & (s.has_latched < 0.5)
        if not due.any():
            return
        share = np.minimum(np.maximum((np.where(due, s.trigger_time, now) - begin) / self._dt, 0.0), 1.0)[:, None]
        at = to_place(self.part.joint, s.tcp_before + share * (self._tcp - s.tcp_before))
        s.latched[...] = np.where(due[:, None], at, s.latched)
        s.has_latched[due] = 1.0

    def _bend(self, s: Rows) -> None:
        """Bend wires whose ends are held back by more than they bear."""
        self.measure_gap(s)
        if (s.gap >= s.raised).all():
            return
        motion = to_place(self.part.joint, self._tcp) - to_place(self.part.joint, s.tcp_before)
        along = motion[:, 0] * AXIS[0] + motion[:, 1] * AXIS[1] + motion[:, 2] * AXIS[2]
        side = motion - along[:, None] * AXIS
        length = np.sqrt(motion[:, 0] ** 2 + motion[:, 1] ** 2 + motion[:, 2] ** 2)
        across = np.sqrt(side[:, 0] ** 2 + side[:, 1] ** 2 + side[:, 2] ** 2)
        moving = length > 1e-7
        share = np.where(moving, across / np.where(moving, length, 1.0), 0.0)
        excess = np.maximum((s.raised - s.gap) * share - ELASTIC, 0.0) * (s.gap < s.gap_before)
        if not (excess > 0.0).any():
            return
        unit = side / np.where(across > 1e-9, across, 1.0)[:, None]
        s.bend[:, 0] -= excess * (unit[:, 1] * SQUARE[1] + unit[:, 2] * SQUARE[2])
        s.bend[:, 1] -= excess * unit[:, 0]
        np.clip(s.bend, -0.5 * STICKOUT, 0.5 * STICKOUT, out=s.bend)
        s.bent += excess
        self.measure_gap(s)
