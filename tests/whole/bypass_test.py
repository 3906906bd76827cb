# SPDX-License-Identifier: Apache-2.0
"""Ways to get a command past the gate: by exec and by standard input. None has an effect under deny-all or the starter policy; under
allow-all the verified ones have theirs, which shows that these tests can fail. The harmful effect is a file P in the working directory.
"""
import io
import json
import os
import subprocess
import tarfile
import unittest

import harness
from harness import ALLOW_ALL, DENY_ALL, run

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors/whole/bypass.jsonl")


def tar_with_p():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("P"))
    return out.getvalue()


def cases():
    """(id, argv of the remote command, standard input, verified); a shell request has no command."""
    found = []
    with open(VECTORS, encoding="utf-8") as file:
        for line in file:
            case = json.loads(line)
            data = case["bytes"].encode()
            if case["mode"] == "exec":
                command, stdin = [case["bytes"]], b""
            else:
                command, stdin = ([case["command"]] if case["command"] else []), tar_with_p() if case["bytes"] == "TAR" else data
            found.append((case["id"], command, stdin, case["verified"]))
    return found


class Bypass(unittest.TestCase):
    POLICY = None  # the starter policy
    OPTIONS = ("--trust-account-rc",)

    @classmethod
    def setUpClass(cls):
        cls.stage = harness.tempfile.mkdtemp(prefix="ptygate-stage-")
        cls.addClassCleanup(harness.shutil.rmtree, cls.stage, ignore_errors=True)
        cls.current = os.path.join(cls.stage, "current")
        # As if the account's home were a directory of the case's own: sshd starts this in place of the login shell's command.
        forced = os.path.join(cls.stage, "forced")
        with open(forced, "w") as file:
            file.write(f'#!/bin/bash\ncd -P -- {cls.current} || exit 125\n[ -z "$SSH_ORIGINAL_COMMAND" ] && exec /bin/bash\n'
                       'exec /bin/bash -c "$SSH_ORIGINAL_COMMAND"\n')
        os.chmod(forced, 0o755)
        cls.scope = harness.laboratory(policy=cls.POLICY, sshd_extra=f"ForceCommand {forced}", init=cls.OPTIONS)
        cls.gate = cls.scope.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.scope.__exit__(None, None, None)

    def ways(self):
        return {"login=target": self.gate.by_login, "-J": self.gate.by_jump}

    def fresh(self):
        """A new working directory for the next command; bare repository r.git in it, as one case needs it."""
        place = harness.tempfile.mkdtemp(dir=self.stage)
        os.makedirs(os.path.join(place, "r.git", "hooks"))
        if os.path.islink(self.current):
            os.unlink(self.current)
        os.symlink(place, self.current)
        return place

    def effects(self, place):
        return sorted(set(os.listdir(place)) - {"r.git"})

    def settle(self, client):
        """Until the client ended or its command is held. Denies what is held and returns the ids."""
        denied = []

        def settled():
            for hold in self.gate.pending():
                if hold["hold"] not in denied:
                    denied.append(hold["hold"])
                    self.assertEqual(self.effects(self.place), [], "an effect while held")
                    run(self.gate.person("alice", "deny", hold["hold"], "--reason", "no"))
            return client.poll() is not None
        harness.wait_for(settled, 30, "the client ends")
        return denied


class UnderDenyAll(Bypass):
    POLICY = DENY_ALL

    def test_no_case_has_an_effect(self):
        for name, way in self.ways().items():
            for case, command, stdin, _ in cases():
                with self.subTest(way=name, case=case):
                    place = self.fresh()
                    got = run(way(*command), stdin)
                    self.assertEqual(got.returncode, 126, got)
                    self.assertIn(b"ptygate: ", got.stderr)
                    self.assertEqual((self.effects(place), got.stdout), ([], b""))


class UnderTheStarterPolicy(Bypass):
    def test_no_case_has_an_effect(self):
        for name, way in self.ways().items():
            for case, command, stdin, _ in cases():
                with self.subTest(way=name, case=case):
                    self.place = self.fresh()
                    with open(os.path.join(self.stage, "stdin"), "wb") as file:
                        file.write(stdin)
                    with open(os.path.join(self.stage, "stdin"), "rb") as file:
                        client = subprocess.Popen(way(*command), stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    try:
                        self.settle(client)
                    finally:
                        harness.end(client)
                    out, err = client.communicate()
                    self.assertEqual(client.returncode, 126, err)
                    self.assertEqual((self.effects(self.place), out), ([], b""))

    def test_reading_is_allowed_here_so_that_the_cases_could_be(self):
        self.fresh()
        got = run(self.gate.by_login("id -un"), b"")
        self.assertEqual((got.returncode, got.stdout.decode()), (0, harness.LOGIN + "\n"))

    def test_code_on_standard_input_is_refused_before_a_hold(self):
        for case, command, stdin, _ in cases():
            if case not in ("stdin-bash-s", "stdin-python"):
                continue
            with self.subTest(case=case):
                self.fresh()
                got = run(self.gate.by_login(*command), stdin)
                self.assertEqual(got.returncode, 126)
                self.assertIn(b"standard input", got.stderr)
                self.assertEqual(self.gate.pending(), [])


class UnderAllowAll(Bypass):
    POLICY = ALLOW_ALL
    OPTIONS = ()

    def test_each_verified_case_has_its_effect(self):
        for name, way in self.ways().items():
            for case, command, stdin, verified in cases():
                if not verified or not command:
                    continue
                with self.subTest(way=name, case=case):
                    place = self.fresh()
                    run(way(*command), stdin)
                    self.assertEqual(self.effects(place), ["P"])

    def test_a_shell_request_has_its_effect_without_the_gate_and_is_refused_with_it(self):
        stdin = next(stdin for case, command, stdin, _ in cases() if not command)
        place = self.fresh()
        run(self.gate.direct(), stdin)
        self.assertEqual(self.effects(place), ["P"])
        for name, way in self.ways().items():
            with self.subTest(way=name):
                place = self.fresh()
                got = run(way(), stdin)
                self.assertEqual((got.returncode, self.effects(place)), (126, []))


def load_tests(loader, _, __):
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (UnderDenyAll, UnderTheStarterPolicy, UnderAllowAll))


if __name__ == "__main__":
    unittest.main(verbosity=2)
