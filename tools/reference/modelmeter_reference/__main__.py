"""python -m modelmeter_reference record CASE | batch | list | compare A B | selftest"""

from __future__ import annotations

import argparse
import fnmatch
import json
import shlex
import sys
import traceback
from pathlib import Path

from . import compare


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="modelmeter_reference", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    record = commands.add_parser("record", help="record a case and write its reference")
    record.add_argument("case", help="a name from `list`")
    record.add_argument("--out", type=Path, help="the file to write (default: CASE.json)")
    record.add_argument("--wan-repo", type=Path, help="a checkout of Wan-Video/Wan2.1")
    record.add_argument("--wan22-repo", type=Path, help="a checkout of Wan-Video/Wan2.2")
    record.add_argument("--deepseek-code", type=Path, help="a directory with the remote code of deepseek-ai/DeepSeek-OCR")
    record.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", type=_assignment,
                        help="change the case: config.num_layers=2, workload.width=640, attention=math …; repeatable")
    record.set_defaults(run=_record)

    batch = commands.add_parser("batch", help="record several, each a line of standard input: the arguments of `record`")
    batch.set_defaults(run=lambda _: _batch(parser))

    listing = commands.add_parser("list", help="the cases")
    listing.add_argument("pattern", nargs="?", default="*", help="a shell pattern")
    listing.set_defaults(run=_list)

    comparison = commands.add_parser("compare", help="print the differences of two references; exit 1 if there are any")
    comparison.add_argument("first", type=Path)
    comparison.add_argument("second", type=Path)
    comparison.add_argument("--new-fields", action="store_true",
                            help="what only the header of the second says is no difference")
    comparison.add_argument("--most", type=int, default=20, help="how many differences to print")
    comparison.set_defaults(run=_compare)

    selftest = commands.add_parser("selftest", help="record a small model twice and compare")
    selftest.set_defaults(run=_selftest)

    options = parser.parse_args(arguments)
    return options.run(options)


def _assignment(text: str) -> tuple[str, object]:
    field, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE")
    try:
        return field, json.loads(value)
    except json.JSONDecodeError:
        return field, value


def _record(options) -> int:
    from .catalogue import CASES
    from modelmeter.recording.recording import dumps
    from .reference import reference

    if options.case not in CASES:
        raise SystemExit(f"error: no case {options.case!r}; see `list`")
    case = CASES[options.case].changed(dict(options.set))
    repositories = {"2.1": options.wan_repo, "2.2": options.wan22_repo, "deepseek-ocr": options.deepseek_code}
    text = dumps(reference(case, {key: path for key, path in repositories.items() if path}))
    out = options.out or Path(f"{options.case}.json")
    out.write_text(text, encoding="utf-8")
    return 0


def _batch(parser: argparse.ArgumentParser) -> int:
    failed = 0
    for line in sys.stdin:
        try:
            _record(parser.parse_args(["record", *shlex.split(line)]))
        except (Exception, SystemExit):  # of a case: the others can be recorded all the same
            traceback.print_exc()
            failed += 1
    return 1 if failed else 0


def _list(options) -> int:
    from .catalogue import CASES

    for name in fnmatch.filter(CASES, options.pattern):
        print(name)
    return 0


def _compare(options) -> int:
    found = list(compare.differences(*(json.loads(path.read_text(encoding="utf-8"))
                                       for path in (options.first, options.second)), options.new_fields))
    for line in found[:options.most]:
        print(line)
    if len(found) > options.most:
        print(f"and {len(found) - options.most} more")
    return 1 if found else 0


def _selftest(options) -> int:
    from .selftest import selftest

    return selftest()


if __name__ == "__main__":
    sys.exit(main())
