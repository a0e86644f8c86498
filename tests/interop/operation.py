"""The administrator's side: smb3dctl, reload, accounts, limits, signals."""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from case import Skip, expect, need, run, test
from clients import Scratch, smbclient, smbclient_command
from server import SECOND_USER, has_second_user


def hold(server, commands, user=None):
    """A smbclient that runs `commands` and then stays connected until its input ends."""
    need("smbclient")
    command = smbclient_command(server, "", user=user)[:-2]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
    process.stdin.write("\n".join(commands) + "\n")
    process.stdin.flush()
    return process


def finish(process):
    output, _ = process.communicate("", timeout=30)
    return output


def wait_for(condition, what, seconds=10):
    deadline = time.time() + seconds
    while time.time() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


def sessions_with_a_share(server):
    """Those whose client has come so far: a session is there before its tree connect."""
    return wait_for(lambda: [session for session in server.ask("session", "list") if session["shares"]],
                    "a session with a share")


@test("ctl.status")
def status(server):
    result = server.ask("status")
    expect(result["pid"] == server.process.pid, result)
    expect(f"127.0.0.1:{server.port}" in result["listen"], result)
    expect(result["loops"] >= 1 and result["workers"] >= 1, result)
    expect("sessions" in server.ctl("status")[1], "the table")


@test("ctl.lists")
def lists(server):
    process = hold(server, ["ls"])
    try:
        session = sessions_with_a_share(server)[0]
        expect(session["user"] == server.user, session)
        expect(server.ask("connection", "list"), "no connection")
        shares = {share["name"]: share for share in server.ask("share", "list")}
        expect(shares["readonly"]["read_only"] and shares["test"]["connections"] >= 1, shares)
        expect(isinstance(server.ask("open", "list"), list), "open list")
        for command in ("session", "share", "open", "connection"):
            expect("ID" in server.ctl(command, "list")[1] or command == "share", command)
    finally:
        finish(process)
    wait_for(lambda: not server.ask("session", "list"), "the session's end")


@test("ctl.session-kill")
def session_kill(server):
    process = hold(server, ["ls"])
    session = sessions_with_a_share(server)[0]
    server.ctl("session", "kill", session["id"])
    wait_for(lambda: not server.ask("session", "list"), "the session's end")
    finish(process)
    code, _, error = server.ctl("session", "kill", session["id"], check=False)
    expect(code == 1 and "no session" in error, error)


@test("ctl.log-level")
def log_level(server):
    server.ctl("log", "level", "fsa", "debug")
    expect(server.ask("log", "level")["fsa"] == "debug", "the level")
    server.ctl("log", "level", "all", "info")
    expect(set(server.ask("log", "level").values()) == {"info"}, "all levels")
    expect(server.ctl("log", "level", "fsa", "loud", check=False)[0] == 1, "a level that does not exist")


@test("ctl.config-show")
def config_show(server):
    rows = {row["key"]: row for row in server.ask("config", "show")}
    expect(rows["server.comment"]["value"] == '"interop"', rows["server.comment"])
    expect(rows["server.comment"]["source"].startswith(server.config + ":"), rows["server.comment"])
    expect(rows["server.max_credits"]["source"] == "default", rows["server.max_credits"])


@test("ctl.usage")
def usage(server):
    expect(server.ctl("nonsense", check=False)[0] == 2, "exit code of wrong usage")
    expect(server.ctl("session", check=False)[0] == 2, "exit code of wrong usage")
    expect(server.ctl("--help")[0] == 0, "--help")
    code, output, _ = server.ctl("--json", "session", "kill", "0x99", check=False)
    expect(code == 1 and json.loads(output)["ok"] is False, output)
    done = run([os.path.join(server.build, "smb3dctl"), "--socket", "/nonexistent/s", "--config", server.config,
                "status"])
    expect(done[0] == 1 and "smb3d is not running (no socket at /nonexistent/s)" in done[1], done)


@test("ctl.users")
def users(server):
    if not has_second_user():
        raise Skip("needs root, to make a second user")
    second = f"{SECOND_USER}%{server.second_password}"
    smbclient(server, "ls", user=second)
    process = hold(server, ["ls"], user=second)
    sessions_with_a_share(server)
    result = server.ask("user", "disable", SECOND_USER)
    expect(result["sessions_ended"] == 1, result)
    finish(process)
    code, output = smbclient(server, "ls", user=second, check=False)
    expect(code != 0 and "NT_STATUS_ACCOUNT_DISABLED" in output, output)
    server.ctl("user", "enable", SECOND_USER)
    server.ctl("user", "passwd", SECOND_USER, "--password-stdin", stdin="another one\n")
    expect(smbclient(server, "ls", user=second, check=False)[0] != 0, "the old password still works")
    smbclient(server, "ls", user=f"{SECOND_USER}%another one")
    listed = {user["name"]: user for user in server.ask("user", "list")}
    expect(not listed[SECOND_USER]["disabled"], listed)
    server.ctl("user", "delete", SECOND_USER)
    code, output = smbclient(server, "ls", user=f"{SECOND_USER}%another one", check=False)
    expect(code != 0 and "NT_STATUS_LOGON_FAILURE" in output, output)
    server.ctl("user", "add", SECOND_USER, "--password-stdin", stdin=server.second_password + "\n")
    smbclient(server, "ls", user=second)
    code, _, error = server.ctl("user", "add", "no-such-user-here", "--password-stdin", stdin="x\n", check=False)
    expect(code == 1 and "no-such-user-here" in error, error)


@test("operation.reload")
def reload(server):
    extra = os.path.join(server.dir, "extra")
    os.makedirs(extra, exist_ok=True)
    process = hold(server, ["ls"])
    before = sessions_with_a_share(server)[0]["id"]
    try:
        server.write_config(server.text.replace('comment = "interop"', 'comment = "changed"') +
                            f'[share.extra]\npath = "{extra}"\n[share.gone]\npath = "/nonexistent"\n')
        result = server.ask("reload")
        expect(result["applied"] and "share extra added" in result["changes"], result)
        expect(any("gone" in warning for warning in result["warnings"]), result)
        smbclient(server, "ls", share="extra")
        server.write_config(server.text.replace('io = ', 'workers = 3\nio = '))
        result = server.ask("reload")
        expect("share extra removed" in result["changes"], result)
        expect(any("workers" in line and "restarted" in line for line in result["changes"]), result)
        code, output = smbclient(server, "ls", share="extra", check=False)
        expect("NT_STATUS_BAD_NETWORK_NAME" in output, output)
        expect(server.ask("session", "list")[0]["id"] == before, "the session did not survive")
    finally:
        server.write_config(server.text)
        server.ask("reload")
        finish(process)


@test("operation.reload-refused")
def reload_refused(server):
    try:
        for bad, message in ((server.text + "[server2]\nx = 1\n", "unknown key server2"),
                             (server.text.replace("listen = [", "listen = 7 #"), "server.listen"),
                             (server.text + "[", "toml")):
            server.write_config(bad)
            code, output, error = server.ctl("reload", check=False)
            expect(code == 1 and server.config + ":" in output + error, output + error)
            expect(message in output + error or message == "toml", output + error)
            result = json.loads(server.ctl("--json", "reload", check=False)[1])["result"]
            expect(not result["applied"] and result["errors"], result)
            before = server.log_text().count("the running one stays as it is")
            server.process.send_signal(signal.SIGHUP)
            wait_for(lambda: server.log_text().count("the running one stays as it is") > before, "the log")
            smbclient(server, "ls")
        taken = socket.create_server(("127.0.0.1", 0))
        with taken:
            port = taken.getsockname()[1]
            server.write_config(server.text.replace("listen = [", f'listen = ["127.0.0.1:{port}", '))
            result = json.loads(server.ctl("--json", "reload", check=False)[1])["result"]
            expect(not result["applied"] and str(port) in result["errors"][0], result)
        smbclient(server, "ls")
    finally:
        server.write_config(server.text)
        server.ask("reload")


@test("operation.reload-listeners")
def reload_listeners(server):
    probe = socket.create_server(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    try:
        server.write_config(server.text.replace("listen = [", f'listen = ["127.0.0.1:{port}", '))
        expect(server.ask("reload")["applied"], "a further address")
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    finally:
        server.write_config(server.text)
        server.ask("reload")
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        raise AssertionError("the address that was removed still answers")
    except ConnectionRefusedError:
        pass
    smbclient(server, "ls")


@test("operation.reload-under-load")
def reload_under_load(server):
    """A client that works all the time notices nothing of a hundred reloads."""
    with Scratch(server, "load") as scratch:
        local = os.path.join(scratch.local, "f")
        with open(local, "wb") as file:
            file.write(os.urandom(2 << 20))
        work = "; ".join(["mkdir load", "cd load"] +
                         [f"put {local} f{i}; get f{i} {local}.back; rm f{i}" for i in range(60)])
        results = []
        worker = threading.Thread(target=lambda: results.append(smbclient(server, work, check=False)))
        worker.start()
        count = 0
        try:
            while worker.is_alive() or count < 20:
                server.write_config(server.text + (f'[share.more]\npath = "{scratch.local}"\n' if count % 2 else "") +
                                    f'[log.components]\nvfs = "{("info", "warn")[count % 2]}"\n')
                if count % 3:
                    expect(server.ask("reload")["applied"], "reload")
                else:
                    server.process.send_signal(signal.SIGHUP)
                count += 1
                time.sleep(0.02)
        finally:
            worker.join()
            server.write_config(server.text)
            server.ask("reload")
        code, output = results[0]
        expect(code == 0 and "NT_STATUS" not in output, f"after {count} reloads: {output[-1500:]}")
        with open(local, "rb") as one, open(local + ".back", "rb") as other:
            expect(one.read() == other.read(), "the data differ")


@test("operation.check-config")
def check_config(server):
    program = os.path.join(server.build, "smb3d")
    code, output = run([program, "--config", server.config, "--check-config"])
    expect(code == 0 and output.strip().endswith("OK"), output)
    bad = os.path.join(server.dir, "bad.toml")
    with open(bad, "w", encoding="utf-8") as file:
        file.write('[server]\nlisen = [":445"]\nsigning = 1\n[share.x]\npath = "/nonexistent"\n')
    code, output = run([program, "--config", bad, "--check-config"])
    expect(code == 1 and f"{bad}:2:1: unknown key server.lisen; did you mean listen?" in output, output)
    expect(f"{bad}:3:" in output, output)
    code, output = run([program, "--config", bad])
    expect(code == 1 and "server.lisen" in output, output)


@test("operation.second-instance")
def second_instance(server):
    code, output = run([os.path.join(server.build, "smb3d"), "--config", server.config], timeout=30)
    expect(code == 1 and f"another smb3d (process {server.process.pid})" in output, output)
    smbclient(server, "ls")


@test("operation.drop-in")
def drop_in(server):
    folder = server.config + ".d"
    os.makedirs(folder, exist_ok=True)
    try:
        with open(os.path.join(folder, "10.toml"), "w", encoding="utf-8") as file:
            file.write('[server]\ncomment = "dropped in"\n')
        expect(server.ask("reload")["applied"], "reload")
        rows = {row["key"]: row for row in server.ask("config", "show")}
        expect(rows["server.comment"]["source"] == f"{folder}/10.toml:2", rows["server.comment"])
    finally:
        shutil.rmtree(folder)
        server.ask("reload")


@test("operation.guests")
def guests(server):
    extra = server.text.replace("[share.test]", '[auth]\nguest = true\n[share.test]\nguest = true')
    try:
        server.write_config(extra)
        expect(server.ask("reload")["applied"], "reload")
        options = ["--option=client min protocol=SMB2_10", "--option=client max protocol=SMB3_00",
                   "--client-protection=off"]
        smbclient(server, "ls", user="somebody-unknown%x", options=options)
        code, output = smbclient(server, "ls", user="somebody-unknown%x", share="readonly", options=options,
                                 check=False)
        expect("NT_STATUS_ACCESS_DENIED" in output, output)
        code, output = smbclient(server, "ls", user=f"{server.user}%wrong", options=options, check=False)
        expect("NT_STATUS_LOGON_FAILURE" in output, output)
    finally:
        server.write_config(server.text)
        server.ask("reload")
    code, output = smbclient(server, "ls", user="somebody-unknown%x", check=False)
    expect(code != 0, "guests are still let in")


@test("operation.hostile-bytes")
def hostile_bytes(server):
    """Junk ends its own connection and nothing else."""
    for junk in (b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\0", b"\0\xff\xff\xff" + b"x" * 1000, os.urandom(4096),
                 b"\0\0\0\x40\xfeSMB" + b"\xff" * 60, b"\0\0\0\x04\xfcSMB", b"\0\0\0\x34\xfdSMB" + b"\0" * 48):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
            link.sendall(junk)
            link.shutdown(socket.SHUT_WR)
            link.settimeout(10)
            try:
                while link.recv(4096):
                    pass
            except ConnectionError:
                pass
    smbclient(server, "ls")


@test("operation.nothing-is-left")
def nothing_is_left(server):
    """What clients used is given back: after all of the above, and fifty connections more."""
    wait_for(lambda: not server.ask("session", "list"), "the end of all sessions")
    before = server.descriptors()
    links = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    wait_for(lambda: server.ask("status")["connections"] >= 50, "fifty connections")
    for link in links:
        link.close()
    wait_for(lambda: server.ask("status")["connections"] == 0, "the end of all connections")
    totals = server.ask("status")
    expect(totals["opens"] == 0 and totals["trees"] == 0, totals)
    wait_for(lambda: server.descriptors() <= before, f"{before} descriptors, there are {server.descriptors()}")
