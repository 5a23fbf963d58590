"""What domain randomization buys: policies trained with and without it, on machines like and unlike those of training.

For each environment three ways of training, several seeds each: on the nominal machine, on the split `train`, and
under random force injection, the simple baseline of Valassakis, Ding and Johns ("Crossing the Gap", IROS 2020). Every
policy is scored on the same held-out episodes of several splits, so that differences between ways of training are
differences between policies. Intervals resample training seeds and, within them, episodes: with three seeds they are
wide, as they should be.

    python -m shopfloor.benchmarks.randomization_evidence train --runs runs/evidence
    python -m shopfloor.benchmarks.randomization_evidence evaluate --runs runs/evidence
    python -m shopfloor.benchmarks.randomization_evidence report
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..deploy.bundle import RUN_BUNDLE, RUN_CONFIG, is_bundle
from ..envs.randomization import NOMINAL, OOD_FAR, OOD_NEAR, STRUCTURAL, TRAIN, load_spec
from ..envs.registry import make_task
from ..errors import ShopfloorError
from ..eval.evaluate import HELD_OUT_SEED, evaluate, held_out_seeds
from ..eval.policies import BundlePolicy, find_bundle, scripted

Array = NDArray[np.float64]

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results" / "randomization_evidence.json"
PAGE = ROOT / "docs" / "randomization_evidence.md"
ENVIRONMENTS = {"arm_reach": "shopfloor/ArmReach-v0", "wafer_transfer": "shopfloor/WaferTransfer-v0"}
ARMS = {"nominal": "", "randomized": "_train", "forces": "_forces"}
ARM_TEXTS = {
    "nominal": "trained on the nominal machine",
    "randomized": "trained on the split `train`",
    "forces": "trained under random force injection",
}
SPLITS = (NOMINAL, TRAIN, OOD_NEAR, OOD_FAR, STRUCTURAL)
SEEDS = (0, 1, 2)
RESAMPLES = 4000


# -- training and scoring -------------------------------------------------------------------------------------------


def train(runs: Path) -> None:
    """Train what is not there yet, one run after the other."""
    for name in ENVIRONMENTS:
        for suffix in ARMS.values():
            for seed in SEEDS:
                folder = runs / f"{name}{suffix}-{seed}"
                command = [sys.executable, "-m", "shopfloor"]
                if _run_in(folder) is None:
                    words = ["train", f"{name}{suffix}", "--runs", str(folder), f"seed={seed}"]
                    subprocess.run([*command, *words], check=True)
                run = _run_in(folder)
                if run is not None and not is_bundle(run / RUN_BUNDLE):
                    subprocess.run([*command, "export", str(run)], check=True)


def _run_in(folder: Path) -> Path | None:
    found = sorted(folder.rglob(RUN_CONFIG)) if folder.is_dir() else []
    return found[-1].parent if found else None


def score(runs: Path, episodes: int) -> dict[str, Any]:
    """Episodes of every policy on every split: success and main metric, in the order of the seeds."""
    out: dict[str, Any] = {
        "schema_version": 1,
        "shopfloor": __version__,
        "episodes": episodes,
        "first_seed": HELD_OUT_SEED,
        "environments": {},
    }
    for name, env_id in ENVIRONMENTS.items():
        task = make_task(env_id)
        metric = task.metrics[task.main_metric]
        entry: dict[str, Any] = {
            "id": env_id,
            "main_metric": task.main_metric,
            "unit": metric.unit,
            "better": metric.better,
            "spec": {"name": str(task.randomization), "hash": load_spec(str(task.randomization)).hash},
            "policies": {},
        }
        references = ["expert"] + (["oracle"] if task.oracle() is not None else [])
        for kind in references:
            entry["policies"][kind] = [_score_one(env_id, kind, episodes)]
        for arm, suffix in ARMS.items():
            found = [_run_in(runs / f"{name}{suffix}-{seed}") for seed in SEEDS]
            missing = [f"{name}{suffix}-{s}" for s, f in zip(SEEDS, found, strict=True) if f is None]
            if missing:
                raise ShopfloorError(f"no run in {runs / missing[0]}; run `train` first")
            entry["policies"][arm] = [_score_one(env_id, str(f), episodes) for f in found]
        out["environments"][name] = entry
    return out


def _score_one(env_id: str, policy: str, episodes: int) -> dict[str, Any]:
    bundle = find_bundle(policy)
    out: dict[str, Any] = {"bundle": None if bundle is None else bundle.sha256, "splits": {}}
    for split in SPLITS:
        task = make_task(env_id)
        subject = BundlePolicy(bundle) if bundle is not None else scripted(policy, task)
        records = evaluate(subject, task, held_out_seeds(episodes), randomization=split)
        out["splits"][split] = {
            "success": "".join("1" if r.success else "0" for r in records),
            "metric": [_rounded(r.metrics[task.main_metric]) if r.success else None for r in records],
        }
        print(f"{policy} on {split}: {sum(r.success for r in records)} of {episodes}", flush=True)
    return out


def _rounded(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None


# -- figures ----------------------------------------------------------------------------------------------------------


def successes(policies: Sequence[Mapping[str, Any]], split: str) -> Array:
    """Success of each policy in each episode, (policies, episodes)."""
    return np.array([[c == "1" for c in p["splits"][split]["success"]] for p in policies], dtype=np.float64)


def metrics(policies: Sequence[Mapping[str, Any]], split: str) -> Array:
    """Main metric, NaN where the episode failed, (policies, episodes)."""
    return np.array([[np.nan if v is None else v for v in p["splits"][split]["metric"]] for p in policies])


def _resampled(values: Array, other: Array | None, statistic: Any, key: str) -> tuple[float, float]:
    """95 % interval of a statistic, or of its difference to `other`, over seeds and episodes.

    Episodes are the same for all policies, so that both sides of a difference are resampled together; training seeds
    are not, since seed 0 of one way of training has nothing to do with seed 0 of another.
    """
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    random = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
    draws = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        columns = random.integers(values.shape[1], size=values.shape[1])
        rows = random.integers(len(values), size=len(values))
        draws[i] = statistic(values[rows][:, columns])
        if other is not None:
            rows = random.integers(len(other), size=len(other))
            draws[i] -= statistic(other[rows][:, columns])
    low, high = np.nanquantile(draws, (0.025, 0.975))
    return float(low), float(high)


def _median(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def figures(data: Mapping[str, Any]) -> dict[str, Any]:
    """Rates, medians and differences with their intervals, by environment, way of training and split."""
    out: dict[str, Any] = {}
    for name, entry in data["environments"].items():
        table: dict[str, Any] = {}
        base = entry["policies"]["nominal"]
        for arm, policies in entry["policies"].items():
            for split in SPLITS:
                rate, metric = successes(policies, split), metrics(policies, split)
                key = f"{name}:{arm}:{split}"
                cell = {
                    "rate": float(rate.mean()),
                    "rate_interval": _resampled(rate, None, np.mean, key),
                    "rates": rate.mean(axis=1).tolist(),
                    "median": _median(metric),
                    "median_interval": _resampled(metric, None, _median, key),
                }
                if arm in ("randomized", "forces"):
                    cell["gain"] = float(rate.mean() - successes(base, split).mean())
                    cell["gain_interval"] = _resampled(rate, successes(base, split), np.mean, key)
                    cell["metric_change_interval"] = _resampled(metric, metrics(base, split), _median, key)
                table.setdefault(arm, {})[split] = cell
        out[name] = table
    return out


# -- the page ---------------------------------------------------------------------------------------------------------


def page(data: Mapping[str, Any], numbers: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    lines = [
        "<!-- Written by `python -m shopfloor.benchmarks.randomization_evidence report`. -->",
        "# What domain randomization buys",
        "",
        f"Policies trained in three ways, {len(SEEDS)} seeds each, scored as exported bundles on {data['episodes']} "
        f"held-out episodes of every split (first seed {data['first_seed']:,}; the same episodes for all of them). "
        "Success is the mean over the seeds, with a 95 % interval over seeds and episodes and the seeds' own rates in "
        "parentheses. The main metric is the median over successful episodes. All of this is simulation against "
        "simulation: it says how a policy bears machines that differ in the declared ways, not how a real one differs.",
        "",
        "Ways of training: " + "; ".join(f"*{k}*: {v}" for k, v in ARM_TEXTS.items()) + ". All else, the number of "
        "steps included, is equal. What the splits are is in [Domain randomization](randomization.md), the ranges are "
        "on the environments' pages.",
    ]
    for name, entry in data["environments"].items():
        lines += ["", f"## {entry['id'].partition('/')[2]}", ""]
        lines += _table(entry, numbers[name])
        lines += ["", *(_verdict(split, numbers[name]) for split in SPLITS)]
    return "\n".join(lines) + "\n"


def _table(entry: Mapping[str, Any], numbers: Mapping[str, Any]) -> list[str]:
    metric = f"{entry['main_metric'].replace('_', ' ')}, {entry['unit']}"
    lines = ["| policy | " + " | ".join(SPLITS) + " |", "|---" * (1 + len(SPLITS)) + "|"]
    for arm, cells in numbers.items():
        rates = []
        for split in SPLITS:
            cell = cells[split]
            low, high = cell["rate_interval"]
            text = f"{cell['rate']:.1%} [{low:.0%}, {high:.0%}]"
            if len(cell["rates"]) > 1:
                text += " (" + ", ".join(f"{r:.0%}" for r in cell["rates"]) + ")"
            rates.append(text)
        lines.append(f"| {arm}, success | " + " | ".join(rates) + " |")
    for arm, cells in numbers.items():
        medians = []
        for split in SPLITS:
            (low, high), value = cells[split]["median_interval"], cells[split]["median"]
            medians.append("none" if math.isnan(value) else f"{value:.3f} [{low:.3f}, {high:.3f}]")
        lines.append(f"| {arm}, {metric} | " + " | ".join(medians) + " |")
    return lines


def _verdict(split: str, numbers: Mapping[str, Any]) -> str:
    """In words: whether the difference to training on the nominal machine is more than chance."""
    parts = []
    for arm in ("randomized", "forces"):
        cell = numbers[arm][split]
        low, high = cell["gain_interval"]
        text = f"{100 * cell['gain']:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"
        word = "helped" if low > 0.0 else "hurt" if high < 0.0 else "made no difference that these episodes show"
        parts.append(f"{'randomization' if arm == 'randomized' else 'random forces'} {word} ({text})")
    return f"- `{split}`: {'; '.join(parts)}."


def main(argv: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("train", "evaluate", "report"))
    parser.add_argument("--runs", type=Path, default=Path("runs") / "evidence", help="where runs are (%(default)s)")
    parser.add_argument("--episodes", type=int, default=300, help="held-out episodes a split (%(default)s)")
    options = parser.parse_args(argv)
    if options.what == "train":
        train(options.runs)
    elif options.what == "evaluate":
        RESULTS.write_text(json.dumps(score(options.runs, options.episodes)) + "\n", encoding="utf-8")
    else:
        data = json.loads(RESULTS.read_text(encoding="utf-8"))
        PAGE.write_text(page(data, figures(data)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
