import { type FileHandle, open, rename } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import type { Sink } from './sink.ts';

/** One JSON object a line, to a stream (standard output). */
export function streamSink(name: string, stream: Writable): Sink {
  return {
    name,
    write: (lines) =>
      new Promise((resolve, reject) => {
        stream.write(`${lines.join('\n')}\n`, (error) => (error ? reject(error) : resolve()));
      }),
    close: async () => undefined,
  };
}

/** Appended to a file. At `bytesMax` it becomes `<path>.1`, of which one is kept: the disk that a sidecar takes is bounded. */
export function fileSink(path: string, bytesMax: number): Sink {
  let file: FileHandle | undefined;
  let bytes = 0;
  const opened = async (): Promise<FileHandle> => {
    if (file !== undefined) return file;
    file = await open(path, 'a', 0o640);
    bytes = (await file.stat()).size;
    return file;
  };
  const closed = async (): Promise<void> => {
    const old = file;
    file = undefined;
    await old?.close();
  };
  return {
    name: `file ${path}`,
    write: async (lines) => {
      if (bytes >= bytesMax) {
        await closed();
        await rename(path, `${path}.1`);
        bytes = 0;
      }
      const text = `${lines.join('\n')}\n`;
      const handle = await opened();
      try {
        await handle.appendFile(text);
      } catch (error) {
        // A disk that was full may have taken half a line: the next one begins at the end of what is there.
        await closed().catch(() => undefined);
        throw error;
      }
      bytes += Buffer.byteLength(text);
    },
    close: closed,
  };
}
