#!/usr/bin/env python3
"""Kills sweeps at random moments (kill -9) and looks at what is in their stores.

    python3 -B tests/kill_sweeps.py --program build/release/modelmeter --source . [--times 100]

Each time one of: a sweep killed until it is through; two processes on one store, of which one is killed; a merge killed
until it is through. Afterwards each job is there once with the figures of a sweep that nobody disturbed, the database is
sound, and what was stored before a kill was not evaluated again. Then, once: a full disk, a store that cannot be written,
of another version, locked, cut off: an error that says so, and what was stored stays.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

JOBS = 2 * 12 * 12 * 40
WORDS = ["--config-name", "wan2_1_t2v_14b", "workload.num_frames=5,9", "workload.height=range(256,1024,64)",
         "workload.width=range(256,1024,64)", "workload.num_inference_steps=range(10,50)"]


class Failure(Exception):
    pass


class Runs:
    def __init__(self, program, source):
        self.program, self.environment = program, dict(os.environ, MODELMETER_DATA_DIR=source)

    def start(self, *words):
        return subprocess.Popen([self.program, *words], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def sweep(self, store, *more):
        return self.start("analyze", "--json", *WORDS, f"sweep.store={store}", *more)

    def through(self, process):
        out, err = process.communicate()
        if process.returncode != 0:
            raise Failure(f"exit {process.returncode}: {err}")
        return out


def kill_after(process, seconds):
    """Whether it was still running."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    process.communicate()
    return False


def rows(store):
    with sqlite3.connect(store) as database:
        if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise Failure(f"{store} is broken")
        return database.execute("SELECT * FROM sweep_1 ORDER BY job").fetchall()


def stored(store):
    """Jobs that are there; of a store that is not made yet, none."""
    try:
        with sqlite3.connect(store) as database:
            return database.execute("SELECT count(*) FROM jobs_1").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def expect_whole(store, whole, results=True):
    found = rows(store)
    if found != whole:
        raise Failure(f"{store}: {len(found)} rows, other ones than the {len(whole)} of an undisturbed sweep")
    with sqlite3.connect(store) as database:
        count = database.execute("SELECT count(*) FROM results").fetchone()[0]
    if results and count != len(whole):
        raise Failure(f"{store}: {count} results of {len(whole)} jobs")


def fresh(*stores):
    for store in stores:
        for end in ("", "-wal", "-shm"):
            if os.path.exists(store + end):
                os.remove(store + end)


def one_process(runs, whole, seconds):
    fresh("one")
    kills = 0
    while kills < 3 and kill_after(runs.sweep("one"), random.uniform(0, seconds)):
        kills += 1
    before = stored("one")
    evaluated = json.loads(runs.through(runs.sweep("one")))["evaluated"]
    if evaluated != JOBS - before:
        raise Failure(f"{evaluated} jobs evaluated where {before} of {JOBS} were stored")
    expect_whole("one", whole)
    return kills


def two_processes(runs, whole, seconds):
    fresh("two")
    first, second = runs.sweep("two"), runs.sweep("two")
    killed = kill_after(random.choice((first, second)), random.uniform(0, seconds))
    for process in (first, second):
        if process.returncode is None:
            runs.through(process)
    runs.through(runs.sweep("two"))
    expect_whole("two", whole)
    return int(killed)


def merges(runs, whole, seconds):
    fresh("all")
    kills = 0
    while kills < 3 and kill_after(runs.start("sweep", "merge", "all", "shard1", "shard2", "shard3"),
                                   random.uniform(0, seconds)):
        kills += 1
    runs.through(runs.start("sweep", "merge", "all", "shard1", "shard2", "shard3"))
    expect_whole("all", whole)
    evaluated = json.loads(runs.through(runs.sweep("all")))["evaluated"]
    if evaluated != 0:
        raise Failure(f"{evaluated} jobs evaluated of a store that has all shards")
    return kills


def expect_error(what, process, text):
    _, err = process.communicate()
    if process.returncode != 1 or text not in err or not err.startswith("error: "):
        raise Failure(f"{what}: exit {process.returncode}, {err!r}; wanted an error with {text!r}")
    print(f"{what}: {err.splitlines()[0]}")


def full_disk(runs, whole):
    """In a file system of 1 MiB, where one can be mounted. With room again it goes on."""
    os.makedirs("small", exist_ok=True)
    script = ('mount -t tmpfs -o size=1m tmpfs small && "$@"; code=$?; test -e small/s && cp small/s* kept/; exit $code')
    fresh("kept/s")
    os.makedirs("kept", exist_ok=True)
    mounts = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "small"],
                            capture_output=True, check=False)
    if mounts.returncode != 0:
        print("full disk: skipped: no file system can be mounted here")
        return
    process = subprocess.Popen(["unshare", "-rm", "sh", "-c", script, "sh", runs.program, "analyze", "--json", *WORDS,
                                "sweep.store=small/s"], env=runs.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    expect_error("full disk", process, "disk is full")
    before = stored("kept/s")
    evaluated = json.loads(runs.through(runs.sweep("kept/s")))["evaluated"]
    if evaluated != JOBS - before:
        raise Failure(f"after a full disk: {evaluated} jobs evaluated where {before} were stored")
    expect_whole("kept/s", whole)
    print(f"full disk: {before} of {JOBS} jobs stayed, the rest was evaluated with room again")


def read_only(runs):
    os.makedirs("readonly", exist_ok=True)
    shutil.copy("whole", "readonly/s")
    script = 'mount --bind readonly readonly && mount -o remount,bind,ro readonly && "$@"'
    words = ["unshare", "-rm", "sh", "-c", script, "sh"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode != 0:
        print("read-only: skipped: no file system can be mounted here")
        return
    more = ["analyze", *WORDS, "workload.batch_size=2", "sweep.store=readonly/s"]
    process = subprocess.Popen([*words, runs.program, *more], env=runs.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    expect_error("read-only", process, "Read-only file system")
    shown = subprocess.run([*words, runs.program, "sweep", "show", "readonly/s", "--limit", "1"], env=runs.environment,
                           capture_output=True, text=True, check=False)
    if shown.returncode != 0 or "| job |" not in shown.stdout:
        raise Failure(f"read-only: sweep show: exit {shown.returncode}, {shown.stderr}")


def other_stores(runs):
    shutil.copy("whole", "other")
    with sqlite3.connect("other") as database:
        database.execute("PRAGMA user_version=9")
    expect_error("another version", runs.sweep("other"), "a store of format 9; this program reads 2")
    expect_error("another version, shown", runs.start("sweep", "show", "other"), "a store of format 9")
    with open("text", "w", encoding="utf-8") as file:
        file.write("no database\n" * 100)
    expect_error("a text", runs.sweep("text"), "not a database")
    expect_error("a text, shown", runs.start("sweep", "show", "text"), "not a database")
    expect_error("nothing there", runs.start("sweep", "show", "nothing"), "no such file")
    expect_error("a folder", runs.sweep("."), "unable to open database file")
    expect_error("no such folder", runs.sweep("no/such/s"), "unable to open database file")
    with open("whole", "rb") as file:
        content = file.read()
    with open("cut", "wb") as file:
        file.write(content[:len(content) // 2])
    expect_error("cut off", runs.start("sweep", "show", "cut", "--csv", "t.csv"), "malformed")


def locked(runs, whole):
    """Another process writes for a while: the sweep waits."""
    fresh("locked")
    shutil.copy("whole", "locked")
    database = sqlite3.connect("locked", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    process = runs.sweep("locked")
    time.sleep(0.5)
    if process.poll() is not None:
        raise Failure(f"locked: it did not wait: {process.communicate()[1]}")
    database.execute("ROLLBACK")
    database.close()
    runs.through(process)
    expect_whole("locked", whole)
    print("locked: it waits")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.randrange(10**6) if arguments.seed is None else arguments.seed
    random.seed(seed)
    runs = Runs(os.path.abspath(arguments.program), os.path.abspath(arguments.source))
    with tempfile.TemporaryDirectory(prefix="kill_sweeps_") as folder:
        os.chdir(folder)
        began = time.time()
        runs.through(runs.sweep("whole"))
        seconds = time.time() - began
        whole = rows("whole")
        if len(whole) != JOBS:
            raise Failure(f"{len(whole)} rows of {JOBS} jobs")
        for i in (1, 2, 3):
            runs.through(runs.sweep(f"shard{i}", f"sweep.shard={i}/3"))
        kinds = (one_process, two_processes, merges)
        kills = 0
        while kills < arguments.times:
            for kind in kinds:
                kills += kind(runs, whole, seconds)
        print(f"{kills} kills: every job once, nothing that was stored evaluated again")
        full_disk(runs, whole)
        read_only(runs)
        other_stores(runs)
        locked(runs, whole)
        os.chdir("/")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"failed: {failure}", file=sys.stderr)
        sys.exit(1)
