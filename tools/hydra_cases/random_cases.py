#!/usr/bin/env python3
"""Random cases, and what Hydra 1.3.2 answers: the same for the same seed.

usage: random_cases.py FOLDER [--seed N] [--count N] [--only KIND,...]     (hydra-core 1.3.2, omegaconf 2.3.0)
       MODELMETER_HYDRA_ANSWERS=FOLDER build/.../config_test --gtest_filter='*Answers*'

Writes the files that answer.py describes: applications of groups, packages, headers, overrides of defaults lists and
interpolations, composed with random words; words of the grammar; trees merged, changed, selected from and resolved;
values printed; words swept; lines completed. answers_test.cc asks ours the same, and fails on each difference.

What must differ is not asked: LEFT_OUT holds the rules, one for each of Hydra's own faults and of the deviations that
docs/config.md lists, with how often each was needed. --second PYTHON names an interpreter with hydra-core 1.4: a
composition on which 1.3.2 and 1.4 do not agree is left out as well, for docs/config.md takes some choices of 1.4.
"""

import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys

SCALARS = """0 1 2 -3 42 1_000 0x1F 0b11 010 0777 08 1.0 .5 1. -2.5 1e3 1.5e-3 1e+20 1e-7 12:30 1:30.5 .inf -.inf .nan inf nan true False yes No on
off y n null ~ Null text some-text a/b a.b 'quoted' "double" 'it''s' "tab\\there" '1' "true" '' 2020-01-01 0.1.2 1,000 http://x.y/z?q=1 a:b
x_y /abs/path ../up C:/x 'null' '~' '1e5' '???' '=' '<<' "${a}x" '@at' '%p' '*s' '&a' '!b' ü 日本""".split()
SCALARS += ["'a: b'", "'x #y'", "two words", "'  blanks '", '"a\\nb"', "a 'b' c", "'long enough to be folded somewhere, for it goes on and on until the eightieth column'"]
KEYS = ["a", "b", "c", "d", "x", "y", "lr", "name", "size", "port", "l", "m"]
ODD_KEYS = ["1", "10", "1.5", "a-b", "'7'", "with_1", "'two words'", "n", "off", "$s", "0x10", "_u", "k.v", "ü"]
OPTIONS = ["one", "two", "three", "v1", "a-b"]
GROUPS = ["db", "net", "opt", "net/tcp", "db/engine", "exp"]
ELEMENTS = """1 -1 +5 0 1_0 1.5 .5 1. 1e3 -2e-3 inf -inf nan true FALSE null text a-b a/b /x/y ../z a.b.c 1.2.3 010 0x10 1e a:b http://h/p?q 'q' "d" 'it\\'s'
"a\\"b" 'a,b' "[1]" '' a\\,b a\\=b a\\:b a\\\\b a\\ b x@y %5 * $x ??? - -- a|b 2020-01-01 1:30 1-2 None yes @a ?""".replace("\n", " ").split(" ")


class Maker:
    """Everything random, from one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, part):
        return self.random.random() < part

    def one(self, items):
        return self.random.choice(items)

    def number(self, low, high):
        return self.random.randint(low, high)

    # Documents: a map is a list of (key, value), a list a Python list, a scalar its text.

    def key(self):
        return self.one(ODD_KEYS) if self.chance(0.04) else self.one(KEYS)

    def scalar(self, paths):
        if paths is not None and self.chance(0.12):
            return self.interpolation(paths)
        if self.chance(0.03):
            return "???"
        return self.one(SCALARS[:46]) if self.chance(0.7) else self.one(SCALARS)

    def interpolation(self, paths):
        path = self.one(paths) if paths and self.chance(0.95) else self.one(["a", "b.c", "nope", "l.0", "db.port"])
        form = self.number(0, 40)
        text = {
            0: "${.%s}" % self.one(KEYS), 1: "${..%s}" % self.one(KEYS), 2: "pre-${%s}" % path, 3: "${%s}/${%s}" % (path, self.one(paths or ["a"])),
            4: "${oc.select:%s,7}" % path, 5: "${oc.select:%s}" % path, 6: "${oc.decode:'[1, %s]'}" % self.one(["x", "2.5", "'q'", "{a: 1}"]),
            7: "${oc.dict.keys:%s}" % path, 8: "${oc.dict.values:%s}" % path, 9: "${oc.env:NOT_SET_HERE,%s}" % self.one(["x", "1", "null", "'a b'"]),
            10: "${oc.create:{x: 1}}", 11: "${oc.env:RECORD_ME}", 12: "${oc.decode:${oc.env:RECORD_ME}}", 13: "${hydra:job.name}",
            14: "${hydra:job.config_name}", 15: "${[%s]}" % path.split(".")[0], 16: "${...%s}" % self.one(KEYS),
        }.get(form, "${%s}" % path)
        return "'%s'" % text.replace("'", "''") if "'" in text or ": " in text or ", " in text or "{" in text[2:] else text

    def value(self, depth, paths):
        roll = self.random.random()
        if depth > 0 and roll < 0.3:
            return self.map(depth - 1, paths, self.number(0, 3))
        if depth > 0 and roll < 0.42:
            return [self.value(depth - 1, paths) for _ in range(self.number(0, 3))]
        return self.scalar(paths)

    def map(self, depth, paths, size):
        out = {}
        for _ in range(size):
            out[self.key()] = self.value(depth, paths)
        return out

    # Words of the command line.

    def element(self, depth, paths):
        roll = self.random.random()
        if depth > 0 and roll < 0.12:
            return "[" + self.one([",", ", "]).join(self.element(depth - 1, paths) for _ in range(self.number(0, 3))) + "]"
        if depth > 0 and roll < 0.24:
            keys = self.random.sample(KEYS + ["1", "a b", "a-b"], self.number(0, 3))
            return "{" + self.one([",", ", "]).join(f"{key}{self.one([':', ': '])}{self.element(depth - 1, paths)}" for key in keys) + "}"
        if roll < 0.3:
            return self.one(["${a}", "${%s}" % self.one(paths or ["b"]), "x${a}", "'${a}'", "${.b}", "${oc.env:NOT_SET_HERE,x}"])
        if roll < 0.36:
            return f"{self.one(['int', 'float', 'str', 'bool', 'json_str'])}({self.element(depth - 1, paths)})"
        return self.one(ELEMENTS)

    def sweep(self, paths):
        form = self.number(0, 9)
        elements = [self.element(1, paths) for _ in range(self.number(2, 4))]
        if form < 3:
            return self.one([",", ", "]).join(elements)
        if form < 5:
            return f"choice({','.join(elements)})"
        if form < 7:
            numbers = [str(self.one([0, 1, 2, 5, 10, -3, 0.5, 1.0, 2.5, 1e3])) for _ in range(self.number(1, 3))]
            names = self.one([[""] * 3, ["start=", "stop=", "step="]])
            return f"range({','.join(name + number for name, number in zip(names, numbers))})"
        if form == 7:
            return self.one(["glob(*)", "glob(t*)", "glob([o*,t*])", "glob(*,exclude=t*)", "glob(include=*,exclude=[one,v*])", "glob('v?')"])
        if form == 8:
            inner = self.one([f"choice({','.join(elements)})", ",".join(elements), "range(1,5)", "[" + ",".join(elements) + "]"])
            return f"sort({inner}{self.one(['', ',reverse=true', ',reverse=false'])})"
        return self.one(["tag(t,choice(1,2))", "tag(a,b,range(1,3))", "interval(0,1)", "int(choice(1.5,2))", "str(range(1,3))", "float(1,2)", "choice(1)", "choice()"])


def block(value, indent=""):
    """A document's value as YAML, below its key."""
    if isinstance(value, dict) and value:
        return "".join(f"{indent}{key}:" + under(item, indent + "  ") for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{indent}-" + under(item, indent + "  ") for item in value)
    return f"{indent}{flow(value)}\n"


def under(value, indent):
    if isinstance(value, (dict, list)) and value:
        return "\n" + block(value, indent)
    return f" {flow(value)}\n"


def flow(value):
    return "{}" if value == {} else "[]" if value == [] else value


def paths_of(value, prefix=""):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if not re.fullmatch(r"\w+", str(key)):
            continue
        yield f"{prefix}{key}"
        yield from paths_of(item, f"{prefix}{key}.")


class App(Maker):
    """A small application, and words for it."""

    def __init__(self, seed):
        super().__init__(seed)
        self.groups = {group: self.random.sample(OPTIONS, self.number(1, 3)) for group in self.random.sample(GROUPS, self.number(1, 4))}
        self.bodies, self.packages = {}, {}
        names = [f"{group}/{option}" for group, options in self.groups.items() for option in options]
        for name in names + ["base", "config"]:
            self.bodies[name] = self.map(2, None, self.number(1, 4))
        self.chosen = {group: self.one(self.groups[group]) for group in self.groups if self.chance(0.75)}
        self.paths = list(paths_of(self.bodies["config"]))
        for group, option in self.chosen.items():
            self.paths += [f"{group.replace('/', '.')}.{path}" for path in paths_of(self.bodies[f"{group}/{option}"])]
        for name in self.bodies:  # once more, with what there is to point to
            self.bodies[name].update(self.map(1, self.paths, self.number(0, 2)))
        self.files = {f"{name}.yaml": self.file(name) for name in names + ["base", "config"]}

    def option(self, group):
        return self.one(self.groups[group]) if self.chance(0.95) else "nope"

    def item(self, inside):
        group = self.one(list(self.groups))
        roll = self.random.random()
        slash = "/" if inside and self.chance(0.7) else ""
        package = f"@{self.one(['p', 'p.q', '_global_', '_here_', group.replace('/', '.'), '_global_.z', 'a'])}" if self.chance(0.12) else ""
        if roll < 0.1:
            return f"- {slash}base{package}"
        if roll < 0.16:
            return f"- {slash}{group}/{self.option(group)}{package}"
        if roll < 0.2:
            return f"- optional {slash}{group}{package}: {self.one(self.groups[group] + ['nope', 'none'])}"
        if roll < 0.25:
            return f"- {slash}{group}{package}: null"
        if roll < 0.28:
            return f"- {slash}{group}{package}: ???"
        if roll < 0.34:
            return f"- {slash}{group}{package}: [{', '.join(self.random.sample(self.groups[group], self.number(0, len(self.groups[group]))))}]"
        if roll < 0.39:
            other = self.one(list(self.groups))
            return f"- {self.one(['', 'optional '])}{slash}{group}{package}: ${{{other}}}"
        return f"- {slash}{group}{package}: {self.option(group)}"

    def defaults(self, name):
        inside = "/" in name
        items = [self.item(inside) for _ in range(self.number(0, 2) if inside else self.number(1, 4))]
        if name == "config" and self.chance(0.85):  # groups at the top, as people have them
            items = [f"- {group}: {option}" for group, option in self.chosen.items()] + items[:self.number(0, 1)]
        if self.chance(0.5):
            items.insert(self.number(0, len(items)), "- _self_")
        if self.chance(0.25):
            group = self.one(list(self.chosen if self.chosen and self.chance(0.9) else self.groups))
            items.append(f"- override {'/' if inside else self.one(['', '/'])}{group}: {self.option(group)}")
        return "defaults:\n" + "".join(f"  {item}\n" for item in items) if items else self.one(["", "defaults: []\n"])

    def file(self, name):
        out = ""
        if name != "config" and self.chance(0.2):
            out += f"# @package {self.one(['_global_', 'p', 'p.q', '_global_.z', 'a.b'])}\n"
        if name == "config" and self.chance(0.9) or self.chance(0.2):
            out += self.defaults(name)
        return out + (block(self.bodies[name]) if self.bodies[name] else "")

    def word(self):
        roll = self.random.random()
        group = self.one(list(self.chosen if self.chosen and self.chance(0.8) else self.groups))
        package = f"@{self.one(['p', 'p.q', '_global_', 'a'])}" if self.chance(0.1) else ""
        if roll < 0.28:
            return f"{group}{package}={self.option(group)}"
        if roll < 0.36:
            group = self.one([one for one in self.groups if one not in self.chosen] or list(self.groups))
            return f"+{group}{package}={self.option(group)}"
        if roll < 0.4:
            return f"~{group}{package}" + self.one(["", f"={self.option(group)}"])
        if roll < 0.44:
            return self.one([f"{group}=[{','.join(self.groups[group])}]", f"{group}=null", f"+{group}=[{self.groups[group][0]}]", f"{group}=[]"])
        path = self.one(self.paths) if self.paths else "a"
        if self.chance(0.1):
            path = f"{path}.{self.one(KEYS)}"
        if roll < 0.7:
            return f"{path}={self.element(2, self.paths)}"
        if roll < 0.84:
            return f"+{self.one([path, path + '.' + self.one(KEYS), 'new', 'new.k'])}={self.element(2, self.paths)}"
        if roll < 0.94:
            return f"++{self.one([path, path + '.' + self.one(KEYS), 'new'])}={self.element(2, self.paths)}"
        return f"~{path}" + self.one(["", "", f"={self.one(ELEMENTS)}"])

    def question(self):
        words = [self.word() for _ in range(self.number(1, 3))]
        return " | ".join((["--config-name=base"] if self.chance(0.03) else []) + words)

    def sweep_words(self):
        words = []
        for _ in range(self.number(1, 3)):
            if self.chance(0.3):
                words.append(self.word())
                continue
            key = self.one([self.one(self.paths or ["a"]), "+new", "++a", self.one(list(self.groups)), "+" + self.one(list(self.groups)), "a@b"])
            words.append(f"{key}={self.sweep(self.paths)}")
        return " | ".join(words)

    def line(self):
        words = [self.word() for _ in range(self.number(0, 2)) if self.chance(0.5)]
        group = self.one(list(self.groups))
        path = self.one(self.paths) if self.paths else "a"
        last = self.one(["", group, group[:1], group + "=", f"{group}={self.groups[group][0][:1]}", "+" + group, "+" + group + "=", "~" + group, group + "/",
                         path, path[:-1], path + ".", path + "=", path.split(".")[0] + ".", "++" + path, "+" + path, "hydra", "hydra.job.", "hydra.ru", "hydra/", "hydra/sweeper="])
        return "." + " ".join([word for word in words if " " not in word] + [last]) + "."  # so that blanks at its end stay


def mutated(maker, text):
    """A fault in a word, or another blank."""
    for _ in range(maker.number(1, 2)):
        at = maker.number(0, len(text))
        text = text[:at] + maker.one(list("[]{}(),:= '\"\\$#~+-/.@&;é\t!*?|<1a")) + text[at + maker.number(0, 1):]
    return text.replace("\n", "").strip("\n")


def overrides(seed, count):
    maker = Maker(seed)
    for _ in range(count):
        key = maker.one(["a", "a.b", "a.b.c", "db", "db@p", "db/x", "db/x@p.q", "l.0", "a-b", "$a", "_x", "a.1.b", "@p"])
        sign = maker.one(["", "", "", "+", "++", "~"])
        word = sign + key + ("" if sign == "~" and maker.chance(0.5) else "=" + (maker.sweep([]) if maker.chance(0.3) else maker.element(3, [])))
        yield mutated(maker, word) if maker.chance(0.25) else word


def printed(seed, count):
    maker = Maker(seed)
    pieces = ["a", "word ", " ", "  ", ": ", " #", "#", "- ", "'", '"', "\\", "\n", "\t", "{", "}", "[", "]", ",", "&", "*", "!", "|", ">", "%", "@", "`", "?", "1", "0x", ".5", "e3", "é", "日本",
              "true", "null", "~", "=", "<<", "---", "...", "://", "\u00a0", "\u2028", "\x07", "\x7f", "\U0001f600", "yes", "_", "${a}", "long enough to be folded somewhere "]

    def text():
        return "".join(maker.one(pieces) for _ in range(maker.number(0, 9 if maker.chance(0.8) else 40)))

    def value(depth):
        roll = maker.random.random()
        if depth and roll < 0.15:
            return [value(depth - 1) for _ in range(maker.number(0, 3))]
        if depth and roll < 0.3:
            return {text() if maker.chance(0.3) else maker.one(KEYS): value(depth - 1) for _ in range(maker.number(0, 3))}
        if roll < 0.5:
            number = maker.one([maker.number(-5, 2000), maker.random.random(), maker.random.uniform(-1, 1) * 10.0 ** maker.number(-25, 25), 10.0 ** maker.number(-8, 22), True, False, None])
            return number
        return text()

    return (json.dumps(value(2)) for _ in range(count))


def trees(seed):
    maker = Maker(seed)
    first = maker.map(3, None, maker.number(1, 5))
    paths = list(paths_of(first)) or ["a"]
    first.update(maker.map(1, paths, maker.number(0, 3)))
    documents = [first] + [maker.map(2, paths, maker.number(1, 4)) for _ in range(2)]
    questions = ["merge", "merge strict", "resolve"] if maker.chance(0.7) else ["resolve"]
    for _ in range(3):
        path = maker.one(paths) + (f".{maker.key()}" if maker.chance(0.2) else "")
        path = path.replace(" ", "").replace("'", "")
        questions += [f"select {path}", f"update {path} {maker.element(2, paths)}", f"add {path}{maker.one(['', '.n', '.n.o'])} {maker.element(1, paths)}"]
    return "".join(f"---\n{block(document)}" for document in documents), maker.random.sample(questions, min(6, len(questions)))


# What is not asked, and why: (kinds, rule of the question and Hydra's answer, the reason).
LEFT_OUT = []


def left_out(kinds, reason):
    def add(rule):
        LEFT_OUT.append((kinds.split(), rule, reason))
        return rule

    return add


@left_out("sweeps", "a text of choice() that cannot be read without its quotes keeps them")
def is_unreadable_choice(question, answer):
    return re.search(r"(choice|sort)\(.*(\\'|\\\")", question)


@left_out("sweeps overrides", "null is a value of choice() too")
def is_null_choice(question, answer):
    return re.search(r"choice\(.*null", question) and answer.startswith("error")


@left_out("sweeps overrides trees compose", "sort() takes quoted texts")
def sorts_quoted(question, answer):
    return re.search(r"sort\(\[.*['\"]", question) and answer.startswith("error")


@left_out("sweeps", "an empty text in a list of a job's words has quotes: Hydra's cannot be read")
def is_empty_in_list(question, answer):
    return re.search(r"str\((''|\"\")\)", question) and re.search(r"[\[,:][,\]}]", answer)


@left_out("sweeps compose trees overrides", "null is no truth value")
def is_null_cast(question, answer):
    return re.search(r"bool\((null|\[.*null)", question)


@left_out("completion", "words that cannot be read leave the groups")
def is_unread_line(question, answer):
    return answer.startswith("error")


@left_out("compose trees", "an interpolation to ??? stays ???")
def leads_to_missing(question, answer):
    return "MissingMandatoryValue while resolving" in answer


@left_out("compose trees", "what is null and items of lists can be deleted")
def deletes_null(question, answer):
    return re.search(r"Could not delete from config. '.*' does not exist", answer)


@left_out("completion", "what is null and items of lists can be deleted")
def completes_behind_deletion(question, answer):
    return re.search(r"~[\w.]+(=\S*)? \S*$", question)


@left_out("trees", "a path reads a key of any kind, 1 too")
def reads_key_of_other_kind(question, answer):
    *files, asked = question.split("\n")
    path = asked.split(" ")[1] if asked.split(" ")[0] in ("add", "update", "select") else ""
    kinds = [key for key in re.findall(r"^ *([\w.]+):", "\n".join(files), re.M) if re.fullmatch(r"[\d.]+|0x\w+|off", key)]
    return any(key in path.split(".") for key in kinds)


@left_out("compose", "a list of overrides only keeps its config's body where +group=option appends to it")
def appends_to_overrides(question, answer):
    return re.search(r"--- config.yaml\ndefaults:\n(  - override .*\n)+(?!  -)", question) and "+" in question.split("\n")[-1]


@left_out("compose", "a group of several options can be deleted")
def deletes_several(question, answer):
    return "Could not delete '" in answer and "[" in question


@left_out("compose trees", "integers beyond 64 bits are refused")
def is_big_integer(question, answer):
    return re.search(r"\d{19}", question + answer)


def cases_of(kind, seed, count):
    """(what stands before the questions, the questions)"""
    if kind == "overrides":
        yield None, list(overrides(seed, count))
    elif kind == "printed":
        yield None, list(printed(seed, count))
    elif kind == "trees":
        for case in range(count // 6):
            yield trees(f"{seed} {case}")
    else:
        for case in range(count // 8):
            app = App(f"{kind} {seed} {case}")
            ask = {"compose": app.question, "sweeps": app.sweep_words, "completion": app.line}[kind]
            questions = ([""] if kind == "compose" else []) + [ask() for _ in range(8)]
            yield "".join(f"--- {path}\n{text}" for path, text in app.files.items()), questions[:8]


SHARES = {"compose": 0.4, "overrides": 0.2, "trees": 0.15, "printed": 0.1, "sweeps": 0.1, "completion": 0.05}


def unanswered(kind, seed, count):
    out = []
    for number, (before, questions) in enumerate(cases_of(kind, seed, count)):
        if before is None:
            return "".join(f"{question} => \n" for question in questions if " => " not in question and question.strip() and question[0] != "#")
        out.append(f"=== {number}\n{before}" + "".join(f">>> {question}\n" for question in questions))
    return "".join(out)


def blocks(text):
    """(the lines before the questions, [(question, answer)]) of each case of a file."""
    for case in text.split("\n=== ")[0:]:
        before, *questions = ("=== " + case.removeprefix("=== ")).rstrip("\n").split("\n>>>")
        yield before + "\n", [(q.split("\n", 1)[0][1:], q.split("\n", 1)[1] + "\n" if "\n" in q else "") for q in questions]


def keep(kind, question, answer, second, counts, files=""):
    for kinds, rule, reason in LEFT_OUT:
        if kind in kinds and rule(files + question, answer):
            counts[reason] += 1
            return False
    if second is not None and second != answer:
        counts["Hydra 1.3.2 and 1.4 do not agree"] += 1
        return False
    return True


def without_left_out(kind, text, second, counts):
    if "\n>>>" not in text:
        lines = [line for line in text.split("\n") if " => " in line]
        return "\n".join(line for line in lines if keep(kind, *line.rsplit(" => ", 1), None, counts)) + "\n"
    out = []
    seconds = [answer for _, questions in blocks(second) for _, answer in questions] if second else None
    number = 0
    for before, questions in blocks(text):
        kept = []
        # An interpolation to ??? stays ??? here: then there is something to compare with, where Hydra has an error.
        unlike = "MissingMandatoryValue while resolving" in questions[0][1] if kind == "compose" else False
        for question, answer in questions:
            other = None if seconds is None else seconds[number]
            number += 1
            if unlike and "\nresolved " in answer:
                counts["an interpolation to ??? stays ???"] += 1
                continue
            if keep(kind, question, answer, other, counts, before):
                kept.append(f">>> {question}\n{answer}")
        if kept:
            out.append(before + "".join(kept) + "\n")
    return "".join(out)


# How many questions of each kind go into the tree, and how long a case there may be.
KEPT = {"compose": 130, "overrides": 120, "trees": 130, "printed": 50, "sweeps": 60, "completion": 60}
LONGEST_CASE, LONGEST_ANSWER, PER_CASE = 900, 700, 6


def append(kind, text, path, seed):
    """Short cases of a text to a file of the tree, as many questions as it takes of that kind."""
    with open(path) as file:
        there = file.read()
    if kind in ("overrides", "printed"):
        known = {line.rsplit(" => ", 1)[0] for line in there.split("\n")}
        lines = [line for line in text.split("\n") if 12 < len(line) < 120 and line.rsplit(" => ", 1)[0] not in known]
        out = "\n".join(lines[:KEPT[kind]]) + "\n"
    else:
        out, number = "", 0
        for before, questions in blocks(text):
            short = [(question, answer) for question, answer in questions if len(answer) < LONGEST_ANSWER][:PER_CASE]
            if len(before) > LONGEST_CASE or len(short) < 3 or number >= KEPT[kind]:
                continue
            number += len(short)
            out += "\n" + before.replace("=== ", f"=== random {seed}.", 1) + "".join(f">>> {q}\n{a}" for q, a in short)
    with open(path, "a") as file:
        file.write(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--only", default=",".join(SHARES))
    parser.add_argument("--second", help="Python with hydra-core 1.4")
    parser.add_argument("--append", help="a folder of such files, as src/config/recorded, to add short cases to")
    given = parser.parse_args()
    os.makedirs(given.folder, exist_ok=True)
    answer_py = os.path.join(os.path.dirname(os.path.abspath(__file__)), "answer.py")
    counts = collections.Counter()
    for kind in given.only.split(","):
        path = os.path.join(given.folder, f"{kind}.txt")
        with open(path, "w") as out:
            out.write(unanswered(kind, given.seed, int(given.count * SHARES[kind])))
        second = None
        if given.second and kind == "compose":
            os.makedirs(os.path.join(given.folder, "second"), exist_ok=True)
            copy = os.path.join(given.folder, "second", f"{kind}.txt")
            with open(path) as text, open(copy, "w") as out:
                out.write(text.read())
            subprocess.run([given.second, answer_py, copy], check=True)
            with open(copy) as text:
                second = text.read()
        subprocess.run([sys.executable, answer_py, path], check=True)
        with open(path) as text:
            answered = text.read()
        kept = without_left_out(kind, answered, second, counts)
        with open(path, "w") as out:
            out.write(kept)
        if given.append:
            append(kind, kept, os.path.join(given.append, f"{kind}.txt"), given.seed)
    for reason, count in counts.most_common():
        print(f"{count:6} left out: {reason}")


if __name__ == "__main__":
    main()
