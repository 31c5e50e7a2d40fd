// Uses a server with the official TypeScript client and says what it saw, one JSON value per line:
// first what was listed and called, then, after the server's tools changed, their new names.
//
//     node client.mjs URL legacy|2026-07-28

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, version] = process.argv.slice(2);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

let told;
const changed = new Promise((resolve) => {
  told = resolve;
});

const client = new Client(
  { name: "mcp-operator-tests", version: "1" },
  {
    versionNegotiation: { mode: version === "legacy" ? "legacy" : { pin: version } },
    listChanged: { tools: { onChanged: (error, tools) => told({ error, tools }) } },
  },
);
await client.connect(new StreamableHTTPClientTransport(new URL(url)));

const { tools } = await client.listTools();
const sum = await client.callTool({ name: "add_numbers", arguments: { a: 1, b: 2 } });
const regions = await client.callTool({ name: "list_regions", arguments: {} });
const wrong = await client.callTool({ name: "add_numbers", arguments: { a: "x" } });
const progress = [];
await client.callTool(
  { name: "test_tool_with_progress", arguments: {} },
  { onprogress: (told) => progress.push(told.progress) },
);
const prompt = await client.getPrompt({
  name: "test_prompt_with_arguments",
  arguments: { arg1: "x", arg2: "y" },
});
const { contents } = await client.readResource({ uri: "test://template/7/data" });
say({
  version: client.getNegotiatedProtocolVersion(),
  tools: tools.map((tool) => tool.name),
  sum: sum.structuredContent,
  regions: regions.structuredContent,
  wrong: wrong.isError,
  progress,
  prompt: prompt.messages[0].content.text,
  resource: contents[0].text,
});

const { error, tools: now } = await changed;
if (error) throw error;
say({ tools: now.map((tool) => tool.name) });
await client.close();
