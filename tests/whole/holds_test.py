# SPDX-License-Identifier: Apache-2.0
"""Holds as an agent and people meet them: decided, joined, detached, repeated, cancelled, expired. Every effect is a file."""
import json
import os
import subprocess
import tempfile
import unittest

import harness
from harness import run

# Two people for what destroys, as in the starter policy, and short waits where a test has to see their end.
POLICY = """
[defaults]
unmatched = "hold"
opaque = "hold"

[[rule]]
name = "reading"
verdict = "allow"
effects = ["read"]

[[rule]]
name = "environment"
verdict = "allow"
argv = ["printenv"]

[[rule]]
name = "nobody answers"
argv = ["mkdir", "{re:.*/expires}"]
verdict = "hold"
expires = "1s"

[[rule]]
name = "come back later"
argv = ["mkdir", "{re:.*/later[0-9]}"]
verdict = "hold"
answer_within = "1s"

[[rule]]
name = "no devices"
argv = ["mkdir", "{re:/dev/.*}"]
verdict = "deny"
advice = "devices are made by people"

[[rule]]
name = "destructive commands"
verdict = "hold"
effects_any = ["destructive"]
approvals = 2
"""


class Holds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.mkdtemp(prefix="ptygate-keys-")
        cls.addClassCleanup(harness.shutil.rmtree, cls.keys, ignore_errors=True)
        cls.eve = harness.keygen(os.path.join(cls.keys, "eve"), "eve")
        cls.scope = harness.laboratory(policy=POLICY, workers=2, init=("--trust-account-rc", "--agent", f"eve={cls.eve}.pub"))
        cls.gate = cls.scope.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.scope.__exit__(None, None, None)

    def setUp(self):
        self.clients = []
        self.addCleanup(lambda: [harness.end(client) for client in self.clients])
        self.addCleanup(self.deny_all)
        self.file = os.path.join(self.gate.folder, self.id().rsplit(".", 1)[1][5:40])

    def deny_all(self):
        for hold in self.gate.pending():
            run(self.gate.person("alice", "deny", hold["hold"], "--reason", "'left over'"))

    def ways(self):
        return {"login=target": self.gate.by_login, "-J": self.gate.by_jump}

    def start(self, argv):
        client = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.clients.append(client)
        return client

    def finish(self, client, seconds=30):
        out, err = client.communicate(timeout=seconds)
        return client.returncode, out, err.decode()

    def held(self, count=1):
        return self.gate.wait_pending(count)[-1]["hold"]

    def agent(self, *words, key="bot"):
        name = os.path.basename(key)
        return run(self.gate.base(key) + ["-p", str(self.gate.agents_port), f"{name}@127.0.0.1", *words])

    def approve(self, hold, person="alice"):
        return run(self.gate.person(person, "approve", hold))

    def count(self):
        return len(harness.read(self.file)) if os.path.exists(self.file) else 0

    def counting(self):
        """A command that a person has to decide, and whose runs can be counted."""
        return f"printf x >> {self.file}"

    # ---- refusals first ----

    def test_a_denied_command_does_not_run_and_the_agent_is_told_why(self):
        for name, way in self.ways().items():
            for retry, word in ((), "[stop-and-report]"), (("--retry", "change-and-retry"), "[change-and-retry]"):
                with self.subTest(way=name, retry=retry):
                    client = self.start(way(self.counting()))
                    done = run(self.gate.person("alice", "deny", self.held(), "--reason", "'not today'", *retry))
                    self.assertEqual(done.returncode, 0, done)
                    status, out, err = self.finish(client)
                    self.assertEqual((status, out, self.count()), (126, b"", 0))
                    self.assertIn("not today", err)
                    self.assertIn(word, err)

    def test_a_rule_denies_with_its_advice_and_nothing_is_held(self):
        got = run(self.gate.by_login("mkdir /dev/ptygate-test"))
        self.assertEqual(got.returncode, 126)
        self.assertIn(b"devices are made by people", got.stderr)
        self.assertEqual(self.gate.pending(), [])

    def test_without_the_tag_or_with_another_one_nothing_is_approved(self):
        client = self.start(self.gate.by_login(self.counting()))
        hold = self.held()
        for wrong in (hold.split("-")[0], hold.split("-")[0] + "-aaaa", str(int(hold.split("-")[0]) + 1000) + "-" + hold.split("-")[1]):
            self.assertNotEqual(self.approve(wrong).returncode, 0)
        self.assertIsNone(client.poll())
        self.assertEqual(self.count(), 0)

    def test_a_command_that_nobody_decides_expires_with_124(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                place = os.path.join(self.gate.folder, "expires")
                got = run(way(f"mkdir {place}"))
                self.assertEqual((got.returncode, os.path.exists(place)), (124, False), got)
                self.assertIn(b"expired", got.stderr)

    def test_what_is_held_when_its_client_is_killed_never_runs_alone(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                client = self.start(way(self.counting()))
                hold = self.held()
                client.kill()
                client.wait()
                harness.wait_for(lambda: self.gate.pending()[0]["attached"] == 0, what="the hold is detached")
                self.assertEqual(self.approve(hold).returncode, 0)
                self.assertEqual(self.count(), 0, "ran with nobody attached")
                # The approval is for one repeat.
                got = run(way(self.counting()))
                self.assertEqual((got.returncode, self.count()), (0, 1), got)
                os.unlink(self.file)

    def test_what_was_cancelled_by_its_agent_cannot_be_approved(self):
        place = os.path.join(self.gate.folder, "later1")
        self.assertEqual(run(self.gate.by_login(f"mkdir {place}")).returncode, 75)
        hold = self.held()
        number = hold.split("-")[0]
        self.assertIn(number, self.agent("status").stdout.decode())
        self.assertEqual(self.agent("cancel", number).returncode, 0)
        self.assertNotEqual(self.approve(hold).returncode, 0)
        self.assertEqual((self.gate.pending(), os.path.exists(place)), ([], False))

    def test_a_foreign_hold_and_an_unknown_one_get_the_same_answer(self):
        self.start(self.gate.by_login(self.counting()))
        number = self.held().split("-")[0]
        for verb in ("wait", "cancel"):
            foreign = self.agent(verb, number, key=self.eve)
            unknown = self.agent(verb, "99999", key=self.eve)
            self.assertNotIn(foreign.returncode, (0, 75))
            self.assertEqual((foreign.returncode, foreign.stdout, foreign.stderr.replace(number.encode(), b"N")),
                             (unknown.returncode, unknown.stdout, unknown.stderr.replace(b"99999", b"N")))
        self.assertNotIn(number + "-", self.agent("status", key=self.eve).stdout.decode())
        self.assertEqual(len(self.gate.pending()), 1)

    def test_another_agents_equal_command_does_not_join(self):
        first = self.start(self.gate.by_login(self.counting()))
        hold = self.held()
        second = self.start(self.gate.by_login(self.counting(), key=self.eve))
        self.gate.wait_pending(2)
        self.approve(hold)
        self.assertEqual(self.finish(first)[0], 0)
        self.assertEqual(self.count(), 1)
        self.deny_all()
        self.assertEqual((self.finish(second)[0], self.count()), (126, 1))

    # ---- approvals ----

    def test_an_approved_command_runs_and_its_agent_was_told_of_the_hold(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                client = self.start(way(self.counting() + "; echo out; exit 9"))
                hold = self.held()
                self.assertEqual(self.count(), 0)
                self.assertEqual(self.approve(hold).returncode, 0)
                status, out, err = self.finish(client)
                self.assertEqual((status, out, self.count()), (9, b"out\n", 1))
                self.assertIn("ptygate: ", err)
                self.assertIn(hold, err)
                os.unlink(self.file)

    def test_two_distinct_people_are_needed_where_the_rule_says_so(self):
        with open(self.file, "w") as file:
            file.write("x")
        client = self.start(self.gate.by_login(f"rm -rf {self.file}"))
        hold = self.held()
        self.assertEqual(self.gate.pending()[0]["approvals_needed"], 2)
        self.approve(hold)
        self.approve(hold)
        self.assertEqual(self.gate.pending()[0]["approved_by"], ["alice"])
        self.assertIsNone(client.poll())
        self.assertEqual(self.count(), 1)
        self.assertEqual(self.approve(hold, "bob").returncode, 0)
        self.assertEqual((self.finish(client)[0], self.count()), (0, 0))

    def test_one_denial_outweighs_an_approval_before_it(self):
        with open(self.file, "w") as file:
            file.write("x")
        client = self.start(self.gate.by_login(f"rm -rf {self.file}"))
        hold = self.held()
        self.approve(hold)
        run(self.gate.person("bob", "deny", hold, "--reason", "no"))
        self.assertEqual((self.finish(client)[0], self.count()), (126, 1))

    def test_the_first_answer_wins(self):
        client = self.start(self.gate.by_login(self.counting()))
        hold = self.held()
        self.assertEqual(run(self.gate.person("bob", "deny", hold, "--reason", "first")).returncode, 0)
        late = self.approve(hold)
        self.assertEqual(late.returncode, 1, late)
        self.assertEqual((self.finish(client)[0], self.count()), (126, 0))

    def test_later_answers_go_to_the_repeat_which_runs_once(self):
        for nth, (name, way) in enumerate(self.ways().items()):
            with self.subTest(way=name):
                place = os.path.join(self.gate.folder, f"later{nth + 2}")
                command = f"mkdir {place}"
                got = run(way(command))
                self.assertEqual(got.returncode, 75, got)
                hold = self.held()
                number = hold.split("-")[0]
                self.assertIn(f"wait {number}".encode(), got.stderr)
                waiter = self.start(self.gate.base("bot") + ["-p", str(self.gate.agents_port), "bot@127.0.0.1", "wait", number])
                self.assertEqual(self.approve(hold).returncode, 0)
                self.assertEqual(self.finish(waiter)[0], 0)
                self.assertFalse(os.path.exists(place), "wait runs nothing")
                self.assertEqual(run(way(command)).returncode, 0)
                self.assertTrue(os.path.isdir(place))
                os.rmdir(place)
                self.assertEqual(run(way(command)).returncode, 75, "one approval is one run")
                self.assertFalse(os.path.exists(place))
                self.deny_all()

    def test_an_equal_repeat_joins_and_one_approval_is_one_run(self):
        clients = [self.start(self.gate.by_login(self.counting())) for _ in range(3)]
        harness.wait_for(lambda: [hold["attached"] for hold in self.gate.pending()] == [3], what="three clients at one hold")
        self.approve(self.held())
        harness.wait_for(lambda: sum(client.poll() is not None for client in clients) == 1, what="one runs")
        self.gate.wait_pending()
        self.assertEqual(self.count(), 1)
        self.deny_all()
        statuses = sorted(self.finish(client)[0] for client in clients)
        self.assertEqual((statuses, self.count()), ([0, 126, 126], 1))

    def test_wait_ends_as_its_hold_does(self):
        for answer, status in (("deny", 126), ("expires", 124)):
            with self.subTest(answer=answer):
                client = self.start(self.gate.by_login(self.counting() if answer == "deny" else f"mkdir {self.gate.folder}/expires"))
                hold = self.held()
                waiter = self.start(self.gate.base("bot") + ["-p", str(self.gate.agents_port), "bot@127.0.0.1", "wait", hold.split("-")[0]])
                if answer == "deny":
                    run(self.gate.person("alice", "deny", hold, "--reason", "no"))
                self.assertEqual(self.finish(waiter)[0], status)
                self.assertEqual(self.finish(client)[0], status)

    # ---- what is said ----

    def test_words_are_json_with_the_agents_nonce_and_the_intent_is_shown(self):
        options = ["-o", "SetEnv=PTYGATE_OUTPUT=json PTYGATE_NONCE=n0nce-1 PTYGATE_INTENT=tidy"]
        for name, way in self.ways().items():
            with self.subTest(way=name):
                client = self.start(way(self.counting(), options=options))
                hold = self.held()
                self.assertEqual(self.gate.pending()[0]["intent"], "tidy")
                run(self.gate.person("alice", "deny", hold, "--reason", "'because \"so\"'"))
                status, _, err = self.finish(client)
                words = [json.loads(line) for line in err.splitlines()]
                self.assertEqual((status, {word["nonce"] for word in words}), (126, {"n0nce-1"}))
                self.assertEqual([word["ptygate"] for word in words], ["held", "denied"])
                self.assertEqual(words[-1]["reason"], 'by alice: because "so"')
                self.assertEqual(words[-1]["hold"], hold)

    def test_the_gates_own_variables_do_not_reach_the_target(self):
        got = run(self.gate.by_login("printenv", options=["-o", "SetEnv=PTYGATE_OUTPUT=json PTYGATE_NONCE=n PTYGATE_INTENT=i FOO=bar LANG=C.UTF-8"]))
        self.assertEqual(got.returncode, 0, got)
        self.assertIn(b"LANG=C.UTF-8\n", got.stdout)
        self.assertNotIn(b"PTYGATE_", got.stdout)
        self.assertNotIn(b"FOO", got.stdout)

    def test_whoami_names_the_agent_and_its_targets(self):
        got = self.agent("whoami")
        self.assertEqual(got.returncode, 0)
        self.assertIn(b"agent bot", got.stdout)
        self.assertIn(b"web1", got.stdout)
        got = run(self.gate.person("alice", "whoami"))
        self.assertIn(b"person alice", got.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
