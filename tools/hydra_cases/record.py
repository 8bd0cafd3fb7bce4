#!/usr/bin/env python3
"""Records what Hydra and OmegaConf answer to cases of our own: src/config/recorded/cases.jsonl.

usage: record.py > src/config/recorded/cases.jsonl       (hydra-core 1.3.2, omegaconf 2.3.0)

A case a line: {"kind", the input, "answer": the YAML that OmegaConf prints, or null for an error}.
  yaml      "text": a document, as it is read and printed
  resolve   "text": the same with interpolations resolved
  compose   "files": {path: text}, "name", "overrides": composed; "resolved": the same resolved
"""

import itertools
import json
import os
import sys
import tempfile

import hydra
import omegaconf
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

SCALARS = r"""
null Null ~ NULL nULL none true True TRUE yes Yes on ON off No n y false FALSE tRue
0 1 -1 +1 007 010 0o10 08 0x1F 0xfg -0x10 0b101 0b12 1_000 _1 1__0 12:30 1:60 190:20:30 -12:30 12:30.5 9223372036854775807
1.0 1. .5 -.5 +.5 1e3 1E3 1e+3 1.5e-3 1e 1e+ .e3 1_0.5 1._5 .inf -.inf +.INF .Inf .nan .NaN inf nan 1.5.2 0.1 1e16 1e15 123456789.123456789
1e-5 0.0001 0.00001 1e22 1e400 -0.0 100000000000000000000.0 2.50
2001-12-14 2001-12-14t21:59:43.10-05:00 2001-1-1 20:30:40 ??? a.b a-b a:b a/b @a a@b a,b =a a=b * a* &a a#b <<
word Straße 中文 it's a'b a"b '' "" ' ' " " 'a''b' "a\"b" "a\nb" "a\tb" "\x41" '#a' '- a' 'a: b' '"' "'" '1' "1" '1e3' "true" 'null' "~" '???' ' a' 'a '
'!a' '%a' '@a' '`a' '{a' '[a' 'a}' ',a' '? a' '?a' '-a' ':a' 'a:' 'a #b' 'a#b' '|' '>' '=' '<<' '12:30' '0x1F' '.5' '010' '1_0' 'yes' 'n' 'y' 'N' 'off'
'2001-12-14' '2001-12-14 21:59:43' 'é' "\u00e9" "\u2028" "\x07" "\x7f" "\ud83d\ude00" '\' "\\" 'a\b'
""".split("\n")
SCALARS = [s for line in SCALARS for s in __import__("re").findall(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"|\S+", line)]

DOCUMENTS = [
    "", "a", "a:", "- 1\n- [2, {b: c}]\n", "a: [1, 2]\nb: {c: d, e: [f]}\n", "a:\n- 1\n-\n  - 2\n  - b: 3\n    c: 4\n",
    "a: |\n  x\n   y\n\n  z\n", "a: |-\n  x\n  y\n", "a: >\n  x\n  y\n\n  z\n", "a: |+\n  x\n\n", "a: \"x\\n\\ny\"\n", "a: 'x\n  y'\n",
    "a: &x {b: 1}\nc: *x\n", "a: &x [1]\nb: [*x, *x]\n", "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n",
    "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y], c: 3}\n", "a: {b: 1, b: 2}\n", "a: *x\n", "1: a\n", "true: a\n", "1.5: a\n",
    "null: a\n", "'1': a\n1: b\n", "? a\n: b\n", "a: !!str 1\n", "a: !!int '1'\n", "a: !!float 1\n", "a: !foo 1\n", "a: 1\n---\nb: 2\n",
    "---\na: 1\n...\n", "a: [1,\n", "a: 'x\n", "\ta: 1\n", "a: b: c\n", "{a: 1}", "[1, 2]", "5", "a: {}\nb: []\nc:\n", "a: \"" + "word " * 40 + "\"\n",
    "a: " + "x" * 100 + "\n", "a: [" + ", ".join("word%d" % i for i in range(30)) + "]\n", "'a b': 1\n'a:b': 2\n'': 3\n\"a\\nb\": 4\n",
    "a: \"x\\ty\"\n", "a: ' x\n\n  y '\n", "a: 'it''s \"quoted\"'\n", "# only a comment\n", "a: 1 # comment\n", "a:\n  b:\n    c:\n      d: [1, [2, [3]]]\n",
]

RESOLVED = [
    "a: 1\nb: ${a}\n", "a: 1\nb: x${a}y${a}\n", "a: {b: 1}\nc: ${a.b}\nd: ${a}\n", "a: [1, 2]\nb: ${a[0]}\nc: ${a.1}\nd: ${a}\n",
    "a: {b: 1, c: '${.b}'}\n", "a: {b: {c: '${..d}'}, d: 1}\n", "a: {b: {c: '${...d}'}}\nd: 1\n", "a: ${b}\nb: ${c}\nc: 1\n", "a: ${b}\nb: ${a}\n",
    "a: ${b}\n", "a: ${b.c}\nb: 1\n", "k: b\na: ${${k}}\nb: 1\n", "k: b\na: {b: 1}\nc: ${a.${k}}\nd: ${a[${k}]}\n", "a: \\${b}\nb: 1\n", "a: \\\\${b}\nb: 1\n",
    "a: '\\\\\\${b}'\nb: 1\n", "a: '$b'\nb: '${'\n", "a: '${b'\n", "a: '${}'\n", "a: '${ b }'\nb: 1\n", "a: ???\nb: ${a}\n", "a: null\nb: ${a}\nc: x${a}\n", "a: true\nb: x${a}\n",
    "a: 1.5\nb: x${a}\n", "a: [1, x]\nb: x${a}\n", "a: {x: 1, y: 'b'}\nb: x${a}\n", "a: 1e3\nb: x${a}\n", "a: ${oc.env:NOT_SET_HERE}\n", "a: ${oc.env:NOT_SET_HERE,x}\n",
    "a: ${oc.env:NOT_SET_HERE,null}\n", "a: ${oc.env:NOT_SET_HERE,12}\n", "a: ${oc.env:RECORD_ME}\nb: ${oc.decode:${oc.env:RECORD_ME}}\n", "a: ${oc.decode:'[1, x]'}\n",
    "a: ${oc.decode:null}\nb: ${oc.decode:'1e3'}\nc: ${oc.decode:'{a: 1}'}\n", "a: ${oc.decode:1}\n", "a: ${oc.select:b}\nb: 1\n", "a: ${oc.select:b}\n", "a: ${oc.select:b,7}\n",
    "a: {b: '${oc.select:.c,1}', c: 2}\n", "a: ${oc.dict.keys:b}\nb: {x: 1, y: 2}\n", "a: ${oc.dict.values:b}\nb: {x: 1, y: 2}\n", "a: ${oc.dict.keys:b}\nb: 1\n",
    "a: ${oc.create:{x: 1}}\nb: ${oc.create:[1, 2]}\n", "a: ${oc.deprecated:b}\nb: 1\n", "a: ${unknown:1}\n", "a: ${oc.env}\n", "a: ${oc.select:'b'}\nb: 1\n",
    "a: {b: '${a}'}\n", "a: '${b}${b}'\nb: ''\n", "a: [1, '${.0}']\n", "a: [{x: 1}, '${..0.x}']\n", "a: ['${a[1]}', 2]\n", "a: ${b:c}\n", "a: ${b[c]}\nb: {c: 1}\n", "a: ${[b]}\nb: 1\n", "a: ${[b][c]}\nb: {c: 1}\n",
    "a: ${oc.decode:'${b}'}\nb: 1\n", "a: ${oc.create:'x'}\n", "a: '${oc.env:NOT_SET_HERE,\"a b\"}'\n", "a: ${oc.env:NOT_SET_HERE, a b }\n", "a: ${oc.env:NOT_SET_HERE,a\\,b}\n",
]

ELEMENTS = r"""
1|-1|+1|1_000|1.5|1e3|.5|1.|inf|-inf|nan|true|TRUE|False|null|Null|~|none|on|x|x y| x|x |'x'|"x"|'x y'|''|""|'it\'s'|"a\"b"|'a\\'|'a\nb'|a\,b|a\:b|a\=b|a\\b|a\ b|a\(b|\x
[]|[1]|[1,2]|[ 1 , 2 ]|[1,[2,[3]]]|[a,'b',"c"]|[1,]|[,1]|[a b,c]|{}|{a:1}|{a: 1, b: 2}|{a:{b:[1]}}|{a:1,a:2}|{1:a}|{true:a}|{a b:1}|{'a':1}|{a:1,}|{a}|{a:}|[{a:1}]|{a:[1,{b:2}]}
a/b|a.b|a-b|a:b|a@b|a$b|a%b|a*b|a?b|a|b|a+b|/a/b.c|c:/a|http://a.b/c?d=e|a#b|a;b|a&b|a=b|a==b|=|=a|???|${b}|x${b}|${b.c}|${b}${b}|'${b}'|"x${b}"|[${b}]|{a:${b}}|${oc.env:X,1}|${b|$b|${}
int(1.5)|int('12')|int(x)|float(1)|float('1e3')|str(1)|str(true)|str([1,2])|bool(1)|bool('true')|bool(x)|json_str({a:1})|int([1.5,2.5])|float({a:1})|str(null)|int(null)|int(true)|int(-1.9)|int(inf)
sort([3,1,2])|sort([3,1,2],reverse=true)|sort([b,a])|sort([1,a])|extend_list(1)|unknown(1)|int()|int(1,2)|choice(1,2)|range(3)|1,2|a,b|(1)|1)|]|}|1 2|true false|1 x|'a' 'b'|'a'b|a'b'|[1 2]
""".strip("\n").split("\n")
ELEMENTS = [e for line in ELEMENTS for e in line.split("|")] + ["a|b", "|"]

KEYS = ["a", "a.b", "a.b.c", "a[b]", "a.0", "l.0", "l.1", "l.9", "l.-1", "l[0]", "a-b", "a b", "$a", "a.$b", "1", "a..b", "a.", ".a", "a/b", "a@b", "a@b.c", "db@x", "", "a:b", "null", "true"]

APP = {
    "config.yaml": "defaults:\n  - db: mysql\n  - _self_\n  - server: null\na: {b: {c: 1}, d: null}\nl: [1, {x: 2}]\nm: ???\nb: {c: 2}\nr: ${a.b}\n",
    "db/mysql.yaml": "driver: mysql\nport: 3306\nurl: ${.driver}:${.port}\n",
    "db/pg.yaml": "driver: pg\nport: 5432\nextra: {x: 1}\n",
    "server/apache.yaml": "defaults:\n  - /db@backup: pg\nhost: a\n",
    "server/nginx.yaml": "defaults:\n  - base\n  - _self_\nhost: n\n",
    "server/base.yaml": "host: b\ntimeout: 5\n",
    "exp/big.yaml": "# @package _global_\ndefaults:\n  - override /db: pg\na: {b: {c: 64}}\n",
    "exp/small.yaml": "# @package a.b\nc: 0\nz: 1\n",
}

LISTS = [
    {"config.yaml": "defaults:\n  - g: x\n", "g/x.yaml": "v: 1\n"},
    {"config.yaml": "defaults:\n  - g: x\nv: 2\n", "g/x.yaml": "# @package _global_\nv: 1\n"},
    {"config.yaml": "defaults:\n  - _self_\n  - g: x\nv: 2\n", "g/x.yaml": "# @package _global_\nv: 1\n"},
    {"config.yaml": "defaults:\n  - g: x\n  - h: ${g}_y\n", "g/x.yaml": "v: 1\n", "h/x_y.yaml": "w: 1\n"},
    {"config.yaml": "defaults:\n  - optional g: z\n  - g@p: x\n", "g/x.yaml": "v: 1\n"},
    {"config.yaml": "defaults:\n  - g: z\n", "g/x.yaml": "v: 1\n"},
    {"config.yaml": "defaults:\n  - g: ???\n", "g/x.yaml": "v: 1\n"},
    {"config.yaml": "defaults:\n  - g: [x, y]\n", "g/x.yaml": "v: 1\nu: 1\n", "g/y.yaml": "v: 2\nw: 2\n"},
    {"config.yaml": "defaults:\n  - g@p.q: x\n  - g@_global_: y\n  - g@_here_: y\n", "g/x.yaml": "v: 1\n", "g/y.yaml": "w: 2\n"},
    {"config.yaml": "defaults:\n  - g: x\n  - override g: y\n", "g/x.yaml": "v: 1\n", "g/y.yaml": "v: 2\n"},
    {"config.yaml": "defaults:\n  - override g: y\n  - g: x\n", "g/x.yaml": "v: 1\n", "g/y.yaml": "v: 2\n"},
    {"config.yaml": "defaults:\n  - g/x\n  - g/x@k: \n", "g/x.yaml": "v: 1\n"},
    {"config.yaml": "defaults:\n  - g/x\n  - g/y@k\n", "g/x.yaml": "v: 1\n", "g/y.yaml": "v: 2\n"},
    {"config.yaml": "defaults:\n  - g: a\n", "g/a.yaml": "defaults:\n  - b\n  - sub: c\n  - /h: d\nv: 1\n", "g/b.yaml": "v: 0\nu: 0\n", "g/sub/c.yaml": "w: 1\n", "h/d.yaml": "x: 1\n"},
    {"config.yaml": "defaults:\n  - g: a\n  - override g/sub: e\n", "g/a.yaml": "defaults:\n  - sub: c\nv: 1\n", "g/sub/c.yaml": "w: 1\n", "g/sub/e.yaml": "w: 2\n"},
    {"config.yaml": "defaults:\n  - g: a\n  - g: b\n", "g/a.yaml": "v: 1\n", "g/b.yaml": "v: 2\n"},
    {"config.yaml": "defaults: {g: a}\n", "g/a.yaml": "v: 1\n"},
    {"config.yaml": "defaults:\n  - 1\n"},
    {"config.yaml": "defaults:\n  - _self_\n  - _self_\n"},
    {"config.yaml": "a: 1\nb: {c: 2}\n", "other.yaml": "x: 1\n"},
    {"config.yaml": "defaults:\n  - other\na: 1\n", "other.yaml": "a: 0\nx: 1\n"},
    {"config.yaml": "defaults:\n  - a\n  - b\n", "a.yaml": "m: {x: 1, y: [1, 2]}\nk: ???\n", "b.yaml": "m: {y: [3], z: ???}\nk: 1\n"},
    {"config.yaml": "defaults:\n  - a\n  - b\n", "a.yaml": "m: {x: 1}\n", "b.yaml": "m: [1]\n"},
    {"config.yaml": "defaults:\n  - a\n  - b\n", "a.yaml": "m: 1\n", "b.yaml": "m: {x: 1}\n"},
    {"config.yaml": "defaults:\n  - a\n  - b\n", "a.yaml": "n: {x: 1}\nm: ${n}\n", "b.yaml": "m: {y: 1}\n"},
    {"config.yaml": "defaults:\n  - g: x\n", "g/x.yaml": "# @package p.q\nv: 1\n"},
    {"config.yaml": "defaults:\n  - g: sub/x\n", "g/sub/x.yaml": "v: 1\n"},
    {"config.yaml": "defaults:\n  - g: null\n  - h: x\n", "g/x.yaml": "v: 1\n", "h/x.yaml": "v: 1\n"},
]

OVERRIDES = [
    [], ["db=pg"], ["db=nothing"], ["~db"], ["~db=mysql"], ["~db=pg"], ["+db=pg"], ["++db=pg"], ["db@db:x=pg"], ["db@x=pg"], ["+db@x=pg"], ["server=apache"], ["server=nginx"],
    ["server=apache", "db@server.backup=mysql"], ["server=apache", "db@backup=mysql"], ["server=nginx", "server.timeout=7"], ["+exp=big"], ["+exp=small"], ["+exp=big", "db=mysql"], ["+exp=[big,small]"],
    ["+server=apache"], ["server=[base,nginx]"], ["db=[mysql,pg]"], ["db=null"], ["db={}"], ["db=1"], ["+nogroup=x"], ["nogroup=x"],
    ["a.b.c=5"], ["a.b.c=null"], ["a.b=1"], ["a.b={x:1}"], ["a.b.x=1"], ["+a.b.x=1"], ["++a.b.x=1"], ["++a.b.c=7"], ["+a.b.c=7"], ["+a.b={x:1}"], ["++a.b={x:1}"], ["~a.b.c"], ["~a.b.c=1"], ["~a.b.c=2"], ["~a.b"], ["~a.x"],
    ["~a.d"], ["~a.d=null"], ["a.d=1"], ["+a.d=1"], ["a.d.e=1"], ["++a.d.e=1"], ["l=[]"], ["l.0=9"], ["l.1.x=9"], ["+l.1.y=9"], ["l.2=9"], ["++l.2=9"], ["~l.0"], ["~l"], ["+l=[3]"], ["m=1"], ["m=???"], ["r=1"],
    ["r.c=9"], ["+r.x=9"], ["b.c=${a.b.c}"], ["a={b:{c:3}}"], ["a=null"], ["a=[]"], ["+n=1", "n=2"], ["+n=1", "+n=2"], ["+n.o.p=1"], ["a.b.c=1", "a.b.c=2"], ["a.b.c=${b.c}", "b.c=4"], ["'a.b.c=5'"], ["a.b.c"], ["=1"], ["+=1"], ["~"], ["a.b.c==1"], ["a.b.c= 5 "],
]


def answer(run):
    try:
        return run()
    except Exception:  # what it says is in Hydra's words, not ours
        return None


def composed(files, name, overrides):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "w") as out:
                out.write(text)
        with initialize_config_dir(config_dir=folder, version_base="1.3"):
            return compose(config_name=name, overrides=overrides)


def put(**case):
    print(json.dumps(case, ensure_ascii=True))


def put_composed(files, overrides, shared=None):
    config = answer(lambda: composed(files, "config", overrides))
    if config is None and answer(lambda: composed(files, "config", overrides)) is not None:
        raise RuntimeError("not the same twice")
    text = None if config is None else OmegaConf.to_yaml(config)
    resolved = None if config is None else answer(lambda: OmegaConf.to_yaml(config, resolve=True))
    put(kind="compose", files=shared or files, overrides=overrides, answer=text, resolved=resolved)


def main():
    os.environ["RECORD_ME"] = "[1, x]"
    os.environ.pop("NOT_SET_HERE", None)
    print(json.dumps({"hydra": hydra.__version__, "omegaconf": omegaconf.__version__, "app": APP}))
    for text in DOCUMENTS + ["a: %s\n" % s for s in SCALARS] + ["- %s\n" % s for s in SCALARS[::3]]:
        put(kind="yaml", text=text, answer=answer(lambda: OmegaConf.to_yaml(OmegaConf.create(text))))
    for text in RESOLVED:
        put(kind="resolve", text=text, answer=answer(lambda: OmegaConf.to_yaml(OmegaConf.create(text), resolve=True)))
    for files in LISTS:
        put_composed(files, [])
    for overrides in OVERRIDES:
        put_composed(APP, overrides, "app")
    for key in KEYS:
        for sign in ("", "+", "++", "~"):
            put_composed(APP, [sign + key + ("" if sign == "~" else "=1")], "app")
    for element in ELEMENTS:
        put_composed(APP, ["+new=" + element], "app")


if __name__ == "__main__":
    sys.exit(main())
