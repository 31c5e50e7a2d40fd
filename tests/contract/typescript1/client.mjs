// Runs one session with the official TypeScript client 1.x, and says in JSON what it saw: a line of
// all steps, then, after it has read a line, another of what it saw of a server that was replaced.
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
import { WATCHED, session, told } from "../typescript/session.mjs";

const [url] = process.argv.slice(2);

const client = new Client(
  { name: "mcp-operator-tests", version: "1" },
  { capabilities: { elicitation: {} } },
);
client.setRequestHandler(ElicitRequestSchema, told.answer);
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) =>
  told.logged.push(params.level),
);
client.setNotificationHandler(ToolListChangedNotificationSchema, () => told.changed.send());
client.setNotificationHandler(ResourceUpdatedNotificationSchema, () => told.updated.send());
const transport = new StreamableHTTPClientTransport(new URL(url));
await client.connect(transport);
await client.setLoggingLevel("debug");

const listen = () => client.subscribeResource({ uri: WATCHED });
const call = (name, options) => client.callTool({ name, arguments: {} }, undefined, options);
await session(client, transport.protocolVersion, call, listen);
await client.close();
