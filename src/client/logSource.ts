import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeftError } from '../codec/error.ts';
import { HttpConnections, type TlsOptions } from './http.ts';

/** A log as files (C2SP tlog-tiles): a folder or a server. */
export type LogSource = {
  /** Bytes at a path without leading slash; undefined when absent. @throws WeftError RPC_*, LOG_SOURCE_* */
  read(path: string, bytesMax: number): Promise<Uint8Array | undefined>;
  close(): void;
};

/** @param place folder, or http(s) URL under which `/checkpoint` and `/tile/` are */
export function openLogSource(place: string, tls: TlsOptions = {}): LogSource {
  return /^https?:\/\//.test(place) ? server(place.replace(/\/+$/, ''), tls) : folder(place);
}

function folder(dir: string): LogSource {
  return {
    read: async (path, bytesMax) => {
      const file = join(dir, path);
      try {
        const { size } = await stat(file);
        if (size > bytesMax)
          throw new WeftError('LOG_SOURCE_TOO_LARGE', `${file} has ${size} bytes; at most ${bytesMax} can be right`);
        return new Uint8Array(await readFile(file));
      } catch (error) {
        if (error instanceof WeftError) throw error;
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        throw new WeftError('LOG_SOURCE_UNREADABLE', `cannot read ${file}: ${code ?? error}`);
      }
    },
    close: () => {},
  };
}

/** How often a server may say "later" to one file, and the longest such wait, in seconds. */
const patience = 30;
const retryAfterMax = 30;

function server(base: string, tls: TlsOptions): LogSource {
  const connections = new HttpConnections(tls);
  return {
    read: async (path, bytesMax) => {
      const ask = { url: `${base}/${path}`, method: 'GET', timeoutMs: 20_000, bytesMax } as const;
      let { status, body, headers } = await connections.ask(ask);
      // Who reads a whole log asks for more than a server gives one client at a time.
      for (let tried = 0; status === 429 && tried < patience; tried += 1) {
        const seconds = Number(headers['retry-after'] ?? 1);
        await sleep(1000 * Math.min(retryAfterMax, seconds >= 0 ? seconds : 1));
        ({ status, body, headers } = await connections.ask(ask));
      }
      if (status === 404) return undefined;
      if (status === 200) return body;
      throw new WeftError('LOG_SOURCE_UNREADABLE', `${base}/${path} answered with HTTP status ${status}`);
    },
    close: () => connections.close(),
  };
}
