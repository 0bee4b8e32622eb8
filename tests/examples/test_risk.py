# ruff: noqa: E501 - a row of a table stays one row
"""Risky patterns: what is reported, and above all what is not."""

import pytest
from dependency_review.risk import EXAMPLES_PER_RULE, risk


def rules(package, source, path="demo/core.py"):
    return {p.rule for p in risk(package(sources={path: source})).patterns}


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        pytest.param("def f(x): return eval(x)", "execute-computed", id="eval"),
        pytest.param("def f(x): exec(compile(x, 'f', 'exec'))", "execute-computed", id="exec"),
        pytest.param("import builtins\ndef f(x): exec(x)", "execute-computed", id="exec-beside-builtins"),
        pytest.param("import base64\ndef f(x): exec(base64.b64decode(x))", "decode-then-execute", id="decode"),
        pytest.param("import zlib\ncode = zlib.decompress(b'')\nexec(code)", "decode-then-execute", id="decode-variable"),
        pytest.param("import pickle as p\ndef f(x): return p.loads(x)", "unpickle", id="pickle-alias"),
        pytest.param("from marshal import loads\ndef f(x): return loads(x)", "unpickle", id="marshal-from"),
        pytest.param("import subprocess\ndef f(x): subprocess.run('ls ' + x, shell=True)", "shell-command", id="shell"),
        pytest.param("import os\ndef f(x): os.system(f'rm {x}')", "shell-command", id="os-system"),
        pytest.param("import yaml\ndef f(x): return yaml.load(x)", "yaml-load", id="yaml-no-loader"),
        pytest.param("import yaml\ndef f(x): return yaml.load(x, Loader=yaml.Loader)", "yaml-load", id="yaml-loader"),
        pytest.param("import requests\ndef f(u): requests.get(u, verify=False)", "tls-off", id="requests"),
        pytest.param("def f(s, u): s.get(u, verify=False)", "tls-off", id="session"),
        pytest.param("import ssl\ndef f(): return ssl._create_unverified_context()", "tls-off", id="ssl"),
        pytest.param("import hashlib\ndef f(x): return hashlib.md5(x)", "weak-hash", id="md5"),
        pytest.param("import hashlib\ndef f(x): return hashlib.new('sha1', x)", "weak-hash", id="new-sha1"),
        pytest.param("def f(): return open('/tmp/x', 'w')", "fixed-temp-path", id="tmp"),
        pytest.param("import tempfile\ndef f(): return tempfile.mktemp()", "temp-race", id="mktemp"),
        pytest.param("import ctypes\ndef f(p): return ctypes.CDLL(p)", "native-load", id="ctypes"),
        pytest.param("import tarfile\ndef f(p):\n with tarfile.open(p) as t:\n  t.extractall()", "tar-extract", id="tar"),
        pytest.param("import subprocess\nsubprocess.run(['git'])", "process-at-import", id="process-at-import"),
        pytest.param("from urllib.request import urlopen\nurlopen('https://x')", "network-at-import", id="network"),
        pytest.param("import requests\nclass A:\n x = requests.get('https://x')", "network-at-import", id="class-body"),
        pytest.param("import requests\ndef go():\n requests.get('https://x')\ngo()", "network-at-import", id="one-hop"),
        pytest.param("access = 'user\u202e'\n", "hidden-text", id="bidi"),
        pytest.param("from pip._vendor import requests\ndef f(u): requests.get(u, verify=False)", "tls-off", id="vendored"),
    ],
)  # fmt: skip
def test_a_risky_pattern_is_reported(package, source, rule):
    assert rules(package, source) == {rule}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import ast\ndef f(x): return ast.literal_eval(x)", id="literal-eval"),
        pytest.param("exec('x = 1')\neval('1 + 1')", id="literal-code"),
        pytest.param("def eval(x): return x\ndef f(y): return eval(y)", id="own-eval"),
        pytest.param("def f(frame, x): return frame.eval(x)", id="method-eval"),
        pytest.param("class A:\n @classmethod\n def eval(cls, x): return cls.eval(x)", id="defines-eval"),
        pytest.param("from .tools import exec\ndef f(y): return exec(y)", id="imported-exec"),
        pytest.param("import subprocess\ndef f(x): subprocess.run(['ls', x])", id="no-shell"),
        pytest.param("import subprocess\ndef f(): subprocess.run('ls | wc', shell=True)", id="constant-shell"),
        pytest.param("import subprocess\ndef f():\n for c in ('a', 'b'):\n  subprocess.run([c, '-v'], shell=True)",
                     id="loop-over-constants"),
        pytest.param("import os\nCMD = 'clear'\ndef f(): os.system(CMD)", id="module-constant"),
        pytest.param("import subprocess\ndef f(x): subprocess.run(x, shell=False)", id="shell-false"),
        pytest.param("import yaml\ndef f(x): return yaml.load(x, Loader=yaml.SafeLoader)", id="safe-loader"),
        pytest.param("import yaml\ndef f(x): return yaml.safe_load(x)", id="safe-load"),
        pytest.param("import yaml\nclass L(yaml.SafeLoader): pass\ndef f(x): return yaml.load(x, L)", id="own-loader"),
        pytest.param("import hashlib\ndef f(x): return hashlib.md5(x, usedforsecurity=False)", id="not-for-security"),
        pytest.param("import hashlib\ndef f(x): return hashlib.sha256(x)", id="sha256"),
        pytest.param("def f(ctx): return ctx.findroot(f, verify=False)", id="other-verify"),
        pytest.param("import json\ndef f(x): return json.loads(x)", id="json"),
        pytest.param("import tarfile\ndef f(p):\n with tarfile.open(p) as t:\n  t.extractall(filter='data')", id="tar-filter"),
        pytest.param("import zipfile\ndef f(p):\n with zipfile.ZipFile(p) as z:\n  z.extractall()", id="zip"),
        pytest.param("import subprocess\nif __name__ == '__main__':\n subprocess.run(['x'])", id="main-guard"),
        pytest.param("import subprocess\ndef f(): subprocess.run(['x'])", id="process-in-function"),
        pytest.param("'''eval(x), pickle.loads(x), os.system(x)'''\n# exec(y)", id="only-in-text"),
        pytest.param("from .pickle import loads\ndef f(x): return loads(x)", id="own-pickle-module"),
    ],
)  # fmt: skip
def test_a_safe_form_is_not_reported(package, source):
    assert rules(package, source) == set()


@pytest.mark.parametrize(
    "path", ["demo/tests/test_a.py", "tests/helper.py", "demo/conftest.py", "demo/a_test.py"]
)
def test_hits_in_tests_do_not_count_but_are_told(package, path):
    found = risk(package(sources={path: "def f(x): return eval(x)"}))
    assert not found.patterns
    assert found.only_in_tests == {"execute-computed": 1}


def test_hits_in_vendored_code_are_counted_apart(package):
    found = risk(package(sources={"demo/_vendor/x.py": "def f(x): return eval(x)"}))
    assert (found.patterns[0].count, found.patterns[0].vendored_count) == (0, 1)
    assert found.patterns[0].examples == ["demo/_vendor/x.py:1: def f(x): return eval(x)"]


def test_counts_are_exact_and_examples_few(package):
    found = risk(package(sources={"demo/a.py": "def f(x):\n" + " eval(x)\n" * 40}))
    assert found.patterns[0].count == 40
    assert len(found.patterns[0].examples) == EXAMPLES_PER_RULE
    assert found.patterns[0].examples[0] == "demo/a.py:2: eval(x)"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("print 'eval(x)'\nexec(x)", "Python 2", id="python-2"),
        pytest.param("def f(:\n eval(x)", "syntax error", id="syntax-error"),
        pytest.param(b"# coding: latin-9000\nexec(x)", "", id="unknown-encoding"),
        pytest.param(b"exec(x)\n\x00", "", id="null-byte"),
        pytest.param("exec(x)\n" + "(" * 4000, "", id="too-deep"),
        pytest.param("exec(x)\n" + "#" * (5 << 20), "too large", id="huge"),
    ],
)
def test_source_that_cannot_be_parsed_is_said_to_be_unchecked(package, source, reason):
    found = risk(package(sources={"demo/a.py": source}))
    assert not found.patterns
    assert reason in found.files_unparsed[0]
    assert "1 source files could not be parsed and were not checked" in found.unknowns


def test_a_truncated_archive_is_an_unknown(package):
    cut = package(sources={"demo/a.py": "x = 1"}, source_files_total=9)
    assert any("8 of 9 source files" in u for u in risk(cut).unknowns)


def test_a_damaged_archive_is_an_unknown(package):
    assert (
        "the source archive in the event is damaged"
        in risk(package(source_zip_b64="bm8gemlw")).unknowns
    )
