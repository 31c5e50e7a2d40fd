// Runs one session with the official TypeScript client 2.x, and says in JSON what it saw: a line of
// all steps, then, after it has read a line, another of what it saw of a server that was replaced.
//
//     node client.mjs URL VERSION

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { WATCHED, session, told } from "./session.mjs";

const [url, version] = process.argv.slice(2);
const modern = version === "2026-07-28";

const client = new Client(
  { name: "mcp-operator-tests", version: "2" },
  {
    capabilities: { elicitation: {} },
    versionNegotiation: { mode: modern ? { pin: version } : "legacy" },
  },
);
client.setRequestHandler("elicitation/create", told.answer);
client.setNotificationHandler("notifications/message", ({ params }) =>
  told.logged.push(params.level),
);
client.setNotificationHandler("notifications/tools/list_changed", () => told.changed.send());
client.setNotificationHandler("notifications/resources/updated", () => told.updated.send());
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
if (!modern) await client.setLoggingLevel("debug");

// In sessions the client listens by itself, and opens a lost stream again.
const listen = modern
  ? () => client.listen({ toolsListChanged: true, resourceSubscriptions: [WATCHED] })
  : () => client.subscribeResource({ uri: WATCHED });

const call = (name, options) => client.callTool({ name, arguments: {} }, options);
await session(client, client.getNegotiatedProtocolVersion(), call, listen);
await client.close();
