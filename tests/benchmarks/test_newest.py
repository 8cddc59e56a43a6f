"""`benchmarks.newest` finds the pages that name older releases than the package index has."""

from benchmarks import newest

NEWEST = {"JAX": "0.12.0.1", "Keras": "3.15.1"}


def test_a_page_with_an_older_release_is_stale():
    assert newest.stale({"a.md": "beside JAX 0.10 and Keras 3.15.1."}, NEWEST) == [
        "a.md: JAX 0.10, the newest is 0.12.0.1"
    ]


def test_an_old_release_may_stand_beside_the_newest():
    assert newest.stale({"a.md": "JAX 0.4.31 and JAX 0.12.0.1"}, NEWEST) == []


def test_a_release_counts_as_far_as_the_page_names_it():
    assert newest.stale({"a.md": "Keras 3.15, JAX 0.12"}, NEWEST) == []
    assert newest.stale({"a.md": "Keras 3.9"}, NEWEST) == ["a.md: Keras 3.9, the newest is 3.15.1"]


def test_each_library_is_named_by_a_page():
    text = "".join(path.read_text(encoding="utf-8") for path in (newest.ROOT / "docs").rglob("*.md"))
    assert newest.named_releases(text).keys() | {"NumPyro"} == newest.PACKAGES.keys()
