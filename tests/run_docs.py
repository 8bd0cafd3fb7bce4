#!/usr/bin/env python3
"""Runs the commands in the `console` blocks of a Markdown file and checks what the file says of their output.

    run_docs.py PROGRAM FILE

In a block, `$ ` starts a command (`modelmeter` is PROGRAM); the lines after it must stand in its stdout, in order; `! ` marks
a line that must stand in stderr, of a command that fails. `...` is a cut.
"""
import os
import subprocess
import sys
import tempfile


def blocks(path):
    inside, lines = False, []
    for line in open(path, encoding="utf-8"):
        if line.startswith("```"):
            if inside:
                yield lines
            inside, lines = line.strip() == "```console", []
        elif inside:
            lines.append(line.rstrip("\n"))


def commands(lines):
    command, expected = None, []
    for line in lines:
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], []
        else:
            expected.append(line)
    if command:
        yield command, expected


def check(program, command, expected, folder):
    environment = dict(os.environ, PATH=os.path.dirname(program) + os.pathsep + os.environ["PATH"])
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    fails = any(line.startswith("! ") for line in expected)
    if (done.returncode != 0) != fails:
        return f"exit code {done.returncode}\n{done.stderr}"
    at = 0
    for line in expected:
        if line.strip() in ("", "..."):
            continue
        if line.startswith("! "):
            if line[2:] not in done.stderr:
                return f"not in stderr: {line[2:]}\n{done.stderr}"
            continue
        found = done.stdout.find(line, at)
        if found < 0:
            return f"not in stdout (or not in this order): {line}\n{done.stdout}"
        at = found
    return None


def main():
    program, path = os.path.abspath(sys.argv[1]), sys.argv[2]
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for lines in blocks(path):
            for command, expected in commands(lines):
                count += 1
                problem = check(program, command, expected, folder)
                if problem:
                    sys.exit(f"{path}: $ {command}\n{problem}")
    print(f"{path}: {count} commands")


main()
