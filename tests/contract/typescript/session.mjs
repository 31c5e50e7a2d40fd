// The steps of a session that both generations of the official TypeScript client take alike.

import { createInterface } from "node:readline/promises";

export const WATCHED = "test://watched-resource";

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** Happens from time to time, and can be waited for. */
export class Signal {
  #heard = false;
  #wake = () => {};

  send() {
    this.#heard = true;
    this.#wake();
  }

  clear() {
    this.#heard = false;
  }

  /** Waits for it; false if it does not happen within a time. */
  within(ms) {
    if (this.#heard) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

/** What the client was told while its calls ran. */
export const told = {
  asked: [],
  logged: [],
  waiting: new Signal(),
  changed: new Signal(),
  updated: new Signal(),
  answer({ params }) {
    told.asked.push(params.message);
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
    logged: told.logged,
    asked: told.asked,
    elicited: elicited.content[0].text,
    prompt: prompt.messages[0].content.text,
    resource: contents[0].text,
  };
}

/** Cancels a call, and returns what the server then says of it. */
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
 * Has the server change something until the client is told so.
 *
 * The stream that tells it may not be open yet at the first change.
 */
async function changeUntil(client, trigger, signal) {
  signal.clear();
  do {
    await client.callTool({ name: trigger, arguments: {} });
  } while (!(await signal.within(250)));
}

/**
 * Takes all steps of a session and says what it saw, then, after it has read a line, what it saw of
 * a server that has been replaced.
 *
 * @param client - The client, connected.
 * @param version - What it speaks.
 * @param call - Calls a tool by its name, with the options of a request.
 * @param listen - Has the client told of changes of tools and of one resource.
 */
export async function session(client, version, call, listen) {
  const saw = await used(client, call);
  saw.version = version;
  saw.cancelled = await cancelled(client, call);
  await listen();
  await changeUntil(client, "test_trigger_resource_change", told.updated);
  saw.updated = WATCHED;
  await changeUntil(client, "test_trigger_tool_change", told.changed);
  saw.newTools = await names(client);
  say(saw);

  const lines = createInterface({ input: process.stdin });
  await lines[Symbol.asyncIterator]().next();
  lines.close();
  const sum = await add(client);
  await listen();
  await changeUntil(client, "test_trigger_tool_change", told.changed);
  say({ sum: sum.structuredContent, newTools: await names(client) });
}
