import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { connect } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import type { VerifiedToken } from '../token/node.ts';
import { good, note, print, printFields, printJson, usage, when } from './output.ts';

/** The verifier's own bound; reading stops there too. */
const tokenBytesMax = 128 * 1024;
const trustBytesMax = 1024 * 1024;

type VerifyOptions = {
  trust: string;
  json?: boolean;
  at?: string;
  height?: string;
  audience?: string;
  effect?: string;
  target?: string;
  packet?: string;
};

export function tokenCommand(program: Command): void {
  const token = program
    .command('token')
    .description('Execution tokens: a log record with proof of its place and the cosignatures of a quorum.');
  token
    .command('get')
    .description('Fetches a token. It is evidence once it is verified.')
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .option('--tx <id>', 'transaction whose record it is')
    .option('--record <k>', 'which of its records, from 0 (needed when it has several)')
    .option('--index <n>', 'log index, instead of --tx')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft token get --rpc http://127.0.0.1:7611 --index 3 > token.txt')
    .action(get);
  token
    .command('verify')
    .description(
      'Decides offline whether a token holds under a trust file, and prints what it authorises. Exit code 0: it holds; 1: it does not.',
    )
    .argument('<file>', 'token')
    .requiredOption('--trust <file>', 'trust file (weft trust)')
    .option('--at <ms>', 'time to hold it against, milliseconds UTC, or "none" (default: now)')
    .option('--height <n>', 'newest height that you know of')
    .option('--audience <account>', 'the token must be a grant to this account')
    .option('--effect <sha256>', 'the token must be a grant of this effect')
    .option('--target <instance>', 'the token must let packets be carried to this instance')
    .option('--packet <id>', 'the token must cover this packet')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExample: weft trust --rpc http://127.0.0.1:7611 > trust.txt && weft token verify token.txt --trust trust.txt',
    )
    .action(verify);
}

async function get(options: {
  rpc: string;
  tx?: string;
  record?: string;
  index?: string;
  json?: boolean;
}): Promise<void> {
  const { tx, record, index } = options;
  if ((tx === undefined) === (index === undefined)) throw usage('give --tx or --index');
  const number = (name: string, text: string): number => {
    if (/^[0-9]{1,15}$/.test(text)) return Number(text);
    throw usage(`--${name} takes a whole number`);
  };
  const which =
    tx === undefined
      ? { index: number('index', index ?? '') }
      : { tx: txId(tx), ...(record === undefined ? {} : { record: number('record', record) }) };
  const client = connect({ rpc: options.rpc.split(',') });
  try {
    const text = await client.fetchToken(which);
    if (options.json) return printJson({ token: text });
    process.stdout.write(text);
    if (process.stdout.isTTY) note('Verify it offline: weft token verify FILE --trust FILE');
  } finally {
    client.close();
  }
}

function txId(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw usage('--tx takes a transaction id: 64 hex digits');
}

async function verify(file: string, options: VerifyOptions): Promise<void> {
  const { verifyToken, readTrust } = await import('../token/node.ts');
  const token = readBounded(file, tokenBytesMax);
  const trust = readTrust(readBounded(options.trust, trustBytesMax).toString('utf8'));
  const verified = verifyToken(new Uint8Array(token), {
    trust,
    ...(options.at === 'none' ? {} : { now: options.at === undefined ? Date.now() : whole('at', options.at) }),
    ...(options.height === undefined ? {} : { height: whole('height', options.height) }),
    ...(options.audience === undefined ? {} : { audience: options.audience }),
    ...(options.effect === undefined ? {} : { effect: options.effect }),
    ...(options.target === undefined ? {} : { target: options.target }),
    ...(options.packet === undefined ? {} : { packet: options.packet }),
  });
  if (options.json) {
    const { leaf: _, ...rest } = verified;
    return printJson({ holds: true, chain: trust.chain, ...rest });
  }
  print(good('The token holds.'));
  printFields([
    ['chain', trust.chain],
    ['log entry', `${verified.index} of ${verified.checkpoint.size}`],
    [
      'cosigned by',
      `${verified.checkpoint.cosigners.join(' ')}  (quorum ${trust.quorum} of ${trust.cosigners.length})`,
    ],
    ['cosigned at', when(verified.checkpoint.time)],
    ...authorised(verified),
    ['not checked', verified.unchecked.length === 0 ? undefined : verified.unchecked.join(', ')],
  ]);
}

/** What the token lets somebody do, in the words of the formats. */
function authorised(verified: VerifiedToken): (readonly [string, unknown])[] {
  switch (verified.kind) {
    case 'grant':
      return [['authorises', `one act: ${JSON.stringify(verified.grant)}`]];
    case 'packets':
      return [['authorises', `carrying packets: ${JSON.stringify(verified.packets)}`]];
    case 'record':
      return [
        ['proves', `a record of type ${verified.type}; it authorises nothing by itself`],
        ['record', JSON.stringify(verified.record)],
      ];
  }
}

function whole(name: string, text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw usage(`--${name} takes a whole number`);
}

function readBounded(file: string, bytesMax: number): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === '-' ? 0 : file);
  } catch (error) {
    throw new WeftError('FILE_UNREADABLE', `cannot read ${file}: ${error instanceof Error ? error.message : error}`);
  }
  if (bytes.length > bytesMax)
    throw new WeftError('FILE_TOO_LARGE', `${file} has ${bytes.length} bytes; at most ${bytesMax} make sense`);
  return bytes;
}
