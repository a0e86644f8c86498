"""smbtorture against a list of what must succeed: torture-expected.tsv may only get longer."""
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import case
from case import Skip, expect, need, run, test
from server import SECOND_USER, Server, has_second_user

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SHARED = os.path.join(os.path.dirname(TOP), "shared")
EXPECTED = os.path.join(HERE, "torture-expected.tsv")
SUITES = os.path.join(HERE, "torture-suites.txt")
MAX_AGAIN = 40


def expected_tests():
    with open(EXPECTED, encoding="utf-8") as file:
        return [line.split("\t")[0] for line in file if "\tsuccess" in line and not line.startswith("#")]


def within(name, names):
    return any(name == each or name.startswith(each + ".") for each in names)


class Group:
    def __init__(self, number, words=()):
        self.number = number
        self.network = "network" in words  # of its own, which smbtorture may block
        self.suites = []


def suites():
    """The suites of torture-suites.txt, in its groups, each of which begins with a line of "--"."""
    with open(SUITES, encoding="utf-8") as file:
        lines = [line.split("#")[0].strip() for line in file]
    groups = [Group(1)]
    for line in lines:
        if line.startswith("--"):
            groups.append(Group(len(groups) + 1, line.split()))
        elif line:
            groups[-1].suites.append(line)
    return groups


class Network:
    """A network namespace with nothing but a loopback device: what iptables drops there concerns nobody else."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        need("ip")
        need("iptables")
        for command in (["ip", "netns", "add", self.name], ["ip", "-n", self.name, "link", "set", "lo", "up"],
                        ["ip", "netns", "exec", self.name, "iptables", "-w", "-A", "OUTPUT", "-p", "tcp", "--sport",
                         "9", "-j", "DROP"]):
            code, output = run(command)
            if code != 0:
                self.__exit__()
                raise Skip(f"no network that can be blocked: {' '.join(command)}: {output.strip()}")
        return self

    def __exit__(self, *_):
        run(["ip", "netns", "delete", self.name])


@test("torture.expected")
def torture(main_server):
    """On servers of its own: anonymous users are off by default, and some tests are about them.

    Most of the time smbtorture waits for breaks that do not come and the like, so that groups of suites run at the
    same time, each with a server.  smb2.secleak fails as many logons as it can: on a fast machine, more than an
    address may.
    """
    groups = suites()
    with ThreadPoolExecutor(len(groups)) as pool:
        results = list(pool.map(lambda group: run_group(main_server, group), groups))
    skipped = [text for outcome, text in results if outcome == "skipped"]
    worse = [text for outcome, text in results if outcome == "failed"]
    expect(not worse, "\n".join(worse))
    if len(skipped) == len(groups):
        raise Skip(skipped[0])
    for text in skipped:
        print(f"  a group is skipped: {text}")
    case.EXTRA["skipped"] += len(skipped)


def run_group(main_server, group):
    try:
        if group.network:
            with Network(f"smb3d-{os.getpid()}-{group.number}") as network:
                serve_group(main_server, group, network.name)
        else:
            serve_group(main_server, group)
    except Skip as reason:
        return "skipped", str(reason)
    except Exception as problem:  # pylint: disable=broad-except  (the other groups' results count as well)
        return "failed", str(problem) or repr(problem)
    return "ok", ""


def serve_group(main_server, group, namespace=None):
    server = Server(main_server.build, main_server.io, extra="[auth]\nanonymous = true\nfailed_logon_burst = 0\n",
                    namespace=namespace)
    try:
        server.add_accounts()
        server.start()
        run_suites(server, group)
        code, _ = server.stop()
        expect(code == 0 and not server.sanitizer_report(), f"exit code {code}\n{server.sanitizer_report()}")
    finally:
        server.remove()


def run_suites(server, group):
    tool = os.path.join(SHARED, "bin", "torture")
    if not os.path.exists(tool):
        raise Skip(f"{tool} is not there")
    need("smbtorture")
    wanted = [s for s in group.suites if not within(s, case.SKIP_SUITES)]
    expected = [e for e in expected_tests() if within(e, wanted)]
    # A suite that nothing is expected of costs time and proves nothing.
    wanted = [s for s in wanted if any(within(e, [s]) for e in expected)]
    if not wanted:
        raise Skip("torture-expected.tsv is empty")
    folder = os.path.join(TOP, "build", "torture", f"{os.path.basename(server.build)}-{server.io}-{group.number}")
    os.makedirs(folder, exist_ok=True)
    code, output, worse = run_tool(tool, server, folder, wanted, expected)
    print(f"  group {group.number}: {output.splitlines()[-1] if output else 'nothing'}")
    # Tests that wait for what does not come within so many milliseconds fail on a busy machine; a fault fails alone,
    # too.
    if worse and len(worse) <= MAX_AGAIN:
        again = [line.split(": ")[1] for line in worse]
        print("  once more, alone:\n    " + "\n    ".join(line[:200] for line in worse))
        code, output, worse = run_tool(tool, server, folder, again, again)
    # Each expected test counts; this one, of interop's own, stands for one of them.
    case.EXTRA["passed"] += max(0, len(expected) - max(len(worse), 1))
    case.EXTRA["failed"] += max(0, len(worse) - 1)
    expect(code == 0, "\n".join(worse) or output[-3000:])


def run_tool(tool, server, folder, wanted, expected):
    """The exit code, the output, and its lines of tests that should have succeeded."""
    listed = os.path.join(folder, "expected.tsv")
    with open(listed, "w", encoding="utf-8") as file:
        file.writelines(f"{name}\tsuccess\n" for name in expected)
    command = [sys.executable, tool, "--server", "127.0.0.1", "--port", str(server.port), "--share", "test", "--user",
               f"{server.user}%{server.password}", "--expect", listed, "--pid", str(server.process.pid),
               "--out", os.path.join(folder, "results.tsv"), "--logs", folder, "--verbose", "--timeout", "500",
               "--option", "torture:timelimit=3"]
    if server.inside:
        command += ["--option", "torture:use_iptables=yes", "--option", "torture:iptables_command=iptables -w"]
    if has_second_user():
        command += ["--extra-user", f"{SECOND_USER}%{server.second_password}"]
    code, output = run(server.inside + command + wanted, timeout=1800)
    return code, output, [line for line in output.splitlines() if line.startswith("expected to succeed:")]


def update(path):
    """usage: torture.py RESULTS.tsv: adds the tests that succeeded to torture-expected.tsv."""
    known = set(expected_tests())
    with open(path, encoding="utf-8") as file:
        known |= {line.split("\t")[0] for line in file if line.split("\t")[1:2] == ["success"]}
    with tempfile.NamedTemporaryFile("w", dir=HERE, delete=False, encoding="utf-8") as file:
        file.write("# test, outcome: what smbtorture 4.22 must find.  May only get longer.\n")
        file.writelines(f"{name}\tsuccess\n" for name in sorted(known))
    os.chmod(file.name, 0o644)
    os.rename(file.name, EXPECTED)


if __name__ == "__main__":
    update(sys.argv[1])
