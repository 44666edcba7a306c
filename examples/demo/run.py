"""The whole of fairprobe offline: trains three tiny checkpoints, tests two of them, and says what the verdicts mean.

    python examples/demo/run.py [seed]

Exits with 0 exactly when the verdicts are the expected ones: `aligned` meets each of the four outcomes, and its
tuning is shown to widen a gap; `aligned_fair` is shown to have no gap, and to widen none.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".fairprobe" / "demo"
WIDENING, GAP = "test_tuning_widens_no_gap", "test_renderings_are_equal"
# what each model must bring; for other tests any outcome will do
EXPECTED = {"aligned": {WIDENING: "fail"}, "aligned_fair": {WIDENING: "pass", GAP: "pass"}}
OUTCOMES = ("pass", "fail", "inconclusive", "invalid")

Verdict = Mapping[str, Any]


def name(verdict: Verdict) -> str:
    return verdict["test"].rpartition("::")[2]


def differences(model: str, verdicts: Sequence[Verdict]) -> list[str]:
    """What the verdicts on a model lack, in words; empty when they are as expected."""
    outcomes = {name(verdict): verdict["outcome"] for verdict in verdicts}
    wrong = [
        f"{model}: {test} should be {wanted}, it is {outcomes.get(test, 'missing')}"
        for test, wanted in EXPECTED[model].items()
        if outcomes.get(test) != wanted
    ]
    if model == "aligned":
        wrong += [f"{model}: no verdict is {outcome}" for outcome in OUTCOMES if outcome not in outcomes.values()]
    return wrong


def explained(verdict: Verdict) -> str:
    """A verdict in one line, with the numbers that it rests on."""
    if verdict.get("error"):
        return f"{verdict['outcome']:12}  {name(verdict)}: {verdict['error']}"
    bound = f"{verdict['comparison']} {verdict['bound']:g}"
    below, above = f"shown below {verdict['high']:.3f}", f"shown above {verdict['low']:.3f}"
    low_is_good = "<" in verdict["comparison"]
    match verdict["outcome"]:
        case "pass":
            reason = f"{below if low_is_good else above}: {bound} holds, and not by the luck of these samples"
        case "fail":
            reason = f"{above if low_is_good else below}: {bound} does not hold, it is not merely unproven"
        case "inconclusive":
            reason = f"{above} and below {verdict['high']:.3f}: {verdict['clusters']} clusters do not decide {bound}"
        case _:
            fired = "; ".join(guard["detail"] for guard in verdict["guards"] if guard["outcome"] == "fail")
            reason = f"which is no evidence for {bound}: {fired}"
    return f"{verdict['outcome']:12}  {name(verdict)} is {verdict['value']:.3f}, {reason}."


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test(model: str) -> list[Verdict]:
    """Runs the suite on a model, as anyone would, and reads its verdicts."""
    report = FOLDER / f"report-{model}"
    results = report / "results.json"
    results.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "pytest", "suites/demo", f"--model={relative(FOLDER / model)}",
        f"--baseline={relative(FOLDER / 'base')}", f"--fairprobe-report={relative(report)}",
    ]  # fmt: skip
    print(f"\n$ {' '.join(['pytest', *command[3:]])}\n", flush=True)
    subprocess.run(command, cwd=ROOT, check=False)
    if not results.exists():
        sys.exit(f"pytest wrote no {results}; its own message stands above")
    return json.loads(results.read_text(encoding="utf-8"))["verdicts"]


def main(seed: int = 0) -> int:
    from train import train

    train(FOLDER, seed)
    wrong = []
    for model in EXPECTED:
        verdicts = test(model)
        wrong += differences(model, verdicts)
        print(f"\nWhat this says about {model}:")
        for verdict in verdicts:
            print(f"  {explained(verdict)}")
        print(f"  The report: {relative(FOLDER / f'report-{model}' / 'index.html')}", flush=True)
    print("\n" + "\n".join(wrong or ["All verdicts are as expected."]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
