# SPDX-License-Identifier: Apache-2.0
"""What is measured. Each row is a function of the lab and the number of rounds that gives lines of the table.

The ways of a row take turns within each round, so that what the machine does meanwhile meets all of them.
"""
import dataclasses
import fcntl
import os
import subprocess
import sys
import time

import harness
import machine
from lab import DIRECT, INNER, JUMP, LOGIN
from peers import first_byte

WAYS = (DIRECT, JUMP, LOGIN, INNER)
COLD_REPEATS = 5    # per round and way; the round's figure is their median
WARM_REPEATS = 20
DECISIONS = 200     # timed requests of each kind
HELD_CONNECTIONS, HELD_CHANNELS = 50, 20
STALLED_READERS = 8
F_SETPIPE_SZ = 1031


@dataclasses.dataclass
class Line:
    row: str
    way: str
    value: float
    unit: str
    note: str = ""
    ratio: float = None     # to the way in `base`
    base: str = ""
    target: str = ""
    ok: bool = None         # None: this line has no target
    spread: float = None    # only of direct


class Wrong(Exception):
    """A way gave another result than it should: no figure is worth anything then."""


def progress(text):
    print(text, file=sys.stderr, flush=True)


def timed(argv, want_status=0):
    start = time.perf_counter()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    took = time.perf_counter() - start
    if done.returncode != want_status:
        raise Wrong(f"{' '.join(argv)}: status {done.returncode}: {done.stderr.decode(errors='replace')[:500]}")
    return took


def lines_of(row, took, unit, better, targets):
    """Lines with ratios. took: way → figures of the rounds; targets: way → (base, limit); better: "less" or "more"."""
    middle = {way: machine.median_and_spread(values) for way, values in took.items()}
    lines = []
    for way, (value, spread) in middle.items():
        line = Line(row, way, value, unit, spread=spread if way == DIRECT else None)
        base, limit = targets.get(way, (JUMP, None))
        if way not in (DIRECT, base) and base in middle:
            line.base, line.ratio = base, value / middle[base][0]
        if limit is not None:
            line.target = f"{'≤' if better == 'less' else '≥'} {limit} of {base}"
            line.ok = line.ratio <= limit if better == "less" else line.ratio >= limit
        lines.append(line)
    return lines


def cold(lab, rounds):
    took = {way: [] for way in WAYS}
    for number in range(rounds):
        each = {way: [] for way in WAYS}
        for _ in range(COLD_REPEATS):
            for way in WAYS:
                each[way].append(timed(lab.ssh(way, "true")) * 1000)
        for way in WAYS:
            took[way].append(machine.percentile(each[way], 50))
        progress(f"cold {number + 1}/{rounds}: " + ", ".join(f"{way} {took[way][-1]:.1f} ms" for way in WAYS))
    return lines_of("cold exec", took, "ms", "less", {LOGIN: (JUMP, 0.5)})


def warm(lab, rounds):
    took = {way: [] for way in WAYS}
    for way in WAYS:
        timed(lab.ssh(way, "true", options=lab.warm(way)))
    for number in range(rounds):
        each = {way: [] for way in WAYS}
        for _ in range(WARM_REPEATS):
            for way in WAYS:
                each[way].append(timed(lab.ssh(way, "true", options=lab.warm(way))) * 1000)
        for way in WAYS:
            took[way].append(machine.percentile(each[way], 50))
        progress(f"warm {number + 1}/{rounds}: " + ", ".join(f"{way} {took[way][-1]:.2f} ms" for way in WAYS))
    lab.end_masters()
    return lines_of("warm exec", took, "ms", "less", {JUMP: (DIRECT, None), LOGIN: (DIRECT, 1.5), INNER: (DIRECT, 1.5)})


# ---- bulk data ----------------------------------------------------------------------------------------------------------------------

BULK = tuple((way, "hashed") for way in WAYS) + ((LOGIN, "recorded"),)


def bulk_name(way, kind):
    return way if kind == "hashed" else way + " full rec."


def download(lab, rounds):
    def once(way, kind):
        with open(lab.file[kind], "rb") as want:
            start = time.perf_counter()
            client = subprocess.Popen(lab.ssh(way, f"cat {lab.file[kind]}"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            fcntl.fcntl(client.stdout, F_SETPIPE_SZ, 1 << 20)
            while block := os.read(client.stdout.fileno(), 1 << 20):
                if block != want.read(len(block)):
                    client.kill()
                    raise Wrong(f"download by {way}: other bytes")
            status = client.wait(60)
            took = time.perf_counter() - start
            if status != 0 or want.read(1):
                raise Wrong(f"download by {way}: status {status}, {want.tell()} bytes")
        client.stdout.close()
        return took
    return bulk(lab, rounds, "download", once)


def upload(lab, rounds):
    def once(way, kind):
        # cmp compares every byte on the target and costs nothing beside the ciphers; a digest would.
        with open(lab.file[kind], "rb") as source:
            start = time.perf_counter()
            done = subprocess.run(lab.ssh(way, f"cmp - {lab.file[kind]}"), stdin=source, capture_output=True, timeout=600)
            took = time.perf_counter() - start
        if done.returncode != 0 or done.stdout or done.stderr:
            raise Wrong(f"upload by {way}: status {done.returncode}: {done.stdout} {done.stderr}")
        return took
    return bulk(lab, rounds, "upload", once)


def bulk(lab, rounds, row, once):
    mib, gib = lab.size / (1 << 20), lab.size / (1 << 30)
    speed, cpu = {bulk_name(*each): [] for each in BULK}, {}
    for number in range(rounds):
        for way, kind in BULK:
            name = bulk_name(way, kind)
            before = cpu_of(lab, way)
            speed[name].append(mib / once(way, kind))
            if before is not None:
                if way == JUMP:
                    time.sleep(0.2)  # the second sshd counts its children once they have ended
                cpu.setdefault(name, []).append((cpu_of(lab, way) - before) / gib)
            if way in (LOGIN, INNER):
                recorded = lab.drop_recordings()
                if (recorded >= lab.size) != (kind == "recorded"):
                    raise Wrong(f"{row} by {name}: {recorded} bytes were recorded")
        progress(f"{row} {number + 1}/{rounds}: " + ", ".join(f"{name} {values[-1]:.0f} MiB/s" for name, values in speed.items()))
    lines = lines_of(row, speed, "MiB/s", "more", {LOGIN: (JUMP, 1.2), INNER: (JUMP, 0.8)})
    for name, values in cpu.items():
        lines.append(Line(f"CPU, {row}", name, machine.median_and_spread(values)[0], "s/GiB",
                          note="second sshd" if name == JUMP else "keeper and workers"))
    return lines


def cpu_of(lab, way):
    if way in (LOGIN, INNER):
        return lab.cpu(lab.gate)
    if way == JUMP:
        return machine.cpu_seconds(lab.second.process.pid, with_ended_children=True)
    return None


# ---- memory -------------------------------------------------------------------------------------------------------------------------

def memory(lab, _):
    lines = []
    for way, limit in ((LOGIN, 128), (INNER, None)):
        gate = lab.new_gate("m" + str(len(lines)))
        open_ones = []
        try:
            before, keeper_before = lab.memory_kib(gate)
            for count in (1, 50, 200):
                while len(open_ones) < count:
                    open_ones.append(lab.connect(way, gate))
                    _, _, status = open_ones[-1].run("true")
                    if status != 0:
                        raise Wrong(f"memory by {way}: status {status}")
                time.sleep(1)  # what a connection gives back once it is idle
                now, keeper_now = lab.memory_kib(gate)
                line = Line(f"memory at {count}", way, (now - before) / count, "KiB PSS",
                            note=f"a connection; keeper + {(keeper_now - keeper_before) / count:.1f}; workers {before} before")
                if limit is not None and count == 200:
                    line.target, line.ok = f"≤ {limit} KiB", line.value <= limit
                lines.append(line)
                progress(f"memory, {way}, {count}: {line.value:.1f} KiB a connection")
        finally:
            for each in open_ones:
                each.close()
            lab.end_gate(gate)
    return lines


# ---- decisions ----------------------------------------------------------------------------------------------------------------------

def decision(lab, _):
    """From the decision to the first byte of output, beyond what a warm direct exec takes from its request to that byte."""
    direct, agent, reviewer = lab.connect(DIRECT), lab.connect(LOGIN), lab.reviewer(lab.gate)
    took = {DIRECT: [], "policy allows": [], "person approves": []}
    try:
        for warm_up in (direct, agent):
            warm_up.run("pwd")
        for number in range(DECISIONS):
            took[DIRECT].append(expect(direct.run("pwd")))
            took["policy allows"].append(expect(agent.run("pwd")))
            took["person approves"].append(approved(agent, reviewer, f"n{number}"))
            if number % 50 == 49:
                progress(f"decision {number + 1}/{DECISIONS}")
    finally:
        for each in (direct, agent, reviewer):
            each.close()
    sync = machine.fdatasync_ms(lab.gate.dir)
    base, sync99 = machine.percentile(took[DIRECT], 50) * 1000, machine.percentile(sync, 99)
    lines = [Line("first byte", DIRECT, base, "ms", note="p50 of a warm exec, request to first byte")]
    for name in ("policy allows", "person approves"):
        p50, p99 = (machine.percentile(took[name], share) * 1000 - base for share in (50, 99))
        lines.append(Line("decision to forward", name + " p50", p50, "ms", note="beyond direct"))
        lines.append(Line("decision to forward", name + " p99", p99, "ms", note=f"beyond direct; fdatasync p99 {sync99:.2f}",
                          target=f"< {10 + sync99:.1f} ms", ok=p99 < 10 + sync99))
    return lines


def expect(result):
    first, output, status = result
    if status != 0 or not output:
        raise Wrong(f"warm exec: status {status}, output {output!r}")
    return first


def approved(agent, reviewer, word):
    channel = agent.ask(f"echo {word}")
    hold = harness.wait_for(lambda: [item for item in reviewer.ask("pending")[0] if not item.get("approved")], what="a hold")[0]
    start = time.perf_counter()
    reviewer.send("approve", hold=f"{hold['id']}-{hold['tag']}")
    took, output = first_byte(channel, start)
    _, reply = reviewer.answer()
    if output != word.encode() + b"\n" or reply["status"] != 0:
        raise Wrong(f"approve: {output!r}, {reply}")
    channel.close()
    return took


def held(lab, _):
    """1,000 commands that wait for people at once, and then one of them approved."""
    gate = lab.new_gate("h")
    connections, channels, reviewer = [], [], lab.reviewer(gate)
    wanted = HELD_CONNECTIONS * HELD_CHANNELS
    try:
        connections = [lab.connect(LOGIN, gate) for _ in range(HELD_CONNECTIONS)]
        connections[0].run("pwd")
        workers_before, keeper_before = lab.memory_kib(gate)
        start = time.perf_counter()
        for number in range(HELD_CHANNELS):
            channels += [connection.ask(f"echo h{number}-{index}") for index, connection in enumerate(connections)]
        harness.wait_for(lambda: int(reviewer.ask("status")[0][0]["holds"]) >= wanted, 120, "1,000 holds")
        took = time.perf_counter() - start
        workers, keeper = lab.memory_kib(gate)
        pending = reviewer.ask("pending")[0]
        if len(pending) != wanted or sum(channel.closed or channel.exit_status_ready() for channel in channels):
            raise Wrong(f"{len(pending)} pending; some commands have ended")
        last = pending[-1]
        reviewer.ask("approve", hold=f"{last['id']}-{last['tag']}")
        harness.wait_for(lambda: any(channel.recv_ready() for channel in channels), what="the approved one's output")
        progress(f"held: {wanted} in {took:.2f} s")
    finally:
        reviewer.close()
        for connection in connections:
            connection.close()
        lab.end_gate(gate)
    return [Line("1,000 held at once", LOGIN, took, "s", note="until all are held, asking included", target="all held", ok=True),
            Line("1,000 held at once", "keeper", (keeper - keeper_before) / 1024, "MiB PSS", note="growth"),
            Line("1,000 held at once", "workers", (workers - workers_before) / 1024, "MiB PSS", note="growth")]


def stalled(lab, seconds):
    """Readers that never read: the gate has to stop reading from the target, not to collect."""
    gate = lab.new_gate("s")
    clients = []
    try:
        for _ in range(2 * lab.gate_workers()):  # programs and the survey are in memory before the count begins
            connection = lab.connect(LOGIN, gate)
            connection.run("pwd")
            connection.close()
        before = sum(lab.memory_kib(gate))
        clients = [subprocess.Popen(gate.by_login("yes"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for _ in range(STALLED_READERS)]
        for client in clients:
            if os.read(client.stdout.fileno(), 2) != b"y\n":
                raise Wrong("stalled readers: no output")
        most, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(1)
            most = max(most, sum(lab.memory_kib(gate)) - before)
        recorded = sum(os.path.getsize(path) for path in gate.casts())
        if any(client.poll() is not None for client in clients):
            raise Wrong("stalled readers: a client has ended")
        progress(f"stalled: {most / 1024:.2f} MiB")
    finally:
        for client in clients:
            client.stdout.close()
            harness.end(client)
        lab.end_gate(gate)
    return [Line(f"{STALLED_READERS} stalled readers", LOGIN, most / 1024, "MiB PSS",
                 note=f"most growth in {seconds} s, connections included; {recorded / 1048576:.1f} MiB recorded", target="< 8 MiB", ok=most < 8 * 1024)]


ROWS = {"cold": cold, "warm": warm, "download": download, "upload": upload, "memory": memory, "decision": decision, "held": held,
        "stalled": stalled}
