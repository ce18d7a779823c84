import { type FileHandle, open, rename } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import type { Sink } from './sink.ts';

/** One JSON object a line, to a stream (standard output). */
export function streamSink(name: string, stream: Writable): Sink {
  // Who reads may go away: each write says so, and nobody ends by that.
  stream.on('error', () => undefined);
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
    file = await open(path, 'a+', 0o640);
    bytes = (await file.stat()).size;
    const end = Buffer.alloc(1);
    if (bytes > 0) await file.read(end, 0, 1, bytes - 1);
    // A disk that was full, or a process that was killed, may have left half a line.
    if (bytes > 0 && end.toString() !== '\n') await file.appendFile('\n');
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
        // Opened anew, it begins on a line of its own.
        await closed().catch(() => undefined);
        throw error;
      }
      bytes += Buffer.byteLength(text);
    },
    close: closed,
  };
}
