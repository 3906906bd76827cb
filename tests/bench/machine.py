# SPDX-License-Identifier: Apache-2.0
"""What the machine is and what its processes use: versions, CPU time, memory, the disk's fdatasync."""
import os
import platform
import re
import statistics
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def text(path):
    with open(path) as file:
        return file.read()


def percentile(values, share):
    """The smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 100) - 1))]


def children(pid):
    return [int(word) for word in text(f"/proc/{pid}/task/{pid}/children").split()]


def workers(keeper):
    """The gate's worker processes: the children that run `ptygate worker`, for agents and for people."""
    return [pid for pid in children(keeper) if b"worker" in open(f"/proc/{pid}/cmdline", "rb").read()]


def cpu_seconds(pid, with_ended_children=False):
    fields = text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15 if with_ended_children else 13]) / TICKS


def pss_kib(pid):
    """Proportional set size. The keeper is not dumpable: only root can read it, and nobody gets another number in its place."""
    return int(re.search(r"^Pss:\s+(\d+) kB", text(f"/proc/{pid}/smaps_rollup"), re.M).group(1))


def fdatasync_ms(folder, count=400):
    """Each: 4 KiB appended and synced, as the ledger does it."""
    path, block, took = os.path.join(folder, "fdatasync"), os.urandom(4096), []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(count):
            start = time.perf_counter()
            os.write(fd, block)
            os.fdatasync(fd)
            took.append((time.perf_counter() - start) * 1000)
    finally:
        os.close(fd)
        os.unlink(path)
    return took


def package(name):
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
    return found.stdout.strip() or "?"


def describe():
    model = re.search(r"^model name\s*:\s*(.*)$", text("/proc/cpuinfo"), re.M)
    openssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr.strip()
    return {
        "cores": len(os.sched_getaffinity(0)), "cpu": model.group(1) if model else platform.machine(), "kernel": platform.release(),
        "openssh": openssh, "libssh": package("libssh-4"), "openssl": package("libssl3"), "libuv": package("libuv1"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def median_and_spread(values):
    """Median, and (max - min) / median."""
    middle = statistics.median(values)
    return middle, (max(values) - min(values)) / middle if middle else 0.0
