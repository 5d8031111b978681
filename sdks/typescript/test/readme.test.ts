// The README takes a newcomer from nothing to a running entity: its files and commands are taken from it and tried.

import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const SDK = fileURLToPath(new URL("../..", import.meta.url));
const BLOCK = /(?:^\*\*`(?<path>[^`]+)`\*\*(?:(?!```)[^])*?)?^```(?<language>\w+)\n(?<text>[^]*?)^```$/gm;
/** Longer than anything takes on a busy machine. */
const PATIENCE = 300_000;

const blocks = [...readFileSync(join(SDK, "README.md"), "utf8").matchAll(BLOCK)].map(({ groups }) => ({
  path: groups?.["path"],
  language: groups?.["language"],
  text: groups?.["text"] ?? "",
}));
const shell = blocks.filter(({ path, language }) => path === undefined && language === "sh").map(({ text }) => text);

/** Without it, a test runner within this one writes for this one. */
const { NODE_TEST_CONTEXT, ...ENVIRONMENT } = process.env;

let project: string;

function run(command: string): SpawnSyncReturns<string> {
  const done = spawnSync("bash", ["-ec", command], { cwd: project, encoding: "utf8", env: ENVIRONMENT });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  return done;
}

before(() => {
  project = mkdtempSync(join(tmpdir(), "cloudstate-readme-"));
  for (const { path, text } of blocks) {
    if (path === undefined) continue;
    mkdirSync(join(project, dirname(path)), { recursive: true });
    writeFileSync(join(project, path), text.replace("file:../sdks/typescript", `file:${SDK}`));
  }
  // What it installs was just installed here, so that nothing needs to be fetched.
  run(`${shell[1]?.trim() ?? ""} --prefer-offline --ignore-scripts --no-audit --no-fund --loglevel=error`);
});

after(() => {
  rmSync(project, { recursive: true, force: true });
});

test("the page has what these tests try", () => {
  const words = shell.map((text) => text.split(" ", 2).join(" ").trim());
  assert.deepEqual(words, [
    "cargo build",
    "npm install",
    "npm test",
    "cloudstate dev",
    "curl localhost:9000/counters/home/increase",
  ]);
  assert.equal(blocks.filter(({ path }) => path !== undefined).length, 8);
});

test("the entity is tested", () => {
  assert.match(run(shell[2] ?? "").stdout, /pass 2\b/);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

test("the entity runs behind the proxy", async (t) => {
  if (spawnSync("cloudstate", ["--version"]).error !== undefined) {
    assert.notEqual(process.env["CLOUDSTATE_TEST_SERVERS"], "all", "this test wants the binary cloudstate in PATH");
    t.skip("the binary cloudstate is not in PATH");
    return;
  }
  const [clients, operators] = [String(await freePort()), String(await freePort())];
  const dev = spawn("cloudstate", ["dev", "--http.port", clients, "--admin.port", operators], { cwd: project });
  const ended = new Promise((resolve) => dev.once("exit", resolve));
  const givingUp = setTimeout(() => dev.kill("SIGKILL"), PATIENCE);
  const said: string[] = [];
  dev.stderr.on("data", (text: Buffer) => said.push(text.toString()));
  try {
    let serves = false;
    for await (const line of createInterface(dev.stdout)) {
      said.push(line);
      serves = line.includes("Serving counter.Counter");
      if (serves) break;
    }
    assert.ok(serves, said.join("\n"));
    const calls = (shell[4] ?? "")
      .replaceAll("localhost:9000", `localhost:${clients}`)
      .replaceAll("curl ", "curl -sS ");
    assert.equal(run(calls).stdout, '{"value":"3"}{"value":"3"}');
  } finally {
    dev.kill("SIGTERM");
    dev.stdout.resume();
    assert.equal(await ended, 0, said.join("\n"));
    clearTimeout(givingUp);
  }
});
