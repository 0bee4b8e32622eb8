"""Take the pictures of docs/console: every page, light and dark, wide and narrow.

`python tests/console/shoot.py` starts an emulator of its own, deploys console_swarm and gives it
something to show. Look at what comes out.
"""

import base64
import contextlib
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "console" / "console_swarm")]

from console_stage import CHROMIUM, NARROW, SWARM, WIDE, Browser, running_console  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from sqswarm import Swarm  # noqa: E402
from sqswarm.dispatcher.submit import Request  # noqa: E402
from sqswarm.infra.console.pages import PAGES  # noqa: E402
from sqswarm.infra.local.isolated import isolated_emulator  # noqa: E402

OUT = ROOT / "docs" / "console"
TO_WEBP = """async png => {
  const image = new Image(); image.src = 'data:image/png;base64,' + png; await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = image.width; canvas.height = image.height;
  canvas.getContext('2d').drawImage(image, 0, 0);
  return canvas.toDataURL('image/webp', 0.75).split(',')[1];
}"""


def fill(swarm):
    """Submit tasks of every kind; returns the pages that show one of them, by name."""
    swarm.submit_many(
        "summarise",
        [
            Request(
                arguments={"text": f"Bees dance. They tell the way. {n} times."},
                tags={"tenant": "acme" if n % 3 else "globex"},
            )
            for n in range(80)
        ],
    )
    swarm.submit_many("summarise", [Request(arguments={"text": " "}) for _ in range(5)])
    swarm.submit_many("refuse", [Request(arguments={}) for _ in range(3)])
    flaky = swarm.submit_many("flaky", [Request(arguments={"fail_before": n}) for n in (0, 1, 5)])
    asking = swarm.submit("report", topic="bees", sections=3)
    answered = swarm.submit("report", topic="wasps", sections=4)
    for task in (asking, answered):
        while task.status() != "input_required":
            time.sleep(0.5)
    answered.answer("approve", {"approved": True})
    list(swarm.wait([flaky[2], answered], timeout=120))
    time.sleep(5)
    return {
        "task-failed": f"/tasks/{flaky[2].id}",
        "task-asks": f"/tasks/{asking.id}",
        "task-completed": f"/tasks/{answered.id}",
        "agent": "/agents/summarise",
        "tasks-failed": "/tasks?status=failed&since=1h",
    }


def shoot(chromium, console, pages):
    """Write each page's four pictures."""
    OUT.mkdir(parents=True, exist_ok=True)
    maker = chromium.new_page()
    for width, viewport in (("wide", WIDE), ("narrow", NARROW)):
        for theme in ("light", "dark"):
            browser = Browser(chromium, console, dark=theme == "dark", viewport=viewport)
            for name, path in pages.items():
                page = browser.open(path)
                page.locator("[aria-label=Loading]").first.wait_for(state="detached")
                page.wait_for_timeout(1500)
                full = name == "task-completed" and width == "wide"
                png = base64.b64encode(page.screenshot(full_page=full)).decode()
                webp = maker.evaluate(TO_WEBP, png)
                (OUT / f"{name}-{width}-{theme}.webp").write_bytes(base64.b64decode(webp))
            browser.close()


def main():
    """Take them all, or those whose names are given."""
    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    with contextlib.ExitStack() as stack:
        stack.enter_context(isolated_emulator())
        deploy(settings_from_environment(), plan(find_project(SWARM), stage="dev"), Reports())
        swarm = stack.enter_context(Swarm.connect(operator=True))
        pages = {page.module.replace("_", "-"): page.path for page in PAGES if "{" not in page.path}
        pages |= fill(swarm)
        if wanted := sys.argv[1:]:
            pages = {name: pages[name] for name in wanted}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        console = stack.enter_context(running_console(folder))
        playwright = stack.enter_context(sync_playwright())
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        shoot(chromium, console, pages)
        chromium.close()


if __name__ == "__main__":
    main()
