#!/usr/bin/env python3
"""Which lines of our libraries the tests of one run came by.

Usage: line_summary.py LINES [--floor PERCENT | --unseen FOLDER]. LINES is
llvm-cov's export in lcov's format. Prints a table of the folders; with a floor
the exit code is 1 when one of them is below. With --unseen each stretch of lines
of that folder that never ran, and what the first one says.
"""

import os
import sys

FOLDERS = ["actors", "drivers", "netns", "persistence"]


def read_counts(path):
    """How often each line of each file ran."""
    counts, lines = {}, {}
    with open(path, encoding="utf-8") as file:
        for row in file:
            key, _, value = row.strip().partition(":")
            if key == "SF":
                lines = counts.setdefault(os.path.relpath(value), {})
            elif key == "DA":
                number, count = (int(x) for x in value.split(",")[:2])
                lines[number] = max(lines.get(number, 0), count)
    return {x: y for x, y in counts.items() if x.split("/")[0] in FOLDERS}


def print_table(counts, floor):
    below = 0
    print(f"{'lines of':<12}  {'all':>7}  {'seen':>7}  {'percent':>7}")
    for folder in FOLDERS:
        lines = [y for x, lines in counts.items() for y in lines.values()
                 if x.startswith(folder + "/")]
        seen = sum(1 for x in lines if x > 0)
        percent = 100 * seen / max(len(lines), 1)
        below += percent < floor
        print(f"{folder:<12}  {len(lines):>7}  {seen:>7}  {percent:>7.1f}"
              f"{'  BELOW THE FLOOR' if percent < floor else ''}")
    return below


def print_unseen(counts, folder):
    for path in sorted(x for x in counts if x.startswith(folder + "/")):
        with open(path, encoding="utf-8") as file:
            text = file.read().splitlines()
        last = 0
        for number, count in sorted(counts[path].items()):
            if count == 0 and number != last + 1:
                print(f"{path}:{number}: {text[number - 1].strip()}")
            if count == 0:
                last = number


def main():
    if len(sys.argv) not in (2, 4) or (
            len(sys.argv) == 4 and sys.argv[2] not in ("--floor", "--unseen")):
        sys.exit(__doc__)
    counts = read_counts(sys.argv[1])
    if len(sys.argv) == 4 and sys.argv[2] == "--unseen":
        print_unseen(counts, sys.argv[3])
        return
    floor = float(sys.argv[3]) if len(sys.argv) == 4 else 0
    sys.exit(1 if print_table(counts, floor) else 0)


if __name__ == "__main__":
    main()
