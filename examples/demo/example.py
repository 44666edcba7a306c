"""Makes the example that is kept in reports/demo, and the picture of it in the README: after `make demo`.

    python examples/demo/example.py

The run before it, of `aligned_fair`, is there so that the page has something to compare with. The picture needs a
Chromium and Playwright.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "reports"
CHECKPOINTS = ".fairprobe/demo"
STORE = ".fairprobe/demo/example-store"
SIZE = {"width": 1280, "height": 1150}


def judge(model: str, folder: str) -> None:
    command = [
        sys.executable, "-m", "pytest", "-q", "--tb=no", "suites/demo", f"--model={CHECKPOINTS}/{model}",
        f"--baseline={CHECKPOINTS}/base", f"--fairprobe-report=reports/{folder}", f"--fairprobe-store={STORE}",
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=False)


def draw(page: Path, picture: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        window = browser.new_page(viewport=SIZE)
        window.goto(page.as_uri())
        window.screenshot(path=picture)
        browser.close()


def main() -> None:
    # answers that are kept would leave nothing to say of what they cost
    for folder in (REPORTS / "demo", REPORTS / "demo-before", ROOT / STORE):
        shutil.rmtree(folder, ignore_errors=True)
    judge("aligned_fair", "demo-before")
    judge("aligned", "demo")
    draw(REPORTS / "demo" / "index.html", ROOT / "docs" / "report.png")


if __name__ == "__main__":
    main()
