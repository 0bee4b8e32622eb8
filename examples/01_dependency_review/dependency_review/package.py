"""What travels to the agents, and what comes back.

A function in the cloud cannot read the caller's disk, so the event carries everything that
the agents look at: metadata headers, README, file list, licence texts and the Python source.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dependency_review.advice import ADVICE


class Package(BaseModel):
    """One installed Python distribution. Paths are as the installer recorded them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str | None = None
    installed: bool = True
    headers: dict[str, list[str]] = {}
    readme: str = ""
    file_sizes: dict[str, int | None] | None = None  # a size is None where the file is gone
    console_scripts: list[str] = []
    licence_files: dict[str, str] = {}
    start_up_files: dict[str, str] = {}
    direct_url: str | None = None
    source_zip_b64: str = ""
    source_files_total: int = 0
    source_files_included: int = 0
    # What only the caller can see: the interpreter and the other distributions.
    python_version: str = ""
    collected_on: date | None = None
    required_by: list[str] = []
    missing: list[str] = []
    cycle: list[str] = []

    def header(self, name: str) -> str | None:
        """The header's first value; None when absent, empty or 'UNKNOWN' (old setuptools)."""
        return next((v for v in self.header_all(name)[:1] if v != "UNKNOWN"), None)

    def header_all(self, name: str) -> list[str]:
        """Every value of a header that may repeat, without empty ones."""
        return [v.strip() for v in self.headers.get(name, []) if v.strip()]


class Attention(BaseModel):
    """One thing to look at: what, why it matters, the proof, and what to do."""

    severity: Literal["high", "medium", "low"]
    title: str
    why: str
    evidence: list[str] = []
    what_to_do: str


def attention(key: str, *values: Any, evidence: list[str] | None = None) -> Attention:
    """Take the words from the table in advice.py; `values` fill the braces of its title."""
    severity, title, why, what_to_do = ADVICE[key]
    text = title.format(*values).strip()
    return Attention(
        severity=severity,
        title=text[0].upper() + text[1:],
        why=why,
        evidence=evidence or [],
        what_to_do=what_to_do,
    )


class Finding(BaseModel):
    """What one agent found: what deserves attention, and in words what it could not know."""

    attention: list[Attention] = []
    unknowns: list[str] = []
