"""Tests register themselves here."""
import shutil
import subprocess

CASES = []
EXTRA = {"passed": 0, "failed": 0, "skipped": 0}
SKIP_SUITES = []  # of smbtorture: --skip-suites


class Skip(Exception):
    """The test cannot be done here; the reason is for people."""


def test(name):
    def register(function):
        CASES.append((name, function))
        return function
    return register


def need(program):
    if not shutil.which(program):
        raise Skip(f"{program} is not installed")


def run(command, timeout=300, env=None, stdin=None, cwd=None):
    """(exit code, both outputs together)."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, env=env,
                          input=stdin, cwd=cwd, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def expect(condition, message):
    if not condition:
        raise AssertionError(message)
