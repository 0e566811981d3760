#!/usr/bin/env python3
"""Counts what the test programs of one CTest run reported.

Usage: count_tests.py DIRECTORY, with ctest.junit and one XML file per
GoogleTest program in it. Prints "passed failed skipped", then one line for
each test that failed or was skipped, with its reason.
"""

import os
import sys
import xml.etree.ElementTree as ET


def first_line(text):
    """The first line that says something."""
    lines = [x.strip() for x in (text or "").splitlines()]
    lines = [x for x in lines if x and not x.endswith("Skipped")]
    # GoogleTest puts the place (file:line) in front of the message.
    while len(lines) > 1 and ".cpp:" in lines[0]:
        lines.pop(0)
    return lines[0] if lines else "no reason given"


def count_program(path, counts, notes):
    """Adds the tests of one GoogleTest report."""
    for case in ET.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        failure, skip = case.find("failure"), case.find("skipped")
        if failure is not None:
            counts["failed"] += 1
            notes.append(f"failed: {name}: {first_line(failure.get('message'))}")
        elif case.get("status") == "notrun":
            continue
        elif skip is not None or case.get("result") == "skipped":
            counts["skipped"] += 1
            why = skip.get("message") if skip is not None else ""
            text = skip.text if skip is not None else ""
            notes.append(f"skipped: {name}: {first_line(text or why)}")
        else:
            counts["passed"] += 1


def main():
    directory = sys.argv[1]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    notes = []
    programs = ET.parse(os.path.join(directory, "ctest.junit")).getroot()
    for case in programs.iter("testcase"):
        name, status = case.get("name"), case.get("status")
        report = os.path.join(directory, f"{name}.xml")
        has_report = os.path.exists(report)
        failed_before = counts["failed"]
        if has_report:
            count_program(report, counts, notes)
        if status == "run" and not has_report:
            counts["passed"] += 1
        elif status == "fail" and counts["failed"] == failed_before:
            # It crashed, ran out of time, or failed outside of a test.
            counts["failed"] += 1
            notes.append(f"failed: program {name}")
        elif status not in ("run", "fail"):
            counts["skipped"] += 1
            notes.append(f"skipped: program {name}: {status}")
    print(counts["passed"], counts["failed"], counts["skipped"])
    print("\n".join(notes))


if __name__ == "__main__":
    main()
