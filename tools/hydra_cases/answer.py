#!/usr/bin/env python3
"""Writes what Hydra and OmegaConf answer into files of cases, below each question.

usage: answer.py src/config/recorded/*.txt        (hydra-core 1.3.2, omegaconf 2.3.0)

The files hold the questions; the answers in them are replaced. Lines that begin with '#' before the first case are
comments. src/config/answers_test.cc asks our code the same.

  compose.txt     === NAME, then the files of a small application (--- PATH), then questions: >>> WORD | WORD
                  (--config-name=NAME takes another config). Answered with the choices, the final defaults list
                  (path@package, '*' where it is a config's own body), the top-level keys and the YAML of those that are
                  others than without the words, the same resolved where that differs; or the first line of the error.
  printed.txt     a JSON value a line, " => ", the YAML of {k: value} as a JSON string
  overrides.txt   a word of the command line a line, " => ", what the grammar makes of it
  trees.txt       === NAME, documents (---), then questions: >>> merge, >>> merge strict (in struct mode),
                  >>> select KEY, >>> update KEY WORD, >>> add KEY WORD (force_add), >>> resolve. Answered with YAML.
  sweeps.txt      as compose.txt; answered with the words of each job, one a line.
  runs.txt        command lines of runs and multiruns of one of the project's own configs: the files that are left, with
                  what overrides.yaml and hydra.yaml say of the job.
  completion.txt  as compose.txt, with the line of a command line; answered with what may stand in its last word's place.

random_cases.py asks the same of cases that it makes.
"""

import copy
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (ChoiceSweep, Glob, IntervalSweep, OverrideType, QuotedString, Quote,
                                              RangeSweep)
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import GrammarParseError, OmegaConfBaseException

os.environ["RECORD_ME"] = "[1, x]"
os.environ.pop("NOT_SET_HERE", None)
warnings.filterwarnings("ignore")


def indented(text):
    return "".join("  " + line + "\n" for line in text.split("\n")[:-1])


def first_line(error):
    return next((line.rstrip() for line in str(error).split("\n") if line.strip()), None)


def error_text(error):
    # Words that are ANTLR's, PyYAML's or Python's are not compared: what matters is that it is refused.
    of_hydra = isinstance(error, (HydraException, OmegaConfBaseException))
    if not of_hydra or isinstance(error, (OverrideParseException, GrammarParseError)):
        return "error\n"
    if (first_line(error) or "").startswith(("no viable alternative", "mismatched input", "extraneous input", "token recognition error")):
        return "error\n"
    return f"error: {first_line(error)}\n" if first_line(error) else "error\n"


class Application:
    """The files of one application in a folder, and what its configs are without words. One is open at a time."""

    now = None

    def __init__(self, files):
        self.files, self.bases = files, {}
        self.folder = tempfile.mkdtemp()
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(self.folder, path)), exist_ok=True)
            with open(os.path.join(self.folder, path), "w") as out:
                out.write(text)
        GlobalHydra.instance().clear()
        initialize_config_dir(config_dir=self.folder, version_base="1.3", job_name="app")

    @staticmethod
    def of(files):
        if Application.now is None or Application.now.files != files:
            Application.close()
            Application.now = Application(files)
        return Application.now

    @staticmethod
    def close():
        if Application.now is not None:
            shutil.rmtree(Application.now.folder)
        Application.now = None

    @property
    def loader(self):
        return GlobalHydra.instance().config_loader()

    def base(self, name):
        """Of a config without words: as it is and resolved; None for what fails."""
        if name not in self.bases:
            try:
                job, whole = composed(name, [])
                self.bases[name] = [plain(job), None]
                self.bases[name][1] = resolved(job, whole)
            except Exception:
                self.bases.setdefault(name, [None, None])
        return self.bases[name]


def composed(name, words):
    """The job's config, and the whole that ${hydra:...} reads."""
    whole = compose(config_name=name, overrides=words, return_hydra_config=True)
    job = copy.deepcopy(whole)
    with open_dict(job):
        del job["hydra"]
    return job, whole


def other_than(config, base):
    """The top-level keys in their order, and the YAML of those whose value is another than without the words."""
    keys = [key for key in config if base is None or key not in base or yaml_at(config, key) != yaml_at(base, key)]
    text = "keys:" + "".join(f" {str(key).lower() if isinstance(key, bool) else key}" for key in config) + "\n"
    return text + ("" if not keys else indented(OmegaConf.to_yaml({key: config[key] for key in keys})))


def yaml_at(config, key):
    return OmegaConf.to_yaml({"value": config[key]})


def plain(config):
    return OmegaConf.to_container(config, resolve=False)


def resolved(config, whole):
    HydraConfig.instance().set_config(whole)  # what ${hydra:...} reads
    return OmegaConf.to_container(config, resolve=True)


def words_of(question):
    """The config's name, and the words."""
    words = [word.strip() for word in question.split(" | ") if word.strip()]
    name = "config"
    if words and words[0].startswith("--config-name="):
        name = words.pop(0).split("=", 1)[1]
    return name, words


def answer_compose(files, question):
    name, words = words_of(question)
    try:
        application = Application.of(files)
        job, whole = composed(name, words)
        listed = application.loader.compute_defaults_list(name, words, RunMode.RUN)
        ours = [d for d in listed.defaults if not (d.config_path or "").startswith("hydra/")]
        choices = {k: v for k, v in whole.hydra.runtime.choices.items() if not k.startswith("hydra/")}
        text = "choices:" + "".join(f" {k}={'null' if v is None else v}" for k, v in sorted(choices.items())) + "\n"
        text += "defaults:" + "".join(f" {d.config_path}@{d.package or ''}{'*' if d.is_self else ''}" for d in ours) + "\n"
        base = application.base(name) if words else (None, None)
        unresolved = other_than(plain(job), base[0])
        text += unresolved
        try:
            final = other_than(resolved(job, whole), base[1])
        except Exception as error:
            return text + "resolved " + error_text(error)
        return text if final == unresolved else text + "resolved " + final
    except Exception as error:
        return error_text(error)


def answer_sweep(files, question):
    name, words = words_of(question)
    try:
        parser = OverridesParser.create(config_loader=Application.of(files).loader)
        jobs = BasicSweeper.split_arguments(parser.parse_overrides(words), None)[0]
        return "".join("  " + " | ".join(job) + "\n" for job in jobs) or "none\n"
    except Exception as error:
        return error_text(error)


def answer_completion(files, question):
    name, words = words_of(question)
    line = words[0][1:-1]  # between dots, so that blanks at its end stay
    try:
        found = BashCompletion(Application.of(files).loader)._query(config_name=name, line=line)
        return "".join(f"  {one}\n" for one in found) or "none\n"
    except Exception as error:
        return error_text(error)


def shown(value, quotes=True):
    """A value as answers_test.cc shows it too: JSON, with q before texts in single quotes and Q before double ones."""
    if isinstance(value, QuotedString):
        mark = "" if not quotes else "q" if value.quote == Quote.single else "Q"
        return mark + json.dumps(value.text, ensure_ascii=False)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(shown(item, quotes) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_shown(k)}: {shown(v, quotes)}" for k, v in value.items()) + "}"
    if isinstance(value, ChoiceSweep):
        kind = "sweep" if value.simple_form else "choice"
        out = f"{kind} " + " | ".join(shown(item, value.simple_form) for item in value.list)
        return out + (" shuffled" if value.shuffle else "") + tags(value)
    if isinstance(value, RangeSweep):
        out = f"range {shown(value.start)} {shown(value.stop)} {shown(value.step)}"
        return out + (" shuffled" if value.shuffle else "") + tags(value)
    if isinstance(value, IntervalSweep):
        return f"interval {shown(value.start)} {shown(value.end)}" + tags(value)
    if isinstance(value, Glob):
        return f"glob {' '.join(value.include)} but {' '.join(value.exclude)}".rstrip()
    raise TypeError(type(value))


def tags(sweep):
    return " tagged " + " ".join(sorted(sweep.tags)) if sweep.tags else ""


def key_shown(key):
    if isinstance(key, bool):
        return "true" if key else "false"
    if key is None or isinstance(key, (int, float)):
        return "null" if key is None else repr(key)
    return json.dumps(str(key), ensure_ascii=False)


def answer_override(word):
    try:
        parsed = OverridesParser.create().parse_override(word)
        verb = {OverrideType.CHANGE: "change", OverrideType.ADD: "add", OverrideType.FORCE_ADD: "force",
                OverrideType.DEL: "remove"}[parsed.type]
        key = parsed.key_or_group + (f"@{parsed.package}" if parsed.package is not None else "")
        # `~key` and `~key=null` are told apart by the type of the value.
        value = "" if parsed.value_type is None else " " + shown(parsed._value)
        return f"{verb} {key}{value}"
    except Exception:
        return "error"


def answer_tree(documents, question):
    try:
        nodes = [OmegaConf.create(text) for text in documents]
        command, *rest = question.split(" ", 2)
        if command == "merge":
            OmegaConf.set_struct(nodes[0], rest == ["strict"])
            return indented(OmegaConf.to_yaml(OmegaConf.merge(*nodes)))
        root = nodes[0]
        if command == "resolve":
            return indented(OmegaConf.to_yaml(root, resolve=True))
        if command == "select":
            found = OmegaConf.select(root, rest[0])
            return indented(OmegaConf.to_yaml(OmegaConf.create({"found": found})))
        value = OverridesParser.create().parse_override("x=" + rest[1]).value()
        OmegaConf.set_struct(root, True)
        OmegaConf.update(root, rest[0], value, merge=True, force_add=command == "add")
        return indented(OmegaConf.to_yaml(root))
    except Exception as error:
        return error_text(error)


CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../configs")
APP = """import hydra
@hydra.main(version_base="1.3", config_path="%s", config_name="wan2_1_t2v_1_3b")
def app(config):
    pass
app()
"""
OF_A_JOB = ["mode", "overrides.hydra", "overrides.task", "job.name", "job.chdir", "job.override_dirname", "job.id", "job.num",
            "job.config_name", "job.env_set", "runtime.output_dir"]
USUAL = ["None", "???", "{}", "[]", "", "modelmeter", "wan2_1_t2v_1_3b"]  # not written


def answer_run(line):
    """Runs the line in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as place:
        program = os.path.join(place, "modelmeter.py")
        with open(program, "w") as out:
            out.write(APP % os.path.abspath(CONFIGS))
        done = subprocess.run([sys.executable, program, *shlex.split(line)], cwd=folder, capture_output=True)
        found = sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)
        return f"exit {done.returncode}\n" + "".join(answer_file(folder, path) for path in found)


def answer_file(folder, path):
    out = f"{path}\n"
    if os.path.basename(path) == "overrides.yaml":
        out += "".join(f"  {word}\n" for word in OmegaConf.load(os.path.join(folder, path)))
    if os.path.basename(path) == "hydra.yaml":
        hydra = OmegaConf.to_container(OmegaConf.load(os.path.join(folder, path)).hydra)
        for key in OF_A_JOB:
            value = hydra
            for part in key.split("."):
                value = value[part]
            if str(value) not in USUAL:
                out += f"  {key}: {value}\n".replace(os.path.realpath(folder), "$PWD")
    return out


def questions(lines, answer):
    """The file with the answers of a kind put in: fixtures are what stands before the first question of a case."""
    out, parts, name = [], {}, None
    in_answer = False
    for line in lines:
        if line.startswith("=== "):
            out.append(("\n" if out and out[-1] != "\n" else "") + line)
            parts, name, in_answer = {}, None, False
        elif line.startswith("---"):
            name = line[3:].strip() or str(len(parts))
            parts[name] = ""
            out.append(line)
            in_answer = False
        elif line.startswith(">>>"):
            out.append(line)
            out.append(answer(parts, line[3:].strip()))
            name, in_answer = None, True
        elif not in_answer:
            if name is not None:
                parts[name] += line
            out.append(line)
    return "".join(out)


def main(paths):
    for path in paths:
        with open(path) as file:
            lines = file.readlines()
        kind = os.path.basename(path)
        if kind in ("compose.txt", "sweeps.txt", "completion.txt"):
            answer = {"compose": answer_compose, "sweeps": answer_sweep, "completion": answer_completion}[kind[:-4]]
            text = questions(lines, answer)
            Application.close()
        elif kind == "runs.txt":
            text = questions(lines, lambda parts, question: answer_run(question))
        elif kind == "trees.txt":
            text = questions(lines, lambda parts, question: answer_tree(list(parts.values()), question))
        elif kind == "overrides.txt":
            words = [line.rstrip("\n").split(" => ")[0] for line in lines if line.strip() and not line.startswith("#")]
            text = "".join(line for line in lines if line.startswith("#")) + "\n"
            text += "".join(f"{word} => {answer_override(word)}\n" for word in words)
        elif kind == "printed.txt":
            values = [line.rstrip("\n").split(" => ")[0] for line in lines if line.strip() and not line.startswith("#")]
            text = "".join(line for line in lines if line.startswith("#")) + "\n"
            text += "".join(f"{value} => {json.dumps(OmegaConf.to_yaml({'k': json.loads(value)}))}\n" for value in values)
        else:
            sys.exit(f"answer.py: {path} is no file of cases")
        with open(path, "w") as file:
            file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
