#!/usr/bin/env python3
"""Rules about the sources that no compiler checks.

Usage: check_sources.py limits|includes|words|links|docs|tests. Prints each
place that breaks the rule; the exit code is 1 if there is one.
"""

import os
import re
import subprocess
import sys

# Who may include whom: the arrows of docs/README.md.
ALLOWED = {
    "config": {"config"},
    "netns": {"netns", "config"},
    "drivers": {"drivers", "netns", "config"},
    "persistence": {"persistence", "config"},
    "actors": {"actors", "drivers", "netns", "persistence", "config"},
    "tests/lab": {"tests/lab", "actors", "drivers", "netns", "persistence",
                  "config"},
    "tools": {"tools", "actors", "config"},
    "tools/troupe/check": {"tools", "netns", "persistence", "actors",
                           "config"},
    "tools/troupe-sim": {"tools", "tests/lab", "actors", "config"},
    "examples": {"tests/lab", "actors", "config"},
}

# Small tools that everybody above may use.
SHARED_HEADERS = {"troupe/netns/unique_fd.hpp",
                  "troupe/netns/ports/proxy_wire.hpp"}

# A library's headers appear only where these patterns match.
LIBRARIES = {
    r"caf/(io|openssl)/": r"actors/remote/|tools/troupe-remote/|tests/",
    r"caf/": r"actors/|tools/|tests/",
    r"openssl/": r"actors/remote/|tools/troupe-remote/|tests/",
    r"netlink/": r"netns/|tests/",
    r"lmdb\.h": r"persistence/|tests/",
    r"nlohmann/": r"config/|persistence/|drivers/|actors/|tools/|tests/",
    r"boost/": r"actors/api/http_reader\.cpp",
    r"microhttpd\.h": r"tools/trouped/",
    r"CLI/": r"tools/",
}

# The public API shows none of these.
PUBLIC_HEADERS = ["actors/troupe.hpp", "actors/api/backend.hpp",
                  "actors/api/messages.hpp"]

# What must not be left in a source.
WORDS = re.compile(
    r"\bTODO\b|\bFIXME\b|\bXXX\b|\bHACK\b|not (yet )?implemented|\bfor now\b"
    r"|placeholder|/work/", re.IGNORECASE)

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 70
MAX_BEHAVIOR_LINES = 120  # A list of handlers.
MAX_TEST_LINES = 120  # Of a table of cases.


def files(*endings):
    """Sources under version control, and new ones that would be added."""
    try:
        out = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], check=True,
            capture_output=True, text=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        out = [os.path.relpath(os.path.join(where, name))
               for where, _, names in os.walk(".") for name in names]
        out = [x for x in out if not x.startswith("build")]
    return [x for x in sorted(set(out))
            if x.endswith(endings) and os.path.isfile(x)]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def blank(text):
    """The text with comments and literals blanked, of the same length."""
    pattern = re.compile(
        r'R"(?P<d>[^()\\ ]{0,16})\((?:.|\n)*?\)(?P=d)"'
        r'|//[^\n]*|/\*(?:.|\n)*?\*/'
        r'|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'")
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def functions(text):
    """Yields (first line, last line, head) of each function body."""
    text = blank(text)
    stack, head_start = [], 0
    for at, char in enumerate(text):
        if char == "{":
            stack.append((at, text[head_start:at].strip()))
            head_start = at + 1
        elif char == "}" and stack:
            begin, head = stack.pop()
            if is_function(head):
                yield (text.count("\n", 0, begin) + 1,
                       text.count("\n", 0, at) + 1, head)
            head_start = at + 1
        elif char == ";":
            head_start = at + 1


def is_function(head):
    """Tells a function's head from that of a scope, statement or value."""
    if "(" not in head or re.search(r"(^|[^=!<>])=[^=]*$", head.split("(")[0]):
        return False
    return not re.match(
        r"(\}?\s*else\b|if\b|for\b|while\b|switch\b|catch\b|do\b|try\b|return\b"
        r"|namespace\b|enum\b|extern\b|#)", head)


def check_limits():
    for path in files(".cpp", ".hpp", ".sh", ".py"):
        text = read(path)
        count = text.count("\n")
        if count > MAX_FILE_LINES:
            yield f"{path}: {count} lines, the limit is {MAX_FILE_LINES}"
        if not path.endswith((".cpp", ".hpp")):
            continue
        for first, last, head in functions(text):
            limit = MAX_FUNCTION_LINES
            if "behavior_type" in head:
                limit = MAX_BEHAVIOR_LINES
            if path.startswith("tests/"):
                limit = MAX_TEST_LINES
            if last - first + 1 > limit:
                yield (f"{path}:{first}: function of {last - first + 1} lines,"
                       f" the limit is {limit}")


def allowed(path, other):
    """The folders a source may include; the longest row that fits counts."""
    rows = [x for x in ALLOWED if path.startswith(x + "/")]
    return ALLOWED[max(rows, key=len)] if rows else {other}


def check_includes():
    for path in files(".cpp", ".hpp"):
        folder = path.split("/")[0]
        for number, line in enumerate(read(path).splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if not found:
                continue
            quote, header = found.groups()
            place = f"{path}:{number}"
            beside = os.path.join(os.path.dirname(path), header)
            if (quote == '"' and not header.startswith("troupe/")
                    and not (folder == "tests" and os.path.exists(beside))):
                yield f'{place}: "{header}" does not start with troupe/'
            if header.startswith("troupe/") and header not in SHARED_HEADERS:
                other = header.split("/")[1]
                if header.startswith("troupe/tests/lab/"):
                    other = "tests/lab"
                if other not in allowed(path, other):
                    yield f"{place}: {folder} must not include {other}"
            for library, where in LIBRARIES.items():
                if re.match(library, header) and not re.match(where, path):
                    yield f"{place}: {header} does not belong here"
            if path in PUBLIC_HEADERS and re.match(
                    r"caf/|netlink/|lmdb|nlohmann/|troupe/actors/caf"
                    r"|troupe/config/model/json", header):
                yield f"{place}: the public API must not show {header}"
        if path.endswith(".hpp") and "#pragma once" not in read(path):
            yield f"{path}: no #pragma once"


def check_words():
    for path in files(".cpp", ".hpp", ".sh", ".cmake", ".txt", ".md", ".in"):
        for number, line in enumerate(read(path).splitlines(), 1):
            if WORDS.search(line):
                yield f"{path}:{number}: {line.strip()}"


def anchors(path):
    """The anchors of a page, as GitHub makes them out of headings."""
    for line in read(path).splitlines():
        heading = re.match(r"#+\s+(.*)", line)
        if heading:
            text = re.sub(r"[^\w\- ]", "", heading.group(1).lower())
            yield text.replace(" ", "-")


def check_links():
    for path in files(".md"):
        text = re.sub(r"```.*?```", "", read(path), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            full = os.path.normpath(os.path.join(os.path.dirname(path), name))
            full = full if name else path
            if not os.path.exists(full):
                yield f"{path}: link to {target}: no such file"
            elif anchor and full.endswith(".md") and (
                    anchor not in set(anchors(full))):
                yield f"{path}: link to {target}: no such heading"


def check_docs():
    """Every folder has a page of its name, every driver a README."""
    for folder in ["config", "netns", "drivers", "persistence", "actors",
                   "testing", "tools", "tests"]:
        if not os.path.exists(f"docs/{folder}.md"):
            yield f"docs/{folder}.md is missing"
    for name in sorted(os.listdir("drivers")):
        if os.path.isdir(f"drivers/{name}") and not os.path.exists(
                f"drivers/{name}/README.md"):
            yield f"drivers/{name}/README.md is missing"


class Tests:
    """What CMake and GoogleTest are told in the sources of the tests."""

    def __init__(self):
        self.folders = {}  # Of each program: where its tests may be.
        self.ctest = set()
        libraries = {}
        lists = [x for x in files("CMakeLists.txt") if x.startswith("tests/")]
        for path in lists:
            for name in re.findall(r"add_library\((\w+)", read(path)):
                libraries[name] = os.path.dirname(path)
        for path in lists:
            text = read(path)
            own = re.findall(r"troupe_(?:\w+_)?test\((\w+)", text)
            used = {libraries[x] for x in re.findall(r"\w+", text)
                    if x in libraries}
            for name in own:
                self.folders[name] = used | {os.path.dirname(path)}
            self.ctest |= {*own, *re.findall(r"NAME (\w+)(?=\s)", text)}
        self.texts = {}
        for path in files(".cpp", ".hpp"):
            if path.startswith("tests/"):
                folder = os.path.dirname(path)
                self.texts[folder] = self.texts.get(folder, "") + read(path)

    def wrong(self, program, test):
        """Says what is wrong with a program's test; "" if it is there."""
        if program not in self.folders:
            return "no such test program"
        text = "".join(self.texts.get(x, "") for x in self.folders[program])
        suite, _, name = test.partition(".")
        instance, _, suite = suite.rpartition("/")
        name, _, value = name.partition("/")
        if not re.search(rf"^(TYPED_)?TEST(_F|_P)?\(\s*{suite},\s*{name}\)",
                         text, re.MULTILINE):
            return "no such test"
        if instance and not re.search(
                rf"INSTANTIATE_TEST_SUITE_P\(\s*{instance},\s*{suite},", text):
            return "no such instance"
        if value not in ("", "*") and f'"{value}"' not in text:
            return f"nothing is called {value}"
        return ""


def check_tests():
    """Tests that the pages name are there; each bug with one names it."""
    tests = Tests()
    for path in files(".md"):
        for number, line in enumerate(read(path).splitlines(), 1):
            place = f"{path}:{number}"
            named = re.findall(r"`([a-z]+_\w+) ([\w/]+\.[\w/*]+)`", line)
            for program, test in named:
                if why := tests.wrong(program, test):
                    yield f"{place}: {program} {test}: {why}"
            by_ctest = re.findall(r"`ctest -R '\^(\w+)\$'`", line)
            for name in by_ctest:
                if name not in tests.ctest:
                    yield f"{place}: ctest knows no {name}"
            if (path == "docs/track-record.md" and line.startswith("| ")
                    and not line.startswith("| what ")
                    and not (named or by_ctest)):
                yield f"{place}: names no test"


def main():
    checks = {"limits": check_limits, "includes": check_includes,
              "words": check_words, "links": check_links, "docs": check_docs,
              "tests": check_tests}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    bad = list(checks[sys.argv[1]]())
    print("\n".join(bad))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
