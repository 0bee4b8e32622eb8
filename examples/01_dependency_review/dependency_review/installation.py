"""What installing it does to an environment beyond adding its package."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pydantic import Field

from dependency_review.package import Finding, Frozen, Package, is_metadata_path
from sqswarm import agent

# Commands that scripts and people expect from the system; a package that installs one replaces it
# on the path of an activated environment.
SYSTEM_COMMANDS = frozenset(
    [
        "awk",
        "bash",
        "cat",
        "cc",
        "chmod",
        "chown",
        "cp",
        "curl",
        "cut",
        "date",
        "dd",
        "df",
        "diff",
        "docker",
        "du",
        "echo",
        "env",
        "find",
        "gcc",
        "git",
        "grep",
        "gzip",
        "head",
        "id",
        "kill",
        "less",
        "ln",
        "ls",
        "make",
        "mkdir",
        "more",
        "mv",
        "nc",
        "node",
        "openssl",
        "passwd",
        "perl",
        "ping",
        "ps",
        "rm",
        "rmdir",
        "rsync",
        "scp",
        "sed",
        "sh",
        "sleep",
        "sort",
        "ssh",
        "su",
        "sudo",
        "tail",
        "tar",
        "tee",
        "test",
        "top",
        "touch",
        "tr",
        "uname",
        "unzip",
        "vi",
        "vim",
        "wget",
        "which",
        "who",
        "xargs",
        "zip",
    ],
)
# Import names that belong to everybody: two packages that ship one overwrite each other.
COMMON_NAMES = frozenset(
    [
        "tests",
        "test",
        "docs",
        "doc",
        "examples",
        "example",
        "benchmarks",
        "scripts",
        "src",
        "utils",
        "tools",
        "data",
        "build",
        "dist",
        "conftest",
        "setup",
    ],
)
IMPORTING_LINE = re.compile(r"^import[ \t]")


class StartUpHook(Frozen):
    """A `.pth` line that Python runs at every start, whether or not the package is imported."""

    path: str
    code: str


class InstallationFinding(Finding):
    """Commands, start-up hooks, stray files, and where it came from."""

    console_scripts: list[str] = Field(default_factory=list)
    shadowed_commands: list[str] = Field(default_factory=list)
    plugin_groups: list[str] = Field(default_factory=list)
    start_up_hooks: list[StartUpHook] = Field(default_factory=list)
    common_top_level_names: list[str] = Field(default_factory=list)
    missing_files: int = 0
    direct_url: str | None = None
    editable_or_local: bool = False
    installer: str | None = None
    built_by: str | None = None
    wheel_tags: list[str] = Field(default_factory=list)


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def installation(package: Package) -> InstallationFinding:
    """Review what installing does: commands, start-up hooks, stray top-level names, origin.

    A start-up hook is code that Python runs at every start, even when nothing imports the package.
    """
    return find_installation(package)


def find_installation(package: Package) -> InstallationFinding:
    """Read entry points, the file list, `.pth` files and the installer's records."""
    if not package.installed:
        return InstallationFinding(unknowns=["not installed"])
    scripts = sorted(
        {e.name for e in package.entry_points if e.group in {"console_scripts", "gui_scripts"}}
        | _placed_scripts(package)
    )
    unknowns = []
    if package.files is None:
        unknowns.append("the installer kept no file list")
    if not package.wheel:
        unknowns.append("no wheel record: what built it is unknown")
    return InstallationFinding(
        console_scripts=scripts,
        shadowed_commands=sorted(SYSTEM_COMMANDS.intersection(scripts)),
        plugin_groups=sorted(
            {e.group for e in package.entry_points} - {"console_scripts", "gui_scripts"}
        ),
        start_up_hooks=_hooks(package),
        common_top_level_names=_common_names(package),
        missing_files=sum(f.size_bytes is None for f in package.files or []),
        direct_url=package.direct_url,
        editable_or_local=(package.direct_url or "").startswith("file:"),
        installer=package.installer,
        built_by=next(iter(package.wheel.get("generator", [])), None),
        wheel_tags=package.wheel.get("tag", [])[:5],
        unknowns=unknowns,
    )


def _placed_scripts(package: Package) -> set[str]:
    """Names of files put straight into the environment's `bin`."""
    return {
        PurePosixPath(f.path).name
        for f in package.files or []
        if f.path.startswith("..") and PurePosixPath(f.path).parent.name in {"bin", "Scripts"}
    }


def _hooks(package: Package) -> list[StartUpHook]:
    # Source: the `site` module's documentation: lines starting with `import` are executed.
    return [
        StartUpHook(path=file.path, code=line.strip()[:300])
        for file in package.start_up_files
        if "/" not in file.path
        for line in file.text.splitlines()
        if IMPORTING_LINE.match(line)
    ]


def _common_names(package: Package) -> list[str]:
    names = set()
    for file in package.files or []:
        first, _, rest = file.path.partition("/")
        if is_metadata_path(file.path) or not file.path.endswith(".py"):
            continue
        names.add(first if rest else first.removesuffix(".py"))
    return sorted(COMMON_NAMES & names)
