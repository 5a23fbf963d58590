"""`shopfloor doctor`: what it finds, what it recommends, and when it fails."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import mujoco
import pytest

from shopfloor import doctor
from shopfloor.doctor import Finding, Probe, Requirement, Status

REQUIREMENTS = [
    Requirement("numpy", ">=2.0", ""),
    Requirement("numpy", ">=2.0", "deploy"),
    Requirement("stable-baselines3", "==2.9.*", "train"),
    Requirement("onnxruntime", ">=1.24", "train"),
    Requirement("onnxruntime", ">=1.24", "deploy"),
]
INSTALLED = {"numpy": "2.4.6", "stable-baselines3": "2.9.2", "onnxruntime": "1.31.1"}


def packages(
    monkeypatch: pytest.MonkeyPatch, installed: Mapping[str, str], tested: Mapping[str, str] = INSTALLED
) -> dict[str, Finding]:
    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", version)
    return {finding.name: finding for finding in doctor.check_packages(REQUIREMENTS, tested)}


def test_this_installation_is_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([]) == 0
    report = capsys.readouterr().out
    assert re.search(rf"^  mujoco +{re.escape(mujoco.__version__)}$", report, re.MULTILINE)
    assert "batched stepping works" in report
    assert sys.executable in report
    for backend in doctor.GL_PACKAGES:
        assert f"\n  {backend} " in report


def test_every_direct_requirement_has_a_tested_version() -> None:
    tested = doctor.tested_versions()
    requirements = doctor.declared_requirements()
    assert {requirement.extra for requirement in requirements} == {"", "train", "deploy", "render"}
    for requirement in requirements:
        version = tested[doctor.normalized(requirement.name)]
        assert doctor.satisfies(version, requirement.specifier), requirement


def test_tested_versions_are_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    found = packages(monkeypatch, INSTALLED)
    assert list(found) == ["numpy", "onnxruntime", "stable-baselines3"]
    assert {finding.status for finding in found.values()} == {Status.OK}


def test_a_missing_base_package_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = packages(monkeypatch, {})["numpy"]
    assert finding.status is Status.BROKEN
    assert finding.remedy == 'pip install "numpy>=2.0"'


def test_a_missing_extra_is_named_and_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = packages(monkeypatch, {"numpy": "2.4.6"})["onnxruntime"]
    assert finding.status is Status.MISSING
    assert finding.remedy == 'for [train, deploy]: pip install "shopfloor[train]"'


def test_versions_out_of_range_are_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = packages(monkeypatch, {**INSTALLED, "numpy": "1.26.4", "stable-baselines3": "2.10.0"})
    assert found["numpy"].status is Status.BROKEN
    assert found["stable-baselines3"].status is Status.MISSING
    assert found["stable-baselines3"].remedy == 'pip install "stable-baselines3==2.9.*"'


def test_other_than_the_tested_version_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    found = packages(monkeypatch, {**INSTALLED, "numpy": "2.5.0", "onnxruntime": "1.31.1+local"})
    assert found["numpy"].status is Status.NOTE
    assert found["numpy"].remedy == "tested with 2.4.6"
    assert found["onnxruntime"].status is Status.OK


def test_a_crashing_or_failing_program_is_a_finding() -> None:
    assert doctor.probe("print('fine')") == Probe(found="fine")
    assert doctor.probe("raise ValueError('no such device')").complaint == "ValueError: no such device"
    assert doctor.probe("import os; os.abort()").complaint.startswith("exit status")


def test_a_hanging_program_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROBE_TIMEOUT_S", 0.5)
    assert "no answer" in doctor.probe("import time; time.sleep(30)").complaint


def rendering(monkeypatch: pytest.MonkeyPatch, works: set[str]) -> dict[str, Finding]:
    def probe(backend: str) -> Probe:
        return Probe(found="5 ms") if backend in works else Probe(complaint="no library")

    monkeypatch.setattr(doctor, "probe_rendering", probe)
    return {finding.name: finding for finding in doctor.check_rendering()}


def test_without_gl_the_debian_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rendering(monkeypatch, set())
    assert found["egl"].status is Status.MISSING
    assert found["egl"].remedy.endswith("apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri")
    assert found["osmesa"].remedy.endswith("libosmesa6")
    monkeypatch.setattr(doctor, "examine", lambda: list(found.values()))
    assert doctor.main([]) == 0
    assert doctor.main(["--can-render"]) == 1


def test_one_backend_is_enough_unless_another_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    assert Status.MISSING not in {finding.status for finding in rendering(monkeypatch, {"egl"}).values()}
    assert doctor.main(["--can-render"]) == 0
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert rendering(monkeypatch, {"egl"})["MUJOCO_GL"].status is Status.MISSING


def test_something_broken_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    findings = [
        Finding("packages", "numpy", "not installed", Status.BROKEN, "pip install numpy"),
        Finding("packages", "torch", "not installed", Status.MISSING, "pip install torch"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert doctor.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "packages",
        "  numpy  not installed  [broken]  pip install numpy",
        "  torch  not installed  [missing]  pip install torch",
        "broken: numpy",
    ]


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    doctor.print_report([Finding("engines", "torch", "2 threads [cpu]", Status.NOTE, "a remedy")])
    text = capsys.readouterr().out
    assert "what to do" in text
    assert "2 threads [cpu]" in text  # square brackets are text, not markup


def test_container_limits_count(tmp_path: Path) -> None:
    cpu, meminfo, cap = tmp_path / "cpu.max", tmp_path / "meminfo", tmp_path / "memory.max"
    assert doctor.cpu_quota(cpu) is None
    cpu.write_text("max 100000\n")
    assert doctor.cpu_quota(cpu) is None
    cpu.write_text("150000 100000\n")
    assert doctor.cpu_quota(cpu) == 1.5
    assert doctor.memory_gib(meminfo, cap) is None
    meminfo.write_text(f"MemTotal: {16 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {8 * 2**20} kB\n")
    assert doctor.memory_gib(meminfo, cap) == (8.0, 16.0)
    cap.write_text("max\n")
    assert doctor.memory_gib(meminfo, cap) == (8.0, 16.0)
    cap.write_text(str(4 * 2**30))
    assert doctor.memory_gib(meminfo, cap) == (4.0, 4.0)
