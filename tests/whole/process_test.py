# SPDX-License-Identifier: Apache-2.0
"""Keeper and workers as processes: replaced, reloaded, stopped, confined; what they hold open; who may look into them."""
import hashlib
import os
import re
import signal
import subprocess
import unittest

import harness
from harness import ALLOW_ALL, HOLD_ALL, read, run, wait_for

# No account's, so nothing else of this machine runs as it.
ORDINARY = 65534


def children(pid, word):
    """Pids of the children of `pid` whose second argument is `word`."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            parent = int(read(f"/proc/{entry}/stat", "rb").rsplit(b")", 1)[1].split()[1])
            words = read(f"/proc/{entry}/cmdline", "rb").split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and len(words) > 1 and words[1].decode() == word:
            found.append(int(entry))
    return sorted(found)


def descriptors(pid):
    """{number: (what it is, flags)}; what: sockets, pipes and the like without their inode."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            what = re.sub(r":?\[\d+\]$", "", os.readlink(f"/proc/{pid}/fd/{name}"))
            flags = int(re.search(r"^flags:\s*(\d+)", read(f"/proc/{pid}/fdinfo/{name}"), re.M)[1], 8)
        except FileNotFoundError:
            continue
        found[int(name)] = (what, flags)
    return found


def names(found, above=2):
    return sorted(what for number, (what, _) in found.items() if number > above)


def status_of(pid, field):
    return re.search(rf"^{field}:\s*(.*)$", read(f"/proc/{pid}/status"), re.M)[1]


def start(argv):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(client, seconds=30):
    out, err = client.communicate(timeout=seconds)
    return client.returncode, out, err


class Processes(unittest.TestCase):
    def laboratory(self, *arguments, **keywords):
        scope = harness.laboratory(*arguments, **keywords)
        gate = scope.__enter__()
        self.addCleanup(scope.__exit__, None, None, None)
        return gate

    def workers(self, gate):
        return children(gate.process.pid, "worker")

    # ---- workers ----

    def test_one_and_four_workers_serve_both_ways_in(self):
        for count in (1, 4):
            with self.subTest(workers=count):
                gate = self.laboratory(ALLOW_ALL, workers=count)
                self.assertEqual(len(self.workers(gate)), count + 1, "and one for people")
                clients = [start(way(f"echo {n}; exit {n}")) for n in range(4) for way in (gate.by_login, gate.by_jump)]
                for n, client in enumerate(clients):
                    self.assertEqual(finish(client)[:2], (n // 2, f"{n // 2}\n".encode()))

    def test_a_killed_worker_is_replaced_and_its_sessions_end_as_unknown(self):
        gate = self.laboratory(ALLOW_ALL, workers=1)
        client = start(gate.by_login("echo began; sleep 60"))
        self.assertEqual(client.stdout.readline(), b"began\n")
        before = self.workers(gate)
        # The agents' worker is the one that holds a cast.
        busy = [pid for pid in before if any(what.endswith(".cast") for what in names(descriptors(pid)))]
        self.assertEqual(len(busy), 1)
        os.kill(busy[0], signal.SIGKILL)
        code, _, _ = finish(client)
        self.assertIn(code, (76, 255))
        again = run(gate.by_login("echo again"))
        self.assertEqual((again.returncode, again.stdout), (0, b"again\n"))
        after = wait_for(lambda: len(self.workers(gate)) == 2 and self.workers(gate), what="a new worker")
        self.assertNotIn(busy[0], after)
        ended = wait_for(lambda: [line for line in gate.ledger() if line["kind"] == "exit" and line["ending"] == "unknown"], what="exit unknown")
        self.assertEqual(len(ended), 1)
        session = ended[0]["session"]
        cast = [path for path in gate.casts() if session in path]
        self.assertEqual(len(cast), 1)
        self.assertIn("began", read(cast[0]))

    def test_a_hold_survives_the_death_of_its_worker_detached_and_does_not_run_by_itself(self):
        gate = self.laboratory(HOLD_ALL, workers=1)
        touched = os.path.join(gate.folder, "touched")
        client = start(gate.by_login(f"touch {touched}"))
        hold = gate.wait_pending()[0]
        busy = [pid for pid in self.workers(gate) if any(what.endswith(".cast") for what in names(descriptors(pid)))]
        os.kill(busy[0], signal.SIGKILL)
        self.assertNotEqual(finish(client)[0], 0)
        self.assertIn(hold["hold"], [other["hold"] for other in gate.pending()])
        self.assertFalse(os.path.exists(touched))
        # Approved, it waits for the agent to ask again, and then runs once.
        self.assertEqual(run(gate.person("alice", "approve", hold["hold"])).returncode, 0)
        self.assertTrue([other for other in gate.pending() if other["hold"] == hold["hold"] and other["approved"]])
        self.assertFalse(os.path.exists(touched))
        again = run(gate.by_login(f"touch {touched}"))
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertTrue(os.path.exists(touched))
        self.assertEqual(gate.pending(), [])

    # ---- reload ----

    def test_a_good_reload_takes_effect_and_says_what_it_loaded(self):
        gate = self.laboratory(ALLOW_ALL)
        self.assertEqual(run(gate.by_login("echo x")).returncode, 0)
        gate.write_policy(harness.DENY_ALL)
        done = gate.verb("reload")
        self.assertEqual(done.returncode, 0, done)
        digest = hashlib.sha256(harness.DENY_ALL.encode()).hexdigest()
        self.assertEqual(done.stdout, f"loaded: 1 agent, 2 people, 1 target, policy sha256 {digest[:16]}\n")
        gate.write_policy(ALLOW_ALL)
        self.assertIn("UNSAFE", gate.verb("reload").stdout)
        gate.write_policy(harness.DENY_ALL)
        self.assertEqual(gate.verb("reload").returncode, 0)
        denied = run(gate.by_login("echo x"))
        self.assertEqual((denied.returncode, denied.stdout), (126, b""))

    def test_a_bad_reload_is_refused_with_file_and_line_and_the_old_one_stays(self):
        gate = self.laboratory(ALLOW_ALL)
        config, policy = read(gate.config_path()), ALLOW_ALL
        for what, text in (("config", config + "\nworkerz = 3\n"), ("policy", policy + '\nverdikt = "allow"\n')):
            with self.subTest(what=what):
                gate.write_config(text if what == "config" else config)
                gate.write_policy(text if what == "policy" else policy)
                line = text.rstrip("\n").count("\n") + 1
                done = gate.verb("reload")
                self.assertEqual(done.returncode, 1, done)
                name = "ptygate.toml" if what == "config" else "policy.toml"
                self.assertIn(f"{name}:{line}: ", done.stderr)
                self.assertIn('did you mean "' + ("workers" if what == "config" else "verdict") + '"', done.stderr)
                self.assertEqual(run(gate.by_login("echo x")).stdout, b"x\n")

    def test_a_removed_agent_loses_its_connections_at_reload(self):
        gate = self.laboratory(ALLOW_ALL)
        clients = [start(way("echo began; sleep 60")) for way in (gate.by_login, gate.by_jump)]
        for client in clients:
            self.assertEqual(client.stdout.readline(), b"began\n")
        text = read(gate.config_path())
        other = os.path.join(gate.folder, "other")
        harness.keygen(other)
        changed, count = re.subn(r'\[\[agent\]\]\nname = "bot"\nkeys = .*\n',
                                 f'[[agent]]\nname = "other"\nkeys = ["{read(other + ".pub").strip()}"]\n', text)
        self.assertEqual(count, 1)
        gate.write_config(changed)
        done = gate.verb("reload")
        self.assertEqual(done.returncode, 0, done)
        for client in clients:
            self.assertNotEqual(finish(client, 10)[0], 0)
        self.assertIn(b"Permission denied", run(gate.by_login("echo x")).stderr)
        self.assertEqual(run(gate.by_login("echo x", key="other")).stdout, b"x\n")

    # ---- the end ----

    def test_sigterm_ends_with_0_and_tells_those_who_wait(self):
        gate = self.laboratory(HOLD_ALL)
        touched = os.path.join(gate.folder, "touched")
        clients = [start(way(f"touch {touched}-{n}")) for n, way in enumerate((gate.by_login, gate.by_jump))]
        gate.wait_pending(2)
        gate.process.terminate()
        self.assertEqual(gate.process.wait(10), 0)
        for client in clients:
            code, out, err = finish(client)
            self.assertEqual((code, out), (255, b""), err)
            self.assertIn(b"stop", err)
            self.assertIn(b"nothing ran", err)
        cancelled = [line for line in gate.ledger() if line["kind"] == "cancelled"]
        self.assertEqual(len(cancelled), 2)
        self.assertEqual(gate.ledger()[-1]["kind"], "stopped")
        self.assertFalse(os.path.exists(touched + "-0") or os.path.exists(touched + "-1"))
        gate.start()
        self.assertEqual(gate.pending(), [])

    def test_sigterm_ends_running_commands_and_their_recordings(self):
        gate = self.laboratory(ALLOW_ALL)
        clients = [start(way("echo began; sleep 60")) for way in (gate.by_login, gate.by_jump)]
        for client in clients:
            self.assertEqual(client.stdout.readline(), b"began\n")
        gate.process.terminate()
        self.assertEqual(gate.process.wait(10), 0)
        for client in clients:
            code, _, err = finish(client)
            self.assertNotEqual(code, 0)
            self.assertNotIn(b"nothing ran", err)
        ledger = gate.ledger()
        self.assertEqual(len([line for line in ledger if line["kind"] == "seal" and line["final"]]), 2)
        self.assertEqual(len([line for line in ledger if line["kind"] == "exit" and line["ending"] != "exited"]), 2)
        for path in gate.casts():
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o440)

    # ---- descriptors ----

    def test_processes_hold_what_they_need_and_pass_nothing_on(self):
        gate = self.laboratory(ALLOW_ALL, workers=1)
        client = start(gate.by_login("echo began; sleep 60"))
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.stderr.close)
        self.addCleanup(harness.end, client)
        self.assertEqual(client.stdout.readline(), b"began\n")
        person = subprocess.Popen(gate.person("alice", "-tt", "review"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(harness.end, person)
        self.addCleanup(person.stdin.close)
        watcher = subprocess.Popen(gate.person("bob", "watch", [line["session"] for line in gate.ledger() if line["kind"] == "session_opened"][0]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(harness.end, watcher)
        self.addCleanup(watcher.stdin.close)
        self.addCleanup(watcher.stdout.close)
        keeper = gate.process.pid
        review = wait_for(lambda: children(keeper, "review"), what="review")[0]
        watch = wait_for(lambda: children(keeper, "watch"), what="watch")[0]
        workers = {bool([what for what in names(descriptors(pid)) if what.endswith(".cast")]): descriptors(pid) for pid in self.workers(gate)}
        # An idle worker: the pipe to the keeper, and libuv's own (epoll, two pairs of pipes, an eventfd).
        base = ["anon_inode:[eventfd]", "anon_inode:[eventpoll]", "pipe", "pipe", "pipe", "pipe", "socket"]
        busy = [what if not what.endswith(".cast") else "cast" for what in names(workers[True])]
        # The client, the target, each with its duplicate for the poll.
        self.assertEqual(sorted(busy), sorted(base + ["cast"] + ["socket"] * 4))
        # Two people's clients (each with its duplicate), a terminal, and a verb's three pipes.
        self.assertEqual(names(workers[False]), sorted(base + ["/dev/ptmx"] + ["pipe"] * 3 + ["socket"] * 4))
        # A verb: its terminal or pipes, its control connection; watch also the cast that it shows.
        self.assertEqual(sorted(descriptors(review)), [0, 1, 2, 3])
        self.assertTrue(all(descriptors(review)[n][0].startswith("/dev/pts/") for n in (0, 1, 2)))
        self.assertEqual(descriptors(review)[3][0], "socket")
        watched = descriptors(watch)
        self.assertEqual([watched[n][0] for n in (0, 1, 2, 3)], ["pipe", "pipe", "pipe", "socket"])
        for number, (what, _) in watched.items():
            if number > 3:
                self.assertTrue(what.startswith(gate.dir), what)
        for who, found in (("keeper", descriptors(keeper)), ("worker", workers[True]), ("people's worker", workers[False])):
            for number, (what, flags) in found.items():
                if number > 2 and not (who != "keeper" and number == 3):
                    self.assertTrue(flags & os.O_CLOEXEC, f"{who}: {number} {what}")

    # ---- confinement ----

    def test_workers_are_confined(self):
        gate = self.laboratory(ALLOW_ALL)
        self.assertEqual(run(gate.by_login("true")).returncode, 0)
        for pid in self.workers(gate):
            self.assertEqual((status_of(pid, "NoNewPrivs"), status_of(pid, "Seccomp")), ("1", "2"))
            self.assertIn("Max core file size        0", read(f"/proc/{pid}/limits"))
        self.assertIn("Max core file size        0", read(f"/proc/{gate.process.pid}/limits"))

    def test_an_ordinary_user_can_run_it_and_cannot_look_into_it(self):
        gate = self.laboratory(ALLOW_ALL)
        gate.stop()
        prefix = []
        if os.getuid() == 0:
            prefix = ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups", "--"]
            os.chmod(gate.folder, 0o711)
            for folder, folders, files in os.walk(gate.dir):
                for name in [folder] + [os.path.join(folder, one) for one in folders + files]:
                    os.chown(name, ORDINARY, ORDINARY, follow_symlinks=False)
        gate.prefix = prefix
        gate.start()
        for way in (gate.by_login, gate.by_jump):
            self.assertEqual(run(way("echo hi")).stdout, b"hi\n")
        uid = os.getuid() or ORDINARY
        # The same look at a process that does not hide, so that the test can fail.
        plain = subprocess.Popen([*prefix, "sleep", "60"])
        self.addCleanup(harness.end, plain)
        look = lambda pid: subprocess.run([*prefix, "head", "-c", "1", f"/proc/{pid}/environ"], capture_output=True).returncode
        wait_for(lambda: read(f"/proc/{plain.pid}/comm") == "sleep\n", what="sleep")
        self.assertEqual(look(plain.pid), 0)
        for pid in [gate.process.pid, *self.workers(gate)]:
            self.assertEqual(status_of(pid, "Uid").split(), [str(uid)] * 4)
            self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)
            self.assertNotEqual(look(pid), 0)
        self.assertEqual(gate.stop(), 0)

    # ---- laboratory rules ----

    def test_a_laboratory_rule_is_called_unsafe(self):
        gate = self.laboratory(ALLOW_ALL)
        self.assertRegex(gate.log(), r"(?m)warning keeper.* UNSAFE .*anything = true")
        self.assertRegex(gate.verb("status").stdout, r"(?m)^UNSAFE: .*anything = true")
        gate.write_policy(HOLD_ALL)
        self.assertEqual(gate.verb("reload").returncode, 0)
        self.assertNotIn("UNSAFE", gate.verb("status").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
