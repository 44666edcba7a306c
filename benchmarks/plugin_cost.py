"""What the plugin costs a run that uses nothing of it: CPU time of pytest on one empty test, with and without it.

    python benchmarks/plugin_cost.py [PAIRS]

Runs with and without take turns, so that what else the machine does falls on both; the median of the pairs'
differences is printed, and the exit status is 1 where it is more than 20 ms.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

PAIRS = 9
MOST_MS = 20.0


def cpu_ms(folder: Path, *plugins: str) -> float:
    """The CPU milliseconds, user and system, of one pytest with these plugins alone."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, "test_empty.py"]
    # an installed package is compiled once; here that is done on the side, wherever we run
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, env={**os.environ, **compiled, **alone})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main(pairs: int = PAIRS) -> int:
    """Print the medians; 1 where the plugin costs too much."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.joinpath("test_empty.py").write_text("def test_empty(): ...\n", encoding="utf-8")
        # a plugin that does nothing: looking plugins up takes time too, and every run does it
        folder.joinpath("nothing.py").touch()
        with_plugin, without = ("-p", "fairprobe"), ("-p", "nothing")
        # once each before it counts: bytecode is compiled and files are read
        cpu_ms(folder, *with_plugin), cpu_ms(folder, *without)
        measured = [(cpu_ms(folder, *without), cpu_ms(folder, *with_plugin)) for _ in range(pairs)]
    cost = median(more - less for less, more in measured)
    print(f"without the plugin  {median(less for less, _ in measured):7.1f} ms of CPU time (median of {pairs})")
    print(f"with the plugin     {median(more for _, more in measured):7.1f} ms")
    print(f"the plugin's cost   {cost:7.1f} ms (median of the pairs' differences; at most {MOST_MS:g})")
    return 1 if cost > MOST_MS else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
