#!/usr/bin/env python3
"""How many faults the tests of one CTest run have injected.

Usage: fault_summary.py REPORT [FACTOR]. REPORT is CTest's JUnit file with all
output in it. Adds up the lines "fault count: NAME: N" of all tests and prints a
table. With FACTOR there are goals, that many times the usual ones: what a full
run must reach; the exit code is 1 when it does not.
"""

import re
import sys
import xml.etree.ElementTree as ET

GOALS = {
    "systematic faults": 9000,
    "crashes in the recovery": 20000,
    "random seeds": 7000,
    "crash images of the store": 2000,
    "damaged stores": 300,
    "actor kills": 300,
    "kills of the real daemon": 300,
}


def count_all(path):
    counts = dict.fromkeys(GOALS, 0)
    for text in ET.parse(path).getroot().iter("system-out"):
        for name, count in re.findall(r"^fault count: (.+): (\d+)$",
                                      text.text or "", re.MULTILINE):
            counts[name] = counts.get(name, 0) + int(count)
    return counts


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    factor = int(sys.argv[2]) if len(sys.argv) == 3 else 0
    counts = count_all(sys.argv[1])
    width = max(len(x) for x in counts)
    missed = 0
    print(f"{'injected':<{width}}  {'count':>8}  {'goal':>8}")
    for name, count in counts.items():
        goal = GOALS.get(name, 0) * factor
        missed += count < goal
        print(f"{name:<{width}}  {count:>8}  {goal or '-':>8}"
              f"{'  MISSED' if count < goal else ''}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
