"""The risky patterns: what each looks like in a syntax tree, how bad it is and how sure we are.

A rule reports only what is risky by itself as written. Safe forms (`ast.literal_eval`, `eval`
of a literal, `usedforsecurity=False`, `yaml.load(..., Loader=SafeLoader)`) are not reported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import MappingProxyType
from typing import NamedTuple

from dependency_review.names import Names
from dependency_review.package import Confidence, Severity


class Rule(NamedTuple):
    """What a hit means to a reader."""

    severity: Severity
    title: str
    advice: str


RULES = MappingProxyType(
    {
        "decode-then-execute": Rule(
            "high",
            "executes code that it decodes first",
            "Read it: hidden code is the usual way to smuggle malware.",
        ),
        "network-at-import": Rule(
            "high",
            "opens a network connection when imported",
            "Read what it sends and whether you can switch it off.",
        ),
        "hidden-text": Rule(
            "high",
            "holds invisible characters that reorder the source as shown",
            "Look at the raw bytes: the code may do something else than it shows.",
        ),
        "tls-off": Rule(
            "high",
            "switches off the check of TLS certificates",
            "Make sure that your calls do not go this way.",
        ),
        "process-at-import": Rule(
            "medium", "starts a process when imported", "Read the command and why it needs one."
        ),
        "shell-command": Rule(
            "medium",
            "runs a shell command put together at run time",
            "Check that no text from outside reaches the command.",
        ),
        "execute-computed": Rule(
            "low",
            "runs computed text as code (eval, exec)",
            "Check that no text from outside reaches it.",
        ),
        "unpickle": Rule(
            "low",
            "loads pickled or marshalled objects, which can run code",
            "Give it only data that you wrote yourself.",
        ),
        "yaml-load": Rule(
            "medium",
            "loads YAML with a loader that can build any object",
            "Give it only files you trust.",
        ),
        "tar-extract": Rule(
            "medium",
            "unpacks a tar archive without a filter",
            "Do not let it unpack archives from others on Python below 3.14.",
        ),
        "temp-race": Rule(
            "medium",
            "uses tempfile.mktemp, whose name another process can take",
            "Matters on machines shared with others.",
        ),
        "fixed-temp-path": Rule(
            "low",
            "opens a fixed path in a shared temporary folder",
            "Matters on machines shared with others.",
        ),
        "weak-hash": Rule(
            "low",
            "uses MD5 or SHA-1 without saying that it is not for security",
            "Check what it protects; on FIPS systems it fails.",
        ),
        "native-load": Rule(
            "low", "loads a native library with ctypes", "Know which library, and from where."
        ),
    }
)


class Hit(NamedTuple):
    """One place where a rule applies."""

    rule: str
    line: int
    confidence: Confidence


PROCESS_CALLS = frozenset(
    {
        f"subprocess.{n}"
        for n in (
            "run",
            "call",
            "check_call",
            "check_output",
            "Popen",
            "getoutput",
            "getstatusoutput",
        )
    }
    | {"os.system", "os.popen", "pty.spawn", "os.posix_spawn"}
    | {
        f"os.{kind}{end}"
        for kind in ("exec", "spawn")
        for end in ("l", "le", "lp", "v", "ve", "vp")
    },
)
_SHELL_ALWAYS = frozenset(
    {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
)
_VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
NETWORK_CALLS = frozenset(
    {f"{lib}.{verb}" for lib in ("requests", "httpx") for verb in _VERBS}
    | {
        "urllib.request.urlopen",
        "urllib.request.urlretrieve",
        "urllib2.urlopen",
        "socket.create_connection",
        "smtplib.SMTP",
        "ftplib.FTP",
    },
)
_UNPICKLE = frozenset(
    {
        f"{lib}.{verb}"
        for lib in ("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal")
        for verb in ("load", "loads")
    }
    | {"shelve.open", "joblib.load", "pandas.read_pickle"},
)
_DECODERS = frozenset(
    {
        "base64.b64decode",
        "base64.b85decode",
        "base64.b32decode",
        "base64.a85decode",
        "base64.b16decode",
        "zlib.decompress",
        "gzip.decompress",
        "lzma.decompress",
        "bz2.decompress",
        "binascii.unhexlify",
        "binascii.a2b_base64",
        "codecs.decode",
        "bytes.fromhex",
        "marshal.loads",
    }
)
DECODING_MODULES = frozenset(name.partition(".")[0] for name in _DECODERS) - {"bytes"}
_WEAK = frozenset({"hashlib.md5", "hashlib.sha1"})
_UNSAFE_LOADERS = frozenset(
    {"yaml.Loader", "yaml.UnsafeLoader", "yaml.CLoader", "yaml.CUnsafeLoader"}
)
_NATIVE = frozenset(
    {
        "ctypes.CDLL",
        "ctypes.PyDLL",
        "ctypes.WinDLL",
        "ctypes.OleDLL",
        "ctypes.cdll.LoadLibrary",
        "ctypes.windll.LoadLibrary",
    }
)
# What the rule looks for, not what it uses.
_TEMP = ("/tmp/", "/var/tmp/")  # noqa: S108
_OPENERS = frozenset({"open", "io.open", "os.open", "os.mkdir", "os.makedirs", "codecs.open"})
# The word that must be in a file for any rule to apply: most files need no parsing at all.
TRIGGER = (
    rb"(?<![.\w])(?<!def )(eval|exec)\s*\(|\b(system|popen|mktemp|md5|sha1)\s*\(|"
    rb"\b(pickle|cPickle|marshal|"
    rb"shelve|dill|cloudpickle|joblib|read_pickle|subprocess|spawn\w*|exec[lv]\w*|allow_pickle|"
    rb"_create_unverified_context|ctypes|hashlib|urlopen|urlretrieve|create_connection|extractall|smtplib|"
    rb"ftplib)\b|\b(requests|httpx)\.(get|post|put|patch|delete|head|options|request)\s*\(|"
    rb"from (requests|httpx) import|\byaml\.|from yaml|verify\s*=\s*False|['\"]/(var/)?tmp/"
)


def check_call(  # noqa: C901, PLR0912 - one rule a branch
    call: ast.Call, names: Names, decoded: set[str]
) -> Iterator[Hit]:
    """Yield what is risky about one call. `decoded` names variables that hold decoded bytes."""
    name = names.resolve(call.func)
    if name is None:
        yield from _check_method(call, names)
        return
    first = call.args[0] if call.args else None
    keywords = {k.arg: k.value for k in call.keywords if k.arg}
    if name in {"eval", "exec"} and first is not None and not names.is_constant(first):
        hidden = _holds_decoding(first, names, decoded)
        yield Hit("decode-then-execute" if hidden else "execute-computed", call.lineno, "high")
    elif name in PROCESS_CALLS:
        shell = name in _SHELL_ALWAYS or _is(keywords.get("shell"), value=True)
        if shell and not names.is_constant(first or keywords.get("args")):
            yield Hit("shell-command", call.lineno, "high")
    elif (name in _UNPICKLE and not names.is_constant(first)) or (
        name == "numpy.load" and _is(keywords.get("allow_pickle"), value=True)
    ):
        yield Hit("unpickle", call.lineno, "high")
    elif name in {"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all"}:
        loader = keywords.get("Loader") or (call.args[1] if len(call.args) > 1 else None)
        if "unsafe" in name or (loader is not None and names.resolve(loader) in _UNSAFE_LOADERS):
            yield Hit("yaml-load", call.lineno, "high")
        elif loader is None and not any(k.arg is None for k in call.keywords):
            yield Hit("yaml-load", call.lineno, "medium")  # PyYAML 6 refuses it, older ones obey
    elif name == "tempfile.mktemp":
        yield Hit("temp-race", call.lineno, "certain")
    elif name in _NATIVE:
        yield Hit("native-load", call.lineno, "high")
    elif (
        name in _OPENERS and isinstance(first, ast.Constant) and str(first.value).startswith(_TEMP)
    ):
        yield Hit("fixed-temp-path", call.lineno, "high")
    elif name == "ssl._create_unverified_context" or (
        name.startswith(("requests.", "httpx.")) and _is(keywords.get("verify"), value=False)
    ):
        yield Hit("tls-off", call.lineno, "high")
    else:
        yield from _check_hash(name, call, keywords)


def _check_hash(name: str, call: ast.Call, keywords: dict[str, ast.expr]) -> Iterator[Hit]:
    if _is(keywords.get("usedforsecurity"), value=False) or any(
        k.arg is None for k in call.keywords
    ):
        return
    first = call.args[0] if call.args else None
    named = (
        name == "hashlib.new"
        and isinstance(first, ast.Constant)
        and str(first.value).lower() in {"md5", "sha1"}
    )
    if name in _WEAK or named:
        yield Hit("weak-hash", call.lineno, "medium")


def _check_method(call: ast.Call, names: Names) -> Iterator[Hit]:
    """Calls on objects whose type the source does not state: `session.get(url, verify=False)`."""
    if not isinstance(call.func, ast.Attribute):
        return
    keywords = {k.arg: k.value for k in call.keywords if k.arg}
    if call.func.attr in _VERBS and call.args and _is(keywords.get("verify"), value=False):
        yield Hit("tls-off", call.lineno, "medium")
    if call.func.attr == "extractall" and "filter" not in keywords:
        owner = call.func.value
        opened = isinstance(owner, ast.Call) and names.resolve(owner.func) in {
            "tarfile.open",
            "tarfile.TarFile",
        }
        if opened:
            yield Hit("tar-extract", call.lineno, "high")


def check_tar_block(block: ast.With, names: Names) -> Iterator[Hit]:
    """`with tarfile.open(p) as t: t.extractall(d)`, the usual form."""
    opened = {
        item.optional_vars.id
        for item in block.items
        if isinstance(item.optional_vars, ast.Name)
        and isinstance(item.context_expr, ast.Call)
        and names.resolve(item.context_expr.func) in {"tarfile.open", "tarfile.TarFile"}
    }
    for node in ast.walk(block) if opened else ():
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "extractall"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in opened
            and not any(k.arg in {"filter", None} for k in node.keywords)
        ):
            yield Hit("tar-extract", node.lineno, "high")


def is_decoding(node: ast.AST, names: Names) -> bool:
    """Whether an expression decodes or unpacks bytes."""
    return isinstance(node, ast.Call) and names.resolve(node.func) in _DECODERS


def _holds_decoding(node: ast.expr, names: Names, decoded: set[str]) -> bool:
    return any(
        is_decoding(part, names) or (isinstance(part, ast.Name) and part.id in decoded)
        for part in ast.walk(node)
    )


def _is(node: ast.expr | None, *, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
