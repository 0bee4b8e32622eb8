"""The risky patterns of one module: what a call looks like, and what runs at import.

A rule reports only what is risky by itself as written. Safe forms (`ast.literal_eval`, `eval`
of a literal, `usedforsecurity=False`, `yaml.load(..., Loader=SafeLoader)`) are not reported.
"""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath
from typing import NamedTuple

from dependency_review.names import Names


def _calls(modules: str, verbs: str) -> frozenset[str]:
    return frozenset(f"{m}.{v}" for m in modules.split() for v in verbs.split())


_VERBS = "get post put patch delete head options request"
_SHELLS = _calls("os", "system popen") | _calls("subprocess", "getoutput getstatusoutput")
_PROCESSES = (
    _SHELLS
    | _calls("subprocess", "run call check_call check_output Popen")
    | _calls("os", "posix_spawn execl execle execlp execv execve execvp")
    | _calls("os", "spawnl spawnle spawnlp spawnv spawnve spawnvp")
    | {"pty.spawn"}
)
_NETWORK = _calls("requests httpx", _VERBS) | {
    *("urllib.request.urlopen", "urllib.request.urlretrieve", "urllib2.urlopen"),
    *("socket.create_connection", "smtplib.SMTP", "ftplib.FTP"),
}
_UNPICKLE = _calls("pickle cPickle _pickle dill cloudpickle marshal", "load loads") | {
    *("shelve.open", "joblib.load", "pandas.read_pickle"),
}
_DECODERS = (
    _calls("base64", "b64decode b85decode b32decode a85decode b16decode")
    | _calls("zlib gzip lzma bz2", "decompress")
    | {"binascii.unhexlify", "binascii.a2b_base64", "codecs.decode", "bytes.fromhex"}
    | {"marshal.loads"}
)
_YAML = _calls("yaml", "load load_all unsafe_load unsafe_load_all")
_UNSAFE_LOADERS = _calls("yaml", "Loader UnsafeLoader CLoader CUnsafeLoader")
_NATIVE = _calls("ctypes", "CDLL PyDLL WinDLL OleDLL cdll.LoadLibrary windll.LoadLibrary")
_OPENERS = _calls("io os codecs", "open") | {"open", "os.mkdir", "os.makedirs"}
_TAR = _calls("tarfile", "open TarFile")
# What the rule looks for, not what it uses.
_TEMP = ("/tmp/", "/var/tmp/")  # noqa: S108
# Without one of these words no rule applies: most files need no parsing at all.
_TRIGGER = re.compile(
    rb"(?<![.\w])(?<!def )(eval|exec)\s*\(|\b(system|popen|mktemp|md5|sha1)\s*\(|"
    rb"\b(c?[pP]ickle|marshal|shelve|dill|cloudpickle|joblib|read_pickle|allow_pickle|subprocess|"
    rb"spawn\w*|exec[lv]\w*|_create_unverified_context|ctypes|hashlib|urlopen|urlretrieve|"
    rb"create_connection|extractall|smtplib|ftplib|requests|httpx|yaml)\b|verify\s*=\s*False|"
    rb"['\"]/(var/)?tmp/"
)
# Bidirectional overrides. Source: CVE-2021-42574, 'Trojan Source'.
_BIDI = re.compile(rb"\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
# Programs, not modules that something imports.
_SCRIPTS = frozenset({"__main__.py", "setup.py", "conftest.py"})


class Hit(NamedTuple):
    """One place where a rule applies."""

    line: int
    rule: str


def needs_scan(content: bytes) -> bool:
    """Whether any rule could apply: a cheap test that spares most files the parser."""
    return bool(_TRIGGER.search(content))


def hidden_text(content: bytes) -> list[Hit]:
    """Lines with characters that make an editor show another order than Python reads."""
    if content.isascii() or not _BIDI.search(content):
        return []
    lines = enumerate(content.split(b"\n"), 1)
    return [Hit(number, "hidden-text") for number, line in lines if _BIDI.search(line)]


def scan(tree: ast.Module, path: str) -> list[Hit]:
    """Every hit in a module, in the order of lines."""
    found = _Scan(Names(tree), is_script=PurePosixPath(path).name in _SCRIPTS)
    found.visit(tree)
    indirect = {Hit(n, found.starts[f]) for f, n in found.called_at_import if f in found.starts}
    return sorted(found.hits | indirect)


class _Scan(ast.NodeVisitor):
    def __init__(self, names: Names, *, is_script: bool) -> None:
        self.hits: set[Hit] = set()
        # What module-level code calls, and which functions start a process or a connection.
        self.called_at_import: list[tuple[str, int]] = []
        self.starts: dict[str, str] = {}
        self._resolve, self._is_constant = names.resolve, names.is_constant
        self._is_script = is_script
        self._functions: list[str] = []
        self._decoded: list[set[str]] = [set()]
        self._archives: set[str] = set()

    def _enter(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self._functions.append(getattr(node, "name", "<lambda>"))
        self._decoded.append(set())
        self.generic_visit(node)
        self._decoded.pop()
        self._functions.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _enter  # noqa: N815

    def visit_If(self, node: ast.If) -> None:
        names = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
        if names & {"__name__", "TYPE_CHECKING"}:
            # Users of the package never run what is under `if __name__ == "__main__"`.
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        self._archives |= {
            item.optional_vars.id
            for item in node.items
            if isinstance(item.optional_vars, ast.Name) and self._is_call(item.context_expr, _TAR)
        }
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(self._is_call(part, _DECODERS) for part in ast.walk(node.value)):
            self._decoded[-1].update(t.id for t in node.targets if isinstance(t, ast.Name))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = self._resolve(node.func)
        rule = self._rule(name, node) if name else self._method_rule(node)
        if rule:
            self.hits.add(Hit(node.lineno, rule))
        network = "network-at-import" if name in _NETWORK else ""
        starts = "process-at-import" if name in _PROCESSES else network
        if self._functions:
            if starts and len(self._functions) == 1:
                self.starts.setdefault(self._functions[0], starts)
        elif not self._is_script:
            if starts:
                self.hits.add(Hit(node.lineno, starts))
            if isinstance(node.func, ast.Name):
                self.called_at_import.append((node.func.id, node.lineno))
        self.generic_visit(node)

    def _rule(self, name: str, call: ast.Call) -> str | None:
        first = call.args[0] if call.args else None
        given = {k.arg: k.value for k in call.keywords}
        text = str(first.value) if isinstance(first, ast.Constant) else ""
        if name in {"eval", "exec"} and not self._is_constant(first):
            return "decode-then-execute" if self._decodes(first) else "execute-computed"
        if name in _SHELLS or (name in _PROCESSES and _is(given.get("shell"), value=True)):
            fixed = self._is_constant(first or given.get("args"))
            return None if fixed else "shell-command"
        if name in _UNPICKLE and not self._is_constant(first):
            return "unpickle"
        if name in _YAML:
            return self._yaml_rule(name, call, given)
        weak = name in {"hashlib.md5", "hashlib.sha1"}
        weak = weak or (name == "hashlib.new" and text.lower() in {"md5", "sha1"})
        rules = {
            "unpickle": name == "numpy.load" and _is(given.get("allow_pickle"), value=True),
            "temp-race": name == "tempfile.mktemp",
            "native-load": name in _NATIVE,
            "fixed-temp-path": name in _OPENERS and text.startswith(_TEMP),
            "tls-off": name == "ssl._create_unverified_context"
            or (name.startswith(("requests.", "httpx.")) and _is(given.get("verify"), value=False)),
            # `**kwargs` may say that it is not for security.
            "weak-hash": weak
            and None not in given
            and not _is(given.get("usedforsecurity"), value=False),
        }
        return next((rule for rule, applies in rules.items() if applies), None)

    def _yaml_rule(
        self, name: str, call: ast.Call, given: dict[str | None, ast.expr]
    ) -> str | None:
        loader = given.get("Loader") or (call.args[1] if len(call.args) > 1 else None)
        # PyYAML 6 refuses to load without a loader, older ones obey.
        unsafe = None not in given if loader is None else self._resolve(loader) in _UNSAFE_LOADERS
        return "yaml-load" if "unsafe" in name or unsafe else None

    def _method_rule(self, call: ast.Call) -> str | None:
        """Judge calls on objects of no stated type: `session.get(..., verify=False)`."""
        if not isinstance(call.func, ast.Attribute):
            return None
        given, owner = {k.arg: k.value for k in call.keywords}, call.func.value
        if call.func.attr in _VERBS.split() and call.args and _is(given.get("verify"), value=False):
            return "tls-off"
        is_tar = self._is_call(owner, _TAR) or getattr(owner, "id", None) in self._archives
        if call.func.attr == "extractall" and is_tar and not given.keys() & {"filter", None}:
            return "tar-extract"
        return None

    def _decodes(self, node: ast.AST | None) -> bool:
        return any(
            self._is_call(part, _DECODERS) or getattr(part, "id", None) in self._decoded[-1]
            for part in (ast.walk(node) if node else ())
        )

    def _is_call(self, node: ast.AST, names: frozenset[str]) -> bool:
        return isinstance(node, ast.Call) and self._resolve(node.func) in names


def _is(node: ast.expr | None, *, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
