import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { WeftError } from '../codec/error.ts';

/**
 * A passphrase: WEFT_PASSPHRASE, else asked for on a terminal without echo.
 * @throws WeftError PASSPHRASE_MISSING when there is neither
 */
export async function askPassphrase(question: string): Promise<string> {
  const given = process.env['WEFT_PASSPHRASE'];
  if (given !== undefined && given !== '') return given;
  if (!process.stdin.isTTY) {
    throw new WeftError(
      'PASSPHRASE_MISSING',
      'the key file is encrypted and there is no terminal to ask on; set WEFT_PASSPHRASE',
    );
  }
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await reader.question('');
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}

/** For a new key file: asked twice. @throws WeftError PASSPHRASE_MISSING, PASSPHRASE_DIFFERS */
export async function askNewPassphrase(): Promise<string> {
  const first = await askPassphrase('New passphrase: ');
  if (process.env['WEFT_PASSPHRASE'] === first) return first;
  if ((await askPassphrase('The same again: ')) === first) return first;
  throw new WeftError('PASSPHRASE_DIFFERS', 'the two passphrases differ; nothing was written');
}
