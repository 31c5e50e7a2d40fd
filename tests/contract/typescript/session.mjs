// The steps of a session, for both generations of the official TypeScript client.

import { createInterface } from "node:readline/promises";

export const WATCHED = "test://watched-resource";

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** An event that can happen several times, and that can be awaited. */
export class Signal {
  #happened = false;
  #wake = () => {};

  send() {
    this.#happened = true;
    this.#wake();
  }

  clear() {
    this.#happened = false;
  }

  /** Waits for the event; resolves to false after a timeout. */
  within(ms) {
    if (this.#happened) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

/** The notifications and requests that the client received during its calls. */
export const received = {
  asked: [],
  logged: [],
  waiting: new Signal(),
  changed: new Signal(),
  updated: new Signal(),
  answer({ params }) {
    received.asked.push(params.message);
    return { action: "accept", content: { username: "brendan", email: "brendan@example.com" } };
  },
};

const names = async (client) => (await client.listTools()).tools.map((tool) => tool.name);

const add = (client) => client.callTool({ name: "add_numbers", arguments: { a: 1, b: 2 } });

async function used(client, call) {
  const sum = await add(client);
  const regions = await client.callTool({ name: "list_regions", arguments: {} });
  const wrong = await client.callTool({ name: "add_numbers", arguments: { a: "x" } });
  const progress = [];
  await call("test_tool_with_progress", { onprogress: (said) => progress.push(said.progress) });
  await client.callTool({ name: "test_tool_with_logging", arguments: {} });
  const question = { name: "test_elicitation", arguments: { message: "Who are you?" } };
  const elicited = await client.callTool(question);
  const prompt = await client.getPrompt({
    name: "test_prompt_with_arguments",
    arguments: { arg1: "x", arg2: "y" },
  });
  const { contents } = await client.readResource({ uri: "test://template/7/data" });
  return {
    tools: await names(client),
    sum: sum.structuredContent,
    regions: regions.structuredContent,
    wrong: wrong.isError,
    progress,
    logged: received.logged,
    asked: received.asked,
    elicited: elicited.content[0].text,
    prompt: prompt.messages[0].content.text,
    resource: contents[0].text,
  };
}

/** Cancels a call, and returns what the server reports about it. */
async function cancelled(client, call) {
  const stop = new AbortController();
  const onprogress = ({ message }) => message === "waiting" && stop.abort("enough");
  const ended = await call("test_wait", { signal: stop.signal, onprogress }).then(
    () => "without being cancelled",
    (error) => (stop.signal.aborted ? "" : String(error)),
  );
  if (ended) throw new Error(`the call ended: ${ended}`);
  const { content } = await client.callTool({ name: "test_cancelled", arguments: {} });
  return content[0].text;
}

/**
 * Has the server change something until the client is notified.
 *
 * At the first change, the stream of notifications might not be open yet.
 */
async function changeUntil(client, trigger, signal) {
  signal.clear();
  do {
    await client.callTool({ name: trigger, arguments: {} });
  } while (!(await signal.within(250)));
}

/**
 * Takes all steps of a session and prints what it saw; after it has read a line, prints what it saw
 * of the replaced server.
 *
 * @param client - The client, connected.
 * @param version - The protocol revision that it speaks.
 * @param call - Calls a tool by its name, with the options of a request.
 * @param listen - Subscribes the client to changes of tools and of one resource.
 */
export async function session(client, version, call, listen) {
  const saw = await used(client, call);
  saw.version = version;
  saw.cancelled = await cancelled(client, call);
  await listen();
  await changeUntil(client, "test_trigger_resource_change", received.updated);
  saw.updated = WATCHED;
  await changeUntil(client, "test_trigger_tool_change", received.changed);
  saw.newTools = await names(client);
  say(saw);

  const lines = createInterface({ input: process.stdin });
  await lines[Symbol.asyncIterator]().next();
  lines.close();
  const sum = await add(client);
  await listen();
  await changeUntil(client, "test_trigger_tool_change", received.changed);
  say({ sum: sum.structuredContent, newTools: await names(client) });
}
