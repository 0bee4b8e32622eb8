"""Assertions: what Claude was asked, what it was told by tools, and what that cost."""

from __future__ import annotations

from datetime import UTC, datetime

from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.pricing import Tokens, price_of
from sqswarm.testing.fake_claude.conversation import scenes_of
from sqswarm.testing.fake_claude.script import Script, correction, outputs, written
from sqswarm.testing.fake_claude.server import MessagesApi


class AskedClaude(MessagesApi):
    """What was played so far, for tests to look at; each assertion tells what there was instead."""

    def plays(self, script: str | JsonObject | Script) -> None:
        """Play this from now on: a conversation as text, or a script.

        Raises UsageError for what cannot be played.
        """
        if isinstance(script, str):
            script = {"scenes": scenes_of(script)}
        self.script = script if isinstance(script, Script) else Script.of(script)
        self.draw_anew()

    def forget(self) -> None:
        """Forget the script and what was asked."""
        self.script = Script()
        self.takes.clear()

    @property
    def asked(self) -> list[str]:
        """Return what users wrote, each once a conversation, in the order in which it came."""
        said = [
            (take.conversation, text)
            for take in self.takes
            for message in take.request.get("messages", ())
            if message["role"] == "user" and (text := written(message)) is not None
        ]
        return [text for _, text in dict.fromkeys(said)]

    @property
    def told(self) -> list[str]:
        """Return what tools have answered, each once, in the order in which it came."""
        found: dict[str, str] = {}
        for take in self.takes:
            found |= outputs(take.request.get("messages", ()))
        return list(found.values())

    @property
    def corrected(self) -> list[str]:
        """Return what agents have found wrong with answers, each once a conversation, in order."""
        found = [
            (take.conversation, n, text)
            for take in self.takes
            for n, message in enumerate(take.request.get("messages", ()))
            if (text := correction(message)) is not None
        ]
        return [text for _, _, text in dict.fromkeys(found)]

    @property
    def tokens(self) -> Tokens:
        """Return all tokens that were paid."""
        return sum((Tokens.of(take.usage) for take in self.paid), Tokens())

    @property
    def micro_dollars(self) -> int:
        """Return what all of it would cost today, by the public prices; unknown models are free."""
        day = datetime.now(UTC).date().isoformat()
        return sum(
            price.micro_usd(Tokens.of(take.usage))
            for take in self.paid
            if (price := price_of(take.model, day=day)) is not None
        )

    def assert_asked(self, words: str) -> None:
        """Assert that a user's message has these words."""
        if not any(words in one for one in self.asked):
            raise AssertionError(f"nobody asked {words!r}; asked was {self.asked!r}")

    def assert_told(self, words: str) -> None:
        """Assert that the output of a tool has these words."""
        if not any(words in one for one in self.told):
            raise AssertionError(f"no tool said {words!r}; they said {self.told!r}")

    def assert_corrected(self, words: str) -> None:
        """Assert that an answer was sent back to Claude with these words about what is wrong."""
        if not any(words in one for one in self.corrected):
            raise AssertionError(f"nothing was corrected for {words!r}; it was {self.corrected!r}")

    def assert_paid(
        self, *, turns: int | None = None, at_most_micro_dollars: int | None = None
    ) -> None:
        """Assert how many turns were paid, how much at most, and that none was paid twice."""
        if twice := self.repeated():
            raise AssertionError(f"paid more than once: {twice!r}")
        if turns is not None and len(self.paid) != turns:
            raise AssertionError(f"{len(self.paid)} turns were paid, not {turns}")
        if at_most_micro_dollars is not None and self.micro_dollars > at_most_micro_dollars:
            paid = f"{self.micro_dollars} micro-dollars"
            raise AssertionError(f"{paid} were paid, over {at_most_micro_dollars}")
