"""The built documentation site: its links hold, nothing is wider than the window, both themes are drawn, the search finds names.

`make test-docs` builds the site and runs these tests.
"""

import json
import os
import queue
import shutil
import subprocess
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

SITE = os.environ.get("FASTGRAD_SITE")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = {"phone": 390, "tablet": 820, "desk": 1440}

pytestmark = pytest.mark.skipif(SITE is None, reason="FASTGRAD_SITE names no built site: `make test-docs` builds it")


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors.update(filter(None, (values.get("id"), values.get("name") if tag == "a" else None)))
        self.links.update(value for key in ("href", "src") if (value := values.get(key)))


@pytest.fixture(scope="module")
def pages():
    root = Path(SITE).resolve()
    return {path: Page(path) for path in sorted(root.rglob("*.html"))}


def test_links_lead_to_pages_files_and_anchors(pages):
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            file, anchor = urldefrag(link)
            target = (path.parent / unquote(urlsplit(file).path)).resolve() if urlsplit(file).path else path
            if not target.is_file() or (anchor and target in pages and unquote(anchor) not in pages[target].anchors):
                wrong.append((path.name, link))
    assert wrong == []


def test_public_names_are_anchors_of_the_reference(pages):
    anchors = (
        pages[Path(SITE).resolve() / "api" / "tf.html"].anchors
        | pages[Path(SITE).resolve() / "api" / "fg.html"].anchors
    )
    assert anchors >= {"tf.reshape", "tf.GradientTape", "tf.GradientTape.gradient", "fg.grad", "fg.hessian"}


# A page that opens each page of the site in a frame of each width and theme, and sends what it measures.
MEASURING = """<!doctype html><title>measures</title><body><script>
const jobs = JOBS;
function open(path, width, theme) {
  localStorage.setItem("theme", theme);
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px; border: 0`;
  frame.src = path;
  return new Promise(resolve => { frame.onload = () => resolve(frame); document.body.append(frame); });
}
async function measured([path, width, theme]) {
  const frame = await open(path, width, theme), page = frame.contentDocument, root = page.documentElement;
  const wide = [...page.querySelectorAll("article *")].find(node => {
    const box = node.getBoundingClientRect();
    if (box.right <= width + 1) return false;
    for (let at = node; at && at.tagName !== "ARTICLE"; at = at.parentElement)
      if (["auto", "scroll", "hidden"].includes(frame.contentWindow.getComputedStyle(at).overflowX)) return false;
    return true;
  });
  const answer = {path, width, theme, scroll: root.scrollWidth, client: root.clientWidth, text: page.body.innerText.length,
    wide: wide ? wide.outerHTML.slice(0, 200) : null,
    background: frame.contentWindow.getComputedStyle(page.body).backgroundColor};
  frame.remove();
  return answer;
}
async function found(words) {
  const frame = await open("/search.html?q=" + words, 1000, "light");
  for (;;) {
    const links = [...frame.contentDocument.querySelectorAll("#search-results li a")].map(link => link.getAttribute("href"));
    if (links.length) return links;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
(async () => {
  const answers = [];
  for (const job of jobs) answers.push(await measured(job));
  await fetch("/answers", {method: "POST", body: JSON.stringify({pages: answers, search: await found("GradientTape")})});
})();
</script>"""


class Server(SimpleHTTPRequestHandler):
    """Serves the site and the page that measures it, and takes its answers."""

    def __init__(self, *arguments, measuring, answers, **options):
        self.measuring, self.answers = measuring, answers
        super().__init__(*arguments, **options)

    def do_GET(self):
        if self.path != "/measuring":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.measuring.encode())

    def do_POST(self):
        self.answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Prints nothing."""


@pytest.fixture(scope="module")
def answers(pages, tmp_path_factory):
    """What a browser measures: each page at each width, and in both themes."""
    if BROWSER is None:
        pytest.skip("opens the site in chromium, which is not installed")
    root = Path(SITE).resolve()
    paths = ["/" + path.relative_to(root).as_posix() for path in pages]
    jobs = [(path, width, "light") for path in paths for width in WIDTHS.values()]
    jobs += [(path, WIDTHS["desk"], "dark") for path in paths]
    queued = queue.Queue()
    handler = partial(
        Server, directory=str(root), measuring=MEASURING.replace("JOBS", json.dumps(jobs)), answers=queued
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = subprocess.Popen(
            [
                BROWSER,
                "--headless=new",
                *as_root,
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--remote-debugging-port=0",  # or it would end before it has answered
                f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
                f"http://127.0.0.1:{server.server_address[1]}/measuring",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield queued.get(timeout=900)
        finally:
            browser.kill()
            browser.wait()
            server.shutdown()


def test_no_page_is_wider_than_the_window(answers):
    wide = [page for page in answers["pages"] if page["scroll"] > page["client"]]
    assert [(page["path"], page["width"], page["scroll"], page["wide"]) for page in wide] == []


def test_what_is_wide_scrolls_in_its_own_box(answers):
    assert [(page["path"], page["width"], page["wide"]) for page in answers["pages"] if page["wide"]] == []


def test_pages_are_drawn_in_light_and_dark(answers):
    def brightness(page):
        return sum(int(number) for number in page["background"].strip("rgba()").split(",")[:3]) / 765

    assert min(page["text"] for page in answers["pages"]) > 20
    assert min(brightness(page) for page in answers["pages"] if page["theme"] == "light") > 0.9
    assert max(brightness(page) for page in answers["pages"] if page["theme"] == "dark") < 0.2


def test_the_search_finds_a_class_by_its_name(answers):
    assert any(link.endswith("api/tf.html#tf.GradientTape") for link in answers["search"])
