"""references.bib as a page: every source once, with the key by which docstrings name it."""

from __future__ import annotations

import re
from collections.abc import Set
from functools import cache
from pathlib import Path

BIBLIOGRAPHY = Path(__file__).with_name("references.bib")


def entries(text: str) -> dict[str, dict[str, str]]:
    """Key -> fields; braces that protect capitals are dropped."""
    found = {}
    for key, body in re.findall(r"^@\w+\{([^,\s]+),\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        fields = re.findall(r"^\s*(\w+)\s*=\s*\{(.*)\},?$", body, re.MULTILINE)
        found[key] = {name.lower(): re.sub(r"[{}]", "", value).replace("--", "–") for name, value in fields}
    return found


@cache
def keys() -> frozenset[str]:
    """The keys of all sources."""
    return frozenset(entries(BIBLIOGRAPHY.read_text(encoding="utf-8")))


def page(text: str) -> str:
    """The page, sorted by author and year, each entry an anchor of its own."""
    rows = sorted(entries(text).items(), key=lambda item: (_authors(item[1]).lower(), item[1]["year"]))
    lines = ["# References", "", "Docstrings and pages name their sources by these keys.", ""]
    for key, entry in rows:
        lines += [f'<a id="{key}"></a>**{key}** — {_sentence(entry)}', ""]
    return "\n".join(lines)


def link_keys(markdown: str, keys: Set[str], *, root: str) -> str:
    """`[kullback1951]` becomes a link to its entry; a key that the bibliography lacks stops the build."""

    def link(match: re.Match[str]) -> str:
        if match[1] not in keys:
            raise KeyError(f"[{match[1]}] is cited but is not in references.bib")
        return f"[{match[1]}]({root}references.md#{match[1]})"

    return re.sub(r"\[([a-z]+\d{4}[a-z]?)\](?!\()", link, markdown)


def _authors(entry: dict[str, str]) -> str:
    return entry["author"].replace(" and ", "; ")


def _sentence(entry: dict[str, str]) -> str:
    where = ", ".join(
        entry[name] for name in ("journal", "booktitle", "publisher", "volume", "pages") if name in entry
    )
    doi = f" doi:[{entry['doi']}](https://doi.org/{entry['doi']})." if "doi" in entry else ""
    link = f" [{entry['url']}]({entry['url']})." if "url" in entry else ""
    return f"{_authors(entry)} ({entry['year']}). *{entry['title']}*. {where}.{doi}{link}"
