import { readFileSync } from "node:fs";

/** The version of the protocol. @internal */
export const PROTOCOL = { major: 0, minor: 2 } as const;

interface Package {
  readonly name: string;
  readonly version: string;
}

/** What discovery says about this library. @internal */
export const LIBRARY: Package = read(new URL("../package.json", import.meta.url)) ?? {
  name: "@cloudstate/cloudstate",
  version: "",
};

/** A bundler may have left the file behind; nothing depends on it. */
function read(url: URL): Package | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(url, "utf8")) as Package;
    return { name, version };
  } catch {
    return undefined;
  }
}
