"""The page and the document say what the committed results say, losses included, and need nothing beside them."""

import dataclasses
import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks.apart import ROOT
from benchmarks.dashboard import __main__ as command_line
from benchmarks.dashboard import allowance_picture
from benchmarks.dashboard.charts import LETTER, overview, spread_labels
from benchmarks.dashboard.findings import FUNCTION, growth_exponent, limit_shares
from benchmarks.dashboard.page import NARROW, page
from benchmarks.dashboard.performance import DOCUMENTS, document
from benchmarks.dashboard.plot import LogScale, duration, number
from benchmarks.dashboard.speed_picture import LIBRARIES, PICTURE, WIDTH, picture, rows
from benchmarks.dashboard.stored import Stored, stored
from benchmarks.peers.allowances import slower_with_more
from benchmarks.peers.known import OURS, PEERS
from benchmarks.peers.record import RESULTS, Record
from benchmarks.peers.runner import PeerResult, Settings
from benchmarks.peers.workload import FASTEST, Workload

FACTS = {
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "0123456789abcdef",
    "changed": False,
    "command": "python -m benchmarks.peers",
    "machine": {
        "cpu": "A <fast> one",
        "processors": 2,
        "memory_gigabytes": 8,
        "system": "Linux",
        "architecture": "x86_64",
    },
    "others_before": 0.01,
    "versions": {"python": "3.11.7"},
    "limits": {
        "1": {"flops_per_second": 1e11, "bytes_per_second": 1e10},
        "2": {"flops_per_second": 2e11, "bytes_per_second": 2e10},
    },
    "interrupted": False,
}
KERNELS = [
    {
        "name": "gemm",
        "operations": "matmul float32[8, 8]",
        "native": True,
        "count": 2,
        "flops": 4096,
        "bytes": 768,
        "microseconds": 1.5,
    },
    {
        "name": "roll",
        "operations": "roll float32[8]",
        "native": False,
        "count": 1,
        "flops": 8,
        "bytes": 64,
        "microseconds": 2.0,
    },
]


def timed(*microseconds: float, **facts: Any) -> PeerResult:
    return PeerResult(facts=facts, microseconds=dict(enumerate(microseconds)))


def record(name: str, results: Mapping[str, PeerResult], **facts: Any) -> Record:
    workload = Workload(name, "a step & its words", dict, {}, wanted={FASTEST: 3.0}, remarks="Why it is so.")
    return Record(workload, dict(results), Settings(3, 0.1, 2, {}), FACTS | facts)


def some() -> Stored:
    ours = timed(10.0, 10.0, 10.0, version="0.1", ready_seconds=0.1, cold={"ready_seconds": 4.0}, peak_megabytes=100.0)
    ours.kernels = KERNELS
    won = {
        "fastgrad": timed(60.0, 50.0, 55.0),
        "fastgrad.function": ours,
        "jax": timed(20.0, 21.0, 22.0, ready_seconds=0.5),
    }
    lost = {
        "fastgrad": timed(60.0, 50.0, 55.0),
        "fastgrad.function": timed(10.0, 10.0, 10.0),
        "torch": timed(5.0, 5.1, 5.2),
        "jax": PeerResult(problem="crashed: its process ended with exit code 1", output="Traceback\n<Oops>"),
        "xla": PeerResult(problem="missing: python has no tensorflow", absent=True),
    }
    points = [
        {"size": size, "peers": {"fastgrad.function": {"problem": "", "microseconds": [2.0 * size]}}}
        for size in (1, 10, 100)
    ]
    sweep = {"workload": "won", "axis": "batch", "about": "rows", "points": points, **FACTS}
    printed = {"title": "Memory", "lines": ["growth 0.00 MiB, at most 1: met"], **FACTS}
    records = {"won": record("won", won), "lost": record("lost", lost)}
    return Stored(records, {"won_batch": sweep}, {"memory": printed}, allowances())


def allowances(slower: float = 1.0) -> dict[str, Any]:
    """Results of two widths; the second is slower by a factor on two processors than on one."""

    def times(width: int, two: float) -> dict[str, dict[str, list[float]]]:
        ours = {"1 processor": [1.0 * width] * 3, "2 processors": [two * width, 0.9 * two * width, two * width]}
        return {
            "fastgrad.function": ours,
            "jax": {name: [3.0 * time for time in found] for name, found in ours.items()},
        }

    points = [{"width": 8, "microseconds": times(8, 0.6)}, {"width": 512, "microseconds": times(512, slower)}]
    return {"batch": 64, "points": points, **FACTS}


def texts(markup: str) -> str:
    return " ".join(
        unescape(re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*</style>", "", markup, flags=re.DOTALL))).split()
    )


def test_every_workload_and_peer_is_on_the_page_with_its_time_over_ours() -> None:
    said = texts(page(some(), has_asv=True))
    for word in ("won", "lost", "a step & its words", "A <fast> one", "Why it is so.", "history".title()):
        assert word in said
    assert "jax 21.0 µs jax: 2.10 (2.05 to 2.15) times as long as fastgrad.function 2.10×" in said
    assert "fastgrad 55.0 µs fastgrad: 5.50 (5.25 to 5.75) times as long as fastgrad.function 5.50×" in said


def test_losses_stand_on_the_page_in_words() -> None:
    said = texts(page(some(), has_asv=False))
    losses = said[said.index("Where we lose") : said.index("Machine, versions, method")]
    assert "lost : torch is faster: it takes 0.51 (0.51 to 0.52) times as long as fastgrad.function" in losses
    assert "won : wanted 3 times as fast as jax, is 2.10 (2.05 to 2.15)" in losses
    assert "lost : torch takes 0.09 (0.09 to 0.10) times as long as eager fastgrad" in losses
    assert "won : ready after 4.0 s with nothing compiled yet; jax 0.5 s" in losses
    assert "runs as Python between native stretches: roll" in losses


def test_a_crashed_peer_is_shown_with_its_output_and_a_missing_one_by_its_name() -> None:
    markup = page(some(), has_asv=False)
    assert "crashed: its process ended with exit code 1" in markup
    assert "<pre>Traceback\n&lt;Oops&gt;</pre>" in markup
    assert "xla missing: python has no tensorflow" in texts(markup)


def test_other_programs_are_told_where_they_took_much() -> None:
    quiet, loud = timed(1.0, 1.0), timed(1.0, 1.0)
    quiet.others, loud.others = {0: -0.01, 1: 0.02}, {0: 0.5, 1: 0.1}
    records = {
        "loud": record("loud", {"fastgrad.function": loud}),
        "quiet": record("quiet", {"fastgrad.function": quiet}, others_before=0.9),
        "before": record("before", {"fastgrad.function": timed(1.0)}, others_before=0.12),
        "old": record("old", {"fastgrad.function": timed(1.0)}, others_before=None, load_before=3.0),
    }
    points = [{"size": 1, "others_share": 0.2, "peers": {}}, {"size": 10, "others_share": None, "peers": {}}]
    sweep = {"workload": "won", "axis": "batch", "about": "rows", "points": points, **FACTS}
    found = Stored(
        records, {"won_batch": sweep}, {"memory": {"title": "Memory", "lines": [], **FACTS, "others_share": 0.07}}
    )
    told = (
        "Other programs took more than 5% of the processors' time during these, whose times wander: "
        "loud 30%, before 12%, won_batch 20%, memory 7%."
    )
    assert told in texts(page(found, has_asv=False))
    assert told in document(found, "{{ cautions }}")
    assert "Other programs" not in texts(page(some(), has_asv=False))


def test_the_page_and_asvs_pages_lead_to_each_other() -> None:
    there = page(some(), has_asv=True)
    assert there.count('href="asv/index.html"') == 2
    assert "http.server" in there
    assert "asv/" not in page(some(), has_asv=False)
    back = json.loads((ROOT / "asv.conf.json").read_text(encoding="utf-8"))["project_url"]
    assert os.path.normpath(os.path.join("asv", back)) == "index.html"


def test_names_of_workloads_have_room_on_a_phone() -> None:
    name = "a_workload_with_a_long_name"
    drawn = ET.fromstring(overview({name: some().records["won"]}, NARROW))
    (label,) = [text for text in drawn.iter("text") if text.text == name]
    assert float(label.attrib["x"]) >= LETTER * len(name)


def test_an_interrupted_run_is_told() -> None:
    found = Stored({"won": record("won", {"fastgrad.function": timed(1.0)}, interrupted=True)}, {}, {})
    assert "Interrupted, so with fewer rounds: won." in texts(page(found, has_asv=False))


@pytest.mark.parametrize("found", [some(), stored()], ids=["made up", "committed"])
def test_the_page_needs_nothing_beside_it_and_its_figures_are_well_formed(found: Stored) -> None:
    markup = page(found, has_asv=False)
    assert not re.findall(r"(src|href)=.?https?://|@import|<script|<link|url\(", markup)
    anchors = set(re.findall(r'id="([^"]+)"', markup))
    assert set(re.findall(r'href="#([^"]+)"', markup)) <= anchors
    assert "prefers-color-scheme: dark" in markup
    figures = re.findall(r"<svg.*?</svg>", markup, flags=re.DOTALL)
    assert len(figures) > len(found.records)
    for figure in figures:
        root = ET.fromstring(figure)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for circle in root.iter("circle"):
            assert 0.0 <= float(circle.attrib["cx"]) <= width
            assert 0.0 <= float(circle.attrib["cy"]) <= height
        for bar in root.iter("rect"):
            assert 0.0 <= float(bar.attrib["x"]) <= float(bar.attrib["x"]) + float(bar.attrib["width"]) <= width


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_committed_document_is_what_the_committed_results_give(page: Path) -> None:
    """Else: make performance. It is written by no hand; its words are in a template."""
    assert page.read_text(encoding="utf-8") == document(stored(), DOCUMENTS[page].read_text(encoding="utf-8"))


def test_the_committed_picture_is_that_of_the_committed_results() -> None:
    """Else: make performance. The picture is drawn by no hand."""
    assert PICTURE.read_text(encoding="utf-8") == picture(stored())


def test_the_picture_has_each_step_and_tells_who_is_faster() -> None:
    drawn = picture(some())
    said = texts(drawn)
    assert (
        "A peer is faster than fastgrad with tf.function in 1 of 2 steps, and faster than fastgrad without it in 2"
        in said
    )
    assert "2026-01-02, A <fast> one, 2 processors, no GPU" in said
    assert "won: JAX 2.10" in said
    assert "lost: PyTorch 0.51" in said
    assert "won: fastgrad, eager 5.50" in said
    svg = "{http://www.w3.org/2000/svg}"
    tree = ET.fromstring(drawn)
    assert len(tree.findall(f"{svg}rect[@class='lost']")) == 2
    assert all(0.0 < float(circle.attrib["cx"]) < WIDTH for circle in tree.iter(f"{svg}circle"))


def test_the_picture_has_a_row_for_each_committed_workload_and_each_mode_a_library() -> None:
    found = stored()
    assert sorted(row.workload for row in rows(found.records)) == sorted(found.records)
    modes = [mode for modes in LIBRARIES.values() for mode in modes]
    assert sorted(modes) == sorted(peer for peer in PEERS if peer not in OURS)


def test_the_readme_has_the_committed_times_of_a_whole_script() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in stored().tables["whole_scripts"]["lines"] if line.startswith("| mlp:")]
    _, cold, warm, tensorflow, *_ = [cell.strip() for cell in row.strip("|").split("|")]
    assert f"takes {warm} s, and {tensorflow} s in TensorFlow. The first run on a machine takes {cold} s" in readme


def test_the_committed_picture_of_allowances_is_that_of_the_committed_results() -> None:
    """Else: make performance."""
    found = stored().allowances
    assert found is not None
    assert allowance_picture.PICTURE.read_text(encoding="utf-8") == allowance_picture.picture(found)


def test_the_picture_of_allowances_has_a_line_for_each_library_in_each_panel() -> None:
    svg = "{http://www.w3.org/2000/svg}"
    tree = ET.fromstring(allowance_picture.picture(allowances()))
    assert [path.attrib["class"] for path in tree.iter(f"{svg}path")] == ["curve ours", "curve jax"] * 2
    _, _, width, height = map(float, tree.attrib["viewBox"].split())
    circles = list(tree.iter(f"{svg}circle"))
    assert len(circles) == 3 + 2 * 2 * 2
    assert all(0 < float(one.attrib["cx"]) < width and 0 < float(one.attrib["cy"]) < height for one in circles)
    assert "".join(tree.itertext()).count("processors") == 2  # a panel, and the machine


def test_widths_that_are_slower_with_more_processors_are_named() -> None:
    assert slower_with_more(allowances(1.05)["points"]) == []
    assert slower_with_more(allowances(1.06)["points"]) == [512]
    told = document(Stored({}, {}, {}, allowances(1.06)), "{{ allowances }}")
    assert "slower on two processors by more than 5 %: 512." in told
    assert "| 8 | 8.00 µs (3.00 jax) | 4.80 µs (3.00 jax) |" in told


def test_shares_of_the_limits_follow_from_kernels_and_times() -> None:
    found = limit_shares(some().records["won"])
    assert found is not None
    assert found.arithmetic == pytest.approx(4104 / 10e-6 / 2e11)
    assert found.memory == pytest.approx(832 / 10e-6 / 2e10)
    assert found.threads == pytest.approx(3.5 / (2 * 10.0))
    assert [(kernel.name, kernel.time) for kernel in found.kernels] == [("roll", 2.0 / 3.5), ("gemm", 1.5 / 3.5)]
    assert [kernel.limit for kernel in found.kernels] == pytest.approx([64 / 2e-6 / 1e10, 768 / 1.5e-6 / 1e10])
    assert limit_shares(some().records["lost"]) is None  # nothing is known of its kernels
    assert "| won | 10.0 µs | 0% | 0% | 18% | roll 57% (0%), gemm 43% (5%) |" in document(some(), "{{ limit_shares }}")


def test_a_kernel_whose_time_rounds_to_zero_has_no_share() -> None:
    record = some().records["won"]
    rows = [row | {"microseconds": 0.0} for row in record.results[FUNCTION].kernels]
    results = record.results | {FUNCTION: dataclasses.replace(record.results[FUNCTION], kernels=rows)}
    found = limit_shares(dataclasses.replace(record, results=results))
    assert found is not None
    assert (found.threads, found.kernels) == (0.0, [])


def test_the_documents_tell_commands_losses_and_growth() -> None:
    text = "".join(document(some(), template.read_text(encoding="utf-8")) for template in DOCUMENTS.values())
    assert "{{" not in text
    assert "`python -m benchmarks.peers`. Commit 0123456789." in text
    assert "* `lost`: torch is faster: it takes 0.51" in text
    assert "| won_batch | fastgrad.function | 1: 2.00 µs | 100: 200 µs | 1.00 |" in text
    assert "| won | 4.00 / 0.10 |  | 0.50 |  |  |" in text
    assert "Not measured: `make tables ARGS=start_up`." in text
    assert "Not measured: `make tables ARGS=whole_scripts`." in text


def test_the_site_is_made_from_files_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--site", str(tmp_path / "site"), "--no-asv"]) == 0
    assert (tmp_path / "site" / "index.html").read_text(encoding="utf-8") == page(stored(), has_asv=False)


def test_without_results_one_is_told_how_to_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--site", str(tmp_path), "--results", str(tmp_path), "--no-asv"]) == 1
    assert "make peers measures" in capsys.readouterr().err


def test_results_that_are_cut_off_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(RESULTS / "peers", tmp_path / "peers")
    file = next((tmp_path / "peers").iterdir())
    file.write_text(json.dumps({"format": 1, "workload": {"name": "x"}}))
    assert command_line.main(["--site", str(tmp_path), "--results", str(tmp_path), "--no-asv"]) == 1
    assert f"{file} holds no results of a workload" in capsys.readouterr().err


def test_a_logarithmic_axis_has_equal_steps_for_equal_factors_and_round_ticks() -> None:
    scale = LogScale(1.0, 1000.0, 0.0, 300.0)
    assert [round(scale(value)) for value in (1, 10, 100, 1000)] == [0, 100, 200, 300]
    assert scale.ticks(4) == [1, 10, 100, 1000]
    assert LogScale(0.5, 8.0, 0.0, 1.0).ticks(5) == [0.5, 1, 2, 5]
    assert len(LogScale(1e-9, 1e9, 0.0, 1.0).ticks(4)) <= 4


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0604, "0.0604"),
        (0.12, "0.120"),
        (5.049, "5.05"),
        (31.84, "31.8"),
        (99.96, "100"),
        (5301.6, "5,302"),
        (0.0, "0"),
    ],
)
def test_numbers_have_three_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown


def test_times_have_the_unit_that_suits_them() -> None:
    assert [duration(t) for t in (2.3, 999.4, 999.6, 215_000.0, 2_500_000.0)] == [
        "2.30 µs",
        "999 µs",
        "1.00 ms",
        "215 ms",
        "2.50 s",
    ]


def test_the_slope_of_a_power_law_is_its_exponent() -> None:
    sizes = [1.0, 3.0, 10.0, 100.0]
    assert math.isclose(growth_exponent(sizes, [5.0 * size**1.5 for size in sizes]), 1.5)


def test_labels_that_would_cover_each_other_are_moved_apart() -> None:
    moved = [y for y, *_ in spread_labels([(10.0, "a", ""), (11.0, "b", ""), (99.0, "c", "")], 12.0, 0.0, 100.0)]
    assert moved == [10.0, 22.0, 99.0]
    assert [y for y, *_ in spread_labels([(99.0, "a", ""), (99.5, "b", "")], 12.0, 0.0, 100.0)] == [88.0, 100.0]
