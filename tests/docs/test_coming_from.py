"""On the pages for users of other libraries both columns of each table have the same values, and both programs print the same."""

import json
import re

import pytest

from benchmarks.peers.__main__ import peers_python
from tests.docs.paired_lines import OURS, pairs, plain, value_of
from tests.docs.peers import PAGES, agree, is_installed, lines, record_of, run, values


def recorded(peer):
    return json.loads(record_of(peer).read_text(encoding="utf-8"))


def differences(peer, found):
    """The rows whose values are not the recorded ones of the peer."""
    rows = recorded(peer)
    assert [row["line"] for row in rows] == lines(peer), "python -m tests.docs.peers records the values again"
    return [(row, value) for row, value in zip(rows, found, strict=True) if not agree(row["value"], value)]


@pytest.mark.parametrize("peer", PAGES)
def test_fastgrads_lines_have_the_recorded_values_of_the_peer(peer):
    assert differences(peer, values(peer, OURS)) == []


@pytest.mark.parametrize("peer", PAGES)
def test_the_installed_peer_has_the_recorded_values(peer):
    if not is_installed(peer):
        pytest.skip(f"{peer} is not installed: make peers-env")
    assert differences(peer, values(peer, peer)) == []


@pytest.mark.parametrize("peer", PAGES)
def test_the_installed_peers_program_prints_what_fastgrads_does(peer):
    if not is_installed(peer):
        pytest.skip(f"{peer} is not installed: make peers-env")
    page = PAGES[peer].read_text(encoding="utf-8")
    (program,) = re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    printed = re.search(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
    assert run(peers_python(), "-c", program) == printed


@pytest.mark.parametrize("peer", PAGES)
def test_most_lines_have_a_value(peer):
    rows = recorded(peer)
    assert len(rows) >= 15
    assert sum(row["value"] is not None for row in rows) > 0.7 * len(rows)


def test_a_cell_without_code_is_refused():
    with pytest.raises(ValueError, match="does not have one line of code"):
        pairs("| to do | JAX | fastgrad |\n| --- | --- | --- |\n| add | `1 + 1` | two |\n", "JAX")


def test_lines_have_the_value_of_their_last_expression_or_name():
    namespace = {}
    assert value_of("a = 2", namespace) == 2
    assert value_of("b = a; b + 1", namespace) == 3
    assert plain((1.5, "x", [None])) == [{"shape": [], "kind": "f", "elements": [1.5]}, "x", [None]]


@pytest.mark.parametrize(("one", "other"), [([1.0], [1.1]), ([1.0], [[1.0]]), ([1.0], [1]), ("a", "b"), ([1, 2], [1])])
def test_other_values_shapes_and_kinds_do_not_agree(one, other):
    assert agree(plain(one), plain(one))
    assert not agree(plain(one), plain(other))
