// Runs one session with the official TypeScript client 2.x, and prints what it saw as JSON: a line for
// all steps and, after it has read a line, another for the replaced server.
//
//     node client.mjs URL VERSION

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { WATCHED, session, received } from "./session.mjs";

const [url, version] = process.argv.slice(2);
const modern = version === "2026-07-28";

const client = new Client(
  { name: "mcp-operator-tests", version: "2" },
  {
    capabilities: { elicitation: {} },
    versionNegotiation: { mode: modern ? { pin: version } : "legacy" },
  },
);
client.setRequestHandler("elicitation/create", received.answer);
client.setNotificationHandler("notifications/message", ({ params }) =>
  received.logged.push(params.level),
);
client.setNotificationHandler("notifications/tools/list_changed", () => received.changed.send());
client.setNotificationHandler("notifications/resources/updated", () => received.updated.send());
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
if (!modern) await client.setLoggingLevel("debug");

// In sessions the client listens by itself, and reopens a lost stream.
const listen = modern
  ? () => client.listen({ toolsListChanged: true, resourceSubscriptions: [WATCHED] })
  : () => client.subscribeResource({ uri: WATCHED });

const call = (name, options) => client.callTool({ name, arguments: {} }, options);
await session(client, client.getNegotiatedProtocolVersion(), call, listen);
await client.close();
