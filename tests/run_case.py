#!/usr/bin/env python3
"""Runs the cases of a .case file; README.md describes the format.

usage: run_case.py --program PROGRAM --source FOLDER FILE.case
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SECTIONS = {"command", "exit", "files"}
SECTIONS |= {f"{stream}{kind}" for stream in ("stdout", "stderr") for kind in ("", " contains", " lacks")}
SECTIONS |= {"stdout json"}
CHECKS = {name for name in SECTIONS if name.startswith("std")} | {"files"}
ACCEPTED = ("exit", "stdout", "stderr", "files")
TIME_LIMIT_S = 60


class Malformed(Exception):
    """The .case file itself is wrong."""


class Case:
    def __init__(self, title, place):
        self.title = title
        self.place = place
        self.sections = []  # [name, lines]

    def text(self, name):
        for section, lines in self.sections:
            if section == name:
                return "".join(line + "\n" for line in lines)
        return None

    def lines(self, name):
        text = self.text(name)
        return None if text is None else [line for line in text.splitlines() if line.strip()]

    def check_form(self):
        names = [name for name, _ in self.sections]
        for name in names:
            if name not in SECTIONS and not name.startswith("input "):
                raise Malformed(f"{self.place}: unknown section '{name}'")
            if names.count(name) > 1:
                raise Malformed(f"{self.place}: two sections '{name}'")
        if "command" not in names:
            raise Malformed(f"{self.place}: no command")
        if not CHECKS & set(names):
            raise Malformed(f"{self.place}: it asserts nothing about the output")
        for name in names:
            if (name.endswith("contains") or name.endswith("lacks")) and not self.lines(name):
                raise Malformed(f"{self.place}: section '{name}' is empty")


def parse(path):
    head, cases = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("=== "):
            cases.append(Case(line[4:].strip(), f"{path.name}:{number}"))
        elif not cases:
            head.append(line)
        elif line.startswith("--- "):
            cases[-1].sections.append([line[4:].strip(), []])
        elif cases[-1].sections:
            cases[-1].sections[-1][1].append(line)
        elif line.strip():
            raise Malformed(f"{path.name}:{number}: text before the first section")
    if not cases:
        raise Malformed(f"{path.name}: no cases")
    for case in cases:
        # One empty line before the next case is no content.
        if case.sections and case.sections[-1][1] and not case.sections[-1][1][-1].strip():
            case.sections[-1][1].pop()
        case.check_form()
    return head, cases


def render(head, cases):
    out = "".join(line + "\n" for line in head)
    for index, case in enumerate(cases):
        out += ("\n" if index else "") + f"=== {case.title}\n"
        for name, lines in case.sections:
            out += f"--- {name}\n" + "".join(line + "\n" for line in lines)
    return out


def value_at(document, path):
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        document = document[name] if name else document[int(index)]
    return document


def missing_in_order(text, parts):
    start = 0
    for part in parts:
        found = text.find(part, start)
        if found < 0:
            return part
        start = found + len(part)
    return None


class Run:
    """What a command left behind."""

    def __init__(self, case, program, source):
        with tempfile.TemporaryDirectory(prefix="modelmeter-case-") as name:
            folder = pathlib.Path(name).resolve()
            for section, lines in case.sections:
                if section.startswith("input "):
                    target = folder / section[len("input "):]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
            bin_folder = folder / ".bin"
            bin_folder.mkdir()
            (bin_folder / "modelmeter").symlink_to(program)
            environment = {"PATH": f"{bin_folder}:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": name,
                           "MODELMETER_DATA_DIR": str(source), "MODELMETER_SOURCE": str(source)}
            for variable in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
                if variable in os.environ:
                    environment[variable] = os.environ[variable]
            # `timeout` ends the whole process group of the script and exits with 124.
            result = subprocess.run(["timeout", "--kill-after=2", str(TIME_LIMIT_S), "sh", "-eu", "-c",
                                     case.text("command")], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                    capture_output=True, check=False)

            def plain(output):
                text = output.decode("utf-8", errors="backslashreplace")
                return text.replace(str(folder), "<folder>").replace(str(source), "<source>")

            self.code = result.returncode
            self.stdout = plain(result.stdout)
            self.stderr = plain(result.stderr)
            self.files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                                if not path.is_dir() and bin_folder not in path.parents)

    def section(self, name):
        if name == "exit":
            return f"{self.code}\n"
        if name == "files":
            return "".join(file + "\n" for file in self.files)
        return self.stdout if name == "stdout" else self.stderr


def differences(case, run):
    out = []
    expected_code = (case.text("exit") or "0").strip()
    if str(run.code) != expected_code:
        out.append(f"exit code {run.code}, expected {expected_code}")
    for name in ("stdout", "stderr", "files"):
        expected = case.text(name)
        if expected is not None and expected.rstrip("\n") != run.section(name).rstrip("\n"):
            out.append(f"{name} is not the expected:\n{expected}")
    for stream in ("stdout", "stderr"):
        part = missing_in_order(run.section(stream), case.lines(f"{stream} contains") or [])
        if part is not None:
            out.append(f"{stream} lacks (at this place): {part}")
        for part in case.lines(f"{stream} lacks") or []:
            if part in run.section(stream):
                out.append(f"{stream} has: {part}")
    checks = case.lines("stdout json")
    if checks is not None:
        out += json_differences(run.stdout, checks)
    return out


def json_differences(text, checks):
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        return [f"stdout is not JSON: {error}"]
    out = [] if isinstance(document, dict) else ["stdout is not one JSON object"]
    for check in checks:
        path, expected = (part.strip() for part in check.split(" = ", 1))
        try:
            value = value_at(document, path)
        except (KeyError, IndexError, TypeError):
            out.append(f"stdout has no {path}")
            continue
        if value != json.loads(expected) or type(value) is not type(json.loads(expected)):
            out.append(f"{path} is {json.dumps(value)}, expected {expected}")
    return out


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True, type=pathlib.Path)
    arguments.add_argument("--source", required=True, type=pathlib.Path)
    arguments.add_argument("file", type=pathlib.Path)
    options = arguments.parse_args()
    accept = os.environ.get("MODELMETER_ACCEPT") == "1"

    head, cases = parse(options.file)
    failed = 0
    for case in cases:
        run = Run(case, options.program.resolve(), options.source.resolve())
        if accept:
            for section in case.sections:
                if section[0] in ACCEPTED:
                    section[1] = run.section(section[0]).splitlines()
        wrong = differences(case, run)
        print(f"{'FAILED' if wrong else 'ok'}: {case.title}")
        if wrong:
            failed += 1
            print("\n".join(wrong))
            print(f"--- {case.place}: stdout\n{run.stdout}--- stderr\n{run.stderr}--- files\n{run.section('files')}---")
    if accept:
        options.file.write_text(render(head, cases), encoding="utf-8")
    print(f"{len(cases)} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Malformed as error:
        sys.exit(f"error: {error}")
