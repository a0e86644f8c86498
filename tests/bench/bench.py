#!/usr/bin/env python3
"""Measures smb3d: the protocol's workloads with smbload, and the micro-benchmarks.

    tests/bench/bench.py --build build/release --smbload PATH
    tests/bench/bench.py --build build/release --samba
    tests/bench/bench.py --build build/release --against 127.0.0.1:4451,bench,root,bench,PID

One command: it starts smb3d from the build directory with a throw-away configuration, runs every
workload (alternately against the second server, if there is one: ratios of one run are what counts
on a machine that does other things too), prints a table and, with --json, writes all figures.

smbload is a program of its own (--smbload, or $SMBLOAD); without it only the micro-benchmarks run.
--samba starts the smbd of the samba-up beside it to compare with, --against names any other server:
host:port,share,user,password,root-pid (0: its CPU time and memory cannot be had).
The goals are ratios of CPU time per operation to a tuned smbd's; docs/performance.md tells more.
"""
import argparse
import json
import os
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# name: smbload's options, goal (CPU per operation against smbd's).  "*": part of --quick.
WORKLOADS = [
    ("*read-4k-1conn", "--workload read -b 4K -s 16M --random -c 1 -q 1", 0.45),
    ("*read-64k", "--workload read -b 64K -s 16M -c 8 -q 4", 0.45),
    ("read-1m", "--workload read -b 1M -s 64M -c 4 -q 4", 0.55),
    ("*write-4k", "--workload write -b 4K -s 4M --random -c 8 -q 4", 0.28),
    ("*write-64k", "--workload write -b 64K -s 16M -c 8 -q 4", 0.42),
    ("write-1m", "--workload write -b 1M -s 64M -c 4 -q 4", 0.5),
    ("*read-64k-sign-gmac", "--workload read -b 64K -s 16M -c 8 -q 4 --sign gmac", 0.45),
    ("*read-64k-sign-cmac", "--workload read -b 64K -s 16M -c 8 -q 4 --sign cmac", 0.45),
    ("*read-64k-encrypt-gcm", "--workload read -b 64K -s 16M -c 8 -q 4 --encrypt aes-128-gcm", 0.4),
    ("*write-64k-encrypt-gcm", "--workload write -b 64K -s 16M -c 8 -q 4 --encrypt aes-128-gcm", 0.45),
    ("read-64k-encrypt-ccm", "--workload read -b 64K -s 16M -c 8 -q 4 --encrypt aes-128-ccm", 0.5),
    ("*open", "--workload open -c 8 -q 1 --files 16", 0.28),
    ("open-compound", "--workload open -c 8 -q 1 --files 16 --compound", 0.28),
    ("open-shared-file", "--workload open -c 8 -q 1 --shared", 0.15),
    ("*create", "--workload create -c 8 -q 1", 0.35),
    ("*stat", "--workload stat -c 8 -q 1 --files 16", 0.28),
    ("*list-10k-64k", "--workload list -b 64K -c 2 -q 1", 0.2),
    ("list-10k-1m", "--workload list -b 1M -c 2 -q 1", 0.2),
    ("rename", "--workload rename -c 8 -q 1", 0.3),
    ("*echo", "--workload echo -c 8 -q 1", 0.4),
    ("*connect", "--workload connect -c 8 -q 1", 0.015),
    ("copychunk-16m", "--workload copychunk -s 16M -c 2 -q 1", 0.25),
    ("*mixed-100", "--workload mixed -b 4K -s 1M --random -c 100 -q 1", 0.25),
    ("*mixed-1000", "--workload mixed -b 4K -s 64K --random -c 1000 -q 1", 0.25),
    ("*idle-1000", "--workload idle -c 1000", None),
]
# Ten thousand connections: --big.
BIG = [("mixed-10000", "--workload mixed -b 4K -s 64K --random -c 10000 -q 1", None)]
# What one client does to others: a lister's times while a bulk writer runs.
BESIDE_BULK = ("list-beside-bulk", "--workload list -b 64K -c 1 -q 1 --entries 1000",
               "--workload write -b 1M -s 64M -c 4 -q 8 --dir bulk")
PASSWORD = "bench"


class Server:
    """One of the two: how smbload gets at it, and how it is ended."""

    def __init__(self, name, host, port, share, user, password, pid, end=None):
        self.name = name
        self.options = ["--host", host, "--port", str(port), "--share", share, "--user", user,
                        "--password", password]
        if pid:
            self.options += ["--server-tree", str(pid)]
        self.end = end or (lambda: None)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process):
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"bench: smb3d ended at once with {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("bench: smb3d does not listen")


def start_smb3d(build, folder, extra):
    """The configuration is as fair as samba-up's: signing and encryption as the client likes."""
    port = free_port()
    share = os.path.join(folder, "share")
    for path in (share, os.path.join(folder, "state"), os.path.join(folder, "run")):
        os.makedirs(path, exist_ok=True)
    config = os.path.join(folder, "smb3d.toml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f'[server]\nlisten = ["127.0.0.1:{port}"]\nstate_dir = "{folder}/state"\n'
                f'runtime_dir = "{folder}/run"\nsigning = "offered"\nmax_connections = 20000\n'
                f'max_connections_per_address = 20000\n{extra}\n[share.bench]\npath = "{share}"\n')
    subprocess.run([os.path.join(build, "smb3dctl"), "--config", config, "user", "add", "root",
                    "--password-stdin"], input=PASSWORD + "\n", text=True, check=True,
                   stdout=subprocess.DEVNULL)
    with open(os.path.join(folder, "smb3d.log"), "w", encoding="utf-8") as log:
        process = subprocess.Popen([os.path.join(build, "smb3d"), "--config", config], stdout=log,
                                   stderr=log)
    wait_for(port, process)

    def end():
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)

    return Server("smb3d", "127.0.0.1", port, "bench", "root", PASSWORD, process.pid, end)


def start_samba(smbload, folder):
    scripts = os.path.dirname(os.path.abspath(smbload))
    while not os.path.exists(os.path.join(scripts, "samba-up")):
        if scripts == "/":
            sys.exit("bench: no samba-up beside smbload or above it")
        scripts = os.path.dirname(scripts)
    port = free_port()
    out = subprocess.run([os.path.join(scripts, "samba-up"), folder, str(port)], check=True,
                         capture_output=True, text=True)

    def end():
        subprocess.run([os.path.join(scripts, "samba-down"), folder], check=False)

    return Server("smbd", "127.0.0.1", port, "bench", "root", PASSWORD, int(out.stdout.split()[-1]),
                  end)


def other_server(text):
    try:
        address, share, user, password, pid = text.split(",")
        host, port = address.rsplit(":", 1)
        return Server("other", host, int(port), share, user, password, int(pid))
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"{text}: want host:port,share,user,password,root-pid") from e


def smbload_command(args, server, options, seconds):
    return [args.smbload, *server.options, *shlex.split(options), "-d", str(seconds), "--warmup",
            str(args.warmup), "-t", str(args.threads), "--quiet", "--json", "-"]


def run_load(args, server, options, seconds):
    try:
        done = subprocess.run(smbload_command(args, server, options, seconds), capture_output=True,
                              text=True, timeout=args.timeout, check=False)
        return json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as e:
        return {"clean": False, "problem": type(e).__name__}


def run_beside_bulk(args, server):
    _, listing, bulk = BESIDE_BULK
    command = smbload_command(args, server, bulk, args.seconds + 4)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as writer:
        time.sleep(2)
        result = run_load(args, server, listing, args.seconds)
        try:
            writer.wait(timeout=args.timeout)
        except subprocess.TimeoutExpired:
            writer.kill()
    return result


def figures(result):
    """Operations a second, CPU microseconds an operation, p99, memory a connection in KiB."""
    if "ops_per_s" not in result:
        return {}
    server = result.get("server", {})
    some = result.get("ops", 0) > 0
    samples = [server[k] for k in ("memory_held", "memory_under_load") if k in server]
    memory = max((s["pss_kb_per_connection"] + s["page_tables_kb_per_connection"] for s in samples),
                 default=None)
    return {"ops": result["ops_per_s"] if some else None,
            "cpu": server.get("cpu_us_per_op") if some else None,
            "p99": result["latency_us"]["p99"] if some else None,
            "memory": memory}


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def show(value, digits=None):
    if value is None:
        return "-"
    if digits is not None:
        return f"{value:.{digits}f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(mine, theirs, key):
    pairs = [(a.get(key), b.get(key)) for a, b in zip(mine, theirs)]
    return median([a / b for a, b in pairs if a is not None and b])


def problems(result):
    if result.get("clean"):
        return set()
    kinds = ("connect_errors", "prepare_errors", "errors", "check_errors")
    return {k for kind in kinds for k in result.get(kind, {})} or {result.get("problem", "failed")}


def measure(args, servers, name, options):
    """All rounds of one workload: results by server, and what went wrong."""
    results = {server.name: [] for server in servers}
    trouble = set()
    for i in range(args.rounds):
        for server in servers if i % 2 == 0 else list(reversed(servers)):
            beside = name == BESIDE_BULK[0]
            result = run_beside_bulk(args, server) if beside else \
                run_load(args, server, options, args.seconds)
            results[server.name].append(result)
            trouble |= {f"{server.name}: {p}" for p in problems(result)}
    return results, trouble


def row_of(servers, results, trouble, name, goal):
    found = [[figures(r) for r in results[s.name]] for s in servers]
    row = {"workload": name, "goal": goal, "errors": sorted(trouble)}
    for server, values in zip(servers, found):
        row[server.name] = {k: median([v.get(k) for v in values])
                            for k in ("ops", "cpu", "p99", "memory")}
    if len(servers) == 2:
        row["ratio"] = {k: ratio(found[0], found[1], k) for k in ("ops", "cpu", "p99", "memory")}
    return row


def print_head(servers):
    cells = ["workload"]
    for server in servers:
        cells += [f"{server.name} ops/s", "CPU us/op", "p99 us", "KiB/conn"]
    if len(servers) == 2:
        cells += ["ops ratio", "**CPU ratio**", "goal", "p99 ratio"]
    cells.append("errors")
    print("| " + " | ".join(cells) + " |")
    print("|" + "---|" * len(cells), flush=True)


def print_row(servers, row):
    cells = [row["workload"]]
    for server in servers:
        cells += [show(row[server.name][k]) for k in ("ops", "cpu", "p99", "memory")]
    if len(servers) == 2:
        r = row["ratio"]
        missed = row["goal"] and r["cpu"] and r["cpu"] > row["goal"]
        cells += [show(r["ops"], 2), f"**{show(r['cpu'], 2)}**",
                  ("missed " if missed else "") + show(row["goal"]), show(r["p99"], 2)]
    cells.append("; ".join(row["errors"]) or "none")
    print("| " + " | ".join(cells) + " |", flush=True)


def protocol(args, folder):
    servers = [start_smb3d(args.build, os.path.join(folder, "smb3d"), args.config.replace("\\n", "\n"))]
    rows = []
    try:
        if args.samba:
            servers.append(start_samba(args.smbload, os.path.join(folder, "samba")))
        elif args.against:
            servers.append(args.against)
        work = [(n.lstrip("*"), o, g) for n, o, g in WORKLOADS if not args.quick or n[0] == "*"]
        work.append((BESIDE_BULK[0], BESIDE_BULK[1], None))
        if args.big:
            work += BIG
        if args.only:
            work = [w for w in work if any(part in w[0] for part in args.only.split(","))]
        print_head(servers)
        for name, options, goal in work:
            results, trouble = measure(args, servers, name, options)
            row = row_of(servers, results, trouble, name, goal)
            row["runs"] = results
            rows.append(row)
            print_row(servers, row)
        ratios = [r["ratio"]["cpu"] for r in rows if r.get("ratio", {}).get("cpu")]
        if ratios:
            print(f"\nCPU ratio, geometric mean of {len(ratios)} rows: "
                  f"{statistics.geometric_mean(ratios):.3f}")
    finally:
        for server in reversed(servers):
            server.end()
    return rows


def micro(args):
    program = os.path.join(args.build, "tests", "bench", "bench_micro")
    if not os.path.exists(program):
        print("\nNo micro-benchmarks: Google Benchmark was not there when this was built.")
        return None
    done = subprocess.run([program, "--benchmark_format=json", f"--benchmark_min_time={args.micro_seconds}"],
                          capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    print("\n| micro-benchmark | ns (CPU) | GB/s |\n|---|---|---|")
    for b in result["benchmarks"]:
        rate = b.get("bytes_per_second")
        scale = {"ns": 1, "us": 1e3, "ms": 1e6}[b["time_unit"]]
        print(f"| {b['name']} | {show(b['cpu_time'] * scale)} | {show(rate / 1e9 if rate else None)} |")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="build directory (build/release)")
    parser.add_argument("--smbload", default=os.environ.get("SMBLOAD"), help="the load generator")
    second = parser.add_mutually_exclusive_group()
    second.add_argument("--samba", action="store_true", help="compare with a tuned smbd")
    second.add_argument("--against", type=other_server, metavar="SERVER", help="compare with this one")
    parser.add_argument("--quick", action="store_true", help="the shorter list of workloads")
    parser.add_argument("--big", action="store_true", help="10,000 connections, too")
    parser.add_argument("--only", help="workloads whose names contain one of these, comma-separated")
    parser.add_argument("-n", "--rounds", type=int, default=3)
    parser.add_argument("-d", "--seconds", type=float, default=5)
    parser.add_argument("--warmup", type=float, default=0.5)
    parser.add_argument("-t", "--threads", type=int, default=1, help="client threads")
    parser.add_argument("--timeout", type=float, default=600, help="of a single run")
    parser.add_argument("--config", default="", help="further lines for smb3d's [server] table")
    parser.add_argument("--no-micro", action="store_true", help="no micro-benchmarks")
    parser.add_argument("--micro-seconds", type=float, default=0.2)
    parser.add_argument("--folder", help="where shares and state go (a temporary folder)")
    parser.add_argument("--json", metavar="FILE", help="write everything there")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    # Who is ended ends its servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    everything = {}
    if args.smbload:
        with tempfile.TemporaryDirectory(prefix="smb3d-bench-", dir=args.folder) as folder:
            os.chmod(folder, 0o755)
            everything["protocol"] = protocol(args, folder)
    else:
        print("No smbload (--smbload or $SMBLOAD): only the micro-benchmarks.")
    if not args.no_micro:
        everything["micro"] = micro(args)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(everything, f, indent=1)
    return 1 if any(row["errors"] for row in everything.get("protocol", [])) else 0


if __name__ == "__main__":
    sys.exit(main())
