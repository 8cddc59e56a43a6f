"""A pytest plugin that puts fastgrad in a peer's place, and writes the outcome of each test to a JSON file.

Settings come from the environment: ``SUITE`` (keras or tensorflow), ``SUITE_SOURCES`` (the folder of the peer's copy),
``SUITE_OUTCOMES`` (the file to write), ``SUITE_REFEREE`` (set where the peer itself runs).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.suites.stand_in import SetApart
from tests.conformance.suites.wording import Wording

SUITE = os.environ["SUITE"]
SOURCES = Path(os.environ["SUITE_SOURCES"])
REFEREE = bool(os.environ.get("SUITE_REFEREE"))
# The base classes of TensorFlow's tests have a method that pytest takes for a test.
NOT_A_TEST = {"test_session"}
# Parametrised tests of graphs, and of version 1, by a part of their names.
OTHER_MODES = ("mode_graph", "tfapiversion_1")

outcomes: dict[str, list[str]] = {}
wording = Wording()
worker = os.environ.get("PYTEST_XDIST_WORKER")


def pytest_configure(config: pytest.Config) -> None:
    for marker in ["requires_trainable_backend", "multi_device"]:
        config.addinivalue_line("markers", f"{marker}: a marker of Keras's tests")
    if REFEREE:
        sys.path.append(str(SOURCES))  # for the conftest that Keras's tests import; the installed Keras comes first
        return
    wording.install()
    if SUITE == "keras":
        from tests.conformance.suites.keras_modules import install
    else:
        from tests.conformance.suites.tensorflow_modules import install
    install(SOURCES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [
        item
        for item in items
        if getattr(item, "originalname", item.name) not in NOT_A_TEST
        and not any(part in item.name for part in OTHER_MODES)
    ]


def pytest_runtest_setup(item: pytest.Item) -> None:
    wording.differences.clear()


def _set_apart(error: BaseException | None) -> SetApart | None:
    """The `SetApart` that caused ``error``, if there is one."""
    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, SetApart):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _line(error: BaseException) -> str:
    """The error's class and the first lines of its message, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:240]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Any:
    result = yield
    report = result.get_result()
    if report.when == "call" or not report.passed:
        outcome, text = report.outcome, ""
        if report.skipped:
            text = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)[:200]
        elif call.excinfo is not None:
            apart = _set_apart(call.excinfo.value)
            outcome, text = ("apart", str(apart)) if apart else ("failed", _line(call.excinfo.value))
        elif wording.differences:
            outcome, text = "words", wording.differences[0]
        report.user_properties.append(("outcome", [outcome, text]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties:
        if name == "outcome" and outcomes.get(report.nodeid, ["passed"])[0] == "passed":
            outcomes[report.nodeid] = value


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    result = yield
    report = result.get_result()
    if report.failed and isinstance(collector, pytest.Module):
        text = str(report.longrepr)
        last = [line[2:].strip() for line in text.splitlines() if line.startswith("E ")] or [text[-200:]]
        kind = "apart" if "SetApart" in text else "failed"
        outcomes[collector.nodeid] = [kind, "the file can't be imported: " + last[-1][:200]]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if worker:
        return
    Path(os.environ["SUITE_OUTCOMES"]).write_text(json.dumps(outcomes, indent=0, sort_keys=True))
