"""The arc on a constant-voltage source at 1 ms: current, electrode extension and their self-regulation.

Two states a row, current I and electrode extension L; the arc takes what the contact-tip distance C leaves, C - L:

    inductance dI/dt = U0 - fall - field (C - L) - (R_source + R_arc + r L) I
    dL/dt            = feed - melting rate(I, L)

A jump of the distance changes the arc length first and the current by `field / resistance`, some 20 A/mm; the burn-off
then restores the arc, with a time constant of about 75 ms, until only the static -4 to -5 A/mm of the longer extension
remain. Through-arc sensing lives on what lies between, at weave frequencies of 1 to 3 Hz.

Short circuits are averaged: voltage and current are means over several of them, and a mean gap below zero, where the
wire is in the pool more often than not, takes away the arc's falls over two wire diameters (a heuristic). The current
is integrated by implicit Euler, since inductance/resistance is only a few steps long.

Sources: the model is the usual one of GMAW control, K. L. Moore, D. S. Naidu and S. Ozcelik, "Modeling, Sensing and
Control of Gas Metal Arc Welding", Elsevier 2003. Resistances and inductance below are of the order given there and of
an inverter source with 10 m of cable.
"""

from __future__ import annotations

import copy
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .consumables import Gas, Wire
from .electrode import (
    SHORT_CHARGE,
    SHORT_FREE_DIAMETERS,
    melting_rate,
    short_charge,
    short_feeds,
    spray_current,
)

Array = NDArray[np.float64]

ARC_RESISTANCE = 0.022  # ohm
SOURCE_RESISTANCE = 0.012  # ohm, slope of the source and cables
INDUCTANCE = 0.35e-3  # H
SUBSTEP_S = 1e-3
SHORTEST_EXTENSION_MM = 1.0  # the arc has burnt back into the contact tip
STUBBING_MM = 1.5  # a wire that is fed past the surface by this much buckles or is melted by the pool
OFF_V = -1e6  # drive of a row without arc: the current stays zero


class Allocate(Protocol):
    """Makes the array `name` of shape (n, *shape); `Rows.new` of the engine is one."""

    def __call__(self, name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64, fill: float = 0) -> Any: ...


class Parameters:
    """Per-row constants of wire, gas and source, each (n,), so that every row may have its own scatter.

    Args:
        n: rows.
        wire, gas: consumables of all rows; scale the arrays for scatter between rows.
        allocate: makes the arrays; default plain ones.

    Attributes:
        alpha, beta, wire_ohm_mm, diameter_mm: of the wire, see `Wire`.
        metal_mm2: deposited volume per length of melted wire before spatter, mm^2.
        fall_v, field_v_mm: of the gas; stub_v_mm replaces the field where the mean gap is negative.
        source_ohm, arc_ohm, inductance_h: of the circuit.
        spray_a: spray transition current, A.
        efficiency_factor: scatter of the deposition efficiency, 1.
        short_feed, free_feed: see `electrode.short_feeds`.
    """

    def __init__(self, n: int, wire: Wire, gas: Gas, allocate: Allocate | None = None):
        def new(name: str, value: float) -> Array:
            return np.full(n, value) if allocate is None else allocate(f"weld_{name}", fill=value)

        self.n = n
        self.alpha = new("alpha", wire.alpha)
        self.beta = new("beta", wire.beta)
        self.wire_ohm_mm = new("wire_ohm_mm", wire.resistance_ohm_mm)
        self.diameter_mm = new("diameter_mm", wire.diameter_mm)
        self.metal_mm2 = new("metal_mm2", wire.metal_section_mm2 * wire.metal_yield)
        self.fall_v = new("fall_v", gas.fall_v)
        self.field_v_mm = new("field_v_mm", gas.field_v_mm)
        # below a mean gap of zero the falls vanish over the length in which short circuits took over
        self.stub_v_mm = new("stub_v_mm", gas.fall_v / (SHORT_FREE_DIAMETERS * wire.diameter_mm))
        self.source_ohm = new("source_ohm", SOURCE_RESISTANCE)
        self.arc_ohm = new("arc_ohm", ARC_RESISTANCE)
        self.inductance_h = new("inductance_h", INDUCTANCE)
        self.spray_a = new("spray_a", spray_current(wire, gas))
        self.efficiency_factor = new("efficiency_factor", 1.0)
        short, free = short_feeds(wire, gas)
        self.short_feed, self.free_feed = new("short_feed", short), new("free_feed", free)

    def of(self, rows: NDArray[np.intp]) -> Parameters:
        """Copies of the constants of a selection of rows (m,)."""
        part = copy.copy(self)
        for name, value in vars(self).items():
            setattr(part, name, rows.size if name == "n" else value[rows])
        return part

    def most_short(self, feed_mm_s: Array) -> Array:
        """Charge share of short circuits at no gap, for a wire feed speed (n,)."""
        return SHORT_CHARGE * np.clip((self.free_feed - feed_mm_s) / (self.free_feed - self.short_feed), 0.0, 1.0)


class Arc:
    """Current and extension of n arcs.

    Args:
        parameters: constants of the rows.
        allocate: makes the state arrays.
        precision: of the substeps, np.float64 or np.float32, which takes 60 % of the time. Feed and burn-off balance at
            every substep, so that rounding does not add up: the two agree within 0.01 A.

    Attributes:
        current_a, extension_mm: the state (n,).
        ctwd_mm: contact-tip distance at the end of the last call (n,).
        mean_current_a, mean_voltage_v, power_w: of the last call, between contact tip and work (n,).
        melted_mm: wire melted in the last call (n,).
        short: share of charge in short circuits at the end of the last call (n,).
    """

    def __init__(self, parameters: Parameters, allocate: Allocate, precision: type[np.floating[Any]] = np.float64):
        self.parameters = parameters
        n = parameters.n
        self.current_a: Array = allocate("current_a")
        self.extension_mm: Array = allocate("extension_mm", fill=15.0)
        self.ctwd_mm: Array = allocate("ctwd_mm", fill=18.0)
        self.mean_current_a: Array = allocate("mean_current_a")
        self.mean_voltage_v: Array = allocate("mean_voltage_v")
        self.power_w: Array = allocate("power_w")
        self.melted_mm: Array = allocate("arc_melted_mm")
        self.short: Array = allocate("short_charge")
        self._feed, self._start = np.zeros(n), np.zeros(n)
        self._substeps = _Substeps(n, precision)

    @property
    def arc_length_mm(self) -> Array:
        """Contact-tip distance less extension; negative while the wire stubs."""
        return self.ctwd_mm - self.extension_mm

    def ignite(self, rows: NDArray[np.intp], ctwd_mm: Array, arc_length_mm: float = 2.0) -> None:
        """Set rows to a freshly struck arc: no current yet, a short arc."""
        self.ctwd_mm[rows] = ctwd_mm
        self.extension_mm[rows] = ctwd_mm - arc_length_mm
        for array in (self.current_a, self.mean_current_a, self.mean_voltage_v, self.power_w, self.melted_mm):
            array[rows] = 0.0
        self.short[rows] = 0.0

    def settle(self, rows: NDArray[np.intp], feed_mm_s: Array, voltage_v: Array, ctwd_mm: Array) -> None:
        """Set rows (m,) to an arc that has long been burning at constant feed, voltage and distance, each (m,)."""
        current, extension = steady_arc(self.parameters.of(rows), feed_mm_s, voltage_v, ctwd_mm)
        self.ignite(rows, ctwd_mm)
        self.current_a[rows], self.extension_mm[rows] = current, extension

    def advance(
        self,
        feed_mm_s: Array,
        voltage_v: Array,
        ctwd_mm: Array,
        substeps: int,
        on: NDArray[np.bool_] | None = None,
        dt: float = SUBSTEP_S,
    ) -> None:
        """Integrate `substeps` steps of `dt` s.

        Args:
            feed_mm_s: wire feed speed (n,), mm/s.
            voltage_v: open-circuit voltage of the source (n,); the terminals see it less the source's slope.
            ctwd_mm: contact-tip distance at the end (n,), reached linearly from that of the last call; or
                (substeps, n), its whole course.
            substeps, dt: number and length of the steps.
            on: rows with an arc (n,); default all.
        """
        p = self.parameters
        drive = voltage_v - p.fall_v
        feed, start = self._feed, self._start
        feed[:] = feed_mm_s
        if on is not None:
            drive = np.where(on, drive, OFF_V)
            feed *= on
        start[:] = self.current_a
        before = self.extension_mm.copy()
        self._integrate(drive, feed, np.asarray(ctwd_mm), substeps, dt)
        if on is not None:
            np.copyto(self.extension_mm, before, where=~on)
        self._account(voltage_v, before, substeps, dt, on)

    def _integrate(self, drive: Array, feed: Array, course: Array, substeps: int, dt: float) -> None:
        """The substeps; arguments as of `advance`, `drive` is what the arc's falls leave of the voltage."""
        p, w = self.parameters, self._substeps
        lag = p.inductance_h / dt
        # everything that melts is mm a substep; alpha (1 - short) is linear in the arc length between `floor` and alpha
        most, alpha = p.most_short(feed), dt * p.alpha
        w.by_length[0], w.by_length[1] = p.field_v_mm, p.stub_v_mm
        w.by_length[2] = alpha * most / (SHORT_FREE_DIAMETERS * p.diameter_mm)
        w.by_state[0], w.by_state[1] = p.wire_ohm_mm, lag
        w.added[0], w.added[1] = lag + p.source_ohm + p.arc_ohm, drive
        w.floor[:], w.alpha[:], w.beta[:], w.fed[:] = alpha * (1.0 - most), alpha, dt * p.beta, dt * feed
        w.state[0], w.state[1] = self.extension_mm, self.current_a
        w.sums[:] = 0.0
        w.move(self.ctwd_mm)
        if course.ndim == 2:
            for at in course:
                w.move(at)
                w.run(1)
        elif (advance := (course - self.ctwd_mm) / substeps).any():
            for _ in range(substeps):
                w.move(w.ctwd + advance)
                w.run(1)
        else:
            w.run(substeps)
        self.extension_mm[:], self.current_a[:] = w.state[0], w.state[1]
        self.ctwd_mm[:] = w.ctwd

    def _account(self, voltage_v: Array, before: Array, substeps: int, dt: float, on: NDArray[np.bool_] | None) -> None:
        """Means of the last call. Those of voltage and power follow from the circuit without sums of their own."""
        p = self.parameters
        feed, start = self._feed, self._start
        sum_i, sum_ii = self._substeps.sums.astype(np.float64)
        mean, square, time = sum_i / substeps, sum_ii / substeps, substeps * dt
        self.mean_current_a[:] = mean
        stored = p.inductance_h / time
        self.mean_voltage_v[:] = voltage_v - p.source_ohm * mean - stored * (self.current_a - start)
        self.power_w[:] = voltage_v * mean - p.source_ohm * square - 0.5 * stored * (self.current_a**2 - start * start)
        # what was fed and is not in the extension has melted, bounds of the extension included
        self.melted_mm[:] = feed * time + before - self.extension_mm
        self.short[:] = short_charge(self.arc_length_mm, p.diameter_mm, p.most_short(feed))
        if on is not None:
            self.mean_voltage_v *= on
            self.power_w *= on


class _Substeps:
    """One substep of n arcs, in place. What is multiplied or added alike stands side by side, for fewer calls of numpy.

    Attributes:
        state: extension, current, and its square (3, n).
        sums: of current and its square over the substeps (2, n).
        ctwd: contact-tip distance (n,).
        by_length: field, field of a stubbing wire, and melting by a longer arc: factors of the arc length (3, n).
        by_state: factors of extension and current (2, n) in resistance and voltage; `added` is added to these (2, n).
        floor, alpha, beta, fed: melting with all short circuits, with none, by the extension, and feed (n,).
    """

    def __init__(self, n: int, precision: type[np.floating[Any]]):
        def new(*shape: int) -> NDArray[Any]:
            return np.zeros((*shape, n), precision)

        self.state, self.sums = new(3), new(2)
        self.ctwd = new()
        self.by_length, self.by_state, self.added = new(3), new(2), new(2)
        self.floor, self.alpha, self.beta, self.fed = (new() for _ in range(4))
        self._length, self._melted, self._farthest = (new() for _ in range(3))
        self._products, self._circuit = new(3), new(2)
        self._nothing, self._shortest = new(), new() + precision(SHORTEST_EXTENSION_MM)

    def move(self, ctwd_mm: NDArray[Any]) -> None:
        """Set the contact-tip distance (n,)."""
        self.ctwd[:] = ctwd_mm
        np.add(self.ctwd, STUBBING_MM, out=self._farthest)

    def run(self, count: int) -> None:
        """Advance by `count` substeps at one contact-tip distance."""
        ctwd, length, melted, farthest = self.ctwd, self._length, self._melted, self._farthest
        by_length, by_state, added, products, circuit = (
            self.by_length, self.by_state, self.added, self._products, self._circuit,
        )  # fmt: skip
        floor, alpha, beta, fed, nothing, shortest = (
            self.floor, self.alpha, self.beta, self.fed, self._nothing, self._shortest,
        )  # fmt: skip
        extension, current, square = self.state
        both, summed, sums = self.state[:2], self.state[1:], self.sums
        column, stubbing, arc = products
        resistance, voltage = circuit
        for _ in range(count):
            np.subtract(ctwd, extension, out=length)
            np.multiply(by_length, length, out=products)
            # current, implicit; the voltage falls more steeply with a gap below zero
            np.minimum(column, stubbing, out=column)
            np.multiply(by_state, both, out=circuit)
            np.add(circuit, added, out=circuit)
            np.subtract(voltage, column, out=voltage)
            np.divide(voltage, resistance, out=current)
            np.maximum(current, nothing, out=current)
            # melting
            np.add(arc, floor, out=arc)
            np.maximum(arc, floor, out=arc)
            np.minimum(arc, alpha, out=arc)
            np.multiply(beta, extension, out=melted)
            np.multiply(melted, current, out=melted)
            np.add(melted, arc, out=melted)
            np.multiply(melted, current, out=melted)
            # extension
            np.add(extension, fed, out=extension)
            np.subtract(extension, melted, out=extension)
            np.maximum(extension, shortest, out=extension)
            np.minimum(extension, farthest, out=extension)
            np.multiply(current, current, out=square)
            np.add(sums, summed, out=sums)


def load_line(current_a: Array) -> Array:
    """Conventional load voltage in V of MIG/MAG welding at a current, IEC 60974-1: 14 + 0.05 I."""
    return 14.0 + 0.05 * current_a


def source_voltage(p: Parameters, terminal_v: Array, current_a: Array) -> Array:
    """Open-circuit voltage in V for a wanted voltage between contact tip and work at a current."""
    return terminal_v + p.source_ohm * current_a


def terminal_arc_length(p: Parameters, current_a: Array, terminal_v: Array, ctwd_mm: Array) -> Array:
    """Arc length in mm that goes with a measured current and voltage between contact tip and work."""
    drop = (p.arc_ohm + p.wire_ohm_mm * ctwd_mm) * current_a
    column_v = terminal_v - p.fall_v - drop
    field = np.where(column_v < 0.0, p.stub_v_mm, p.field_v_mm)
    return column_v / (field - p.wire_ohm_mm * current_a)


def feed_for(p: Parameters, current_a: Array, terminal_v: Array, ctwd_mm: Array) -> Array:
    """Wire feed speed in mm/s that goes with a wanted current and voltage between contact tip and work (n,).

    What a procedure sheet leaves to the welder: it gives current and voltage, the machine is set by feed and voltage.
    """
    length = terminal_arc_length(p, current_a, terminal_v, ctwd_mm)
    low, high = np.zeros(p.n), melting_rate(current_a, ctwd_mm - length, p.alpha, p.beta)
    for _ in range(48):
        feed = 0.5 * (low + high)
        short = short_charge(length, p.diameter_mm, p.most_short(feed))
        slower = melting_rate(current_a, ctwd_mm - length, p.alpha, p.beta, short) < feed
        high = np.where(slower, feed, high)
        low = np.where(slower, low, feed)
    return 0.5 * (low + high)


def steady_arc(p: Parameters, feed_mm_s: Array, voltage_v: Array, ctwd_mm: Array) -> tuple[Array, Array]:
    """Current (A) and extension (mm) at which the arc regulates itself, by bisection over the extension.

    Args:
        p: constants (n,).
        feed_mm_s, voltage_v, ctwd_mm: feed, open-circuit voltage of the source and contact-tip distance (n,).
    """
    low = np.full(p.n, SHORTEST_EXTENSION_MM)
    high = ctwd_mm + STUBBING_MM
    # `short_charge`, `current_for_feed` and the circuit written out, with what does not depend on the extension before
    # the loop: an environment comes here in every step in which an episode begins
    most, free = p.most_short(feed_mm_s), SHORT_FREE_DIAMETERS * p.diameter_mm
    heating, twice = 4.0 * p.beta, 2.0 * feed_mm_s
    drive, resistance = voltage_v - p.fall_v, p.source_ohm + p.arc_ohm
    for _ in range(48):
        extension = 0.5 * (low + high)
        length = ctwd_mm - extension
        linear = p.alpha * (1.0 - most * np.minimum(np.maximum(1.0 - length / free, 0.0), 1.0))
        melting = twice / (linear + np.sqrt(linear * linear + heating * extension * feed_mm_s))
        column = np.where(length < 0.0, p.stub_v_mm, p.field_v_mm) * length
        supplied = np.maximum(drive - column, 0.0) / (resistance + p.wire_ohm_mm * extension)
        # more current than the feed needs burns the wire back
        shorter = supplied > melting
        high = np.where(shorter, extension, high)
        low = np.where(shorter, low, extension)
    extension = 0.5 * (low + high)
    # at a bound of the extension, where the arc burns back or stubs, the circuit alone sets the current
    return _circuit_current(p, voltage_v, ctwd_mm - extension, extension), extension


def _circuit_current(p: Parameters, voltage_v: Array, length_mm: Array, extension_mm: Array) -> Array:
    """Steady current in A through an arc of given length."""
    column_v = np.where(length_mm < 0.0, p.stub_v_mm, p.field_v_mm) * length_mm
    resistance = p.source_ohm + p.arc_ohm + p.wire_ohm_mm * extension_mm
    return np.maximum(voltage_v - p.fall_v - column_v, 0.0) / resistance
