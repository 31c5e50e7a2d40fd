// Uses a server that requires a login, with the official TypeScript client: node login.mjs URL CALLBACK
// Prints the URL for the browser, reads the URL where it arrived, and prints the names of the prompts.

import { createInterface } from "node:readline/promises";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, callback] = process.argv.slice(2);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const kept = {};

const auth = {
  redirectUrl: callback,
  clientMetadata: { redirect_uris: [callback], token_endpoint_auth_method: "none" },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => {
    kept.client = client;
  },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => {
    kept.tokens = tokens;
  },
  saveCodeVerifier: (verifier) => {
    kept.verifier = verifier;
  },
  codeVerifier: () => kept.verifier,
  state: () => "state-of-the-test",
  redirectToAuthorization: (where) => say(where),
};
const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: auth });
const client = () => new Client({ name: "mcp-operator-tests", version: "1" });

const first = transport();
try {
  await client().connect(first);
  throw new Error("the server did not require a login");
} catch (error) {
  if (error.name !== "UnauthorizedError") throw error;
}
const arrived = await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next();
await first.finishAuth(new URL(arrived.value).searchParams);

const logged = client();
await logged.connect(transport());
const { prompts } = await logged.listPrompts();
say(prompts.map((prompt) => prompt.name));
await logged.close();
process.exit(0);
