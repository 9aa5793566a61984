"""Write a picture of a report, as the README shows one: report_picture.py report.html report.png."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

BROWSER = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--no-first-run", "--disable-background-networking")
WIDTH, HEIGHT = 1120, 1380


def take(report: Path, picture: Path) -> None:
    """Open a report without a network and write the upper part of its page as PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        page = browser.new_context(offline=True, viewport={"width": WIDTH, "height": HEIGHT}).new_page()
        page.set_default_timeout(200_000)
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("#view-worst canvas")
        page.wait_for_timeout(500)
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
