"""From a run directory to `report.html`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from . import episode, sections, wafer
from .material import Material
from .page import Column, Html, Section, details, element, join, page, paragraph, table
from .sections import Focus
from .verdict import Targets, judge

REPORT_FILE = "report.html"
Maker = Callable[[Material, Focus], Section | None]

MAKERS: tuple[Maker, ...] = (
    episode.pictures_section,
    sections.main_metric_section,
    sections.reasons_section,
    sections.slices_section,
    episode.trace_section,
    sections.learning_section,
    episode.twin_section,
)
# environments that have more to show than their declaration says
SPECIAL: dict[str, tuple[Focus, str, tuple[Maker, ...]]] = {
    "shopfloor/WaferTransfer-v0": (
        wafer.FOCUS,
        wafer.GLOSSARY,
        (
            episode.pictures_section,
            wafer.move_time_section,
            wafer.slip_section,
            sections.reasons_section,
            sections.slices_section,
            wafer.trace_section,
            sections.learning_section,
            episode.twin_section,
        ),
    )
}


def write_report(run: str | Path, targets: Targets | None = None) -> Path:
    """Write `report.html` into a run directory and return its path.

    Args:
        run: the run directory; parts that it lacks are left out of the report.
        targets: what the verdict is about.

    Raises:
        ShopfloorError: if it is no run directory.
    """
    material = Material(run)
    path = material.path / REPORT_FILE
    draft = path.with_name(f".{REPORT_FILE}.{os.getpid()}")
    draft.write_text(render(material, targets), encoding="utf-8")
    draft.replace(path)
    return path


def render(material: Material, targets: Targets | None = None) -> str:
    """The report as one HTML document."""
    focus, glossary, makers = SPECIAL.get(material.env_id, (Focus(), "", MAKERS))
    found = [make(material, focus) for make in makers]
    parts = [section for section in found if section is not None]
    if material.scores:
        parts.insert(0, result_section(material, focus))
    parts.append(provenance_section(material))
    name = material.env_id.rpartition("/")[2]
    foot = f"Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by shopfloor {__version__}."
    return page(f"{name}: report on a trained policy", lead(material, glossary, targets), parts, foot)


def lead(material: Material, glossary: str, targets: Targets | None) -> Html:
    """What the reader must know even without reading on."""
    task = material.task
    parts = [paragraph(f"{task.title[:1].upper()}{task.title[1:]}.", soft=True)]
    if "policy" in material.scores:
        checks = judge(material.scores, task, targets)
        missed = sum(not c.met for c in checks)
        words = "meets all targets" if not missed else f"misses {missed} of {len(checks)} targets"
        items = [element("li", c.text, cls="met" if c.met else "missed") for c in checks]
        verdict = join((f"The trained policy {words}.", element("ul", *items, cls="checks")))
        parts.append(element("div", verdict, cls=f"verdict {'missed' if missed else 'met'}"))
    if glossary:
        parts.append(paragraph(glossary))
    return join(parts)


def result_section(material: Material, focus: Focus) -> Section:
    """The table of all policies."""
    task = material.task
    first = next(iter(material.scores.values()))
    count, seeds = len(first.seeds), (int(first.seeds.min()), int(first.seeds.max()))
    caption = (
        f"{count} held-out episodes, the same for every policy (seeds {seeds[0]} to {seeds[1]}). Success: "
        f"{task.success_text}. Intervals are Wilson's at 95 % confidence. Medians are over successful episodes, ratios "
        "are between the medians of the episodes that both achieve."
    )
    everything = details("All metrics", sections.metric_table(material, focus), paragraph(
        "Medians over all episodes in which the metric has a value, failures included; beside each the 95 % quantile "
        "on its bad side.", soft=True,
    ))  # fmt: skip
    return Section("Result", join((sections.verdict_table(material, focus), paragraph(caption, soft=True), everything)))


# -- provenance ---------------------------------------------------------------------------------------------------


def provenance_section(material: Material) -> Section:
    """Versions, fingerprints, seeds, times, config: what is needed to repeat all this."""
    manifest = material.manifest
    rows: list[tuple[str, object]] = [("run", str(material.path)), ("environment", material.env_id)]
    if manifest:
        seeds, git = manifest["seeds"], manifest["git"]
        commit = "not a checkout" if git is None else f"{git['commit']}{' with local changes' if git['dirty'] else ''}"
        rows += [
            ("environment fingerprint", manifest["environment"]["fingerprint"]),
            ("shopfloor", manifest["shopfloor"]),
            ("git commit", commit),
            ("training seeds", f"run {seeds['run']}, rows {_range(seeds['training_rows'])}"),
            ("validation seeds", _range(seeds["validation"])),
        ]
    if material.scores:
        first = next(iter(material.scores.values())).seeds
        rows.append(("held-out seeds", _range([int(first.min()), int(first.max())])))
    if (bundle := material.bundle) is not None:
        rows += [("bundle SHA-256", bundle.sha256), ("contract SHA-256", bundle.contract.sha256)]
        rows.append(("steps of the exported policy", f"{bundle.contract.provenance.training_steps:,}"))
    if "policy" in material.scores:
        described = material.scores["policy"].document["policy"]["bundle"]
        rows.append(("self-test of the bundle", described["self_test"] if described else ""))
    if manifest:
        rows += [(name, value) for name, value in manifest["versions"].items()]
        machine = manifest["machine"]
        rows += [("machine", f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}")]
        rows += [("started", manifest["started"]), ("command", " ".join(manifest["command"]))]
    parts = [table([Column(""), Column("", "code")], rows)]
    if material.stages:
        total = sum(stage["seconds"] for stage in material.stages)
        times = [(s["name"], f"{s['seconds']:.1f}") for s in material.stages] + [("together", f"{total:.1f}")]
        parts.append(table([Column("stage"), Column("time (s)", "number")], times))
    parts.append(details("Training config", element("pre", material.config_text)))
    if material.scores:
        parts.append(details("Versions at evaluation", element("pre", json.dumps(_versions(material), indent=1))))
    return Section("Provenance", join(parts))


def _versions(material: Material) -> dict[str, str]:
    versions: dict[str, str] = next(iter(material.scores.values())).document["versions"]
    return versions


def _range(pair: list[int]) -> str:
    return f"{pair[0]} to {pair[1]}"
