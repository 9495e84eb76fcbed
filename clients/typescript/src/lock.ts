// One process at a time works on a record. Of two, one could note that no money moved while the other
// sends it again.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { realpathSync } from "node:fs";
import { createServer, type Server } from "node:net";

/** Held until it is released, or its process is gone, however it went. */
export interface Lock {
  release(): void;
}

/**
 * Takes the lock of a name in a folder; undefined if another process has it. Node.js has no locks on
 * files: this is the name of a socket in Linux's abstract namespace, which nobody ever connects to. It
 * holds between the processes of a machine, or of a container.
 */
export async function lock(folder: string, name: string): Promise<Lock | undefined> {
  const hash = createHash("sha256").update(`${realpathSync(folder)}\0${name}`).digest("hex");
  const server: Server = createServer((socket) => socket.destroy()).unref();
  try {
    server.listen(`\0sunmi-trade-${hash}`);
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") {
      return undefined;
    }
    throw error;
  }
  return { release: () => server.close() };
}
