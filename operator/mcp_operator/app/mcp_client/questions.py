"""Answers the questions of a server by asking the user at the terminal."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
from mcp.client.session import ClientRequestContext

from mcp_operator.app.mcp_client import terminal
from mcp_operator.app.mcp_client.forms import NO, YES, AnswerError, Question, questions
from mcp_operator.app.mcp_client.text import lines, note


class Asker:
    """The client's part of elicitation. It asks one question at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def __call__(
        self, _: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        """Ask the user what the server wants to know."""
        async with self._turn:
            for line in lines(params.message):
                note(f"The server asks: {line}")
            if not terminal.is_interactive():
                told = "the question of the server was not asked, because there is no terminal"
                return types.ErrorData(code=types.INVALID_REQUEST, message=told)
            if isinstance(params, types.ElicitRequestURLParams):
                return await self._visit(params.url)
            return await self._fill_in(params.requested_schema)

    async def _visit(self, url: str) -> types.ElicitResult:
        note(f"Open this page in a browser, if you trust it: {url}")
        agreed = await agreement("Have you opened it? (yes or no) ")
        return types.ElicitResult(action=_action(agreed=agreed))

    async def _fill_in(self, schema: dict[str, Any]) -> types.ElicitResult:
        note("Ctrl-D leaves the question without an answer.")
        agreed = await agreement("Do you want to answer? (yes or no) ")
        if not agreed:
            return types.ElicitResult(action=_action(agreed=agreed))
        content = {}
        for question in questions(schema):
            try:
                value = await _answer(question)
            except EOFError:
                return types.ElicitResult(action="cancel")
            if value is not None:
                content[question.name] = value
        return types.ElicitResult(action="accept", content=content)


async def agreement(question: str) -> bool | None:
    """Ask until the answer is yes or no; None if the input ends."""
    while (answer := await terminal.ask(question)) is not None:
        if answer.strip().lower() in YES | NO:
            return answer.strip().lower() in YES
    return None


def _action(*, agreed: bool | None) -> Any:
    return {True: "accept", False: "decline", None: "cancel"}[agreed]


async def _answer(question: Question) -> Any:
    """Ask until the answer is valid.

    Raises:
        EOFError: The input ended.
    """
    *before, last = question.lines()
    for line in before:
        note(line)
    while (answer := await terminal.ask(last)) is not None:
        try:
            return question.value(answer)
        except AnswerError as error:
            note(str(error))
    raise EOFError
