"""Prints a line for every twentieth part of a run instead of a dot for each test: `pytest -p tests.progress`."""

from __future__ import annotations

import time

import pytest

LINES = 20


class Progress:
    """Counts finished tests.

    Args:
        session: knows the number of collected tests, also with pytest-xdist.
    """

    def __init__(self, session: pytest.Session) -> None:
        self.session = session
        self.began = time.monotonic()
        self.finished = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Returns no letter for a passed or skipped test."""
        category = report.outcome if report.when == "call" or report.skipped else ""
        return None if report.failed or hasattr(report, "wasxfail") else (category, "", "")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Prints a line if a test has failed, and if another twentieth of the tests has finished."""
        terminal = self.session.config.pluginmanager.get_plugin("terminalreporter")
        if report.failed:
            terminal.write_line(f"FAILED {report.nodeid}", flush=True)
        if report.when != "teardown":
            return
        self.finished += 1
        collected = self.session.testscollected
        if self.finished * LINES // collected > (self.finished - 1) * LINES // collected:
            seconds = time.monotonic() - self.began
            terminal.write_line(f"{self.finished:7,} of {collected:,} tests in {seconds:4.0f} s", flush=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Progress(session))
