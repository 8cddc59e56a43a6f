"""Makes a program that fails smaller, as long as it fails in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tests.reliability.random_programs.program import Program, Statement, Value

MOST_TRIES = 400


def smaller(program: Program, fails: Callable[[Program], bool]) -> Program:
    """A program that fails, from which nothing can be taken.

    Args:
        program: one that fails.
        fails: whether a program does.
    """
    tries = 0
    again = True
    while again:
        again = False
        for candidate in _candidates(program):
            if "nothing" in candidate.source():
                continue
            tries += 1
            if tries > MOST_TRIES:
                return program
            if fails(candidate):
                program, again = candidate, True
                break
    return program


def _candidates(program: Program) -> Iterator[Program]:
    """Programs with a little less in them, the boldest first."""
    count = len(program.statements)
    for size in (count // 2, count // 4):
        if size > 1:
            for start in range(0, count, size):
                yield _without_statements(program, start, min(start + size, count))
    if program.small:
        yield program.without(small=False)
    if program.optimizer:
        yield program.without(optimizer="")
    if program.gradient:
        yield program.without(gradient="", optimizer="")
    if program.gradient == "second":
        yield program.without(gradient="first")
    for number in range(count - 1, -1, -1):
        yield _without_statements(program, number, number + 1)
    yield from _of_calls_and_results(program)
    yield from _of_lines(program)


def _of_calls_and_results(program: Program) -> Iterator[Program]:
    """With fewer results, targets and calls, and plainer arguments."""
    for name in program.returned:
        if len(program.returned) > 1:
            yield program.without(returned=tuple([n for n in program.returned if n != name]))
    for target in program.targets:
        if len(program.targets) > 1:
            yield program.without(targets=tuple([t for t in program.targets if t != target]))
    for number in range(len(program.calls)):
        if len(program.calls) > 1:
            yield program.without(calls=program.calls[:number] + program.calls[number + 1 :])
    for number, call in enumerate(program.calls):
        plain = re.sub(r"\.T\b|\[::-1\]|\[\.\.\., ::2\]|np\.asfortranarray", "", call)
        if plain.count("numbers") == call.count("numbers") and plain != call and ".T" not in call and "::2" not in call:
            yield program.without(calls=(*program.calls[:number], plain, *program.calls[number + 1 :]))


def _of_lines(program: Program) -> Iterator[Program]:
    """With fewer lines in a statement or a function."""
    for number, statement in enumerate(program.statements):
        if len(statement.lines) > 1:
            for line in range(len(statement.lines)):
                less = Statement(statement.kind, statement.lines[:line] + statement.lines[line + 1 :], statement.value)
                yield _with(program, [*program.statements[:number], less, *program.statements[number + 1 :]])
    for name, lines in program.setup.items():
        for line in range(1, len(lines) - 1):
            less_lines = lines[:line] + lines[line + 1 :]
            if any(text.strip().startswith("return") for text in less_lines):
                yield program.without(setup=program.setup | {name: less_lines})


def _with(program: Program, statements: list[Statement]) -> Program:
    return program.without(statements=tuple(statements))


def _without_statements(program: Program, start: int, end: int) -> Program:
    """The program without some statements. Their readers get other values of the same form, or ones."""
    gone = program.statements[start:end]
    before = [*program.arguments, *[s.value for s in program.statements[:start]]]
    replacement = {}
    for statement in gone:
        value = statement.value
        like = [other for other in before if other.like(value)]
        replacement[value.name] = like[-1].name if like else _made(value, before)
    rest = [
        Statement(s.kind, tuple([_replaced(line, replacement) for line in s.lines]), s.value)
        for s in program.statements[end:]
    ]
    returned = tuple([name for name in program.returned if name not in replacement])
    if not returned:
        last = [*before, *[s.value for s in rest]][-1]
        returned = (last.name,)
    targets = tuple([_replaced(t, replacement) for t in program.targets])
    return program.without(statements=(*program.statements[:start], *rest), returned=returned, targets=targets)


def _made(value: Value, before: list[Value]) -> str:
    """An expression of the shape of a value, for both sizes of the batch."""
    if value.shapes[0] == value.shapes[1]:
        return f"tf.ones({list(value.shapes[0])}, tf.{value.dtype})"
    sizes = []
    for pair in zip(*value.shapes, strict=True):
        if pair[0] == pair[1]:
            sizes.append(str(pair[0]))
            continue
        places = [
            f"{other.name}.shape[{axis}]"
            for other in before
            for axis, size in enumerate(zip(*other.shapes, strict=True))
            if size == pair
        ]
        if not places:
            return "nothing"
        sizes.append(places[0])
    return f"tf.ones([{', '.join(sizes)}], tf.{value.dtype})"


def _replaced(text: str, replacement: dict[str, str]) -> str:
    return re.sub(r"\b[a-z]+\d+\b", lambda match: replacement.get(match.group(), match.group()), text)
