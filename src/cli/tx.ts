import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { JsonObject } from '../../contracts/types.ts';
import type { TxStatus } from '../client/index.ts';
import { buildTransaction, durationMs, ed25519TransactionSigner, readSigned, sign } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { readInput } from './files.ts';
import { chainOfHome, homeAt, signingSeed } from './home.ts';
import { bad, good, note, print, printFields, printJson, usage, when } from './output.ts';
import { withClient } from './withClient.ts';

type Build = {
  home?: string;
  chain?: string;
  account: string;
  type: string;
  body: string;
  expiresIn: string;
  nonce?: string;
  json?: boolean;
};

export function txCommand(program: Command): void {
  const tx = program.command('tx').description('Builds, signs, submits and follows transactions.');
  const fields = (command: Command): Command =>
    command
      .option('--home <dir>', 'home folder: genesis.json says the chain, accounts/ holds the keys')
      .option('--chain <id>', 'chain id, instead of that of the home')
      .requiredOption('--account <name>', 'who sends it')
      .requiredOption('--type <type>', 'for example packets.commit; schemas/tx/ lists them')
      .requiredOption('--body <json>', 'the body: JSON, or @FILE')
      .option('--expires-in <duration>', 'how long it may wait for a block (at most 5m)', '60s')
      .option('--nonce <text>', 'base64url of 8 bytes (default: random)')
      .option('--json', 'print one line of JSON');
  fields(
    tx
      .command('build')
      .description('Prints what would be signed: the body, one line. Sign it elsewhere, or use tx sign.'),
  )
    .addHelpText(
      'after',
      `\nExample: weft tx build --home .weft-dev --account operator --type routing.instance --body @instance.json`,
    )
    .action(async (options: Build) => {
      const { payload, fields: built } = await unsigned(options);
      if (options.json) printJson({ payload: decodeUtf8(payload), ...built });
      else print(decodeUtf8(payload));
    });
  fields(tx.command('sign').description('Prints the signed envelope, one line: what tx submit takes.'))
    .addHelpText(
      'after',
      `\nExample: weft tx sign --home .weft-dev --account council --type identity.suspend --body '{"account":"misty.weave","reason":"laptop lost"}' | weft tx submit --rpc http://127.0.0.1:7611 -`,
    )
    .action(async (options: Build) => {
      if (options.home === undefined) throw usage('tx sign needs --home, where the key is');
      const transaction = await unsigned(options);
      const seed = await signingSeed(homeAt(options.home), options.account);
      const signed = sign(transaction, [ed25519TransactionSigner(seed)]);
      if (options.json) printJson({ id: signed.id, expires: signed.expires, envelope: signed.text });
      else print(signed.text);
    });
  tx.command('submit')
    .description(
      'Hands an envelope to a node and waits until its fate is final. Safe to repeat with the same envelope.',
    )
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .argument('<file>', 'file with the envelope, or - for standard input')
    .option('--no-wait', 'return once the node has admitted it')
    .option('--timeout <duration>', 'how long to wait', '60s')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft tx submit --rpc http://127.0.0.1:7611 envelope.json')
    .action(submit);
  tx.command('wait')
    .description('Waits until the fate of a transaction is final, and prints it.')
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .argument('<id>', 'transaction id')
    .option('--timeout <duration>', 'how long to wait', '60s')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft tx wait --rpc http://127.0.0.1:7611 3f09…')
    .action(wait);
}

async function unsigned(options: Build): Promise<ReturnType<typeof buildTransaction>> {
  if (options.home === undefined && options.chain === undefined)
    throw usage('give --home (its genesis.json says the chain) or --chain');
  const body = readBody(options.body);
  const expiresInMs = durationMs(options.expiresIn);
  const chain = options.chain ?? (await chainOfHome(homeAt(options.home ?? '')));
  return buildTransaction({
    chain,
    account: options.account,
    type: options.type,
    body,
    expiresInMs,
    ...(options.nonce === undefined ? {} : { nonce: options.nonce }),
  });
}

function readBody(text: string): JsonObject {
  let body: unknown;
  try {
    body = JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
  } catch (error) {
    throw usage(`--body is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw usage('--body takes a JSON object');
  return body as JsonObject;
}

async function submit(
  file: string,
  options: { rpc: string; wait: boolean; timeout: string; json?: boolean },
): Promise<void> {
  const signed = readSigned(readInput(file).toString('utf8').trim());
  await withClient(options.rpc, async (client) => {
    const timeoutMs = durationMs(options.timeout);
    if (!options.wait) return printStatus(await client.submit(signed, { timeoutMs }), options);
    const status = await client.submitAndWait(signed, { timeoutMs, allowRefused: true });
    printStatus(status, options);
    throwIfRefused(status);
    if (!options.json)
      note(`Its token: weft token get --rpc ${options.rpc.split(',')[0]} --tx ${status.id} > token.txt`);
  });
}

async function wait(id: string, options: { rpc: string; timeout: string; json?: boolean }): Promise<void> {
  if (!/^[0-9a-f]{64}$/.test(id)) throw usage('a transaction id is 64 hex digits');
  const deadline = performance.now() + durationMs(options.timeout);
  await withClient(options.rpc, async (client) => {
    let status = await client.transaction(id);
    while (status.status === 'pending' || status.status === 'unknown') {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) break;
      status = await client.wait(id, Math.ceil(Math.min(leftMs, 10_000)));
    }
    printStatus(status, options);
    throwIfRefused(status);
    if (status.status === 'expired')
      throw new WeftError('TX_EXPIRED', `${id} expired in no block; that is final, so sign a new one`);
    if (status.status !== 'finalized') {
      throw new WeftError(
        'TX_FATE_UNKNOWN',
        `after ${options.timeout} the node says: ${status.status}; ask again later`,
      );
    }
  });
}

export function printStatus(status: TxStatus, options: { json?: boolean }): void {
  if (options.json) {
    printJson(status);
    return;
  }
  const word =
    status.status === 'finalized'
      ? status.refused === undefined
        ? good('finalized')
        : bad(`refused: ${status.refused}`)
      : status.status;
  printFields([
    ['transaction', status.id],
    ['status', word],
    ...(status.status === 'finalized'
      ? ([
          ['block', `${status.height}  ${when(status.time)}`],
          ['log entry', status.index],
          ...status.records.map(({ index, record }) => ['record', `${index}  ${JSON.stringify(record)}`] as const),
        ] as const)
      : []),
  ]);
}

function throwIfRefused(status: TxStatus): void {
  if (status.status !== 'finalized' || status.refused === undefined) return;
  throw new WeftError(
    status.refused,
    `the ledger refused the transaction; its refusal is log entry ${status.index + 1}`,
    {
      id: status.id,
      height: status.height,
      index: status.index,
    },
  );
}
