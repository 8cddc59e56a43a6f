"""A real browser opens the dashboard: it is drawn in both themes, and fits on a phone."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from benchmarks.dashboard.page import page
from benchmarks.dashboard.stored import stored

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LIGHT, DARK = (), ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
DESK, PHONE = (1280, 1600), (390, 844)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="opens the page in chromium, which is not installed")


def browse(folder: Path, size: tuple[int, int], *options: str) -> str:
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    finished = subprocess.run(
        [
            str(BROWSER),
            "--headless=new",
            *as_root,
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={size[0]},{size[1]}",
            *options,
            (folder / "index.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    measuring = "<script>document.title = [document.documentElement.scrollWidth, innerWidth]</script></body>"
    markup = page(stored(), has_asv=False).replace("</body>", measuring)
    (folder / "index.html").write_text(markup, encoding="utf-8")
    return folder


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_is_drawn_in_light_and_dark(site: Path, size: tuple[int, int]) -> None:
    means = []
    for theme in (LIGHT, DARK):
        file = site / "shot.png"
        file.unlink(missing_ok=True)
        browse(site, size, f"--screenshot={file}", *theme)
        pixels = imread(file)[..., :3]
        assert pixels.shape[1] == size[0]
        colours = np.unique((pixels.reshape(-1, 3) * 255).astype(np.uint8), axis=0)
        assert len(colours) > 50  # text and figures, not an empty page
        means.append(pixels.mean())
    light, dark = means
    assert light > 0.8
    assert dark < 0.3


@pytest.mark.parametrize("size", [DESK, PHONE, (500, 900)], ids=["desk", "phone", "small window"])
def test_nothing_is_wider_than_the_window(site: Path, size: tuple[int, int]) -> None:
    found = re.search(r"<title>(\d+),(\d+)</title>", browse(site, size, "--dump-dom"))
    assert found is not None
    assert int(found[1]) <= int(found[2])
