import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
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

function server(base: string, tls: TlsOptions): LogSource {
  const connections = new HttpConnections(tls);
  return {
    read: async (path, bytesMax) => {
      const { status, body } = await connections.ask({
        url: `${base}/${path}`,
        method: 'GET',
        timeoutMs: 20_000,
        bytesMax,
      });
      if (status === 404) return undefined;
      if (status === 200) return body;
      throw new WeftError('LOG_SOURCE_UNREADABLE', `${base}/${path} answered with HTTP status ${status}`);
    },
    close: () => connections.close(),
  };
}
