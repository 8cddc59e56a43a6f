"""`tests/record.py` finds answers that are missing or stale, and asks for these alone."""

import pytest

from tests import record


class Recorder:
    def __init__(self, asked, answered):
        self._asked, self._answered, self.calls = asked, answered, []

    def asked(self):
        return self._asked

    def answered(self):
        return self._answered

    def record(self, files, *, again):
        self.calls.append((files, again))


@pytest.fixture
def recorder(monkeypatch):
    asked = {"whole": {"a"}, "partial": {"a", "new"}, "changed": {"a"}, "unknown": {"a"}}
    answered = {"whole": {"a"}, "partial": {"a"}, "changed": {"a", "old"}, "removed": {"a"}}
    recorder = Recorder(asked, answered)
    monkeypatch.setattr(record, "recorders", lambda: {"suite": recorder})
    return recorder


def test_files_with_missing_or_stale_answers_are_recorded(recorder):
    record.main([])
    assert recorder.calls == [(["changed", "partial", "removed", "unknown"], False)]


def test_named_files_are_asked_again(recorder):
    record.main(["whole"])
    assert recorder.calls == [(["whole"], True)]
    with pytest.raises(SystemExit, match="no file of answers has the name whoel"):
        record.main(["whoel"])


def test_missing_and_stale_answers_are_listed(recorder, capsys):
    record.main(["--missing"])
    assert recorder.calls == []
    assert capsys.readouterr().out.splitlines() == [
        "suite: partial: new has no answer",
        "suite: unknown: a has no answer",
        "suite: changed: old is not asked any more",
        "suite: removed: a is not asked any more",
        "4 recorded answers are missing or stale; make record",
    ]


def test_a_test_without_an_answer_is_skipped_with_the_questions():
    record.skip_unanswered([])
    with pytest.raises(pytest.skip.Exception, match="has no answer until `make record`: a, b"):
        record.skip_unanswered({"b", "a"})


@pytest.mark.completeness
@pytest.mark.parametrize("package", record.recorders())
def test_each_suite_says_what_it_asks_and_what_is_answered(package):
    recorder = record.recorders()[package]
    assert recorder.answered().keys() & recorder.asked().keys()
    assert callable(recorder.record)
