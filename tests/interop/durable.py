"""Handles that outlive the server; the long form is crash_test.py by itself."""
import os
import sys

from case import expect, run, test

HERE = os.path.dirname(os.path.abspath(__file__))


@test("durable.crash")
def crash(server):
    """Nothing acknowledged is lost by SIGKILL.  SMB3D_CRASH_SECONDS: how long."""
    seconds = os.environ.get("SMB3D_CRASH_SECONDS", "30")
    code, output = run([sys.executable, os.path.join(HERE, "crash_test.py"), "--build", server.build, "--io", server.io,
                        "--seconds", seconds], timeout=float(seconds) + 180)[:2]
    print("  " + "\n  ".join(output.strip().splitlines()[:1] + output.strip().splitlines()[-1:]))
    expect(code == 0, output)
