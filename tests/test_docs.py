"""The pages of the environments say what the code says; needs no OpenGL."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

import shopfloor
from shopfloor.deploy.bundle import Bundle
from shopfloor.docgen import markdown, sweeps
from shopfloor.docgen import pages as docgen
from shopfloor.envs.randomization import SPLITS, load_spec
from shopfloor.envs.randomization.describe import distribution_text, drawn_text, split_texts, target_text
from shopfloor.envs.registry import env_ids, make_env, make_task, task_arguments
from shopfloor.errors import ShopfloorError

ROOT = Path(shopfloor.__file__).parent
PAGES = ROOT / "docs" / "environments"
pytestmark = pytest.mark.skipif(not PAGES.is_dir(), reason="not a checkout")


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    return docgen.pages()


def section(page: str, heading: str) -> str:
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_pages_and_code_agree(expected: dict[str, str]) -> None:
    names = docgen.stale(PAGES, expected)
    assert not names, f"out of date: {', '.join(names)}; run `shopfloor docs`"


def test_pages_do_not_depend_on_the_process(expected: dict[str, str]) -> None:
    assert docgen.pages() == expected


def test_a_check_finds_what_is_missing_changed_or_left_over(
    expected: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    for name, text in expected.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert docgen.main(["--check", "--out", str(folder)]) == 0
    page = folder / "ArmReach.md"
    page.write_text(page.read_text(encoding="utf-8").replace("| 10 |", "| 11 |"), encoding="utf-8")
    (folder / "README.md").unlink()
    (folder / "Gone.md").write_text("an environment that is no more", encoding="utf-8")
    before = sorted(path.name for path in folder.iterdir())
    assert docgen.main(["--check", "--out", str(folder)]) == 1
    error = capsys.readouterr().err
    for name in ("ArmReach.md", "README.md", "Gone.md"):
        assert f"{name} is out of date" in error
    assert "WaferTransfer.md" not in error
    assert sorted(path.name for path in folder.iterdir()) == before


def test_writing_mends_what_a_check_finds(expected: dict[str, str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(docgen, "picture", lambda env_id, path, arguments: path.write_bytes(b""))
    folder = tmp_path / "environments"
    (tmp_path / "images").mkdir()
    assert docgen.main(["--out", str(folder)]) == 0
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == expected


def test_outside_of_a_checkout_a_folder_must_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(docgen, "DOCS", tmp_path / "docs")
    with pytest.raises(ShopfloorError, match="--out"):
        docgen.main([])


@pytest.mark.parametrize("env_id", env_ids())
def test_a_page_holds_the_whole_declaration(env_id: str, expected: dict[str, str]) -> None:
    page, task = expected[f"{docgen.title(env_id)}.md"], make_task(env_id)
    observations, privileged = section(page, "Observation space").partition("### privileged")[::2]
    for channel in task.channels:
        where = observations if channel.group == "policy" else privileged
        assert f"`{channel.name}`" in where
        assert channel.description in where
    for heading, names in (
        ("Action space", [term.name for term in task.make_action().terms]),
        ("Rewards", list(task.rewards)),
        ("Starting state and randomization", [term.name for term in task.start]),
        ("Episode end", ["success", "time_limit", "physics_error", *task.failure_texts]),
        ("Metrics", list(task.metrics)),
        ("Arguments", list(task_arguments(env_id))),
        ("Version history", list(task.versions)),
    ):
        for name in names:
            assert f"| `{name}`" in section(page, heading) or f"`{name}` |" in section(page, heading), (heading, name)
    assert task.success_text in page
    assert all(reference in page for reference in task.references)


@pytest.mark.parametrize("env_id", env_ids())
def test_observation_numbers_cover_the_observation(env_id: str, expected: dict[str, str]) -> None:
    table = section(expected[f"{docgen.title(env_id)}.md"], "Observation space").partition("### privileged")[0]
    numbers: list[int] = []
    for first, last in re.findall(r"^\| (\d+)(?:–(\d+))? \|", table, flags=re.MULTILINE):
        numbers += range(int(first), int(last or first) + 1)
    assert numbers == list(range(make_env(env_id).observation_space.shape[0]))


@pytest.mark.parametrize("env_id", env_ids())
def test_a_page_holds_the_whole_randomization(env_id: str, expected: dict[str, str]) -> None:
    preset = make_task(env_id).randomization
    assert preset is not None
    spec, text = load_spec(preset), section(expected[f"{docgen.title(env_id)}.md"], "Domain randomization")
    assert f"`{spec.hash}`" in text
    assert (PAGES / "../../configs/randomization" / f"{preset}.yaml").is_file()
    for term in spec.terms:
        (row,) = re.findall(rf"^\| `{term.name}`.*$", text, flags=re.MULTILINE)
        assert (" (structural) |" in row) == term.structural
        # bars inside a pattern are escaped
        for part in (term.description, f"`{term.effect}`", target_text(term), distribution_text(term)):
            assert part.replace("|", r"\|") in row
    for split in SPLITS:
        assert f"| `{split}` |" in text


def test_terms_in_words() -> None:
    def term(effect: str, **data: object):
        from shopfloor.envs.randomization import spec_from

        return spec_from({"terms": {"it": {"effect": effect, **data}}}).terms[0]

    joint = {"target": {"joint": "a|b"}}
    scaled = term("dof_damping", distribution={"log_uniform": [0.5, 2.0]}, shared=True, mode="startup", **joint)
    assert distribution_text(scaled) == "× log-uniform 0.5 to 2"
    assert (target_text(scaled), drawn_text(scaled)) == ("joint `a|b`, one for all", "once for each seed")
    added = term("mass", target={"body": "x"}, operation="add", distribution={"uniform": [0, 2]})
    assert (distribution_text(added), drawn_text(added)) == ("+ uniform 0 to 2 kg", "each episode")
    tilt = term("gravity_tilt", distribution={"normal": [0.0, 0.002]})
    assert (distribution_text(tilt), target_text(tilt)) == ("normal, mean 0 rad, σ 0.002 rad, within 3 σ", "")
    push = {"target": {"body": "x"}, "mode": {"interval_s": [0.3, 1]}, "options": {"duration_s": 0.06}}
    pushed = term("force.body", distribution={"uniform": [0, 5]}, **push)
    assert (distribution_text(pushed), drawn_text(pushed)) == ("uniform 0 to 5 N", "every 0.3 to 1 s, for 0.06 s")
    loss = term("command.dropout", target={"actuator": "x"}, distribution={"choice": [0.1, 0.2]})
    assert distribution_text(loss) == "choice 0.1 to 0.2"


def test_splits_in_words() -> None:
    words = split_texts(load_spec("arm_reach"))
    assert list(words) == list(SPLITS)
    assert words["ood_far"].endswith("between 1.5 and 2.5 times its width")


def test_every_kind_of_action_has_its_table(expected: dict[str, str]) -> None:
    text = section(expected["ArmReach.md"], "Action space")
    for kind in ("joint_position", "joint_velocity", "joint_torque", "tcp_twist"):
        assert f"### {kind}\n" in text
        for term in make_task("ArmReach-v0", action=kind).make_action().terms:
            assert f"`{term.name}`" in text


def test_the_index_links_every_page(expected: dict[str, str]) -> None:
    for env_id in env_ids():
        assert f"[{env_id.rpartition('/')[2]}]({docgen.title(env_id)}.md)" in expected[docgen.INDEX]


@pytest.mark.parametrize("name", docgen.pictures())
def test_every_page_has_its_pictures(name: str) -> None:
    path = ROOT / "docs" / "images" / name
    with Image.open(path) as picture:
        assert picture.size == docgen.PICTURE_SIZE
    assert path.stat().st_size <= docgen.PICTURE_BYTES


def test_sweeps_are_those_of_the_baselines_and_their_pictures_those_of_their_data() -> None:
    seals = {Bundle.load(path).sha256 for path in (ROOT / "baselines").glob("*/bundle")}
    pictures = sweeps.sweep_pictures()
    assert "ArmPegInsert_clearance_mm.svg" in pictures
    for name, picture in pictures.items():
        path = ROOT / "docs" / "images" / name
        assert path.read_text(encoding="utf-8") == picture, "run `shopfloor docs`"
        data = json.loads((sweeps.SWEEPS / name).with_suffix(".json").read_text(encoding="utf-8"))
        measured = [curve["bundle_sha256"] for curve in data["policies"].values() if curve["kind"] == "bundle"]
        assert measured and set(measured) <= seals, f"{name}: measure it again, with the baseline of today"


def test_a_sweep_is_told_with_its_intervals(tmp_path: Path) -> None:
    curve = {"kind": "expert", "bundle_sha256": None, "successes": [150, 200], "wilson": [[0.686, 0.805], [0.981, 1.0]],
             "success_median": [None, 1.234]}  # fmt: skip
    data = {
        "environment": {"id": "shopfloor/ArmX-v0"}, "randomization": {"split": "train"}, "episodes": 200,
        "parameter": {"name": "gap_mm", "unit": "mm", "description": "gap"}, "values": [0.1, 1.0],
        "main_metric": {"name": "cycle_time", "unit": "s"}, "policies": {"expert": curve},
    }  # fmt: skip
    (tmp_path / "ArmX_gap_mm.json").write_text(json.dumps(data), encoding="utf-8")
    text = sweeps.sweeps_section("ArmX", tmp_path)
    assert text.index("| 1 | 100.0 % | 98.1 to 100.0 % | 1.23 |") < text.index("| 0.1 | 75.0 % | 68.6 to 80.5 % | – |")
    assert "200 held-out episodes" in text and "../images/ArmX_gap_mm.svg" in text
    assert sweeps.sweeps_section("ArmY", tmp_path) == ""


def test_tables_are_well_formed(expected: dict[str, str]) -> None:
    for name, page in expected.items():
        for block in re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE):
            columns = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(columns) == 1, f"{name}: {block.splitlines()[0]}"


def test_docstrings_are_taken_apart() -> None:
    def sample() -> None:
        """First line.

        More text.

        Args:
            a: one "x" or
                "y".
            b, c: two.

        Returns:
            Nothing.
        """

    text, arguments = markdown.docstring(sample)
    assert text == "First line.\n\nMore text."
    assert arguments == {"a": 'one "x" or "y".', "b": "two.", "c": "two."}
    assert markdown.quoted(arguments["a"]) == ["x", "y"]


# -- the guide to domain randomization ------------------------------------------------------------------------------

GUIDE = ROOT / "docs" / "randomization.md"


def blocks(language: str) -> list[str]:
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_guides_file_and_programs_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = blocks("yaml")
    (tmp_path / "my.yaml").write_text(example, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    env = make_env("ArmReach-v0", randomization="my.yaml")
    for split in SPLITS:
        for seed in range(3):
            env.reset(seed=seed, options={"split": split})
            env.step(env.action_space.sample())
    programs = blocks("python")
    assert len(programs) == 3
    space: dict[str, object] = {}
    for program in programs:
        exec(program, space)


def test_the_guides_posterior_is_understood(tmp_path: Path) -> None:
    import numpy as np
    import yaml

    from shopfloor.envs.randomization import spec_from
    from shopfloor.envs.randomization.posterior import write_posterior

    names = ["joint_damping_elbow", "command_delay"]
    write_posterior(tmp_path / "cell_7.npz", names, ["1", "s"], np.array([[0.9, 0.010], [1.1, 0.012]]))
    (text,) = blocks("text")
    spec = spec_from(yaml.safe_load(text), tmp_path)
    env = make_env("ArmReach-v0", randomization=spec)
    drawn = {tuple(env.reset(seed=s)[1]["randomization"][n] for n in names) for s in range(20)}
    assert drawn == {(0.9, 0.010), (1.1, 0.012)}


def test_the_guide_knows_all_effects_splits_and_keys() -> None:
    from shopfloor.envs.randomization import spec_file
    from shopfloor.envs.randomization.catalogue import EFFECTS
    from shopfloor.envs.randomization.wrappers import stack

    text = GUIDE.read_text(encoding="utf-8")
    for name in (*EFFECTS, *SPLITS, *spec_file._TERM_KEYS, *stack.WRAPPERS.values()):
        assert f"`{name}`" in text, name
    for family, effect in ((e.family, e.name) for e in EFFECTS.values()):
        (row,) = re.findall(rf"^\| {family} \|.*$", text, flags=re.MULTILINE)
        assert f"`{effect}`" in row
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert "://" in link or (GUIDE.parent / link).exists(), link
