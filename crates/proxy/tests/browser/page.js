// Calls the proxy with published clients and tells the test's server what it saw.

import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { GrpcWebClientBase, MethodDescriptor, MethodType, StatusCode } from "grpc-web";

const { proxy } = await (await fetch("settings.json")).json();
const files = new Uint8Array(await (await fetch("descriptors.bin")).arrayBuffer());
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, files));
const Do = registry.getMessage("whole.Do");
const Done = registry.getMessage("whole.Done");

const transport = createGrpcWebTransport({ baseUrl: proxy });
const log = createClient(registry.getService("whole.Log"), transport);
const job = createClient(registry.getService("whole.Job"), transport);

async function failure(promise) {
  try {
    await promise;
    return "no failure";
  } catch (error) {
    return error;
  }
}

const connect = {
  async unary() {
    return (await log.act({ id: "connect", what: "add", text: "connect" })).text;
  },

  async metadata() {
    let header;
    const events = job.out({ what: "events", text: "1" }, { onHeader: (headers) => (header = headers.get("sse-id")) });
    for await (const _ of events);
    return header;
  },

  async stream() {
    const texts = [];
    for await (const done of job.out({ what: "count", text: "100" })) texts.push(done.text);
    return texts.join();
  },

  async lateError() {
    const texts = [];
    const read = async () => {
      for await (const done of job.out({ what: "break", text: "gone" })) texts.push(done.text);
    };
    const error = await failure(read());
    return [texts, Code[error.code], error.rawMessage];
  },

  async details() {
    const error = await failure(log.act({ id: "full", what: "read" }));
    const detail = error.details[0];
    return [Code[error.code], error.rawMessage, detail.type, Array.from(detail.value)];
  },

  async deadline() {
    const error = await failure(job.act({ what: "never answer" }, { timeoutMs: 50 }));
    return Code[error.code];
  },

  async cancel() {
    const abort = new AbortController();
    const read = async () => {
      for await (const _ of job.out({ what: "silence" }, { signal: abort.signal })) abort.abort();
    };
    return Code[(await failure(read())).code];
  },
};

function method(path, type) {
  const write = (request) => toBinary(Do, create(Do, request));
  return new MethodDescriptor(path, type, Object, Object, write, (bytes) => fromBinary(Done, bytes));
}

const act = method("/whole.Log/Act", MethodType.UNARY);
const out = method("/whole.Job/Out", MethodType.SERVER_STREAMING);

function grpcWeb(format) {
  const client = new GrpcWebClientBase({ format });
  const call = (request) => client.unaryCall(proxy + act.getName(), request, {}, act);
  const code = (error) => Object.keys(StatusCode).find((name) => StatusCode[name] === error.code);
  const stream = (request) =>
    new Promise((resolve) => {
      const seen = [];
      const messages = client.serverStreaming(proxy + out.getName(), request, {}, out);
      messages.on("data", (done) => {
        seen.push(done.text);
        if (request.what === "silence") {
          messages.cancel();
          resolve(seen);
        }
      });
      messages.on("error", (error) => resolve([seen, code(error), error.message]));
      messages.on("end", () => resolve(seen.join()));
    });
  return {
    async unary() {
      return (await call({ id: format, what: "add", text: format })).text;
    },

    async details() {
      const error = await failure(call({ id: "full", what: "read" }));
      return [code(error), error.message, error.metadata["grpc-status-details-bin"]];
    },

    // The published client streams in the text form only.
    ...(format === "text" && {
      stream: () => stream({ what: "count", text: "100" }),
      lateError: () => stream({ what: "break", text: "gone" }),
      cancel: () => stream({ what: "silence" }),
    }),
  };
}

const events = {
  // The stream ends, the browser asks again with the last id, and is told that there is no more.
  goOn: () =>
    new Promise((resolve) => {
      const seen = [];
      const source = new EventSource(`${proxy}/out/events/3`);
      source.onmessage = ({ lastEventId, data }) => seen.push([lastEventId, JSON.parse(data).text]);
      source.addEventListener("end", () => seen.push("end"));
      source.onerror = () => {
        seen.push(source.readyState === EventSource.CLOSED ? "closed" : "again");
        if (source.readyState === EventSource.CLOSED) resolve(seen);
      };
    }),

  error: () =>
    new Promise((resolve) => {
      const source = new EventSource(`${proxy}/out/break/gone`);
      source.addEventListener("error", ({ data }) => {
        source.close();
        resolve(data && JSON.parse(data));
      });
    }),

  cancel: () =>
    new Promise((resolve) => {
      const source = new EventSource(`${proxy}/out/silence/x`);
      source.onmessage = ({ data }) => {
        source.close();
        resolve(JSON.parse(data));
      };
    }),
};

const json = {
  async post() {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ id: "json", what: "add", text: "json" });
    return (await fetch(`${proxy}/whole.Log/Act`, { method: "POST", headers, body })).json();
  },

  async lines() {
    const response = await fetch(`${proxy}/out/events/2`);
    return [response.headers.get("sse-id"), await response.text()];
  },
};

const elsewhere = {
  async refused() {
    const simple = await failure(fetch(`${proxy}/out/events/2`));
    const preflighted = await failure(connect.unary());
    return [simple.name, Code[preflighted.code]];
  },
};

const all =
  location.hash === "#elsewhere"
    ? { elsewhere }
    : { connect, text: grpcWeb("text"), binary: grpcWeb("binary"), events, json };

/** A group's calls come one after another; the groups run side by side. */
async function report(group, calls) {
  for (const [name, call] of Object.entries(calls)) {
    let saw;
    try {
      saw = await call();
    } catch (error) {
      saw = { thrown: String(error.stack ?? error) };
    }
    await fetch("report", { method: "POST", body: JSON.stringify({ name: `${group}.${name}`, saw }) });
  }
}

await Promise.all(Object.entries(all).map(([group, calls]) => report(group, calls)));
await fetch("report", { method: "POST", body: JSON.stringify({ name: "done" }) });
