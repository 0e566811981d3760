#!/usr/bin/env python3
"""What do our tests not notice? Leaves out one call of actors/ and drivers/
after the other, and looks for a test that fails.

Usage: mutants.py write OUT [--build]  a copy of the project with all of them
       mutants.py run OUT [--build] [--sample N] [--seed N] [--only FILE:LINE]
                          [--programs NAME,...] [--jobs N] [-v]
       mutants.py check                is survivors.txt still about this code?
       mutants.py list                 all of them

A mutant is one statement that is a call, or one step whose failure would be
handed on (`if (auto done = CALL; !done)`), which is then taken for done. Each
is asked for by its number when the program runs (mutant.hpp), so that all of
them are one build. What only writes to the log, or makes room in advance, is
none.

`run` first runs each suite of the programs below alone and notes which mutants
it comes past; then each mutant with the suites that do, the shortest first,
until one fails. What all of them let pass is a survivor. It ends with exit code
1 if more than 5 % survive that survivors.txt does not explain.
"""

import argparse
import concurrent.futures
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
FOLDERS = ("actors", "drivers")
NOT_IN = ("actors/remote",)  # Two processes and TLS: system_remote.
SURVIVORS = os.path.join(HERE, "survivors.txt")

# Those that need no kernel of their own.
PROGRAMS = ("unit_ipam", "unit_ports", "unit_drivers", "unit_testing",
            "unit_actors", "unit_tools", "sim_replays", "sim_reach",
            "fault_sweep")

# Of these, fewer rounds than usual.
ENVIRONMENT = {"TEST_PLANS": "200"}

# Longer than any suite takes without a mutant: a promise that is never kept.
PATIENCE_S = 20
PATIENCE_FACTOR = 4

# A loop that has lost its end fills the memory, or goes on when we are killed.
MOST_BYTES = 8 << 30
MOST_CPU_S = 600

# What may go without a difference that a test could see.
NO_MUTANTS = re.compile(
    r"^(\w+::)*(log|log_\w+|note_log|assert|static_assert|CAF_\w+)\b"
    r"|(\.|->)(reserve|shrink_to_fit)\(\s*[\w.>-]*(size\(\)|count|\d)"
    r"|\blog(ger)?\s*(\.|->)|\bspdlog::")

KEYWORDS = {"return", "co_return", "throw", "delete", "new", "if", "for",
            "while", "do", "switch", "case", "default", "using", "goto",
            "static_assert", "else", "try", "catch", "typedef", "template",
            "sizeof", "decltype", "assert"}


# -- what there is ------------------------------------------------------------


def blank(text):
    """The text with comments and literals replaced by as much of nothing."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"\((?:.*?)\)"|"(?:\\.|[^"\\\n])*"'
        r"|'(?:\\.|[^'\\\n])+'", re.S)

    def hide(match):
        x = match.group()
        if x.startswith("'") and match.start() > 0 \
                and text[match.start() - 1].isalnum():
            return x  # 10'000
        fill = " " if x.startswith("/") else "_"
        return "".join(c if c == "\n" else fill for c in x)

    return pattern.sub(hide, text)


def closing(text, at):
    """Where the bracket ends that begins there."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    depth = 0
    for i in range(at, len(text)):
        if text[i] in pairs:
            depth += 1
        elif text[i] in pairs.values():
            depth -= 1
            if depth == 0:
                return i
    return len(text)


def is_block(text, at):
    """Whether statements follow this brace, and no members or values."""
    head = text[:at].rstrip()
    head = head[max(head.rfind(c) for c in ";{}") + 1:]
    if re.search(r"\b(struct|class|union|enum|namespace)\b[^()]*$", head):
        return False
    head = head.rstrip()
    return bool(re.search(r"(\)|\belse|\bdo|\btry|\bmutable|\bnoexcept|\bconst"
                          r"|\boverride)$", head)
                or re.search(r"\)\s*(mutable\s*)?->\s*[\w:<>*& ,]+$", head)
                or re.search(r"\[[^\[\]]*\]$", head)
                or re.search(r"\)\s*:\s*[^;]*[)}]$", head)
                or re.search(r"\bcase\b[^:]*:$|\bdefault:$", head)
                or not head)


def is_call(text):
    """Whether this is one call, and no declaration."""
    text = text.strip()
    if text.startswith("(void)"):
        text = text[6:].lstrip()
    i, last = 0, ""
    word = re.compile(r"\*?(?:::)?[A-Za-z_]\w*")
    match = word.match(text)
    if not match or match.group().strip("*:") in KEYWORDS:
        return False
    i = match.end()
    while i < len(text):
        rest = text[i:]
        if rest[0] == "(":
            i, last = closing(text, i) + 1, "call"
        elif rest[0] == "[":
            i, last = closing(text, i) + 1, "index"
        elif rest[0] == "<":
            match = re.match(r"<[\w:<>*&, ]*>(?=[(:])", rest)
            if not match:
                return False
            i += match.end()
        else:
            match = re.match(r"\s*(\.|->|::)\s*~?[A-Za-z_]\w*", rest)
            if not match:
                return False
            i, last = i + match.end(), "name"
    return last == "call"


def statements(text):
    """Where each statement of a block begins and ends (its semicolon)."""
    hidden = blank(text)
    # Directives are no statements.
    hidden = re.sub(r"^[ \t]*#.*$", lambda x: " " * len(x.group()), hidden,
                    flags=re.M)
    result = []

    def walk(begin, end):
        i = begin
        while i < end:
            c = hidden[i]
            if c.isspace() or c in ";:":
                i += 1
            elif c == "{":
                i = inside(i)
            elif c == "}":
                i += 1
            else:
                i = one(i, end)

    def inside(at):
        stop = closing(hidden, at)
        walk(at + 1, stop)
        return stop + 1

    def one(at, end):
        """One statement, or the head of one."""
        match = re.compile(r"(if constexpr|if|for|while|switch|catch)\s*\("
                           ).match(hidden, at)
        if match:
            stop = closing(hidden, match.end() - 1)
            nested(match.end(), stop)
            return stop + 1
        match = re.compile(r"(else|do|try)\b|(case\b[^:;{]*(::[^:;{]*)*|default)"
                           r"\s*:(?!:)").match(hidden, at)
        if match:
            return match.end()
        i = at
        while i < end and hidden[i] != ";":
            if hidden[i] in "([":
                stop = closing(hidden, i)
                nested(i + 1, stop)
                i = stop + 1
            elif hidden[i] == "{":
                block = is_block(hidden, i)
                stop = closing(hidden, i)
                if block and not is_lambda(hidden, i, at):
                    walk(i + 1, stop)
                    return stop + 1
                nested(i, stop + 1)
                i = stop + 1
            else:
                i += 1
        result.append((at, i))
        return i + 1

    def nested(begin, end):
        """Blocks of lambdas in an expression."""
        i = begin
        while i < end:
            if hidden[i] == "{":
                stop = closing(hidden, i)
                if is_lambda(hidden, i, begin):
                    walk(i + 1, stop)
                else:
                    nested(i + 1, stop)
                i = stop
            i += 1

    # From the first brace of a function on.
    def outside(begin, end):
        i = begin
        while i < end:
            if hidden[i] == "{":
                stop = closing(hidden, i)
                head = hidden[:i].rstrip()
                if head and is_block(hidden, i):
                    walk(i + 1, stop)
                elif re.search(r"\b(struct|class|union|namespace)\b[^;{}()]*$",
                               head):
                    outside(i + 1, stop)
                i = stop
            i += 1

    outside(0, len(hidden))
    return hidden, result


def is_lambda(hidden, at, since):
    head = hidden[since - 1 if since else 0:at].rstrip()
    return bool(re.search(
        r"\]\s*(<[^<>]*>\s*)?(\((?:[^()]|\([^()]*\))*\))?\s*(mutable\s*)?"
        r"(noexcept\s*)?(->\s*[\w:<>*& ,]+)?$", head))


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


class Mutant:
    def __init__(self, number, source, line, text, kind):
        self.number, self.source, self.line = number, source, line
        self.text, self.kind = text, kind
        self.name = ""

    def where(self):
        return f"{self.source}:{self.line}"


STEP = re.compile(r"\bif \(auto\s+(\w+)\s*=\s*")


def places(text):
    """(begin, end, kind) of each mutant of a source, in order."""
    hidden, found = statements(text)
    result = []
    for begin, end in found:
        if is_call(hidden[begin:end]) and not NO_MUTANTS.search(
                squeeze(hidden[begin:end]).removeprefix("(void)").strip()):
            result.append((begin, end, "call"))
    for match in STEP.finditer(hidden):
        end = hidden.find(";", match.end())
        after = re.compile(r";\s*!" + match.group(1) + r"\)")
        if after.match(hidden, end) and "[" not in hidden[match.end():end] \
                and is_call(hidden[match.end():end]):
            result.append((match.end(), end, "step"))
    return sorted(result)


def sources():
    for folder in FOLDERS:
        for where, folders, names in os.walk(os.path.join(TOP, folder)):
            folders[:] = sorted(x for x in folders if os.path.relpath(
                os.path.join(where, x), TOP) not in NOT_IN)
            for name in sorted(names):
                if name.endswith(".cpp"):
                    yield os.path.relpath(os.path.join(where, name), TOP)


def all_mutants():
    """Each mutant, and the places of each source."""
    result, seen = [], {}
    for source in sources():
        with open(os.path.join(TOP, source), encoding="utf-8") as file:
            text = file.read()
        for begin, end, kind in places(text):
            x = Mutant(len(result) + 1, source,
                       text.count("\n", 0, begin) + 1,
                       squeeze(text[begin:end]), kind)
            base = f"{os.path.basename(source)}: {shorten(x.text)}"
            seen[base] = seen.get(base, 0) + 1
            x.name = base if seen[base] == 1 else f"{base} #{seen[base]}"
            x.begin, x.end = begin, end
            result.append(x)
    return result


def shorten(text):
    """What a line of survivors.txt says of it."""
    return text if len(text) <= 60 else text[:57] + "..."


def read_survivors():
    """Name -> why it may survive."""
    result = {}
    if not os.path.exists(SURVIVORS):
        return result
    with open(SURVIVORS, encoding="utf-8") as file:
        reason = ""
        for line in file:
            line = line.rstrip("\n")
            if line.startswith("#"):
                continue
            if not line:
                reason = ""
            elif line.startswith("  "):
                result[line.strip()] = reason
            else:
                reason = squeeze(reason + " " + line)
    return result


# -- writing them -------------------------------------------------------------


def mutate(text, mutants):
    for x in sorted(mutants, key=lambda x: -x.begin):
        old = text[x.begin:x.end]
        if x.kind == "call":
            new = f"if (::troupe::mutants::is_on({x.number})) {{}} else {old}"
        else:
            new = (f"(::troupe::mutants::is_left_out<decltype({old})>"
                   f"({x.number}) ? ::troupe::mutants::done<decltype({old})>()"
                   f" : {old})")
        text = text[:x.begin] + new + text[x.end:]
    return '#include "troupe/tests/bugs/mutant.hpp"\n' + text


def write(out):
    """A copy of what git knows; time stamps stay where nothing has changed."""
    names = subprocess.run(["git", "-C", TOP, "ls-files", "-co",
                            "--exclude-standard"],
                           check=True, capture_output=True, text=True
                           ).stdout.splitlines()
    by_source = {}
    for x in all_mutants():
        by_source.setdefault(x.source, []).append(x)
    base = os.path.join(out, "source")
    for name in names:
        origin, copy = os.path.join(TOP, name), os.path.join(base, name)
        if not os.path.isfile(origin):
            continue
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(origin, "rb") as file:
            content = file.read()
        if name in by_source:
            content = mutate(content.decode(), by_source[name]).encode()
        if os.path.exists(copy):
            with open(copy, "rb") as file:
                if file.read() == content:
                    continue
        with open(copy, "wb") as file:
            file.write(content)
        shutil.copymode(origin, copy)
    print(f"{sum(map(len, by_source.values()))} mutants in "
          f"{len(by_source)} sources")


def build(out):
    base = os.path.join(out, "source")
    build_dir = os.path.join(base, "build", "quick")
    environment = dict(os.environ, CCACHE_BASEDIR=os.path.abspath(base),
                       CCACHE_NOHASHDIR="1")
    if not os.path.exists(os.path.join(build_dir, "build.ninja")):
        subprocess.run(
            ["cmake", "-S", base, "-B", build_dir, "-G", "Ninja",
             "-DCMAKE_CXX_COMPILER=clang++", "-DCMAKE_BUILD_TYPE=Debug",
             "-DCMAKE_CXX_FLAGS_DEBUG=-O0 -g0",
             "-DTROUPE_BUILD_BENCH=OFF", "-DTROUPE_BUILD_TOOLS=ON",
             "-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=mold", "-DTROUPE_HARDEN=OFF",
             "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
             "-DTROUPE_BUILD_EXAMPLES=ON", "-DTROUPE_WERROR=OFF",
             "-DTROUPE_UNITY=ON"], check=True, stdout=subprocess.DEVNULL,
            env=environment)
    subprocess.run(["ninja", "-C", build_dir, *PROGRAMS], check=True,
                   env=environment)


# -- running them -------------------------------------------------------------


class Suite:
    def __init__(self, program, name):
        self.program, self.name = program, name
        self.seconds, self.reached = 0.0, set()


def program_path(out, name):
    for where, _, names in os.walk(os.path.join(out, "source/build/quick/tests")):
        if name in names and os.access(os.path.join(where, name), os.X_OK):
            return os.path.join(where, name)
    sys.exit(f"Error: there is no program {name} in {out}\n"
             f"Hint: {sys.argv[0]} write {out} --build")


def suites_of(program):
    listed = subprocess.run([program, "--gtest_list_tests"], check=True,
                            capture_output=True, text=True).stdout
    return [line.split()[0] for line in listed.splitlines()
            if line and not line.startswith(" ") and "." in line]


def limit_child():
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))


def run_suites(program, names, number, patience, reached=""):
    """@returns "" if all pass, or what did not."""
    environment = dict(os.environ, **ENVIRONMENT, TROUPE_MUTANT=str(number),
                       TROUPE_MUTANTS_REACHED=reached)
    tests = ":".join(name + "*" for name in names)
    command = [program, f"--gtest_filter={tests}", "--gtest_fail_fast",
               "--gtest_brief=1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          start_new_session=True,
                          preexec_fn=limit_child) as process:
        try:
            said, _ = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            return "does not end: " + ", ".join(names)[:60]
    if process.returncode == 0:
        return ""
    failed = re.search(r"\[  FAILED  \] (\S+)", said)
    return failed.group(1).rstrip(",") if failed else \
        f"code {process.returncode}: " + ", ".join(names)[:60]


def measure(out, count, programs, jobs):
    """Which mutants each suite comes past, and how long it takes."""
    result = []
    for program in programs:
        path = program_path(out, program)
        result += [Suite(path, name) for name in suites_of(path)]

    def look(job):
        i, suite = job
        bitmap = os.path.join(out, f"reached-{i}")
        with open(bitmap, "wb") as file:
            file.truncate(count + 1)
        begin = time.monotonic()
        wrong = run_suites(suite.program, [suite.name], 0, 900, bitmap)
        suite.seconds = time.monotonic() - begin
        with open(bitmap, "rb") as file:
            suite.reached = {n for n, x in enumerate(file.read()) if x}
        os.remove(bitmap)
        return wrong

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for suite, wrong in zip(result, pool.map(look, enumerate(result))):
            if wrong:
                sys.exit(f"Error: without a mutant: {wrong} "
                         f"({suite.program} {suite.name})")
    return result


def hunt(x, suites, deadline):
    """@returns what found it, or "" """
    there = sorted((s for s in suites if x.number in s.reached),
                   key=lambda s: s.seconds)
    # All suites of a program at once while they are short.
    while there:
        first = there[0]
        group = [s for s in there if s.program == first.program]
        short, total = [], 0.0
        for suite in group:
            if short and total + suite.seconds > 10:
                break
            short.append(suite)
            total += suite.seconds
        there = [s for s in there if s not in short]
        found = run_suites(first.program, [s.name for s in short], x.number,
                           PATIENCE_S + PATIENCE_FACTOR * total)
        if found:
            return f"{os.path.basename(first.program)} {found}"
        if time.monotonic() > deadline:
            return ""
    return ""


def run(out, options):
    mutants = all_mutants()
    begin = time.monotonic()
    suites = measure(out, len(mutants), options.programs.split(","),
                     options.jobs)
    reached = set().union(*(s.reached for s in suites))
    print(f"{len(suites)} suites, {len(mutants)} mutants, of which "
          f"{len(reached)} are come past; {time.monotonic() - begin:.0f} s",
          flush=True)
    # A step of which another type comes than that of "done or not" is none.
    chosen = [x for x in mutants if x.kind == "call" or x.number in reached]
    chosen = [x for x in chosen if x.where().startswith(options.only)]
    if options.sample:
        chosen = random.Random(options.seed).sample(
            chosen, min(options.sample, len(chosen)))
    known = read_survivors()
    found, explained, survived = 0, 0, []

    def look(x):
        return hunt(x, suites, time.monotonic() + options.seconds)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for x, finder in zip(chosen, pool.map(look, chosen)):
            if finder:
                found += 1
                if options.verbose:
                    print(f"found     {x.where()} {shorten(x.text)} by {finder}",
                          flush=True)
            elif x.name in known:
                explained += 1
            else:
                survived.append(x)
                how = "survives " if x.number in reached else "unreached"
                print(f"{how} {x.where()} {shorten(x.text)}", flush=True)
    total = len(chosen)
    print(f"{total} mutants, {found} found, {explained} explained in "
          f"survivors.txt, {len(survived)} survive; "
          f"{time.monotonic() - begin:.0f} s")
    return 1 if len(survived) > 0.05 * total else 0


def check():
    names = {x.name for x in all_mutants()}
    missing = [x for x in read_survivors() if x not in names]
    for x in missing:
        print(f"Error: survivors.txt: no such call any more: {x}")
    return 1 if missing else 0


def main():
    parser = argparse.ArgumentParser(
        usage=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("command", choices=["write", "run", "check", "list"])
    parser.add_argument("out", nargs="?", default="")
    parser.add_argument("--build", action="store_true")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=240)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    if options.command == "check":
        return check()
    if options.command == "list":
        for x in all_mutants():
            print(f"{x.number} {x.kind} {x.where()} {x.name}")
        return 0
    if not options.out:
        parser.error("where is OUT?")
    if options.command == "write" or options.build:
        write(options.out)
    if options.build:
        build(options.out)
    if options.command == "run":
        return run(os.path.abspath(options.out), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
