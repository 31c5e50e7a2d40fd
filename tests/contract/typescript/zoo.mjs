// Calls every tool of a server with the official TypeScript client: node zoo.mjs URL
// Says how each went, as one JSON object.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, version] = process.argv.slice(2);
const client = new Client(
  { name: "mcp-operator-tests", version: "1" },
  { versionNegotiation: { mode: version === "legacy" ? "legacy" : { pin: version } } },
);
await client.connect(new StreamableHTTPClientTransport(new URL(url)));

const went = {};
for (const tool of (await client.listTools()).tools) {
  try {
    const result = await client.callTool({ name: tool.name, arguments: {} });
    went[tool.name] = result.isError ? "failed" : "fine";
  } catch (error) {
    went[tool.name] = String(error);
  }
}
process.stdout.write(JSON.stringify(went));
await client.close();
