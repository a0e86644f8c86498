#!/usr/bin/env python3
"""Real clients against the built server, once with each event loop that is asked for, at the same time.

    tests/interop/interop.py [--build DIR] [--io uring|epoll|auto ...] [--tests GROUP[,GROUP]]
                             [--skip-suites SUITE[,SUITE]] [--keep] [--list]

Groups: smbclient ctl rclone smbc impacket operation notify coherence overlap durable torture.  A test whose client is
not installed is skipped with a message.  Ends with "N passed, N failed, N skipped"; exit code 1 on any failure.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import case                                                              # noqa: E402
import clients                                                           # noqa: E402,F401  (registers its tests)
import durable                                                           # noqa: E402,F401
import operation                                                         # noqa: E402,F401
import coherence                                                         # noqa: E402,F401
import host_changes                                                      # noqa: E402,F401
import overlap                                                           # noqa: E402,F401
import torture                                                           # noqa: E402,F401
from server import Server, make_second_user, remove_second_user         # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run_one(name, function, server, counts):
    begin = time.time()
    outcome, detail = "ok", ""
    try:
        function(server)
    except case.Skip as reason:
        outcome, detail = "skipped", str(reason)
    except Exception as problem:  # pylint: disable=broad-except  (one failure must not end the run)
        outcome = "FAILED"
        detail = str(problem) if isinstance(problem, AssertionError) and str(problem) else traceback.format_exc()
    if isinstance(detail, str) and len(detail) > 4000:
        detail = detail[:2000] + "\n...\n" + detail[-2000:]
    print(f"{server.io:5s} {name:40s} {outcome:8s} {time.time() - begin:6.1f} s{'  ' + detail if detail else ''}",
          flush=True)
    if not server.alive():
        counts["failed"] += 1
        print(f"smb3d is gone (exit code {server.process.returncode}); its log ends with:\n{server.log_text()[-4000:]}")
        server.start()
    elif outcome == "FAILED":
        print("smb3d's log ends with:\n" + "\n".join(server.log_text().splitlines()[-12:]))
    counts[{"ok": "passed", "FAILED": "failed", "skipped": "skipped"}[outcome]] += 1


def stop_checked(server, counts):
    """SIGTERM ends it with 0, and no sanitizer has anything to say."""
    code, seconds = server.stop()
    report = server.sanitizer_report()
    good = code == 0 and not report
    print(f"{server.io:5s} {'SIGTERM ends it with 0':40s} {'ok' if good else 'FAILED':8s} {seconds:6.1f} s")
    if not good:
        print(f"exit code {code}\n{report or server.log_text()[-4000:]}")
    counts["passed" if good else "failed"] += 1


def run_io(arguments, io, counts):
    server = Server(arguments.build, io)
    try:
        server.add_accounts()
        server.start()
        used = server.ask("status")["io"]
        print(f"-- {io}: the server uses {used}, port {server.port}")
        if io == "uring" and used != "io_uring":
            raise RuntimeError("server.io = \"uring\" was not honoured")
        for name, function in case.CASES:
            if not arguments.tests or name.split(".")[0] in arguments.tests or name in arguments.tests:
                run_one(name, function, server, counts)
        stop_checked(server, counts)
    except RuntimeError as problem:
        if io == "uring" and "server.io" in str(problem) and "io_uring" in str(problem):
            print(f"-- uring: skipped, this machine does not allow it: {problem}")
            counts["skipped"] += 1
        else:
            print(f"-- {io}: FAILED: {problem}")
            counts["failed"] += 1
    finally:
        if arguments.keep:
            print(f"kept: {server.dir}")
            if server.alive():
                server.stop()
        else:
            server.remove()


def run_each(kinds, counts):
    """A process for each event loop: most of the time their clients wait.  What they print comes one after another."""
    words = [word for word in sys.argv[1:] if word not in ("--io", *kinds)]
    running = []
    for io in kinds:
        output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        command = [sys.executable, os.path.abspath(__file__), *words, "--io", io]
        running.append((io, output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)))
    for io, output, process in running:
        code = process.wait()
        output.seek(0)
        text = output.read()
        print(text.rstrip(), flush=True)
        found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M)
        if not found or (code != 0 and found[-1][1] == "0"):
            print(f"-- {io}: FAILED: exit code {code}")
            counts["failed"] += 1
        for key, value in zip(("passed", "failed", "skipped"), found[-1] if found else ()):
            counts[key] += int(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(TOP, "build", "release"))
    parser.add_argument("--io", action="append", choices=["uring", "epoll", "auto"])
    parser.add_argument("--tests", type=lambda text: text.split(","), help="groups or single names")
    parser.add_argument("--skip-suites", type=lambda text: text.split(","), default=[], help="of smbtorture")
    parser.add_argument("--keep", action="store_true", help="keep the server's directory")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(name for name, _ in case.CASES))
        return 0
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    case.SKIP_SUITES.extend(arguments.skip_suites)
    made = make_second_user()
    try:
        kinds = arguments.io or ["uring", "epoll"]
        if len(kinds) > 1:
            run_each(kinds, counts)
        else:
            run_io(arguments, kinds[0], counts)
    finally:
        if made:
            remove_second_user()
    # What torture adds beyond one a test.
    for key, value in case.EXTRA.items():
        counts[key] += value
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
