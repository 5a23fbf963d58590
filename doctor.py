"""``shopfloor doctor``: what is installed here, what works, and what to install for the rest.

Everything that could be broken (engines, GL libraries) is tried in a process of its own, so that a crash
there is a finding and not the end of the examination. Needs the standard library only; ``packaging`` and
``rich`` are used where they are present.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path

PYTHON_NEEDED = (3, 11)
PROBE_TIMEOUT_S = 60.0
GL_PACKAGES = {
    "egl": ("libegl1", "libegl-mesa0", "libgl1-mesa-dri"),
    "osmesa": ("libosmesa6",),
    "glfw": (),  # comes with the wheel; what it needs is a display
}


class Status(Enum):
    """How a finding is to be read; only ``BROKEN`` makes the exit status 1."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One line of the report: a section, what was looked at, what was found, and what to do about it."""

    section: str
    name: str
    value: str
    status: Status = Status.OK
    remedy: str = ""


@dataclass(frozen=True)
class Requirement:
    """A direct requirement of the package, as its metadata states it (``extra`` is empty for the base)."""

    name: str
    specifier: str
    extra: str


def examine() -> list[Finding]:
    """Everything the report shows, in its order. Takes a few seconds: each engine is started once."""
    return [
        *check_python(),
        *check_packages(declared_requirements(), tested_versions()),
        *check_machine(),
        *check_engines(),
        *check_rendering(),
    ]


# --- Python and packages --------------------------------------------------------------------------


def check_python() -> list[Finding]:
    """The interpreter: version and place."""
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] < PYTHON_NEEDED:
        wanted = ".".join(map(str, PYTHON_NEEDED))
        return [Finding("python", "python", found, Status.BROKEN, f"install Python {wanted} or newer")]
    return [Finding("python", "python", found)]


def declared_requirements() -> list[Requirement]:
    """The direct requirements in the installed metadata, but for the developers' tools.

    Empty where shopfloor itself is not installed.
    """
    try:
        lines = metadata.requires("shopfloor") or []
    except metadata.PackageNotFoundError:
        return []
    requirements = []
    for line in lines:
        head, _, marker = line.partition(";")
        name = re.match(r"[A-Za-z0-9._-]+", head)
        extra = re.search(r"extra\s*==\s*[\"']([^\"']+)", marker)
        if name and name[0] != "shopfloor" and not (extra and extra[1] in ("dev", "referee")):
            specifier = re.sub(r"[()\s]", "", head[name.end() :])
            requirements.append(Requirement(name[0], specifier, extra[1] if extra else ""))
    return requirements


def tested_versions(constraints: Path | None = None) -> dict[str, str]:
    """The versions that the test suite ran with, by normalized package name."""
    path = constraints or Path(__file__).with_name("constraints.txt")
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {normalized(name): version for name, version in pins}


def normalized(name: str) -> str:
    """A package name in the spelling in which two spellings of it agree (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def check_packages(requirements: Iterable[Requirement], tested: Mapping[str, str]) -> list[Finding]:
    """Every direct requirement once: is it there, is it recent enough, is it the tested version."""
    extras: dict[str, list[str]] = {}
    specifiers: dict[str, str] = {}
    for requirement in requirements:
        extras.setdefault(requirement.name, []).append(requirement.extra)
        specifiers[requirement.name] = requirement.specifier
    if not extras:
        remedy = "install it: pip install -e . in a checkout"
        return [Finding("packages", "shopfloor", "imported, but not installed", Status.NOTE, remedy)]
    return [
        check_package(name, specifiers[name], extras[name], tested.get(normalized(name)))
        for name in sorted(extras, key=lambda name: ("" not in extras[name], normalized(name)))
    ]


def check_package(name: str, specifier: str, extras: Sequence[str], tested: str | None) -> Finding:
    """One requirement; absent, it is broken if the base needs it and missing if an extra does."""
    required = "" in extras
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if required:
            remedy = f'pip install "{name}{specifier}"'
            return Finding("packages", name, "not installed", Status.BROKEN, remedy)
        remedy = f'for [{", ".join(extras)}]: pip install "shopfloor[{extras[0]}]"'
        return Finding("packages", name, "not installed", Status.MISSING, remedy)
    if not satisfies(version, specifier):
        status = Status.BROKEN if required else Status.MISSING
        return Finding("packages", name, version, status, f'pip install "{name}{specifier}"')
    public = version.partition("+")[0]
    if tested is not None and public != tested:
        return Finding("packages", name, version, Status.NOTE, f"tested with {tested}")
    return Finding("packages", name, version)


def satisfies(version: str, specifier: str) -> bool:
    """Whether ``version`` is in ``specifier``; true where ``packaging`` is not there to tell."""
    try:
        from packaging.specifiers import SpecifierSet
    except ModuleNotFoundError:
        return True
    return SpecifierSet(specifier).contains(version, prereleases=True)


# --- The machine ----------------------------------------------------------------------------------


def check_machine() -> list[Finding]:
    """Cores and memory that this process may use, which in a container are fewer than the machine has."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = f"{usable} usable of {os.cpu_count()}"
    quota = cpu_quota()
    if quota is not None and quota < usable:
        cores += f", limited to the time of {quota:.1f} by the container"
    findings = [
        Finding("machine", "system", f"{platform.platform()}"),
        Finding("machine", "cores", cores),
    ]
    memory = memory_gib()
    if memory is not None:
        available, total = memory
        low = available < 2.0
        remedy = "training the demo needs about 2 GiB" if low else ""
        status = Status.NOTE if low else Status.OK
        value = f"{available:.1f} GiB available of {total:.1f}"
        findings.append(Finding("machine", "memory", value, status, remedy))
    return findings


def cpu_quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> float | None:
    """Cores' worth of time that the container may use, or ``None`` where it is not limited (cgroup v2)."""
    try:
        quota, period = path.read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else float(quota) / float(period)


def memory_gib(
    meminfo: Path = Path("/proc/meminfo"), limit: Path = Path("/sys/fs/cgroup/memory.max")
) -> tuple[float, float] | None:
    """Available and total memory in GiB within the container's limit; ``None`` where Linux does not tell."""
    try:
        kib = dict(re.findall(r"^(\w+):\s+(\d+) kB", meminfo.read_text(), re.MULTILINE))
        available, total = int(kib["MemAvailable"]) / 2**20, int(kib["MemTotal"]) / 2**20
    except (OSError, KeyError):
        return None
    try:
        cap = int(limit.read_text()) / 2**30
    except (OSError, ValueError):
        return available, total
    return min(available, cap), min(total, cap)


# --- Trying things out ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """What a program found out, or else the last line of its complaint."""

    found: str = ""
    complaint: str = ""

    @property
    def works(self) -> bool:
        """Whether the program came to its end."""
        return not self.complaint


def probe(program: str, environment: Mapping[str, str] | None = None) -> Probe:
    """Run a Python program that prints what it found, in a process that may crash or hang without harm."""
    # -P: a file in the user's folder must not shadow a module.
    command = [sys.executable, "-P", "-c", textwrap.dedent(program)]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Probe(complaint=f"no answer within {PROBE_TIMEOUT_S:.0f} s")
    if done.returncode == 0:
        return Probe(found=done.stdout.strip().splitlines()[-1])
    # Interpreters and GL libraries also complain while they shut down: the error itself names its class.
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|NotFound)\b", line)]
    last = (errors or lines or [f"exit status {done.returncode}"])[-1]
    return Probe(complaint=last)


ENGINE_PROGRAMS = {
    "mujoco": """
        import mujoco, mujoco.batch
        xml = "<mujoco><worldbody><body><freejoint/><geom size='.1'/></body></worldbody></mujoco>"
        simulations = mujoco.batch.Batch(mujoco.MjModel.from_xml_string(xml), 4, nthread=2, persistent=True)
        simulations.step()
        print("batched stepping works")
        """,
    "torch": """
        import torch
        device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no CUDA device"
        print(f"{torch.get_num_threads()} threads, {device}")
        """,
    "onnxruntime": """
        import onnxruntime
        print(", ".join(onnxruntime.get_available_providers()))
        """,
}
RENDER_PROGRAM = """
    import time, mujoco
    xml = "<mujoco><worldbody><light pos='0 0 3'/><geom size='.1'/></worldbody></mujoco>"
    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, 240, 320) as renderer:
        for _ in range(3):
            start = time.perf_counter()
            renderer.update_scene(data)
            picture = renderer.render()
            frame_ms = 1000 * (time.perf_counter() - start)
        assert picture.max() > 0, "RuntimeError: the picture is black"
        from OpenGL import GL
        device = GL.glGetString(GL.GL_RENDERER).decode()
    print(f"{frame_ms:.0f} ms a frame of 320 x 240 on {device}")
"""


def check_engines() -> list[Finding]:
    """MuJoCo's batch engine, which everything needs, and what training and deployment compute with."""
    findings = []
    for name, program in ENGINE_PROGRAMS.items():
        if importlib.util.find_spec(name) is None:
            continue  # the packages section says which extra brings it
        result = probe(program)
        if result.works:
            findings.append(Finding("engines", name, result.found))
        else:
            remedy = f"pip install --force-reinstall {name}"
            findings.append(Finding("engines", name, result.complaint, Status.BROKEN, remedy))
    return findings


def probe_rendering(backend: str) -> Probe:
    """Render a small scene with one of MuJoCo's GL backends."""
    if backend == "glfw" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return Probe(complaint="no display: DISPLAY is not set")
    return probe(RENDER_PROGRAM, {"MUJOCO_GL": backend})


def check_rendering() -> list[Finding]:
    """Each GL backend. Pictures need one of them and nothing else does, so that none is required."""
    if importlib.util.find_spec("mujoco") is None:
        return []
    results = {backend: probe_rendering(backend) for backend in GL_PACKAGES}
    some_work = any(result.works for result in results.values())
    findings = []
    for backend, result in results.items():
        if result.works:
            findings.append(Finding("rendering", backend, result.found))
            continue
        packages = GL_PACKAGES[backend]
        status = Status.NOTE if some_work or not packages else Status.MISSING
        remedy = "Debian, Ubuntu: apt-get install " + " ".join(packages) if packages else "for the desktop viewer"
        findings.append(Finding("rendering", backend, f"does not work: {result.complaint}", status, remedy))
    findings.append(Finding("rendering", "DISPLAY", os.environ.get("DISPLAY") or "not set"))
    chosen = os.environ.get("MUJOCO_GL", "")
    useless = chosen in results and not results[chosen].works
    status, remedy = (Status.MISSING, "unset it, or name one that works") if useless else (Status.OK, "")
    findings.append(Finding("rendering", "MUJOCO_GL", chosen or "not set", status, remedy))
    return findings


# --- The report -----------------------------------------------------------------------------------


def verdict(findings: Sequence[Finding]) -> str:
    """The last line of the report."""
    broken = [finding.name for finding in findings if finding.status is Status.BROKEN]
    missing = [finding.name for finding in findings if finding.status is Status.MISSING]
    if broken:
        return f"broken: {', '.join(broken)}"
    return f"works; not there: {', '.join(missing)}" if missing else "works"


def plain_report(findings: Sequence[Finding]) -> str:
    """The report as lines that survive a pipe and a bug report."""
    lines, section = [], ""
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        if finding.section != section:
            section = finding.section
            lines.append(section)
        mark = "" if finding.status is Status.OK else f"  [{finding.status.value}]"
        remedy = f"  {finding.remedy}" if finding.remedy else ""
        lines.append(f"  {finding.name:<{width}}  {finding.value}{mark}{remedy}")
    return "\n".join([*lines, verdict(findings)])


def print_report(findings: Sequence[Finding]) -> None:
    """Print a table in a terminal and plain lines elsewhere."""
    if not sys.stdout.isatty() or importlib.util.find_spec("rich") is None:
        print(plain_report(findings))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    colours = {Status.OK: "green", Status.NOTE: "cyan", Status.MISSING: "yellow", Status.BROKEN: "bold red"}
    table = Table(box=None, pad_edge=False)
    for heading in ("", "", "found", "", "what to do"):
        table.add_column(heading, overflow="fold")
    section = ""
    for finding in findings:
        mark = f"[{colours[finding.status]}]{finding.status.value}[/]"
        first = "" if finding.section == section else f"[bold]{finding.section}[/]"
        section = finding.section
        table.add_row(first, finding.name, escape(finding.value), mark, escape(finding.remedy))
    console = Console()
    console.print(table)
    console.print(verdict(findings), highlight=False)


def main(argv: list[str]) -> int:
    """``shopfloor doctor``.

    Returns:
        0, or 1 where something required is broken (with ``--can-render``: where nothing renders).
    """
    parser = argparse.ArgumentParser(prog="shopfloor doctor", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--can-render",
        action="store_true",
        help="print nothing; exit with 0 where a GL backend renders a picture, else with 1",
    )
    if parser.parse_args(argv).can_render:
        return 0 if any(probe_rendering(backend).works for backend in GL_PACKAGES) else 1
    findings = examine()
    print_report(findings)
    return 1 if any(finding.status is Status.BROKEN for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
