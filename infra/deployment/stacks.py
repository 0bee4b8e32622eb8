"""Stacks: the stage's own one, and further ones with the agents for which it has no room.

Each of those stands by itself, refers to what is shared by its name, and holds nothing but agents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from sqswarm.infra.deployment.stack import Stack, StackResource, Watch
from sqswarm.schemas.errors import DeployFailed

Request = Mapping[str, Any]
"""What CloudFormation is told of a template and its parameters."""


class Stacks:
    """The stacks of one stage, driven one after another."""

    def __init__(self, first: Stack, make: Callable[[str], Stack]) -> None:
        """Drive the stack `first` and those that `make` returns for a name."""
        self.first = first
        self._make = make

    def further(self, number: int) -> Stack:
        """Return the stage's stack of a number, from 2. No stage is named in capitals."""
        return self._make(f"{self.first.name}-Agents{number}")

    def standing(self) -> Iterator[Stack]:
        """Yield the further stacks that are there."""
        number = 2
        while (stack := self.further(number)).status() is not None:
            yield stack
            number += 1

    def resources(self) -> dict[str, StackResource]:
        """Return the living resources of all stacks by logical id, which no two have in common."""
        found = self.first.resources()
        for stack in self.standing():
            found |= stack.resources()
        return found

    def update_further(self, requests: Sequence[Request], watch: Watch) -> None:
        """Make the further stacks what is requested, and delete those beyond.

        Raises DeployFailed naming each resource that failed.
        """
        for number, request in enumerate(requests, 2):
            stack = self.further(number)
            if stack.prepare(watch):
                stack.update(watch, **request)
            else:
                stack.create(watch, **request)
        number = len(requests) + 2
        while (stack := self.further(number)).status() is not None:
            stack.delete(watch)
            number += 1

    def roll_back(self, first: Request, further: Sequence[Request], watch: Watch) -> bool:
        """Take all stacks back to what they were; return whether they are."""
        with suppress(DeployFailed, ClientError):
            self.first.update(watch, **first)
            self.update_further(further, watch)
            return True
        return False

    def delete(self, watch: Watch) -> None:
        """Delete every stack, the first one last; raises DeployFailed for what could not be."""
        for stack in (*self.standing(), self.first):
            stack.delete(watch)
