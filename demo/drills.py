"""Faults on purpose: each fault, how users and operators see it, and the recovery."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from mcp import Client
from mcp.types import CallToolResult, TextContent

from cluster_environment import SERVER
from drill_environment import CREDENTIAL, TOOL, WAREHOUSE, DrillEnvironment
from environment import until
from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import SERVICES
from mcp_operator.core.meta import Object, Resource
from narrator import Narrator, cut
from story import EDITED, expect, tools_of
from support.scrapes import Scrape, alerts, rules


class Drills:
    """Causes faults, and shows conditions, metrics, alerts, logs and the client's view."""

    def __init__(
        self,
        environment: DrillEnvironment,
        narrator: Narrator,
        client: Client,
        promtool: Path | None,
    ) -> None:
        self._environment = environment
        self._narrator = narrator
        self._client = client
        self._promtool = promtool
        self._wrong = ""
        self._began = ""

    async def run(self) -> None:
        """Run all drills, once the server is healthy."""
        await self._until(self._serves, "the server is not whole to begin with")
        await self.backend_slow()
        await self.service_deleted()
        await self.bad_tool()
        await self.secret_leaked()
        await self.redis_gone()
        await self.operator_killed()

    async def backend_slow(self) -> None:
        """Make the backend stop responding."""
        backend = self._environment.backend
        async with self._narrator.scene(
            "A backend stops answering",
            "Its calls end after the tool's timeout; every other tool works.",
            "The limit is the tool's own, two seconds here. The model gets a text that it can "
            "act on, and a slow backend takes up none of the others' connections.",
        ):
            before = await self._begin()
            backend.silent = True
            begun = await self._environment.scrape()
            self._client_sees(await self._call(TOOL), failed=True)
            self._client_sees(await self._answered(EDITED), failed=False)
            await self._log("A call to a backend failed")
            await self._alerts("MCPToolFailing", before, begun)
            backend.silent = False
            await self._heal("The backend answers again", self._serves)

    async def service_deleted(self) -> None:
        """Delete the Service of a tool."""
        async with self._narrator.scene(
            "A Service is deleted",
            "Its tool says so, the server serves the rest.",
            "A tool that cannot work is not offered to a model. Clients are told that the list "
            "has changed.",
        ):
            before = await self._begin()
            await self._environment.delete(SERVICES, WAREHOUSE)
            await self._told(MCPTOOLS, TOOL, "ResolvedRefs", "False")
            await self._told(MCPSERVERS, SERVER, "Degraded", "True")
            await self._listed(TOOL, present=False)
            await self._alerts("MCPServerDegraded", before)
            await self._environment.client.apply(SERVICES, self._environment.service())
            await self._heal("The Service is back", self._serves)

    async def bad_tool(self) -> None:
        """Create a tool whose name is already used."""
        name = "check-stock-again"
        async with self._narrator.scene(
            "Somebody declares a tool whose name is taken",
            "The older one wins; the newer one says what is wrong with it.",
            "What the API server can check it refuses at once. A name that another object has is "
            "known to the operator only, so the object tells it in its conditions.",
        ):
            before = await self._begin()
            tool = self._environment.tool(name)
            tool["spec"]["name"] = TOOL
            await self._environment.client.apply(MCPTOOLS, tool)
            await self._told(MCPTOOLS, name, "Accepted", "False")
            await self._told(MCPSERVERS, SERVER, "Degraded", "True")
            self._client_sees(await self._answered(TOOL), failed=False)
            await self._alerts("MCPServerDegraded", before)
            await self._environment.delete(MCPTOOLS, name)
            await self._heal("The tool is deleted", self._serves)

    async def secret_leaked(self) -> None:
        """Make the backend repeat the credential that it received."""
        backend = self._environment.backend
        async with self._narrator.scene(
            "A backend repeats the credential that it was sent",
            "The client sees [redacted]; the log, the catalog and the metrics have none of it.",
            "Models repeat what they read. The gateway knows which Secrets it sends, and cuts them "
            "out of the answers.",
        ):
            backend.repeats = True
            result = await self._answered(TOOL)
            backend.repeats = False
            self._client_sees(result, failed=False)
            text = result.model_dump_json()
            expect("[redacted]" in text, "the answer has no [redacted]")
            places = {"the answer": text, **await self._environment.readable()}
            for place, content in places.items():
                expect(CREDENTIAL not in content, f"the credential is in {place}")
            self._narrator.say(f"looked through: {', '.join(sorted(places))}")

    async def redis_gone(self) -> None:
        """Kill the Redis of the server."""
        async with self._narrator.scene(
            "Redis is killed",
            "Calls go on; each pod takes its share of the limits.",
            "The limits of this server are counted in Redis. With failureMode Closed the calls "
            "would be refused; Open is the default.",
        ):
            await self._until(self._environment.redis_answers, "the gateway has no Redis")
            before = await self._begin()
            self._environment.redis.kill()
            self._client_sees(await self._answered(EDITED), failed=False)
            await self._told(MCPSERVERS, SERVER, "Degraded", "True")
            await self._log("Redis is unavailable")
            await self._alerts("MCPGatewayRedisDown", before)
            await self._environment.redis.start()
            await self._heal("Redis runs again", self._serves)

    async def operator_killed(self) -> None:
        """Kill the operator, as an OOM killer would."""
        environment = self._environment
        async with self._narrator.scene(
            "The operator is killed",
            "Clients notice nothing. Changes wait until there is a leader again.",
            "The gateway needs the operator for nothing while it serves. The next operator waits "
            "until the Lease of the killed one has run out: 6 s here, 15 s by default.",
        ):
            before = await self._begin()
            environment.operator.process.kill()
            environment.operator.process.wait()
            text = "Finds things, said while nobody was there."
            await environment.describe_tool(EDITED, text)
            self._client_sees(await self._answered(EDITED), failed=False)
            await self._alerts("MCPOperatorDown", before)
            await environment.run_operator()

            async def described() -> bool:
                return (await tools_of(self._client))[EDITED].description == text

            await self._heal("The operator runs again, and the edit takes effect", described)

    async def _begin(self) -> Scrape:
        """Record the start of a drill, and return the metrics before it."""
        self._began = datetime.now(UTC).isoformat()
        return await self._environment.scrape()

    async def _until(self, holds: Callable[[], Awaitable[bool]], complaint: str) -> None:
        expect(await until(holds), f"{complaint}; last seen: {self._wrong or 'nothing'}")

    async def _call(self, tool: str) -> CallToolResult:
        return await self._client.call_tool(tool, {})

    async def _answered(self, tool: str) -> CallToolResult:
        """Call a tool that works. On a busy machine, the first call can run into its timeout."""
        results: list[CallToolResult] = []

        async def works() -> bool:
            results.append(await self._call(tool))
            if not results[-1].is_error:
                return True
            self._wrong = f"{tool} is answered {results[-1].content}"
            self._narrator.say(f"client     {tool} did not answer in time, and is called again")
            return False

        await self._until(works, f"{tool} does not work")
        return results[-1]

    def _client_sees(self, result: CallToolResult, *, failed: bool) -> None:
        content = result.content[0]
        text = content.text if isinstance(content, TextContent) else content.type
        expect(bool(result.is_error) == failed, f"unexpected answer: {text}")
        self._narrator.say(f"client     {cut(text)}")

    async def _told(self, resource: Resource, name: str, type_: str, status: str) -> None:
        """Wait until an object has this condition, and show it as `kubectl describe` does."""
        condition = await self._environment.until_condition(resource, name, type_, status)
        self._narrator.say(
            f"condition  {resource.kind}/{name}  {type_}={status}  {condition['reason']}\n"
            f"           {cut(condition['message'])}"
        )

    async def _listed(self, tool: str, *, present: bool) -> None:
        async def holds() -> bool:
            return (tool in await tools_of(self._client)) == present

        await self._until(holds, f"{tool} is {'not ' if present else ''}listed")
        self._narrator.say(f"client     {tool} is {'' if present else 'not '}listed")

    async def _log(self, message: str) -> None:
        """Show the log line with this message since the drill began."""
        found: Object = {}

        async def holds() -> bool:
            found.update(self._environment.logged(message, self._began))
            return bool(found)

        await self._until(holds, f"no log says {message!r}")
        skipped = ("timestamp", "level", "logger", "message")
        fields = [f"{key}={value}" for key, value in found.items() if key not in skipped]
        self._narrator.say(f"log        {cut(' '.join([found['level'], message, *fields]))}")

    async def _alerts(self, alert: str, before: Scrape, begun: Scrape | None = None) -> None:
        """Show the series that an alert reads, and check that it fires if the fault persists."""
        during = await self._environment.scrape()
        rule = next(one for one in rules() if one["alert"] == alert)
        for name, point in sorted(during.items()):
            if point != before.get(name) and selects(rule["expr"], name):
                self._narrator.say(f"metric     {name} {point.value:g}")
        severity = rule["labels"]["severity"]
        if self._promtool is None:
            self._narrator.say(f"alert      {alert} ({severity}) is for this; there is no promtool")
            return
        fired = alerts(self._promtool, before, begun or before, during)
        expect(alert in fired, f"{alert} would not fire, but {sorted(fired)}")
        self._narrator.say(f"alert      {alert} ({severity}) fires after {rule['for']} of this")

    async def _heal(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until everything works again."""
        started = time.monotonic()
        await self._until(holds, f"{what}, and it did not recover")
        self._narrator.say(
            f"healed     {what}: all is well after {time.monotonic() - started:.1f} s"
        )

    async def _serves(self) -> bool:
        """Return whether the second backend's tool works and the server is not Degraded."""
        whole = await self._environment.condition(MCPSERVERS, SERVER, "Degraded")
        self._wrong = f"Degraded is {whole.get('status')}: {whole.get('message')}"
        if whole.get("status") != "False" or TOOL not in await tools_of(self._client):
            return False
        result = await self._call(TOOL)
        self._wrong = f"{TOOL} is answered {result.content}"
        return not result.is_error


def selects(query: str, series: str) -> bool:
    """Return whether a rule's query reads a series, based on its name and its labels."""
    name, _, labels = series.partition("{")
    if name not in re.findall(r"\w+", query):
        return False
    wanted: dict[str, set[str]] = {}
    for label, value in re.findall(r'(\w+)="([^"]*)"', query):
        wanted.setdefault(label, set()).add(value)
    has = dict(re.findall(r'(\w+)="([^"]*)"', labels))
    return all(has[label] in values for label, values in wanted.items() if label in has)
