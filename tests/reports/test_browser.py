"""The report in a real browser: it fits a wide and a narrow screen, is dark where that is preferred, and obeys no name.

A page of the test's own holds the report in frames of two widths, measures it, and writes down what it found, which
--dump-dom prints.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import struct
import subprocess

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--allow-file-access-from-files"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
]
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"
MEASURE = """<!DOCTYPE html><body>%s<script>
addEventListener("load", () => {
  const told = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    const colour = (element) => frame.contentWindow.getComputedStyle(element).backgroundColor;
    const boxes = [...page.querySelectorAll("h1, .answer, .scroll, figure")].map((at) => at.getBoundingClientRect());
    told[frame.width] = {
      overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
      outside: boxes.filter((box) => box.right > page.documentElement.clientWidth + 1).length,
      boxes: boxes.length,
      background: colour(page.body),
      colours: [...new Set([...page.querySelectorAll(".heat td")].map(colour))],
      ran: frame.contentWindow.ran || null,
      scripts: page.scripts.length,
      images: page.images.length,
      title: page.title,
    };
  }
  document.body.dataset.told = JSON.stringify(told);
});
</script></body>"""


@pytest.fixture
def browse(tmp_path):
    """`browse(*flags, page)` runs the browser on a file, with a profile of its own."""

    def run(*words: str) -> str:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [str(BROWSER), *QUIET, profile, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout

    return run


@pytest.fixture
def measured(browse, tmp_path):
    """What is found of the report, by the width of its frame."""

    def measure(scheme: str, *widths: int) -> dict[str, dict]:
        frames = "".join(f'<iframe src="report.html" width="{width}" height="900"></iframe>' for width in widths)
        (tmp_path / "measure.html").write_text(MEASURE % frames, encoding="utf-8")
        found = re.search(r'data-told="([^"]*)"', browse(scheme, "--dump-dom", (tmp_path / "measure.html").as_uri()))
        return json.loads(html.unescape(found[1]))

    return measure


def test_fits_wide_and_narrow_screens_in_light_and_dark(written, measured):
    written()
    light, dark = measured(LIGHT, 1280, 400), measured(DARK, 1280)
    for of_width in (*light.values(), *dark.values()):
        assert of_width["boxes"] > 5
        assert (of_width["overflow"], of_width["outside"]) == (0, 0)
        assert of_width["title"] == "example: report"
        assert len(of_width["colours"]) > 4
    brightness = [sum(map(float, re.findall(r"\d+", one["1280"]["background"])[:3])) for one in (light, dark)]
    assert brightness[0] > 700
    assert brightness[1] < 100


def test_runs_nothing_that_a_name_says(written, made_up, measured):
    evil = "</title></style><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
    entries = [{**entry, "target": evil, "gain_by_language": {evil: 0.1}} for entry in made_up()["entries"]]
    written(study=evil, entries=entries)
    (found,) = measured(LIGHT, 1280).values()
    assert (found["ran"], found["scripts"], found["images"]) == (None, 0, 0)
    assert found["title"] == f"{evil}: report"


@pytest.mark.parametrize(("width", "scheme"), [(1280, LIGHT), (400, DARK)])
def test_is_painted(written, browse, tmp_path, width, scheme):
    written()
    shot = tmp_path / "shot.png"
    browse(scheme, f"--window-size={width},1600", f"--screenshot={shot}", (tmp_path / "report.html").as_uri())
    content = shot.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (width, 1600)
    assert len(content) > 40_000  # an empty page has a few thousand bytes
