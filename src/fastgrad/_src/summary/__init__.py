"""``tf.summary``: writes TensorBoard's event files, with the messages of ``tensorboardX``."""

from __future__ import annotations

import contextlib as _contextlib
from collections.abc import Iterator as _Iterator
from typing import Any as _Any

from fastgrad._src.core.names import Namespace as _Namespace
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.core.scopes import get_current_name_scope as _get_current_name_scope
from fastgrad._src.core.scopes import name_scope as _name_scope
from fastgrad._src.summary.graphs import graph as graph
from fastgrad._src.summary.graphs import trace_export as trace_export
from fastgrad._src.summary.graphs import trace_off as trace_off
from fastgrad._src.summary.graphs import trace_on as trace_on
from fastgrad._src.summary.values import audio as audio
from fastgrad._src.summary.values import histogram as histogram
from fastgrad._src.summary.values import image as image
from fastgrad._src.summary.values import scalar as scalar
from fastgrad._src.summary.values import text as text
from fastgrad._src.summary.values import write as write
from fastgrad._src.summary.values import write_raw_pb as _write_raw_pb
from fastgrad._src.summary.writers import SummaryWriter as SummaryWriter
from fastgrad._src.summary.writers import create_file_writer as create_file_writer
from fastgrad._src.summary.writers import flush as flush
from fastgrad._src.summary.writers import get_step as _get_step
from fastgrad._src.summary.writers import record_if as record_if
from fastgrad._src.summary.writers import set_step as _set_step
from fastgrad._src.summary.writers import should_record_summaries as should_record_summaries


@_contextlib.contextmanager
def _summary_scope(name: str, default_name: str = "summary", values: _Any = None) -> _Iterator[tuple[str, str]]:
    """A name scope that gives the tag of a summary and the name of the scope. TensorFlow: tf.summary.experimental.summary_scope.

    Args:
        name: the name of the summary; empty for ``default_name``.
        default_name: the name without ``name``.
        values: kept for TensorFlow's signature.

    Raises:
        TypeError: ``name`` is no string.
    """
    if not isinstance(name, str):
        raise TypeError(f"summary.experimental.summary_scope: name must be a string, got {name!r}.")
    name = name or default_name
    tag = f"{_get_current_name_scope()}/{name}".removeprefix("/")
    scope_name = "".join(c for c in name if c.isascii() and (c.isalnum() or c in "_.\\/-"))  # what a scope may hold
    with _name_scope(scope_name or default_name) as scope:
        yield tag, scope


experimental = _Namespace(
    "tf.summary.experimental",
    set_step=_set_step,
    get_step=_get_step,
    summary_scope=_summary_scope,
    write_raw_pb=_write_raw_pb,
)

__getattr__, __dir__ = _namespace_hooks("tf.summary", globals())
