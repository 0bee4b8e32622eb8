"""What installing it does to an environment beyond adding its package."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from dependency_review.package import Finding, Package, attention
from sqswarm import agent

# Commands that scripts and people expect from the system; a package that installs one replaces it
# on the path of an activated environment.
SYSTEM_COMMANDS = """
awk bash cat cc chmod chown cp curl cut date dd df diff docker du echo env find gcc git grep gzip
head id kill less ln ls make mkdir more mv nc node openssl passwd perl ping ps rm rmdir rsync scp
sed sh sleep sort ssh su sudo tail tar tee test top touch tr uname unzip vi vim wget which who
xargs zip
"""
# Import names that belong to everybody: two packages that ship one overwrite each other.
COMMON_NAMES = """
tests test docs doc examples example benchmarks scripts src utils tools data build dist conftest
setup
"""


class InstallationFinding(Finding):
    """Commands, start-up hooks, stray files, and where it came from."""

    commands: list[str] = []
    shadowed_commands: list[str] = []
    start_up_hooks: list[str] = []
    common_top_level_names: list[str] = []
    missing_files: int = 0
    direct_url: str | None = None


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def installation(package: Package) -> InstallationFinding:
    """Review what installing does: commands, start-up hooks, stray top-level names, origin."""
    if not package.installed:
        return InstallationFinding(unknowns=["not installed"])
    files = package.file_sizes or {}
    placed = [PurePosixPath(path) for path in files if path.startswith("..")]
    commands = {p.name for p in placed if p.parent.name in {"bin", "Scripts"}}
    commands |= set(package.console_scripts)
    shadowed = sorted(commands.intersection(SYSTEM_COMMANDS.split()))
    tops = {path.split("/")[0].removesuffix(".py") for path in files if path.endswith(".py")}
    common = sorted(tops.intersection(COMMON_NAMES.split()))
    # Source: the `site` module's documentation: lines that start with `import` are executed.
    hooks = [
        f"{path}: {line.strip()[:300]}"
        for path, text in package.start_up_files.items()
        for line in text.splitlines()
        if re.match(r"import[ \t]", line) and "/" not in path
    ]
    gone = [path for path, size in files.items() if size is None]
    url = package.direct_url or ""
    checks = {
        "editable hook" if url.startswith("file:") else "start-up hook": hooks,
        "system command": shadowed,
        "common name": common,
        "missing files": gone,
        "direct url": [url] if url else [],
    }
    return InstallationFinding(
        commands=sorted(commands),
        shadowed_commands=shadowed,
        start_up_hooks=hooks,
        common_top_level_names=common,
        missing_files=len(gone),
        direct_url=package.direct_url,
        attention=[
            attention(key, ", ".join(found[:5]), evidence=found[:5])
            for key, found in checks.items()
            if found
        ],
        unknowns=["the installer kept no file list"] if package.file_sizes is None else [],
    )
