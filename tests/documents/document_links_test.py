#!/usr/bin/env python3
"""document_links_test.py SOURCE: every relative link of the documents leads to a file, and every anchor to a heading; README and
docs/performance.md are as short as they are meant to be."""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
failures = []


def prose(text):
    """Without code blocks, tables and comments."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^(\||<!--).*$", "", text, flags=re.MULTILINE)


def anchors(path):
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


documents = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/**/*.md"), *ROOT.glob("examples/**/*.md")])
links = 0
for document in documents:
    text = document.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<img src="([^"]+)"', text):
        if re.match(r"[a-z]+:", target):
            continue
        links += 1
        file, _, anchor = target.partition("#")
        path = document if not file else ROOT / file[1:] if file.startswith("/") else document.parent / file
        if not path.exists():
            failures.append(f"{document.relative_to(ROOT)}: there is no {target}")
        elif anchor and anchor not in anchors(path):
            failures.append(f"{document.relative_to(ROOT)}: {file or 'it'} has no heading #{anchor}")
    for path in re.findall(r"`((?:autotune|bench|cmake|compiler|docs|generators|reference|registry|runtime|schedules|scripts|tests|tool)"
                           r"/[\w./-]*\w)`", text):
        if "NAME" not in path and not (ROOT / path).exists():
            failures.append(f"{document.relative_to(ROOT)}: there is no {path}")
if links == 0:
    failures.append("no document has a link")

words = len(prose((ROOT / "docs" / "performance.md").read_text()).split())
if words > 1500:
    failures.append(f"docs/performance.md has {words} words of prose: at most 1500")
numbers = re.search(r"<!-- table: summary -->\n(.*?)<!-- /table -->", (ROOT / "README.md").read_text(), re.DOTALL)
if not numbers or len(numbers.group(1).strip().split("\n")) - 2 > 5:
    failures.append("README.md: one table of numbers, of at most five rows")

print("\n".join(failures) or f"{links} links of {len(documents)} documents")
sys.exit(bool(failures))
