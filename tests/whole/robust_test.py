# SPDX-License-Identifier: Apache-2.0
"""What is left after a crash, on a full disk, with a thousand holds, with readers that stall.

PTYGATE_LONG=1: 100 crashes and 60 s of stalling instead of 10 and 6. PTYGATE_SEED=N repeats a run.
"""
import base64
import fcntl
import json
import os
import pty
import random
import re
import signal
import socket
import subprocess
import tempfile
import termios
import time
import unittest

import paramiko

import harness
from harness import LOGIN, read, run, wait_for

LONG = os.environ.get("PTYGATE_LONG") == "1"
ROUNDS = 100 if LONG else 10
STALL_SECONDS = 60 if LONG else 6
SEED = int(os.environ.get("PTYGATE_SEED", "20261120"))
print(f"robust_test: seed {SEED} (PTYGATE_SEED), {ROUNDS} crashes", flush=True)

# Everything runs, but touch waits for a person.
MIXED = harness.ALLOW_ALL + """
[[rule]]
name = "held"
programs = ["touch"]
verdict = "hold"
expires = "1h"
answer_within = "none"
"""
MIB = 1024 * 1024


def decode(path):
    """(stdout, stderr, exit or None) of a cast, by recorder/FORMAT.md; every complete line has to be well-formed."""
    out = {"o": b"", "e": b""}
    held = {"1": b"", "2": b""}
    exact = status = None
    shown_again = False
    last = -1.0
    lines = read(path, "rb").split(b"\n")
    lines.pop()  # what follows the last line feed: nothing, or a line that was not finished
    header = json.loads(lines[0])
    assert header["version"] == 2, header
    for line in lines[1:]:
        at, code, data = json.loads(line)
        assert at >= last, (path, at, last)
        last = at
        if code == "b":
            exact = base64.b64decode(data, validate=True)
            continue
        if code == "h":
            stream, text = data.split(" ", 1)
            held[stream] = base64.b64decode(text, validate=True)
        elif code == "o" and shown_again:
            shown_again = False
        elif code in "oe":
            out[code] += exact if exact is not None else data.encode()
            held["1" if code == "o" else "2"] = b""
            shown_again = code == "e"
        elif code == "x":
            status = int(data)
        exact = None
    return out["o"] + held["1"], out["e"] + held["2"], status


def kilobytes(pid, field="Pss", file="smaps_rollup"):
    return int(re.search(rf"^{field}:\s*(\d+) kB", read(f"/proc/{pid}/{file}"), re.M)[1])


def workers(gate):
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(gate.process.pid)], capture_output=True, text=True).stdout
    return sorted(int(line.split()[0]) for line in listed.splitlines() if line.split()[1:3] == ["ptygate", "worker"])


class Case(unittest.TestCase):
    def laboratory(self, *arguments, **keywords):
        scope = harness.laboratory(*arguments, **keywords)
        gate = scope.__enter__()
        self.addCleanup(scope.__exit__, None, None, None)
        return gate


class Crashes(Case):
    """kill -9 of a worker or of the keeper, under load, at random moments."""

    # Numbered lines on both streams, some with characters of more than one byte and with bytes that are no text.
    LOAD = "i=0; while [ $i -lt 200000 ]; do printf 'out {name} %d é\\n\\377' $i; printf 'err {name} %d\\n' $i >&2; i=$((i+1)); done"

    def test_nothing_forwarded_is_lost_and_no_hold_runs(self):
        self.random = random.Random(SEED)
        self.gate = self.laboratory(MIXED, workers=2)
        self.touched = os.path.join(self.gate.folder, "touched")
        self.received = 0
        last_hold = 0
        killed = {"worker": 0, "keeper": 0}
        for number in range(ROUNDS):
            # Every second one is the keeper.
            victim = ("worker", "keeper")[number % 2]
            with self.subTest(round=number, victim=victim, seed=SEED):
                last_hold = self.crash(number, victim, last_hold)
                killed[victim] += 1
        self.assertGreater(self.received, ROUNDS * 10_000, "there was load")
        self.assertEqual(self.gate.stop(), 0)
        self.check_all_casts()
        print(f"crashes: {killed}, {self.received} bytes received and found in casts, {len(self.gate.casts())} casts", flush=True)

    def crash(self, number, victim, last_hold):
        gate = self.gate
        clients = []
        for n in range(6):
            name = f"r{number}c{n}"
            way = gate.by_login if n % 2 else gate.by_jump
            files = [open(os.path.join(gate.folder, name + end), "wb") for end in (".out", ".err")]
            clients.append((name, subprocess.Popen(way(self.LOAD.replace("{name}", name)), stdin=subprocess.DEVNULL, stdout=files[0], stderr=files[1])))
            for file in files:
                file.close()
        waiting = [subprocess.Popen(way(f"touch {self.touched}-{number}-{n}"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL) for n, way in enumerate((gate.by_login, gate.by_jump))]
        try:
            time.sleep(self.random.uniform(0.1, 1.2))  # the random moment itself; nothing is waited for
            self.assertIsNone(gate.process.poll())
            if victim == "keeper":
                gate.kill()
            else:
                os.kill(self.random.choice(workers(gate)), signal.SIGKILL)
                time.sleep(self.random.uniform(0, 0.2))
        finally:
            for client in [client for _, client in clients] + waiting:
                client.kill()
                client.wait()
        seen = len(gate.log())
        if victim == "keeper":
            gate.start()
            self.assertNotRegex(gate.log()[seen:], r"(?m)^\S+ error ", "the next start is clean")
        self.assertEqual(gate.verb("status").returncode, 0)
        again = run(gate.by_login("echo again"))
        self.assertEqual((again.returncode, again.stdout), (0, b"again\n"), again.stderr)
        self.check_received([name for name, _ in clients])
        holds = [line["hold"] for line in gate.ledger() if line["kind"] == "request" and line.get("hold")]
        self.assertEqual(len(holds), len(set(holds)), "ids of holds continue")
        self.assertEqual(holds, sorted(holds))
        self.assertEqual([name for name in os.listdir(gate.folder) if name.startswith("touched")], [])
        if victim == "keeper":
            self.assertEqual(gate.pending(), [], "open holds ended with the crash")
        return max(holds, default=last_hold)

    def check_received(self, names):
        gate = self.gate
        # A worker's death leaves other sessions to end; their casts have all that was received anyway.
        sessions = {}
        for line in gate.ledger():
            if line["kind"] == "session_opened":
                found = re.search(r"out (r\d+c\d+) ", line["command"])
                if found:
                    sessions.setdefault(found[1], []).append(line["session"])
        casts = {os.path.basename(path)[:-len(".cast")]: path for path in gate.casts()}
        for name in names:
            out = read(os.path.join(gate.folder, name + ".out"), "rb")
            err = b"".join(re.findall(rb"^err r\d+c\d+ \d+\n", read(os.path.join(gate.folder, name + ".err"), "rb"), re.M))
            self.received += len(out) + len(err)
            for end in (".out", ".err"):
                os.unlink(os.path.join(gate.folder, name + end))
            if not out and not err:
                continue
            self.assertEqual(len(sessions.get(name, [])), 1, name)
            recorded = decode(casts[sessions[name][0]])
            self.assertTrue(recorded[0].startswith(out), f"{name}: {len(out)} bytes received, {len(recorded[0])} recorded")
            self.assertTrue(recorded[1].startswith(err), f"{name}: stderr, {len(err)} received, {len(recorded[1])} recorded")

    def check_all_casts(self):
        """After a clean stop every session is sealed or mended, ended, and plays in the player that people have."""
        gate = self.gate
        ledger = gate.ledger()
        done = {line["session"] for line in ledger if line["kind"] == "recovered" or (line["kind"] == "seal" and line["final"])}
        opened = {line["session"] for line in ledger if line["kind"] == "session_opened"}
        self.assertEqual(opened - done, set())
        self.assertEqual([line["n"] for line in ledger], list(range(len(ledger))))
        casts = gate.casts()
        for path in casts:
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o440, path)
            self.assertTrue(read(path, "rb").endswith(b"\n"), path)
            decode(path)
        for path in casts if LONG else self.random.sample(casts, min(8, len(casts))):
            code, played = self.play(path)
            shown = "".join(data for _, code_, data in map(json.loads, read(path).splitlines()[1:]) if code_ == "o")
            self.assertEqual((code, played == shown.encode()), (0, True), path)
            session = os.path.basename(path)[:-len(".cast")]
            exported = gate.verb("export", "--text", session)
            self.assertEqual(exported.returncode, 0, (path, exported.stderr[-500:]))


    def play(self, path):
        """asciinema wants a terminal, and prints what a viewer sees."""
        master, slave = pty.openpty()

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        try:
            done = subprocess.run(["asciinema", "cat", path], stdout=subprocess.PIPE, stdin=slave, stderr=subprocess.PIPE, timeout=120,
                                  env=dict(os.environ, LANG="C.UTF-8", LC_ALL="C.UTF-8", ASCIINEMA_CONFIG_HOME=self.gate.folder),
                                  pass_fds=[slave], preexec_fn=own_terminal)
        finally:
            os.close(master)
            os.close(slave)
        return done.returncode, done.stdout


class FullDisk(Case):
    """The gate's directory is a small file system of its own. Needs root or sudo."""

    SIZE = 24 * MIB

    def disk(self, limits):
        folder = tempfile.mkdtemp(prefix="ptygate-test-")
        self.addCleanup(subprocess.run, ["rm", "-rf", "--one-file-system", folder])
        root = [] if os.getuid() == 0 else ["sudo", "-n"]
        disk = os.path.join(folder, "gate")
        os.mkdir(disk, 0o700)
        subprocess.run([*root, "mount", "-t", "tmpfs", "-o", f"size={self.SIZE},mode=0700,uid={os.getuid()},gid={os.getgid()}", "ptygate-test",
                        disk], check=True)
        self.addCleanup(subprocess.run, [*root, "umount", disk], check=True)
        target = harness.Sshd(os.path.join(folder, "target"))
        self.addCleanup(target.stop)
        target.port = harness.free_port()
        gate = harness.Gate(folder, target, policy=MIXED, limits=limits)
        self.addCleanup(gate.stop)
        target.start()
        return gate.start()

    def fill(self, gate, leave):
        """Fills the disk but for `leave` bytes; returns the file to remove."""
        free = os.statvfs(gate.dir).f_bavail * os.statvfs(gate.dir).f_frsize
        path = os.path.join(gate.dir, "filler")
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - leave)
        return path

    def test_under_the_floor_no_session_begins_and_it_recovers_by_itself(self):
        gate = self.disk('free_space = "8MiB"\n')
        self.assertEqual(run(gate.by_login("echo x")).stdout, b"x\n")
        filler = self.fill(gate, 4 * MIB)
        # The floor is looked at once a second.
        wait_for(lambda: run(gate.by_login("true")).returncode == 255, 5, "the floor to be noticed")
        for way in (gate.by_login, gate.by_jump):
            done = run(way("echo x"))
            self.assertEqual((done.returncode, done.stdout), (255, b""))
            self.assertRegex(done.stderr, rb"ptygate: .*(disk|space)")
        self.assertRegex(gate.verb("status").stdout, "free_space")
        os.unlink(filler)
        wait_for(lambda: run(gate.by_login("echo x")).stdout == b"x\n", 5, "sessions to begin again")

    def test_a_disk_that_fills_ends_sessions_and_nothing_unrecorded_was_forwarded(self):
        gate = self.disk('free_space = "0B"\n')
        held = subprocess.Popen(gate.by_login(f"touch {gate.folder}/touched"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        gate.wait_pending()
        filler = self.fill(gate, 3 * MIB)
        done = run(gate.by_login("yes 'a line that fills the disk'"), timeout=60)
        self.assertEqual(done.returncode, 255, done.stderr)
        self.assertRegex(done.stderr, rb"ptygate: .*record")
        session = [line["session"] for line in gate.ledger() if line["kind"] == "session_opened"][-1]
        cast = [path for path in gate.casts() if session in path][0]
        self.assertGreater(len(done.stdout), MIB)
        recorded = decode(cast)[0]
        self.assertTrue(recorded.startswith(done.stdout), f"{len(done.stdout)} received, {len(recorded)} recorded")
        # The ledger is on the same disk: the gate goes on only while it can write it. Requests now end with 255 until it ends with 1.
        def ended():
            if gate.process.poll() is not None:
                return True
            more = run(gate.by_login("echo more"))
            self.assertEqual((more.returncode, more.stdout), (255, b""), more)
            return False
        wait_for(ended, 30, "the gate ends or is full")
        self.assertEqual(gate.process.returncode, 1)
        out, err = held.communicate(timeout=20)
        self.assertEqual((held.returncode, out), (255, b""))
        self.assertIn(b"nothing ran", err)
        self.assertRegex(gate.log(), r"error .*ledger_failed .*(No space left|disk full)")
        os.unlink(filler)
        seen = len(gate.log())
        gate.start()
        self.assertNotRegex(gate.log()[seen:], r"(?m)^\S+ error ")
        self.assertEqual(run(gate.by_login("echo x")).stdout, b"x\n")
        self.assertEqual(gate.pending(), [])
        self.assertFalse(os.path.exists(f"{gate.folder}/touched"))
        self.assertTrue(decode(cast)[0].startswith(done.stdout))


class Control:
    """The control socket, asked many questions at once."""

    def __init__(self, gate):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.path.join(gate.dir, "run/control.sock"))
        self.file = self.socket.makefile("rb")

    def ask(self, questions):
        """[(verb, args)]: [status]."""
        answers = {}
        # In parts: an asker that does not read is disconnected.
        for start in range(0, len(questions), 50):
            part = questions[start:start + 50]
            self.socket.sendall(b"".join(json.dumps({"v": 1, "id": start + n + 1, "verb": verb, "args": args}).encode() + b"\n"
                                         for n, (verb, args) in enumerate(part)))
            while len(answers) < start + len(part):
                line = json.loads(self.file.readline())
                if "status" in line:
                    answers[line["id"]] = line
        return [answers[n + 1] for n in range(len(questions))]

    def close(self):
        self.file.close()
        self.socket.close()


class ManyHolds(Case):
    CONNECTIONS = 50
    CHANNELS = 20

    def test_a_thousand_are_held_shown_and_answered_at_once(self):
        gate = self.laboratory(harness.HOLD_ALL + 'answer_within = "none"\nexpires = "1h"\n', workers=2)
        # alice is also this Unix user, so that her answers need no thousand SSH connections.
        text, count = re.subn(r'(name = "alice"\n)', rf'\1unix_user = "{LOGIN}"\n', read(gate.config_path()))
        self.assertEqual(count, 1)
        gate.write_config(text)
        self.assertEqual(gate.verb("reload").returncode, 0)
        pids = [gate.process.pid, *workers(gate)]
        before = sum(kilobytes(pid) for pid in pids)
        results = os.path.join(gate.folder, "results")
        os.mkdir(results)
        key = paramiko.Ed25519Key.from_private_key_file(os.path.join(gate.folder, "bot"))
        channels = {}
        for c in range(self.CONNECTIONS):
            transport = paramiko.Transport(("127.0.0.1", gate.agents_port))
            self.addCleanup(transport.close)
            transport.start_client(timeout=20)
            transport.auth_publickey(f"{LOGIN}=web1", key)
            for n in range(self.CHANNELS):
                channel = transport.open_session(timeout=20)
                name = f"{c}-{n}"
                channel.exec_command(f"touch {results}/{name}; echo done {name}")
                channel.shutdown_write()
                channels[name] = channel
        total = self.CONNECTIONS * self.CHANNELS
        holds = wait_for(lambda: (lambda shown: shown if len(shown) == total else None)(self.pending(gate)), 60, f"{total} holds")
        self.assertEqual(len({hold["hold"] for hold in holds}), total)
        during = sum(kilobytes(pid) for pid in pids)
        self.assertEqual(os.listdir(results), [])
        names = {re.search(r"done (\S+)", hold["command_text"])[1]: hold["hold"] for hold in holds}
        self.assertEqual(set(names), set(channels))
        approved = sorted(names)[::10]
        control = Control(gate)
        self.addCleanup(control.close)
        started = time.monotonic()
        answers = control.ask([("approve", {"hold": names[name]}) if name in approved else
                               ("deny", {"hold": names[name], "reason": "no " + name}) for name in sorted(names)])
        took = time.monotonic() - started
        self.assertEqual({answer["status"] for answer in answers}, {0}, [answer for answer in answers if answer["status"] != 0][:3])
        for name, channel in channels.items():
            channel.settimeout(60)
            out, err = channel.makefile("rb").read(), channel.makefile_stderr("rb").read()
            if name in approved:
                self.assertEqual((channel.recv_exit_status(), out), (0, f"done {name}\n".encode()), err)
            else:
                self.assertEqual((channel.recv_exit_status(), out), (126, b""), err)
                self.assertIn(f"no {name}".encode(), err)
        self.assertEqual(sorted(os.listdir(results)), approved)
        self.assertEqual(self.pending(gate), [])
        print(f"{total} holds: {before} kB PSS before, {during} kB with all held, answers taken in {took:.2f} s", flush=True)
        self.assertLess(during - before, 192 * 1024)

    @staticmethod
    def pending(gate):
        return [json.loads(line) for line in gate.verb("pending", "--json").stdout.splitlines()]


class StalledReaders(Case):
    def test_memory_stays_bounded(self):
        gate = self.laboratory(harness.ALLOW_ALL, workers=1)
        self.assertEqual(run(gate.by_login("true")).returncode, 0)
        self.assertEqual(run(gate.by_jump("true")).returncode, 0)

        def memory():
            return sum(kilobytes(pid, "VmRSS", "status") for pid in workers(gate))
        before = memory()
        clients = []
        for n in range(8):
            client = subprocess.Popen((gate.by_login, gate.by_jump)[n % 2]("yes"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.addCleanup(client.stdout.close)
            self.addCleanup(harness.end, client)
            clients.append(client)
        for client in clients:
            self.assertEqual(os.read(client.stdout.fileno(), 2)[:1], b"y")
        # Each fills what stands between target and reader: windows, sockets, an inbox. Then nothing moves.
        def sizes():
            return [os.stat(path).st_size for path in gate.casts()]
        stood = sizes()

        def stands():
            nonlocal stood
            stood, was = sizes(), stood
            time.sleep(0.2)
            return stood == was == sizes()
        wait_for(stands, 30, "recordings to stand still")
        begin = most = memory()
        end = time.monotonic() + STALL_SECONDS
        while time.monotonic() < end:
            most = max(most, memory())
            time.sleep(0.1)
        self.assertTrue(all(client.poll() is None for client in clients))
        print(f"8 stalled readers: {before} kB before, {begin} kB when all had stalled, at most {most} kB in {STALL_SECONDS} s", flush=True)
        self.assertLess(most - before, 8 * 1024)
        # Nor does the disk take what readers do not.
        self.assertEqual(sizes(), stood)
        # And the gate serves others meanwhile.
        self.assertEqual(run(gate.by_login("echo x")).stdout, b"x\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
