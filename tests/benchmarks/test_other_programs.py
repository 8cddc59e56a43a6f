"""Other programs are those that the run did not start: what they take of the processors is counted, our own work is not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.other_programs import others_share, others_share_now
from benchmarks.peers import __main__ as command_line

BUSY_LOOP = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass"
ME, PEER, ITS_CHILD, STRANGER = os.getpid(), 900_001, 900_002, 900_003


class Proc:
    """A folder like /proc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def processors(self, *rows: tuple[int, ...]) -> None:
        lines = ["cpu 9 9 9 9 9 9 9 9 0 0", *(f"cpu{n} {' '.join(map(str, row))} 0 0" for n, row in enumerate(rows))]
        (self.folder / "stat").write_text("\n".join([*lines, "intr 5", ""]))

    def process(self, number: int, parent: int, *, user: int = 0, system: int = 0, ended: int = 0) -> None:
        folder = self.folder / str(number)
        folder.mkdir(exist_ok=True)
        between = "0 " * 9
        (folder / "stat").write_text(f"{number} (a (b) c) S {parent} {between}{user} {system} {ended} 0 20 0 1\n")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    made = Proc(tmp_path)
    made.processors((100, 0, 0, 100, 0, 0, 0, 0), (0, 0, 0, 200, 0, 0, 0, 0))
    made.process(1, 0)
    made.process(ME, 1)
    made.process(PEER, ME)
    made.process(ITS_CHILD, PEER)
    made.process(STRANGER, 1)
    return made


def test_what_is_busy_and_not_ours_is_of_others(proc: Proc) -> None:
    with others_share({0, 1}, proc.folder) as found:
        proc.processors((160, 0, 10, 120, 5, 1, 1, 3), (40, 0, 0, 260, 0, 0, 0, 0))
        proc.process(PEER, ME, user=50, system=10)
        proc.process(ITS_CHILD, PEER, user=30)
        proc.process(STRANGER, 1, user=25)
    assert found.value == pytest.approx((115 - 90) / 200)


def test_what_the_host_took_is_of_others(proc: Proc) -> None:
    with others_share({0}, proc.folder) as found:
        proc.processors((100, 0, 0, 150, 0, 0, 0, 50))
    assert found.value == 0.5


def test_processors_that_are_not_used_do_not_count(proc: Proc) -> None:
    with others_share({0}, proc.folder) as found:
        proc.processors((100, 0, 0, 200, 0, 0, 0, 0), (100, 0, 0, 200, 0, 0, 0, 0))
    assert found.value == 0.0


def test_a_process_of_ours_that_ended_stays_ours(proc: Proc) -> None:
    with others_share({0}, proc.folder) as found:
        proc.processors((180, 0, 0, 120, 0, 0, 0, 0))
        proc.process(ME, 1, ended=80)
        (proc.folder / str(PEER) / "stat").unlink()
        (proc.folder / str(ITS_CHILD) / "stat").unlink()
    assert found.value == 0.0


def test_where_the_system_does_not_count_nobody_knows(tmp_path: Path) -> None:
    with others_share({0}, tmp_path) as found:
        pass
    assert found.value is None
    Proc(tmp_path).processors((0, 0, 0, 0, 0, 0, 0, 0))  # a sandbox whose numbers never move
    with others_share({0}, tmp_path) as found:
        pass
    assert found.value is None


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="reads what Linux counts")
@pytest.mark.parametrize("whose", ["ours", "a stranger's"])
def test_a_busy_process_is_of_others_unless_it_is_ours(whose: str) -> None:
    """On one processor for half a second of its time, however busy the machine is."""
    (processor,) = sorted(os.sched_getaffinity(0))[:1]
    loop = f"import os\nos.sched_setaffinity(0, [{processor}])\n{BUSY_LOOP.format(seconds=0.5)}"
    orphaned = "import os\nif os.fork(): os._exit(0)\n"  # so that it is a child of ours no longer
    began = time.monotonic()
    with others_share({processor}) as found:
        program = loop if whose == "ours" else orphaned + loop
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
            process.communicate()  # ends with the last process that has the pipe
    elapsed = time.monotonic() - began
    assert found.value is not None
    if whose == "ours":
        assert found.value * elapsed < elapsed - 0.4
    else:
        assert found.value * elapsed > 0.4


@pytest.mark.parametrize("share", [0.43, 0.02, None])
def test_one_is_told_before_a_run_when_others_take_much(
    share: float | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "others_share_now", lambda: share)
    command_line.warn_if_busy()
    printed = capsys.readouterr().out
    assert printed.startswith("other programs take 43% of the processors' time") if share == 0.43 else not printed


def test_a_look_takes_as_long_as_it_says() -> None:
    share = others_share_now(0.05)
    assert share is None or -0.5 < share <= 1.0
