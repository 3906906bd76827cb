# SPDX-License-Identifier: Apache-2.0
"""Standard input by class: none, streamed, held to its end for a person, refused before the hold."""
import hashlib
import os
import subprocess
import unittest

import harness
from harness import run

POLICY = """
[defaults]
unmatched = "hold"
opaque = "hold"

[[rule]]
name = "no data for wc"
verdict = "allow"
argv = ["wc", "-c"]
stdin = "none"

[[rule]]
name = "reading"
verdict = "allow"
effects = ["read"]
"""
HELD_LIMIT = 256 * 1024


class StandardInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scope = harness.laboratory(policy=POLICY, init=("--trust-account-rc",), limits='held_stdin = "256KiB"\n')
        cls.gate = cls.scope.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.scope.__exit__(None, None, None)

    def ways(self):
        return {"login=target": self.gate.by_login, "-J": self.gate.by_jump}

    def start(self, argv):
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def path(self, name):
        return os.path.join(self.gate.folder, name)

    def test_code_and_unknown_data_are_refused_before_a_hold(self):
        for name, way in self.ways().items():
            for command in ("bash -s", "python3 -", "sh", f"some-unknown-program {self.path('x')}", "eval \"$(cat)\""):
                with self.subTest(way=name, command=command):
                    got = run(way(command), b"touch P\n")
                    self.assertEqual((got.returncode, got.stdout), (126, b""), got)
                    self.assertIn(b"standard input", got.stderr)
                    self.assertEqual(self.gate.pending(), [])

    def test_data_over_the_limit_is_refused_before_a_hold(self):
        file = self.path("over")
        got = run(self.gate.by_login(f"tee {file}"), b"x" * (HELD_LIMIT + 1))
        self.assertEqual((got.returncode, got.stdout), (126, b""), got)
        self.assertIn(b"held_stdin", got.stderr)
        self.assertFalse(os.path.exists(file))

    def test_a_rule_without_data_gives_end_of_file_and_says_so(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                got = run(way("wc -c"), b"abc" * 1000)
                self.assertEqual((got.returncode, got.stdout), (0, b"0\n"))
                # The note can come only while the command runs; a fast one ends first.
                self.assertIn(got.stderr, (b"", b"ptygate: standard input is not passed to this command; no rule lets it have data\n"))

    def test_reading_commands_get_their_data_as_it_comes(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                client = self.start(way("cat"))
                for line in (b"first\n", b"second\n"):
                    client.stdin.write(line)
                    client.stdin.flush()
                    self.assertEqual(client.stdout.readline(), line)
                data = os.urandom(500_000)
                out, err = client.communicate(data, timeout=30)
                self.assertEqual((client.returncode, out, err), (0, data, b""))

    def test_held_data_is_shown_whole_by_its_hash_and_forwarded_after_the_approval(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                file = self.path("held-" + name.replace("=", "").strip("-"))
                data = b"first line\n" + os.urandom(150_000)
                casts = len(self.gate.casts())
                client = self.start(way(f"tee {file}"))
                client.stdin.write(data[:1000])
                client.stdin.flush()
                harness.wait_for(lambda: len(self.gate.casts()) > casts, what="the session opens")
                self.assertEqual(self.gate.pending(), [], "held before its input ended")
                client.stdin.write(data[1000:])
                client.stdin.close()
                client.stdin = None
                hold = self.gate.wait_pending()[0]
                shown = run(self.gate.person("alice", "show", hold["hold"])).stdout.decode()
                self.assertIn(hashlib.sha256(data).hexdigest(), shown)
                self.assertIn("| first line", shown)
                self.assertIn(f"{len(data)} bytes", shown)
                self.assertFalse(os.path.exists(file))
                self.assertEqual(run(self.gate.person("alice", "approve", hold["hold"])).returncode, 0)
                out, err = client.communicate(timeout=30)
                self.assertEqual((client.returncode, out), (0, data), err)
                self.assertEqual(harness.read(file, "rb"), data)

    def test_an_approval_of_one_input_does_not_pass_another(self):
        file = self.path("other")
        first = self.start(self.gate.by_login(f"tee {file}"))
        first.stdin.write(b"one")
        first.stdin.close()
        first.stdin = None
        one = self.gate.wait_pending()[0]
        second = self.start(self.gate.by_login(f"tee {file}"))
        second.stdin.write(b"two")
        second.stdin.close()
        second.stdin = None
        other = next(hold for hold in self.gate.wait_pending(2) if hold["hold"] != one["hold"])
        run(self.gate.person("alice", "approve", one["hold"]))
        self.assertEqual(first.communicate(timeout=30)[0], b"one")
        self.assertEqual([hold["hold"] for hold in self.gate.pending()], [other["hold"]])
        self.assertEqual(harness.read(file), "one")
        run(self.gate.person("alice", "deny", other["hold"], "--reason", "no"))
        second.communicate(timeout=30)
        self.assertEqual((second.returncode, harness.read(file)), (126, "one"))

    def test_code_without_input_is_held_and_gets_end_of_file(self):
        client = subprocess.Popen(self.gate.by_login("bash -s"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        hold = self.gate.wait_pending()[0]
        run(self.gate.person("alice", "approve", hold["hold"]))
        out, err = client.communicate(timeout=30)
        self.assertEqual((client.returncode, out), (0, b""), err)

    def test_code_that_comes_after_the_question_is_not_passed(self):
        # Nothing on standard input when the gate asks, a command in it afterwards: after the approval it has to go nowhere.
        file = self.path("late")
        client = self.start(self.gate.by_login("bash -s"))
        hold = self.gate.wait_pending()[0]
        client.stdin.write(f"touch {file}\n".encode())
        client.stdin.flush()
        run(self.gate.person("alice", "approve", hold["hold"]))
        out, _ = client.communicate(timeout=30)
        self.assertEqual((client.returncode, out, os.path.exists(file)), (0, b"", False))


if __name__ == "__main__":
    unittest.main(verbosity=2)
