import type { Command } from 'commander';
import type { TokenRequest } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { tokenBytesMax } from '../token/form.ts';
import { checkStatus, type Trust, type VerifiedStatus, type VerifiedToken, verifyToken } from '../token/node.ts';
import { statusBytesMax } from '../token/statusForm.ts';
import { readBounded, whole } from './files.ts';
import { dim, good, note, print, printFields, printJson, usage, when } from './output.ts';
import { explain } from './tokenWords.ts';
import { readTrustFile } from './trustFile.ts';
import { withClient } from './withClient.ts';

type CheckOptions = {
  trust: string;
  json?: boolean;
  at?: string;
  height?: string;
  audience?: string;
  effect?: string;
  target?: string;
  packet?: string;
  status?: string;
  maxAge?: string;
};

export function tokenCommand(program: Command): void {
  const token = program
    .command('token')
    .description('Execution tokens: a log record with proof of its place and the cosignatures of a quorum.');
  token
    .command('get')
    .description('Fetches a token. It is evidence once it is verified.')
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .option('--intent <id>', 'intent whose grant it is')
    .option('--tx <id>', 'transaction whose record it is')
    .option('--record <k>', 'which of its records, from 0 (needed when it has several)')
    .option('--index <n>', 'log index')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft token get --rpc http://127.0.0.1:7611 --index 3 > token.txt')
    .action(get);
  token
    .command('status')
    .description(
      'Fetches the status of a grant: whether it may still be used. With --token and --trust it is checked at once, and the answer printed; else the document is.',
    )
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .option('--grant <id>', 'the grant: id of its intent')
    .option('--token <file>', 'the token of the grant, instead of --grant')
    .option('--trust <file>', 'trust file (weft trust)')
    .option('--max-age <ms>', 'how old its checkpoint may be (default 10000)')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExample: weft token status --token token.txt --trust trust.txt --rpc http://127.0.0.1:7611',
    )
    .action(status);
  checking(
    token
      .command('verify')
      .description(
        'Decides offline whether a token holds under a trust file, and prints what it authorises. Exit code 0: it holds; 1: it does not.',
      ),
  )
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExample: weft trust --rpc http://127.0.0.1:7611 > trust.txt && weft token verify token.txt --trust trust.txt',
    )
    .action(verify);
  checking(
    token
      .command('explain')
      .description(
        'The same in words: who may do what to what until when, by whose decision, why that holds, and what was not checked.',
      ),
  )
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft token explain token.txt --trust trust.txt')
    .action(explainToken);
}

function checking(command: Command): Command {
  return command
    .argument('<file>', 'token')
    .requiredOption('--trust <file>', 'trust file (weft trust)')
    .option('--at <ms>', 'time to hold it against, milliseconds UTC, or "none" (default: now)')
    .option('--height <n>', 'newest height that you know of')
    .option('--audience <account>', 'the token must be a grant to this account')
    .option('--effect <sha256>', 'the token must be a grant of this effect')
    .option('--target <instance>', 'the token must let packets be carried to this instance')
    .option('--packet <id>', 'the token must cover this packet')
    .option('--status <file>', 'status of the grant (weft token status), fetched a moment ago: it must still hold')
    .option('--max-age <ms>', 'how old the checkpoint of the status may be (default 10000)');
}

async function get(options: {
  rpc: string;
  intent?: string;
  tx?: string;
  record?: string;
  index?: string;
  json?: boolean;
}): Promise<void> {
  const which = wanted(options);
  await withClient(options.rpc, async (client) => {
    const text = await client.fetchToken(which);
    if (options.json) return printJson({ token: text });
    process.stdout.write(text);
    if (process.stdout.isTTY) note('Verify it offline: weft token verify FILE --trust FILE');
  });
}

function wanted(options: { intent?: string; tx?: string; record?: string; index?: string }): TokenRequest {
  const { intent, tx, record, index } = options;
  if ([intent, tx, index].filter((each) => each !== undefined).length !== 1)
    throw usage('give --intent, --tx or --index, and one of them only');
  if (record !== undefined && tx === undefined) throw usage('--record counts the records of a --tx');
  if (intent !== undefined) return { intent: id('intent', intent) };
  if (index !== undefined) return { index: whole('index', index) };
  return { tx: id('tx', tx ?? ''), ...(record === undefined ? {} : { record: whole('record', record) }) };
}

async function status(options: {
  rpc: string;
  grant?: string;
  token?: string;
  trust?: string;
  maxAge?: string;
  json?: boolean;
}): Promise<void> {
  const { rpc, grant, token, trust: trustFile, json } = options;
  if ((grant === undefined) === (token === undefined)) throw usage('give --grant, or --token with --trust');
  if (token === undefined) {
    const intent = id('grant', grant ?? '');
    return withClient(rpc, async (client) => {
      const document = await client.fetchStatus(intent);
      if (json) return printJson({ status: document });
      process.stdout.write(document);
    });
  }
  if (trustFile === undefined) throw usage('--token is checked with --trust');
  const trust = readTrustFile(trustFile);
  const verified = verifyToken(readBounded(token, tokenBytesMax), { trust, now: Date.now() });
  if (verified.kind !== 'grant') throw new WeftError('STATUS_KIND', 'the token is no grant, so it has no status');
  const document = await withClient(rpc, (client) => client.fetchStatus(verified.grant.intent));
  const found = checkStatus(verified, document, { trust, now: Date.now(), ...maxAge(options) });
  if (json) return printJson({ holds: true, ...found });
  print(good('The grant may be used.'));
  printFields(statusFields(found));
}

function verify(file: string, options: CheckOptions): void {
  const { trust, token, state } = check(file, options);
  if (options.json) {
    const { leaf: _, ...rest } = token;
    printJson({ holds: true, chain: trust.chain, ...rest, ...(state === undefined ? {} : { status: state }) });
    return;
  }
  print(good('The token holds.'));
  printFields([
    ['chain', trust.chain],
    ['log entry', `${token.index} of ${token.checkpoint.size}`],
    ['cosigned by', `${token.checkpoint.cosigners.join(' ')}  (quorum ${trust.quorum} of ${trust.cosigners.length})`],
    ['cosigned at', when(token.checkpoint.time)],
    ...authorised(token),
    ...(state === undefined ? [] : statusFields(state)),
    ['not checked', token.unchecked.length === 0 ? undefined : token.unchecked.join(', ')],
  ]);
}

function explainToken(file: string, options: CheckOptions): void {
  const { trust, token, state } = check(file, options);
  const parts = explain(token, trust, Date.now(), state);
  if (options.json) {
    printJson({ holds: true, parts });
    return;
  }
  for (const [n, { heading, fields }] of parts.entries()) {
    if (n > 0) print();
    print(n === 0 ? good(heading) : dim(heading));
    printFields(fields, '  ');
  }
}

/** All that was asked for holds, or it throws why not. */
function check(
  file: string,
  options: CheckOptions,
): { readonly trust: Trust; readonly token: VerifiedToken; readonly state: VerifiedStatus | undefined } {
  const { at, height, audience, effect, target, packet } = options;
  const trust = readTrustFile(options.trust);
  const now = at === undefined ? Date.now() : at === 'none' ? undefined : whole('at', at);
  const token = verifyToken(readBounded(file, tokenBytesMax), {
    trust,
    ...(now === undefined ? {} : { now }),
    ...(height === undefined ? {} : { height: whole('height', height) }),
    ...(audience === undefined ? {} : { audience }),
    ...(effect === undefined ? {} : { effect }),
    ...(target === undefined ? {} : { target }),
    ...(packet === undefined ? {} : { packet }),
  });
  if (options.status === undefined) return { trust, token, state: undefined };
  if (now === undefined) throw usage('--status needs a time: without --at none');
  const document = readBounded(options.status, statusBytesMax);
  return { trust, token, state: checkStatus(token, document, { trust, now, ...maxAge(options) }) };
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

function statusFields({
  usesLeft,
  maxUses,
  checkpointTime,
  ageMs,
  height,
  policy,
}: VerifiedStatus): [string, unknown][] {
  return [
    ['uses left', `${usesLeft} of ${maxUses}`],
    ['as of', `${when(checkpointTime)}  (block ${height}, ${ageMs} ms before)`],
    ['policy', `version ${policy.version}, grants count from ${policy.minValid} on`],
  ];
}

function maxAge(options: { maxAge?: string }): { readonly maxStalenessMs?: number } {
  return options.maxAge === undefined ? {} : { maxStalenessMs: whole('max-age', options.maxAge) };
}

function id(name: string, text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw usage(`--${name} takes an id: 64 hex digits`);
}
