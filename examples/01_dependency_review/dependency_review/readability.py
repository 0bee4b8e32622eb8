"""Flesch's reading ease for English prose."""

from __future__ import annotations

import re

_COMMON = frozenset(
    [
        "the",
        "of",
        "and",
        "to",
        "a",
        "in",
        "is",
        "it",
        "you",
        "that",
        "for",
        "on",
        "are",
        "with",
        "as",
        "be",
        "this",
        "have",
        "from",
        "or",
        "by",
        "not",
        "but",
        "can",
        "if",
        "use",
    ],
)
MIN_COMMON_SHARE = 0.15
MIN_LETTERS_ASCII_SHARE = 0.9


def is_english(prose: str) -> bool:
    """Whether enough of the words are the commonest English ones."""
    words = re.findall(r"[^\W\d_]+", prose.lower())
    if not words:
        return False
    ascii_share = sum(w.isascii() for w in words) / len(words)
    return (
        ascii_share >= MIN_LETTERS_ASCII_SHARE
        and sum(w in _COMMON for w in words) / len(words) >= MIN_COMMON_SHARE
    )


def reading_ease(prose: str) -> float | None:
    """Flesch's formula: 100 is very easy, below 30 is hard; None without a whole sentence.

    Only paragraphs that hold a sentence count: lists of features are not prose.
    Source: Flesch, R. (1948), A new readability yardstick.
    """
    paragraphs = [p for p in re.split(r"\n\s*\n", prose) if re.search(r"[a-z][.!?](\s|$)", p)]
    text = " ".join(paragraphs)
    sentences = len(re.findall(r"[^\s.!?][.!?]+(?=\s|$)", text))
    words = re.findall(r"[A-Za-z][A-Za-z']*", text)
    if not sentences or not words:
        return None
    syllables = sum(_syllables(word.lower()) for word in words)
    ease = 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)
    return round(max(0.0, min(100.0, ease)), 1)


def _syllables(word: str) -> int:
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)
