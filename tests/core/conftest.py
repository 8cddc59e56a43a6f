"""Fixtures of the tests of core."""

import pytest

from fastgrad._src.compiler.dispatch import forward_program
from fastgrad._src.core import repeated_backward, repeated_forward
from fastgrad._src.core.repeated_backward import programs
from fastgrad._src.core.repeated_forward import FollowingPrediction, ForwardPass


@pytest.fixture
def counted(monkeypatch):
    """Programs come soon and stay; counts the passes that kept a known order, and those that left it."""
    monkeypatch.setattr(repeated_backward, "RUNS_BEFORE_PROGRAM", 1)
    monkeypatch.setattr(repeated_forward, "PASSES_IN_A_ROW", 1)
    monkeypatch.setattr(forward_program, "LEAST_RESULTS", 1)
    monkeypatch.setattr(forward_program, "COMPARISON_COST", 0.0)
    monkeypatch.setattr(forward_program, "SEGMENT_COST", 0.0)
    counts = {"kept": 0, "left": 0, "computed": 0}
    note_end, compute = ForwardPass.note_end, FollowingPrediction._compute

    def noted(self, is_complete):
        counts["kept" if is_complete else "left"] += 1
        note_end(self, is_complete)

    def computed(self, segment):
        has_results = compute(self, segment)
        counts["computed"] += has_results
        return has_results

    monkeypatch.setattr(ForwardPass, "note_end", noted)
    monkeypatch.setattr(FollowingPrediction, "_compute", computed)
    programs.clear()
    yield counts
    programs.clear()
