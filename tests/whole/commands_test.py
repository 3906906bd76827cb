# SPDX-License-Identifier: Apache-2.0
"""`policy decompose` as a program: every line of the vectors is opaque, or decomposed as a real shell ran it.

The lines also run in a real bash, in a root directory where every program is a stub that notes its words: what started has to be in
the decomposition. tests/policy/shell/oracle_test judges canonical forms the same way.
"""
import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import unittest

from harness import PROGRAM

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors/policy/commands.jsonl")
COUNT = 377
# So few lines are taken apart at least; a decomposer that calls everything opaque is no use.
LEAST_DECOMPOSED = 200
# And so many programs start, all lines together; else the cage is broken.
LEAST_STARTED = 160


def vectors():
    with open(VECTORS, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def decompose(lines, shell="bash", terminator=b"\0"):
    """One answer for each line, through one process."""
    text = b"".join(line.encode() + terminator for line in lines)
    done = subprocess.run([PROGRAM, "policy", "decompose", "--shell", shell, "--json"], input=text, capture_output=True, timeout=60)
    assert done.returncode == 0, done
    assert done.stdout.count(b"\n") == len(lines), (done.stdout.count(b"\n"), len(lines))
    return [json.loads(line) for line in done.stdout.splitlines()]


def covers(words, ran):
    """True when `ran` can be the command: {"runtime": "one"} is one word, "many" any number."""
    if not words:
        return not ran
    if words[0] == {"runtime": "many"}:
        return any(covers(words[1:], ran[start:]) for start in range(len(ran) + 1))
    if not ran or (isinstance(words[0], str) and words[0] != ran[0]):
        return False
    return covers(words[1:], ran[1:])


def literals(words):
    return sum(1 for word in words if isinstance(word, str) and word not in ("{one}", "{many}"))


def answers_of(all_vectors):
    answers = {}
    for shell in ("bash", "dash"):
        group = [vector for vector in all_vectors if vector["shell"] == shell]
        answers.update(zip((vector["id"] for vector in group), decompose([vector["line"] for vector in group], shell)))
    return answers


class Cage:
    """A root directory with bash and stubs, entered in a user namespace of its own, without network: no line can do harm there."""
    STUB = '#!/real/bash -p\nprintf "%s\\0" $(($# + 1)) "$0" "$@" >>/log\n'

    def __init__(self, lines):
        self.root = tempfile.mkdtemp(prefix="ptygate-cage-")
        for folder in ("real", "usr/bin", "usr/local", "w", "tmp", "dev", "etc", "srv/app"):
            os.makedirs(os.path.join(self.root, folder))
        for link in ("bin", "sbin", "usr/sbin", "usr/local/bin"):
            os.symlink("/usr/bin", os.path.join(self.root, link))
        shutil.copy("/bin/bash", os.path.join(self.root, "real/bash"))
        libraries = subprocess.run(["ldd", "/bin/bash"], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+)", libraries):
            place = self.root + library
            os.makedirs(os.path.dirname(place), exist_ok=True)
            shutil.copy(library, place)
        first = os.path.join(self.root, "usr/bin/stub")
        with open(first, "w") as file:
            file.write(self.STUB)
        os.chmod(first, 0o755)
        # Every run of characters that some reading of a line could start.
        names = {name for line in lines for name in re.findall(r"[A-Za-z0-9_.+\[-]+", line)} - {".", "..", "stub"}
        for name in names:
            if len(name) < 100:
                os.link(first, os.path.join(self.root, "usr/bin", name))
        self.log = os.path.join(self.root, "log")
        for name in ("a.txt", "b.txt", "x", "y"):
            open(os.path.join(self.root, "w", name), "w").close()

    def started(self, line):
        """argv of every program that bash started for the line."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.log)
        open(os.path.join(self.root, "dev/null"), "w").close()
        # Background jobs inherit the pipe's end, so that its closing is their end.
        reader, writer = os.pipe()
        try:
            done = subprocess.run(["unshare", "-Urn", "/usr/sbin/chroot", self.root, "/real/bash", "-p", "-c",
                                   'cd /w && exec /real/bash --norc --noprofile -p -c "$1"', "bash", line], pass_fds=(writer,),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20,
                                  env={"PATH": "/usr/bin", "HOME": "/w"})
        finally:
            os.close(writer)
        with os.fdopen(reader, "rb") as file:
            assert select.select([file], [], [], 20)[0], "a job does not end: " + line
        assert b"unshare" not in done.stderr and b"chroot" not in done.stderr, done
        if not os.path.exists(self.log):
            return []
        with open(self.log, "rb") as file:
            words = file.read().decode("utf-8", "surrogateescape").split("\0")[:-1]
        found = []
        while words:
            count = int(words[0])
            found.append(words[1:1 + count])
            words = words[1 + count:]
        return found

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


class Decompose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vectors = vectors()
        cls.answers = answers_of(cls.vectors)

    def test_the_vectors_are_complete(self):
        self.assertEqual(len(self.vectors), COUNT)
        self.assertEqual(len(self.answers), COUNT)

    def test_each_line_is_opaque_or_decomposed_as_the_vector_says(self):
        decomposed = 0
        for vector in self.vectors:
            answer = self.answers[vector["id"]]
            with self.subTest(id=vector["id"], line=vector["line"]):
                if answer["opaque"] is not None:
                    self.assertTrue(answer["opaque"])
                    self.assertEqual((answer["commands"], answer["canonical"]), ([], None))
                    continue
                decomposed += 1
                self.assertNotEqual(vector["must_decompose_to"], "opaque")
                argvs = [command["argv"] for command in answer["commands"]]
                for wanted in vector["must_decompose_to"]:
                    self.assertTrue(any(covers(argv, wanted) and literals(argv) == literals(wanted) for argv in argvs),
                                    f"not decomposed: {wanted} in {argvs}")
        self.assertGreaterEqual(decomposed, LEAST_DECOMPOSED)

    def test_what_bash_ran_is_covered(self):
        for vector in self.vectors:
            answer = self.answers[vector["id"]]
            if answer["opaque"] is not None:
                continue
            with self.subTest(id=vector["id"], line=vector["line"]):
                for ran in vector["bash_ran"]:
                    self.assertTrue(any(covers(command["argv"], ran) for command in answer["commands"]),
                                    f"ran but not decomposed: {ran} in {answer['commands']}")

    def test_what_a_real_bash_starts_is_covered(self):
        group = [vector for vector in self.vectors if vector["shell"] == "bash" and self.answers[vector["id"]]["opaque"] is None]
        example = "id -un; rm 'a b' &"
        cage = Cage([example] + [vector["line"] for vector in group])
        self.addCleanup(cage.remove)
        self.assertEqual(sorted(cage.started(example)), [["/usr/bin/id", "-un"], ["/usr/bin/rm", "a b"]])
        total = 0
        for vector in group:
            commands = self.answers[vector["id"]]["commands"]
            with self.subTest(id=vector["id"], line=vector["line"]):
                for ran in cage.started(vector["line"]):
                    total += 1
                    by_name = [os.path.basename(ran[0])] + ran[1:]
                    self.assertTrue(any(covers(command["argv"], words) for command in commands for words in (ran, by_name)),
                                    f"started but not decomposed: {ran} in {commands}")
        self.assertGreater(total, LEAST_STARTED)

    def test_the_canonical_form_means_the_same(self):
        for shell in ("bash", "dash"):
            group = [vector for vector in self.vectors if vector["shell"] == shell and self.answers[vector["id"]]["opaque"] is None]
            for vector, again in zip(group, decompose([self.answers[vector["id"]]["canonical"] for vector in group], shell)):
                with self.subTest(id=vector["id"], line=vector["line"]):
                    self.assertEqual(again, self.answers[vector["id"]])

    def test_the_last_line_may_lack_its_terminator_and_newlines_are_part_of_a_line(self):
        done = subprocess.run([PROGRAM, "policy", "decompose", "--shell", "bash", "--json"], input=b"ls\ntouch P\0id -un",
                              capture_output=True, timeout=60)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([[command["argv"] for command in row["commands"]] for row in rows], [[["ls"], ["touch", "P"]], [["id", "-un"]]])

    def test_lines_that_are_no_text_or_endless_are_opaque_and_the_next_one_is_not(self):
        done = subprocess.run([PROGRAM, "policy", "decompose", "--shell", "bash", "--json"],
                              input=b"\xff\xfe\0" + b"a" * 5_000_000 + b"\0id\0", capture_output=True, timeout=60)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual((done.returncode, len(rows)), (0, 3))
        self.assertIsNotNone(rows[1]["opaque"])
        self.assertEqual(rows[2]["commands"][0]["argv"], ["id"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
