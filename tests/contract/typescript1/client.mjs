// Runs one session with the official TypeScript client 1.x, and prints what it saw as JSON: a line for
// all steps and, after it has read a line, another for the replaced server.
//
//     node client.mjs URL 2025-11-25

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { WATCHED, session, received } from "../typescript/session.mjs";

const [url] = process.argv.slice(2);

const client = new Client(
  { name: "mcp-operator-tests", version: "1" },
  { capabilities: { elicitation: {} } },
);
client.setRequestHandler(ElicitRequestSchema, received.answer);
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) =>
  received.logged.push(params.level),
);
client.setNotificationHandler(ToolListChangedNotificationSchema, () => received.changed.send());
client.setNotificationHandler(ResourceUpdatedNotificationSchema, () => received.updated.send());
const transport = new StreamableHTTPClientTransport(new URL(url));
await client.connect(transport);
await client.setLoggingLevel("debug");

const listen = () => client.subscribeResource({ uri: WATCHED });
const call = (name, options) => client.callTool({ name, arguments: {} }, undefined, options);
await session(client, transport.protocolVersion, call, listen);
await client.close();
