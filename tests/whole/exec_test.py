# SPDX-License-Identifier: Apache-2.0
"""exec through the gate equals exec without it: bytes, statuses, signals; by both ways in."""
import hashlib
import os
import subprocess
import unittest

import harness
from harness import ALLOW_ALL, run


class ExecEqualsDirect(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scope = harness.laboratory(policy=ALLOW_ALL)
        cls.gate = cls.scope.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.scope.__exit__(None, None, None)

    def ways(self):
        return {"login=target": self.gate.by_login, "-J": self.gate.by_jump}

    def same(self, command, stdin=b"", options=()):
        """stdout, stderr and status are those of a direct session."""
        want = run(self.gate.direct(command, options=options), stdin)
        for name, way in self.ways().items():
            with self.subTest(way=name, command=command[:80]):
                got = run(way(command, options=options), stdin)
                self.assertEqual((got.returncode, got.stdout, got.stderr), (want.returncode, want.stdout, want.stderr))
        return want

    def test_statuses_arrive(self):
        for status in (0, 1, 37, 255):
            self.assertEqual(self.same(f"exit {status}").returncode, status)

    def test_stdout_and_stderr_stay_apart(self):
        self.same("echo out; echo err >&2; echo out2")

    def test_death_by_signal_arrives(self):
        for signal in ("TERM", "KILL", "SEGV"):
            self.same(f"kill -{signal} $$")

    def test_stdin_is_passed_and_its_end_is_seen(self):
        self.same("sha256sum; echo done", os.urandom(300_000))
        self.same("cat", b"")

    def test_output_after_the_end_of_stderr_arrives(self):
        self.same("exec 2>&-; echo late; sleep 0.1; echo later")

    def test_any_byte_arrives_both_ways(self):
        self.same("cat", bytes(range(256)) * 64)

    def test_a_command_of_any_bytes_arrives(self):
        self.same("printf %s 'a\u00e9\u4e2d\\x' \"$(printf 'b\\tc')\"")

    def test_head_ends_an_endless_writer(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                client = subprocess.Popen(way("yes"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
                self.assertEqual(client.stdout.readline(), b"y\n")
                client.stdout.close()
                self.assertIsNotNone(client.wait(20))

    def test_locale_is_passed_and_other_variables_are_not(self):
        environment = dict(os.environ, LANG="C.UTF-8", LC_TIME="C", SECRET_TOKEN="x", LC_ALL="")
        for way in self.ways().values():
            got = subprocess.run(way("echo $LANG $LC_TIME $SECRET_TOKEN", options=["-o", "SendEnv=LANG LC_TIME SECRET_TOKEN"]),
                                 capture_output=True, env=environment, stdin=subprocess.DEVNULL, timeout=30)
            self.assertEqual(got.stdout, b"C.UTF-8 C\n")

    def test_twenty_parallel_execs_share_one_connection(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                control = os.path.join(self.gate.folder, "cm-" + name.strip("-").replace("=", ""))
                shared = ["-o", f"ControlPath={control}"]
                master = subprocess.Popen(way("-N", options=shared + ["-o", "ControlMaster=yes", "-N"])[:-1], stdin=subprocess.DEVNULL)
                try:
                    harness.wait_for(lambda: os.path.exists(control), what="control master")
                    clients = [subprocess.Popen(way(f"sleep 0.5; echo {n}; exit {n}", options=shared), stdout=subprocess.PIPE,
                                                stdin=subprocess.DEVNULL) for n in range(20)]
                    for n, client in enumerate(clients):
                        out, _ = client.communicate(timeout=60)
                        self.assertEqual((out, client.returncode), (f"{n}\n".encode(), n))
                finally:
                    harness.end(master)

    def test_64_mib_both_ways_with_rekeying_each_mib(self):
        data = os.urandom(64 * 1024 * 1024)
        digest = hashlib.sha256(data).hexdigest()
        source = os.path.join(self.gate.folder, "data")
        with open(source, "wb") as file:
            file.write(data)
        for name, way in self.ways().items():
            with self.subTest(way=name):
                down = run(way(f"cat {source}", options=["-o", "RekeyLimit=1M"]), timeout=300)
                self.assertEqual((down.returncode, hashlib.sha256(down.stdout).hexdigest()), (0, digest))
                up = run(way("sha256sum", options=["-o", "RekeyLimit=1M"]), data, timeout=300)
                self.assertEqual((up.returncode, up.stdout.split()[0].decode()), (0, digest))


if __name__ == "__main__":
    unittest.main(verbosity=2)
