"""Value and large orders beside their baselines and goals, at past days: what is met and missed.

python -m benchmarks targets      two cutoffs of Online Retail, where present, and of CDNOW
python -m benchmarks targets --data retail --cutoffs 2011-08-01 2011-09-01 --horizon 60
python -m benchmarks targets --data orders.csv --cutoffs 2025-06-30 --set amount_column=paid

One training job with the defaults learns until the end of each day. All who have ever bought are
judged by what they did within the horizon. Differences have a 90 % interval, customers drawn again.
It ends with status 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import MODEL, Metric
from ordergap.errors import UserError
from ordergap.evaluation.compare import Comparison, compare
from ordergap.evaluation.large import METRICS as LARGE_METRICS
from ordergap.evaluation.large import LargeEvaluation
from ordergap.evaluation.value import METRICS as VALUE_METRICS
from ordergap.evaluation.value import ValueEvaluation

from benchmarks.cutoff import CUTOFFS, Cutoff, cases, learnt
from benchmarks.goals import ANY, BEATEN, COSTS, GOALS, HORIZON, Goal
from benchmarks.invariants import broken
from benchmarks.quantile_heads import NAME as QUANTILE_HEADS
from benchmarks.quantile_heads import beside_quantile_heads
from docs.generate import compact

REPLICATES = 200


@dataclass
class Judgement:
    """What of one cutoff is printed and saved.

    met, missed  goals in words
    scores       value or a question about large orders -> model or baseline -> metric -> figure
    goals        metric -> what it is to be
    differences  baseline -> d2 and gini -> model less baseline, low, high
    """

    lines: list[str] = field(default_factory=list)
    met: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    goals: dict[str, str] = field(default_factory=dict)
    differences: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def goal(self, what: str, *, met: bool) -> str:
        """Note a goal; whether it is met, in a word."""
        (self.met if met else self.missed).append(what)
        return "met" if met else "MISSED"


def judged(data: str, cutoff: str, made: Cutoff, horizon: int) -> Judgement:
    """All figures of one cutoff."""
    found = Judgement()
    goals = GOALS.get((data, cutoff), {}) if horizon == HORIZON else {}
    out = found.lines.append
    for task, reason in made.unanswered.items():
        out(f"  {task} would not be answered: {reason}")
    if "value" in made.heads:
        value = cast("ValueEvaluation", made.evaluation("value"))
        out(_customers(value))
        if value.came.any():
            compared = compare([value], made.hyperparameters.seed, REPLICATES)
            _table(found, "value", compared, VALUE_METRICS, goals)
            _differences(found, compared)
            if learnt_ends := beside_quantile_heads(value, made):
                compared = compare([learnt_ends], made.hyperparameters.seed, REPLICATES)
                _interval(found, compared, must_gain=data == "Online Retail")
    if "large_order" in made.heads:
        large = cast("LargeEvaluation", made.evaluation("large_order"))
        compared = compare([large], made.hyperparameters.seed, REPLICATES)
        for ending, question in large.questions.items():
            out(f"  An order above {question.threshold:g} within {question.days} days: "
                f"{large.came[question].mean():.1%} of all")  # fmt: skip
            metrics = {f"{key}{ending}": metric for key, metric in LARGE_METRICS.items()}
            _table(found, f"large_order{ending}", compared, metrics, goals)
    out("  Of every customer, as answered:")
    for promise, count in broken(made, horizon).items():
        state = found.goal(promise, met=not count)
        out(f"    {promise:52} broken for {count:,}: {state}")
    _costs(found, made, COSTS.get(data, 1.0))
    out(f"  {len(found.met)} of {len(found.met) + len(found.missed)} goals are met")
    found.lines += [f"  missed: {each}" for each in found.missed]
    return found


def _customers(value: ValueEvaluation) -> str:
    came = np.sort(value.came)[::-1]
    if not came.any():
        return f"  {len(came):,} customers, of whom nobody spent anything: value is not judged"
    first = came[: max(1, round(len(came) / 100))].sum() / came.sum()
    return (
        f"  {len(came):,} customers, {1 - value.ordered.mean():.0%} buy nothing, mean "
        f"{came.mean():.4g}, the top 1 % have {first:.0%}"
    )


def _table(
    found: Judgement, name: str, compared: Comparison, metrics: Mapping[str, Metric],
    goals: Mapping[str, Goal],
) -> None:  # fmt: skip
    """A line for each model; under the model's the goals and whether they are met."""
    width = 2 + max(len(each.title) for each in metrics.values())
    found.lines.append(" " * 30 + "".join(f"{each.title:>{width}}" for each in metrics.values()))
    for model, scores in compared.metrics.items():
        some = {key: scores[key] for key in metrics}
        if not np.isfinite([*some.values()]).any():
            continue
        found.scores.setdefault(name, {})[model] = {
            key: round(value, metrics[key].digits)
            for key, value in some.items()
            if np.isfinite(value)
        }
        cells = (_written(metrics[key], value) for key, value in some.items())
        found.lines.append(f"    {model:26}" + "".join(f"{cell:>{width}}" for cell in cells))
        if model == MODEL and goals.keys() & metrics:
            wanted, states = [], []
            for key, metric in metrics.items():
                least, most = goals.get(key, (-ANY, ANY))
                if key not in goals:
                    wanted.append("")
                    states.append("")
                    continue
                text = found.goals[key] = _range(metric, least, most)
                value = some[key]
                what = f"{metric.title} {_written(metric, value)}, goal {text}"
                wanted.append(text)
                states.append(found.goal(what, met=least <= value <= most))
            for title, row in (("  goal", wanted), ("  is", states)):
                found.lines.append(f"    {title:26}" + "".join(f"{each:>{width}}" for each in row))


def _written(metric: Metric, value: float) -> str:
    return f"{value:.{metric.digits}f}" if np.isfinite(value) else "-"


def _range(metric: Metric, least: float, most: float) -> str:
    low, high = (f"{each:.{metric.digits}f}" for each in (least, most))
    if most == ANY:
        return f">= {low}"
    return f"{low} to {high}" if least else f"<= {high}"


def _differences(found: Judgement, compared: Comparison) -> None:
    """The model less each baseline, and the goals that hold at every cutoff."""
    found.lines.append("  Model less baseline [90 % interval]")
    for baseline, of in compared.differences.items():
        must = "a sure gain" if baseline in BEATEN else "no sure loss"
        line = f"    {baseline:26}"
        own = found.differences[baseline] = {}
        for key in ("d2", "gini"):
            own[key] = [round(each, 4) for each in of[key]]
            figures = "{:+.4f} [{:+.4f}, {:+.4f}]".format(*of[key])
            what = f"{VALUE_METRICS[key].title} {figures}"
            met = of[key][1] > 0 if baseline in BEATEN else of[key][2] >= 0
            line += f"{what}   {found.goal(f'{must} over {baseline}: {what}', met=met)}   "
        found.lines.append(f"{line}{must}")


def _interval(found: Judgement, compared: Comparison, *, must_gain: bool) -> None:
    """The model's interval beside one that is learnt, to which it must not lose surely."""
    coverage, pinball = (VALUE_METRICS[key] for key in ("coverage", "pinball"))
    scores = compared.metrics[QUANTILE_HEADS]
    less, low, high = compared.differences[QUANTILE_HEADS]["pinball"]
    must = "below" if must_gain else "no sure loss"
    what = f"{pinball.title} {less:+.2f} [{low:+.2f}, {high:+.2f}]"
    state = found.goal(
        f"{must} to {QUANTILE_HEADS}: {what}", met=less < 0 if must_gain else low <= 0
    )
    found.lines.append(
        f"    {QUANTILE_HEADS:26}{what}   {state}   {must} ({pinball.title} "
        f"{_written(pinball, scores['pinball'])}, {coverage.title} "
        f"{_written(coverage, scores['coverage'])})"
    )


def _costs(found: Judgement, made: Cutoff, most: float) -> None:
    curves, more = made.seconds["next_order"], [
        made.seconds[task] for task in ("value", "large_order") if task in made.seconds
    ]  # fmt: skip
    if not more:
        return
    ratio = sum(fit for _, fit in more) / curves[1]
    text = ", ".join(
        f"{task} {search:.1f} and {fit:.1f} s" for task, (search, fit) in made.seconds.items()
    )
    state = found.goal(f"CPU of the fits {ratio:.2f} times the curves', at most {most:g}",
                       met=ratio <= most)  # fmt: skip
    found.lines.append(f"  CPU of validation and of the fit: {text}")
    found.lines.append(f"    fits, times the curves': {ratio:.2f}, goal <= {most:g}: {state}")


def _asked(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks targets", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--data", help="retail, cdnow or a file of orders; both where left out")
    parser.add_argument("--cutoffs", nargs="+", metavar="DAY", type=datetime.date.fromisoformat,
                        help="last days to learn from")  # fmt: skip
    parser.add_argument("--horizon", type=int, default=HORIZON, help="days that are judged")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE",
                        help="hyperparameters, among them the columns of a file")  # fmt: skip
    parser.add_argument("--save", type=Path, help="file of JSON that the figures are put into")
    asked = parser.parse_args(words)
    if asked.data not in {None, "retail", "cdnow"} and not asked.cutoffs:
        parser.error("give the days of a file: --cutoffs")
    return asked


def _cases(asked: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Path, dict[str, str]]]:
    names = {"retail": "Online Retail", "cdnow": "CDNOW"}
    if asked.data not in {None, *names}:
        yield asked.data, Path(asked.data), {}
        return
    for case in cases(folder):
        if asked.data is None or case[0] == names[asked.data]:
            yield case


def _save(file: Path, found: Mapping[tuple[str, str, int], Judgement]) -> None:
    """Replace the figures of these cases in the file, and leave those of others."""
    cases = json.loads(file.read_text("utf-8")) if file.exists() else []
    names = ("data", "cutoff", "horizon")
    kept = {tuple(case[name] for name in names): case for case in cases}
    for case, each in found.items():
        figures = {"goals": each.goals, "scores": each.scores, "differences": each.differences}
        kept[case] = dict(zip(names, case, strict=True)) | figures
    rows = [kept[case] for case in sorted(kept, reverse=True)]
    file.write_text(f"{compact(rows)}\n", "utf-8")


def main(words: Sequence[str]) -> None:
    """Print the tables."""
    asked = _asked(words)
    options = dict(each.split("=", 1) for each in asked.set)
    judgements = {}
    with tempfile.TemporaryDirectory() as folder:
        for data, file, columns in _cases(asked, Path(folder)):
            for day in asked.cutoffs or map(datetime.date.fromisoformat, CUTOFFS[data]):
                longest = max(asked.horizon, HORIZON)  # one factor serves shorter horizons as well
                try:
                    hyperparameters = parse({"value_horizon": longest, **columns, **options})
                    made = learnt(file, hyperparameters, day, asked.horizon)
                except UserError as error:
                    sys.exit(f"{data} until {day}: {error}")
                found = judged(data, str(day), made, asked.horizon)
                judgements[data, str(day), asked.horizon] = found
                print(f"{data} until {day}, {asked.horizon} days after it")
                print("\n".join(found.lines), flush=True)
    if asked.save:
        _save(asked.save, judgements)
    missed = [
        f"{data} {day}: {each}"
        for (data, day, _), found in judgements.items()
        for each in found.missed
    ]
    print("\n".join(["", "All goals are met." if not missed else "Missed:", *missed]))
    sys.exit(bool(missed))
