#!/usr/bin/env python3
"""Builds and runs all tests, or the parts that are named, and adds up their results.

    scripts/test.py [--jobs N] [PART ...]

Parts, in this order: tidy unit asan tsan interop fuzz, or "all".  Without any: all but unit, whose tests are in asan
as well; clang-tidy sees what changed in the last 40 commits, tsan runs what has threads of ours, asan leaves smbtorture
to interop, and fuzz runs beside interop, whose clients mostly wait.
Each prints its runner's own closing lines; the last line is "N passed, N failed, N skipped" over all.
Exit code 1 on any failure.  `./run test` installs what is needed and comes here.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FUZZ_SECONDS = 20
SANITIZER_REPORT = r"(?:ERROR|WARNING): (?:Address|Leak|Thread)Sanitizer|: runtime error: "
START = time.time()


class Result:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def say(text):
    elapsed = int(time.time() - START)
    print(f"\n== {text} [{elapsed // 60}m{elapsed % 60:02d}s]", flush=True)


def run(command, env=None, timeout=None, quiet=False):
    """Runs and returns (exit code, output); shows the output as it comes unless quiet."""
    lines = []
    full = dict(os.environ, **(env or {}))
    with subprocess.Popen(command, cwd=TOP, env=full, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, errors="replace") as process:
        deadline = time.time() + timeout if timeout else None
        for line in process.stdout:
            lines.append(line)
            if not quiet:
                print(line, end="", flush=True)
            if deadline and time.time() > deadline:
                process.kill()
                lines.append("(killed: it took too long)\n")
        code = process.wait()
    return code, "".join(lines)


def build(preset, jobs, cache=(), targets=()):
    """Configures and builds; prints only what goes wrong."""
    say(f"build {preset} {' '.join(targets)}")
    begin = time.time()
    # The release build is what users build: without precompiled headers, so that a missing include is noticed.
    precompiled = "OFF" if preset == "release" else "ON"
    code, output = run(["cmake", "--preset", preset, f"-DSMB3D_PCH={precompiled}", *cache], quiet=True)
    if code == 0:
        command = ["cmake", "--build", "--preset", preset, "-j", str(jobs)]
        if targets:
            command += ["--target", *targets]
        command += ["--", "-k", "0"]  # all that is wrong, not only the first
        code, output = run(command, quiet=True)
    if code != 0:
        at = output.find("FAILED:")
        print(output[max(at, 0):][:20000])
        return False
    print(f"built in {time.time() - begin:.0f} s")
    return True


def ctest(preset, jobs, extra=(), env=None):
    """All of a build's tests; counts from ctest's own JUnit file."""
    say(f"ctest {preset}")
    directory = os.path.join(TOP, "build", preset)
    report = os.path.join(directory, "ctest.xml")
    if os.path.exists(report):
        os.remove(report)
    # A test of threads that fails for want of a processor passes the second time, and its first failure is shown.
    _, output = run(["ctest", "--test-dir", directory, "-j", str(jobs), "--output-on-failure", "--timeout", "300",
                     "--repeat", "until-pass:2", "--no-tests=error", "--output-junit", report, *extra],
                    env=env, quiet=True)
    # Passed tests one by one are no news.
    for line in output.splitlines():
        if not re.search(r"^\s*Start +\d+:|\.{3} +Passed |^Internal ctest|^Test project", line):
            print(line)
    try:
        suite = ElementTree.parse(report).getroot()
    except (OSError, ElementTree.ParseError):
        return Result(failed=1)
    total, failed = int(suite.get("tests")), int(suite.get("failures"))
    skipped = int(suite.get("skipped") or 0) + int(suite.get("disabled") or 0)
    # A sanitizer's report counts, whatever the second time brought.
    if failed == 0 and re.search(SANITIZER_REPORT, output):
        failed = 1
    return Result(total - failed - skipped, failed, skipped)


def closing_line(code, output):
    """The counts of a runner that ends with 'N passed, N failed, N skipped'."""
    found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", output, re.M)
    if not found:
        return Result(failed=1)
    result = Result(*map(int, found[-1]))
    if code != 0 and result.failed == 0:
        result.failed = 1
    return result


def interop(build_directory, *arguments, env=None):
    say(f"interop {os.path.basename(build_directory)} {' '.join(arguments)}")
    return closing_line(*run([sys.executable, "tests/interop/interop.py", "--build", build_directory, *arguments],
                             env=env))


SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1:check_initialization_order=1:"
                    "strict_init_order=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


def part_tidy(_, short=False):
    say("tidy")
    # clang-tidy takes six minutes for all sources: by default only for what has changed lately.
    few = ["--commits", "40"] if short else []
    return closing_line(*run([sys.executable, "tests/tidy/tidy.py", "--all", *few]))


def part_unit(jobs):
    if not build("dev", jobs):
        return Result(failed=1)
    return ctest("dev", jobs)


def part_asan(jobs, short=False):
    # With the fuzz targets: one build for two parts.
    if not build("asan", jobs, ["-DSMB3D_FUZZ=ON"]):
        return Result(failed=1)
    result = ctest("asan", jobs, env=SANITIZER_ENV)
    if not short:
        result += interop("build/asan", "--io", "auto", "--tests", "torture", env=SANITIZER_ENV)
    return result


# The programs whose tests have threads that meet in our own code, and no more of the libraries than they need.
THREADED = ("base", "loop", "fsa", "engine", "sim", "transport_socket", "vfs_posix")


def part_tsan(jobs, short=False):
    if not build("tsan", jobs, targets=[f"test_{name}" for name in THREADED] if short else ()):
        return Result(failed=1)
    fewer = ["-R", f"^({'|'.join(THREADED)})\\."] if short else []
    return ctest("tsan", jobs, env=SANITIZER_ENV, extra=["-LE", "style", *fewer])


def fuzz_one(program):
    name = os.path.basename(program)
    corpus = os.path.join(TOP, "build", "corpus", name)
    os.makedirs(corpus, exist_ok=True)
    seeds = os.path.join(TOP, "tests", "fuzz", "corpus", name.removeprefix("fuzz_"))
    command = ["nice", "-n", "15", program, f"-max_total_time={FUZZ_SECONDS}",
               "-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1",
               f"-artifact_prefix={corpus}-", corpus]
    if os.path.isdir(seeds):
        command.append(seeds)
    code, output = run(command, env=SANITIZER_ENV, timeout=FUZZ_SECONDS + 120, quiet=True)
    runs = re.search(r"stat::number_of_executed_units: (\d+)", output)
    return name, code, output, int(runs[1]) if runs else 0


def part_fuzz(jobs):
    if not build("asan", jobs, ["-DSMB3D_FUZZ=ON"]):
        return Result(failed=1)
    return fuzz_all(jobs)


def fuzz_all(jobs):
    programs = sorted(p for p in glob.glob(os.path.join(TOP, "build", "asan", "fuzz_*")) if os.access(p, os.X_OK))
    say(f"fuzz: {len(programs)} targets, {FUZZ_SECONDS} s each")
    result = Result()
    with ThreadPoolExecutor(jobs) as pool:
        for name, code, output, runs in pool.map(fuzz_one, programs):
            good = code == 0 and runs > 0
            print(f"{name:30s} {runs:10d} runs  {'ok' if good else 'FAILED'}", flush=True)
            if not good:
                print(output[-6000:])
            result += Result(passed=1) if good else Result(failed=1)
    if not programs:
        result.failed = 1
    print(result)
    return result


def part_interop(jobs, short=False):
    if not build("release", jobs):
        return Result(failed=1)
    # The fuzz targets were built with asan.
    with ThreadPoolExecutor(1) as pool:
        fuzzing = pool.submit(fuzz_all, jobs) if short else None
        result = interop("build/release", "--io", "uring", "--io", "epoll")
        if fuzzing:
            result += fuzzing.result()
    return result


PARTS = {"tidy": part_tidy, "unit": part_unit, "asan": part_asan, "tsan": part_tsan, "interop": part_interop,
         "fuzz": part_fuzz}

DEFAULT_PARTS = ("tidy", "asan", "tsan", "interop")
SHORTENED = ("tidy", "asan", "tsan", "interop")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("parts", nargs="*", metavar="PART")
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS and part != "all":
            parser.error(f"no part {part}; there are: all {' '.join(PARTS)}")
    total = Result()
    lines = []
    wanted = arguments.parts or DEFAULT_PARTS
    for part, function in PARTS.items():
        if part not in wanted and "all" not in wanted:
            continue
        begin = time.time()
        short = not arguments.parts and part in SHORTENED
        result = function(arguments.jobs, **({"short": True} if short else {}))
        total += result
        lines.append(f"{part:10s} {result}  ({time.time() - begin:.0f} s)")
    say("all parts")
    print("\n".join(lines))
    print(total)
    return 1 if total.failed else 0


sys.exit(main())
