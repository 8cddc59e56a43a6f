"""Regular expressions: regex_replace, regex_full_match.

TensorFlow's expressions are those of RE2. ``compile_pattern`` translates them to Python's ``re``; expressions that RE2 refuses are
errors. Strings are matched as text in which a byte that is not UTF-8 is one surrogate, which no class of characters has.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.structures.strings.rows import bytes_of, elements_operation, elementwise, strings_of

_INVALID_BYTES = "\udc80-\udcff"  # what the error handler surrogateescape makes of them
_NOT_ASCII = "\x80-\ud7ff\ue000-\U0010ffff"
_CLASSES = {"d": "0-9", "s": r"\t\n\f\r ", "w": "0-9A-Za-z_"}  # of ASCII only, unlike Python's
_POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPES = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_START, _END = r"(?:\A)", r"(?:\Z)"  # groups, because RE2 takes repeats of them
_REPEATS = "*+?"
_LARGEST_REPEAT = 1000


def _complement_of_class(inside: str) -> str:
    """Returns the characters that are not in a class of ASCII, as the inside of a class."""
    pattern = re.compile(f"[{inside}]")
    return "".join([re.escape(chr(code)) for code in range(0x80) if not pattern.match(chr(code))]) + _NOT_ASCII


@functools.lru_cache(maxsize=64)
def _category_ranges(category: str) -> str:
    """Returns the characters of a Unicode category (``L``, ``Lu``) as the inside of a class."""
    codes = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith(category)]
    if not codes or len(category) > 2:
        raise ValueError(f"invalid character class range: \\p{{{category}}} (only general categories are supported)")
    starts = [code for code, before in zip(codes, [-2, *codes[:-1]], strict=True) if code != before + 1]
    ends = [code for code, after in zip(codes, [*codes[1:], -2], strict=True) if code != after - 1]
    return "".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in zip(starts, ends, strict=True))


def _class_inside(letter: str) -> str:
    """Returns the inside of the class of an escape such as ``d`` or ``D``."""
    inside = _CLASSES[letter.lower()]
    return inside if letter.islower() else _complement_of_class(inside)


class _Translation:
    """One pass over an expression of RE2, which writes that of Python.

    Attributes:
        text: the expression.
        position: of the next character.
        dot_matches_newline, has_lines: the flags s and m of the innermost group.
        looks_around: whether matches depend on the text around them.
        is_class: whether the expression is one class in brackets.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.dot_matches_newline = self.has_lines = self.looks_around = False
        self.is_class = False
        self._groups: list[tuple[bool, bool, int]] = []  # the flags outside, and the parentheses to close

    def translate(self) -> str:
        """Returns the whole expression; raises ValueError if RE2 refuses it, or if Python has nothing like it."""
        # Python also takes flags in front of the expression, such as ``(?i)``.
        parts = [self._translate_group_flags(True) if self._is_at_flags() else ""]
        can_repeat = False
        while self.position < len(self.text):
            character = self._next_character()
            if character in _REPEATS or (character == "{" and self._peek_repeat_counts() is not None):
                parts.append(self._translate_repeat(character, can_repeat))
                can_repeat = False
                continue
            can_repeat = character not in "(|"
            parts.append(self._translate_piece(character))
        if self._groups:
            raise ValueError("missing )")
        self.is_class = len(parts) == 2 and self.text.startswith("[")
        return "".join(parts)

    def _translate_piece(self, character: str) -> str:
        if character == ".":
            return f"[^{'' if self.dot_matches_newline else chr(92) + 'n'}{_INVALID_BYTES}]"
        if character in "$^":
            self.looks_around = True
        if character == "$":
            return "(?m:$)" if self.has_lines else _END
        if character == "^":
            return "(?m:^)" if self.has_lines else _START
        if character == "[":
            return self._translate_class()
        if character == "(":
            return self._translate_group()
        if character == ")":
            if not self._groups:
                raise ValueError("unexpected )")
            self.dot_matches_newline, self.has_lines, count = self._groups.pop()
            return ")" * count
        if character == "\\":
            return self._translate_escape()
        return character if character == "|" else re.escape(character)

    def _next_character(self) -> str:
        character = self.text[self.position : self.position + 1]
        self.position += 1
        return character

    def _read_until(self, end: str, error: str) -> str:
        stop = self.text.find(end, self.position)
        if stop < 0:
            raise ValueError(error)
        between = self.text[self.position : stop]
        self.position = stop + len(end)
        return between

    # ---- repeats ---------------------------------------------------------------------------------------------

    def _peek_repeat_counts(self) -> str | None:
        """Returns what is in braces if it is a repeat, without passing it; other braces stand for themselves."""
        stop = self.text.find("}", self.position)
        inside = self.text[self.position : stop] if stop > 0 else ""
        first, _, last = inside.partition(",")
        is_repeat = first.isascii() and first.isdigit() and (not last or (last.isascii() and last.isdigit()))
        return inside if is_repeat else None

    def _translate_repeat(self, character: str, can_repeat: bool) -> str:
        counts = ""
        if character == "{":
            counts = self._read_until("}", "missing }")
            if any(number and int(number) > _LARGEST_REPEAT for number in counts.split(",")):
                raise ValueError(f"invalid repetition size: {{{counts}}}")
            counts += "}"
        if not can_repeat:
            raise ValueError(f"no argument for repetition operator, or bad repetition operator: {character}{counts}")
        is_lazy = self.text[self.position : self.position + 1] == "?"
        self.position += is_lazy
        return character + counts + "?" * is_lazy

    # ---- groups ----------------------------------------------------------------------------------------------

    def _is_at_flags(self) -> bool:
        stop = self.text.find(")", self.position)
        return self.text.startswith("(?", self.position) and set(self.text[self.position + 2 : stop]) <= set("imsU-")

    def _translate_group(self) -> str:
        outside = self.dot_matches_newline, self.has_lines, 1
        if not self.text.startswith("?", self.position):
            self._groups.append(outside)
            if self._is_at_flags():
                return "(" + self._translate_flags_in_group()
            return "("
        self.position += 1
        if self._consume_if_next("P<"):
            group_name = self._read_until(">", "invalid named capture")
            if not (group_name.replace("_", "a").isalnum() and group_name.isascii()):
                raise ValueError(f"invalid named capture: {group_name}")
            self._groups.append(outside)
            return "("  # a rewrite names groups by numbers
        self.position -= 2
        if self._is_at_flags():
            raise ValueError("flags such as (?i) are supported at the start of an expression or group, and as (?i:...)")
        self.position += 2
        flags = self._read_flag_letters()
        if self._next_character() != ":":
            raise ValueError(f"invalid perl operator: {self.text[self.position - 3 : self.position + 1]}")
        self._groups.append(outside)
        return f"(?{flags}:"

    def _translate_flags_in_group(self) -> str:
        flags = self._translate_group_flags(False)
        first, last, count = self._groups.pop()
        self._groups.append((first, last, count + 1))
        return flags

    def _translate_group_flags(self, of_whole: bool) -> str:
        self.position += 2
        flags = self._read_flag_letters()
        if self._next_character() != ")":
            raise ValueError("missing )")
        return (f"(?{flags})" if flags else "") if of_whole else f"(?{flags}:"

    def _read_flag_letters(self) -> str:
        """Passes flags; the flags s and m change this translation, i is returned."""
        turn_on, ignores_case = True, ""
        while self.text[self.position : self.position + 1] in set("imsU-"):
            letter = self._next_character()
            if letter == "-":
                turn_on = False
            elif letter == "s":
                self.dot_matches_newline = turn_on
            elif letter == "m":
                self.has_lines = turn_on
            elif letter == "U":
                raise ValueError("the flag U is not supported: write lazy repeats, such as *?")
            else:
                ignores_case = "i" if turn_on else "-i"
        return ignores_case

    # ---- escapes and classes -----------------------------------------------------------------------------------

    def _translate_escape(self) -> str:
        letter = self._next_character()
        if letter.lower() in _CLASSES:
            return f"[{_class_inside(letter)}]"
        if letter in ("A", "z", "b", "B"):
            self.looks_around = True
        if letter in ("A", "z"):
            return _START if letter == "A" else _END
        if letter in ("b", "B"):
            return r"(?a:\b)" if letter == "b" else r"(?a:(?!\b))"  # Python's \B does not match an empty string
        if letter in ("p", "P"):
            return f"[{self._translate_category(letter)}]"
        if letter == "Q":
            stop = self.text.find("\\E", self.position)
            literal = self.text[self.position : stop if stop >= 0 else None]
            self.position += len(literal) + 2
            return re.escape(literal)
        return re.escape(chr(self._escape_code(letter)))

    def _translate_category(self, letter: str) -> str:
        category = self._next_character()
        if category == "{":
            category = self._read_until("}", "invalid character class range")
        is_negative = (letter == "P") != category.startswith("^")
        ranges = _category_ranges(category.lstrip("^"))
        return f"^{_INVALID_BYTES}{ranges}" if is_negative else ranges

    def _escape_code(self, letter: str) -> int:
        """Returns the code of the character that an escape with ``letter`` says."""
        if letter in _ESCAPES:
            return ord(_ESCAPES[letter])
        if letter == "x":
            digits = (
                self._read_until("}", "invalid escape sequence: \\x{")
                if self._consume_if_next("{")
                else self._next_character() + self._next_character()
            )
            try:
                return ord(chr(int(digits, 16)))
            except (ValueError, OverflowError):
                raise ValueError(f"invalid escape sequence: \\x{digits}") from None
        following = self.text[self.position : self.position + 1]
        if letter == "0" or (letter and letter in "1234567" and following and following in "01234567"):
            digits = letter
            while len(digits) < 3 and self.text[self.position : self.position + 1] in set("01234567"):
                digits += self._next_character()
            return int(digits, 8)
        if not letter:
            raise ValueError("trailing \\")
        if letter.isalnum() or not letter.isascii():
            raise ValueError(f"invalid escape sequence: \\{letter}")
        return ord(letter)

    def _consume_if_next(self, text: str) -> bool:
        skips = self.text.startswith(text, self.position)
        self.position += len(text) * skips
        return skips

    def _translate_class(self) -> str:
        parts = ["^" + _INVALID_BYTES] if self._consume_if_next("^") else []
        is_first = True
        while True:
            if self.position >= len(self.text):
                raise ValueError("missing ]")
            if not is_first and self._consume_if_next("]"):
                return f"[{''.join(parts)}]"
            is_first = False
            parts.append(self._translate_class_item())

    def _translate_class_item(self) -> str:
        if self._consume_if_next("[:"):
            class_name = self._read_until(":]", "invalid character class range")
            inside = _POSIX_CLASSES.get(class_name.removeprefix("^"))
            if inside is None:
                raise ValueError(f"invalid character class range: [:{class_name}:]")
            return _complement_of_class(inside) if class_name.startswith("^") else inside
        letter = self.text[self.position + 1 : self.position + 2] if self.text.startswith("\\", self.position) else ""
        if letter and letter in "dDsSwWp":
            self.position += 2
            return self._translate_category(letter) if letter == "p" else _class_inside(letter)
        first = self._read_class_character()
        if self.text.startswith("-", self.position) and not self.text.startswith("-]", self.position):
            self.position += 1
            last = self._read_class_character()
            if ord(last) < ord(first):
                raise ValueError(f"invalid character class range: {first}-{last}")
            return f"{re.escape(first)}-{re.escape(last)}"
        return re.escape(first)

    def _read_class_character(self) -> str:
        character = self._next_character()
        if not character:
            raise ValueError("missing ]")
        return chr(self._escape_code(self._next_character())) if character == "\\" else character


class _Expression(NamedTuple):
    """A compiled expression.

    Attributes:
        pattern: the expression of Python.
        is_literal: whether it is plain characters of ASCII.
        fits_joined: whether a match is not empty and does not depend on the text around it.
        ascii_class: if the expression is one class in brackets, the characters of ASCII that it has; else None.
    """

    pattern: re.Pattern[str]
    is_literal: bool
    fits_joined: bool
    ascii_class: bytes | None


@functools.lru_cache(maxsize=256)
def _translate_expression(expression: bytes) -> _Expression:
    text = _decode_bytes(expression)
    try:
        translation = _Translation(text)
        pattern = re.compile(translation.translate())
    except (ValueError, re.error, OverflowError) as error:
        raise InvalidArgumentError(f"Invalid pattern: {text}, error: {error}: {text}") from None
    ascii_class = None
    if translation.is_class:
        ascii_class = bytes([code for code in range(0x80) if pattern.match(chr(code))])
    is_literal = expression.isascii() and bool(text) and re.escape(text) == pattern.pattern and "\\" not in text
    return _Expression(pattern, is_literal, not translation.looks_around and pattern.match("") is None, ascii_class)


def compile_pattern(pattern: bytes) -> re.Pattern[str]:
    """Compiles an expression of RE2.

    Raises:
        InvalidArgumentError: RE2 has no such expression, or Python has nothing like it.
    """
    return _translate_expression(pattern).pattern


def _decode_bytes(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def _expand_rewrite(match: re.Match[str], rewrite: str) -> str | None:
    """Returns ``rewrite`` with the groups of a match; None if it asks for a group that the pattern has not."""
    parts, position = [], 0
    while position < len(rewrite):
        character = rewrite[position]
        position += 1
        if character == "\\":
            character = rewrite[position : position + 1]
            position += 1
            if character in set("0123456789"):
                if int(character) > match.re.groups:
                    return None
                character = match[int(character)] or ""
            elif character != "\\":
                break  # RE2 keeps what is before a wrong escape
        parts.append(character)
    return "".join(parts)


def _replace_in_text(text: bytes, pattern: bytes, rewrite: bytes, replace_global: bool) -> bytes:
    expression, subject, rewrite_text = compile_pattern(pattern), _decode_bytes(text), _decode_bytes(rewrite)
    parts, position, search_from, last_end = [], 0, 0, -1
    while search_from <= len(subject):
        match = expression.search(subject, search_from)
        if match is None:
            break
        if match.end() == match.start() == last_end:  # RE2 has no empty match just behind another
            search_from += 1
            continue
        replacement = _expand_rewrite(match, rewrite_text)
        if replacement is None:
            return text
        parts += [subject[position : match.start()], replacement]
        position = search_from = last_end = match.end()
        if not replace_global:
            break
    return "".join([*parts, subject[position:]]).encode(errors="surrogateescape")


_SEPARATOR, _SEPARATOR_CHARACTER = b"\xff", "\udcff"  # is in no text of UTF-8, and in no class


def _replace_in_all(texts: list[bytes], pattern: bytes, rewrite: bytes, replace_global: bool) -> list[bytes]:
    """Replaces the matches in each string, if it can in all strings at once."""
    expression, has_groups = _translate_expression(pattern), b"\\" in rewrite
    if expression.is_literal and not has_groups:
        return [text.replace(pattern, rewrite, -1 if replace_global else 1) for text in texts]
    if replace_global and not has_groups and texts:
        characters = expression.ascii_class
        if characters is not None and len(rewrite) <= 1 and b"".join(texts).isascii():
            if not rewrite:
                return [text.translate(None, characters) for text in texts]
            table = bytes.maketrans(characters, rewrite * len(characters))
            return [text.translate(table) for text in texts]
        joined = _SEPARATOR.join(texts)
        separators = len(texts) - 1
        if expression.fits_joined and _SEPARATOR not in rewrite and joined.count(_SEPARATOR) == separators:
            subject = _decode_bytes(joined)
            replaced = expression.pattern.sub("", subject)
            if replaced.count(_SEPARATOR_CHARACTER) == separators:  # no match goes from one string into the next
                if rewrite:
                    replaced = expression.pattern.sub(_decode_bytes(rewrite), subject)
                return replaced.encode(errors="surrogateescape").split(_SEPARATOR)
    return [_replace_in_text(text, pattern, rewrite, replace_global) for text in texts]


def _full_matches(texts: list[bytes], pattern: bytes) -> list[bool]:
    match = compile_pattern(pattern).fullmatch
    subjects = _decode_bytes(_SEPARATOR.join(texts)).split(_SEPARATOR_CHARACTER)
    if len(subjects) != len(texts):  # there are none, or one has the separator
        subjects = [_decode_bytes(text) for text in texts]
    return [match(subject) is not None for subject in subjects]


_regex_replace = elements_operation("regex_replace", _replace_in_all)
_regex_full_match = elements_operation("regex_full_match", _full_matches, np.bool_)


@elementwise
def regex_replace(input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None) -> Any:
    r"""Replaces the matches of a regular expression.

    Args:
        input: strings, any shape.
        pattern: one string: an expression of RE2.
        rewrite: one string; ``\1`` to ``\9`` stand for groups of the match, ``\0`` for the match.
        replace_global: whether to replace all matches, or only the first.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: a Python value that is no string.
        InvalidArgumentError: the pattern is wrong, or no scalar; a tensor of another dtype.
    """
    expression = _checked_pattern("regex_replace", pattern)
    replacement = bytes_of("regex_replace", "Rewrite", rewrite)
    return _regex_replace(
        strings_of("regex_replace", input), pattern=expression, rewrite=replacement, replace_global=bool(replace_global)
    )


@elementwise
def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Any:
    """True where a regular expression matches the whole string.

    Args:
        input: strings, any shape.
        pattern: one string: an expression of RE2.
        name: kept for TensorFlow's signature.

    Returns:
        bool, the shape of ``input``.

    Raises:
        TypeError: a Python value that is no string.
        InvalidArgumentError: the pattern is wrong, or no scalar; a tensor of another dtype.
    """
    expression = _checked_pattern("regex_full_match", pattern)
    return _regex_full_match(strings_of("regex_full_match", input), pattern=expression)


def _checked_pattern(name: str, pattern: Any) -> bytes:
    expression = bytes_of(name, "Pattern", pattern)
    compile_pattern(expression)
    return expression
