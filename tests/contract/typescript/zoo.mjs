// Calls every tool of a server with the official TypeScript client: node zoo.mjs URL
// Prints the outcome of each call, as one JSON object.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, version] = process.argv.slice(2);
const client = new Client(
  { name: "mcp-operator-tests", version: "1" },
  { versionNegotiation: { mode: version === "legacy" ? "legacy" : { pin: version } } },
);
await client.connect(new StreamableHTTPClientTransport(new URL(url)));

const outcomes = {};
for (const tool of (await client.listTools()).tools) {
  try {
    const result = await client.callTool({ name: tool.name, arguments: {} });
    outcomes[tool.name] = result.isError ? "failed" : "fine";
  } catch (error) {
    outcomes[tool.name] = String(error);
  }
}
process.stdout.write(JSON.stringify(outcomes));
await client.close();
