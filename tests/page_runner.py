"""Runs the code of a Markdown page: blocks in order, in one namespace, comparing what the page says they give.

A block is either a session with `>>>` prompts, or plain code in which `expression  # -> text` states a result. A
```text block right after a ```python block is what that block prints. Numbers agree to the digits that are shown. In a
```console block the lines `$ kullback ...` are run, `$ echo $?` is the last exit status, other commands are not run; in
what is printed, … stands for anything.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```[ ]*$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_PROGRESS = re.compile(r"^kullback: .*, [\d.]+ s\n", re.MULTILINE)  # signs of life, on a machine that is busy


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, the line where the text starts."""

    language: str
    text: str
    line: int
    printed: str | None = None  # what the page says it prints


def blocks(markdown: str) -> list[Block]:
    """Every fenced block; output blocks are attached to the code that they follow."""
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(markdown):
        line = markdown.count("\n", 0, match.start(3)) + 1
        indent = len(match[1])
        text = "\n".join(row[indent:] for row in match[3].splitlines()) + "\n"
        follows = not markdown[end : match.start()].strip()
        if match[2] == "text" and found and follows and found[-1].language == "python":
            last = found[-1]
            found[-1] = Block(last.language, last.text, last.line, text)
        else:
            found.append(Block(match[2], text, line))
        end = match.end()
    return found


def run_page(path: Path) -> int:
    """Run every block of a page that can be run; returns how many there were. AssertionError names page and line."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    code = [b for b in blocks(path.read_text(encoding="utf-8")) if b.language in ("python", "console")]
    for block in code:
        if block.language == "console":
            run_console(block, path.name)
        elif ">>> " in block.text:
            run_session(block, namespace, path.name)
        else:
            run_plain(block, namespace, path.name)
    return len(code)


def run_session(block: Block, namespace: dict[str, Any], page: str) -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    test = doctest.DocTestParser().get_doctest(block.text, namespace, page, page, block.line - 1)
    test.globs = namespace  # one namespace a page: later blocks see what this one made
    report: list[str] = []
    doctest.DocTestRunner(optionflags=flags).run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)


def run_plain(block: Block, namespace: dict[str, Any], page: str) -> None:
    lines = block.text.splitlines()
    printed = io.StringIO()
    for statement in ast.parse(block.text).body:
        place = f"{page}:{block.line + statement.lineno - 1}"
        last = lines[(statement.end_lineno or statement.lineno) - 1]
        expected = last.partition("# -> ")[2].strip()
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            value = _execute(statement, namespace, place)
        if expected:
            got = (output.getvalue().strip() or repr(value)).replace("\\xa0", " ")
            assert agrees(got, expected), f"{place}: the page says {expected}, the code gives {got}"
        printed.write(output.getvalue())
    if block.printed is not None:
        compare_output(printed.getvalue(), block.printed, f"{page}:{block.line}")


def run_console(block: Block, page: str) -> None:
    status = 0
    for command, said in re.findall(r"^\$ ([^\n]*)\n((?:(?!\$ )[^\n]*\n)*)", block.text, re.MULTILINE):
        place = f"{page}:{block.line} $ {command}"
        if command == "echo $?":
            compare_output(str(status), said, place)
        elif command.startswith("kullback "):
            words = [sys.executable, "-m", *shlex.split(command)]
            done = subprocess.run(
                words, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"}
            )
            status = done.returncode
            if said.strip():
                compare_output(done.stdout + _PROGRESS.sub("", done.stderr), said, place)


def compare_output(got: str, said: str, place: str) -> None:
    # a page is typed with the spaces of a keyboard
    rows, expected = (
        text.replace("\N{NO-BREAK SPACE}", " ").rstrip().strip("\n").splitlines() for text in (got, said)
    )
    same = len(rows) == len(expected) and all(map(_matches, rows, expected))
    if not same:
        raise AssertionError(f"{place} prints\n" + "\n".join(rows))


def _matches(got: str, said: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in said.rstrip().split("…"))
    return re.fullmatch(pattern, got.rstrip()) is not None


def _execute(statement: ast.stmt, namespace: dict[str, Any], place: str) -> Any:
    if isinstance(statement, ast.Expr):
        code = compile(ast.Expression(statement.value), place, "eval")
        return eval(code, namespace)
    exec(compile(ast.Module([statement], []), place, "exec"), namespace)
    return None


def agrees(got: str, expected: str) -> bool:
    """Equal texts, where a number may be shown with fewer digits than it has."""
    if _NUMBER.sub("#", got).split() != _NUMBER.sub("#", expected).split():
        return False
    pairs = zip(_NUMBER.findall(got), _NUMBER.findall(expected), strict=True)
    return all(abs(float(g) - float(e)) <= _half_of_last_digit(e) for g, e in pairs)


def _half_of_last_digit(shown: str) -> float:
    mantissa, _, exponent = shown.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    whole = not decimals and not exponent
    return 0.0 if whole else 0.5000001 * 10.0 ** (int(exponent or 0) - decimals)
