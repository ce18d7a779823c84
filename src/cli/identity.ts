import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { ticketDigest } from '../../contracts/identity/tickets.ts';
import type { AccountRecord } from '../../schemas/types/account-record.ts';
import { durationMs } from '../client/index.ts';
import { toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { publicKeyOf } from '../crypto/ed25519.ts';
import { INVITATION_BYTES, openInvitation } from '../crypto/enrolment.ts';
import { ALG_ED25519, keyId } from '../crypto/keyId.ts';
import { good, note, print, printFields, printJson, printTable, usage, when } from './output.ts';
import { type SenderOptions, senderOptions, withSender } from './sender.ts';
import { askOptions, withClient } from './withClient.ts';

type InviteOptions = SenderOptions & { readonly roles: string; readonly for: string; readonly page?: string };
type StopOptions = SenderOptions & { readonly reason: string };

/** Who may issue and stop accounts is for policy to say; the default one: the council, and administrators for some roles. */
export function identityCommand(program: Command): void {
  const identity = program.command('identity').description('People and their accounts: invite, show, suspend, resume.');
  inviteCommand(identity);
  showCommand(identity);
  for (const verb of ['suspend', 'resume'] as const) stopCommand(identity, verb);
}

function inviteCommand(identity: Command): void {
  senderOptions(
    identity
      .command('invite')
      .description(
        'Invites a person: prints a link that works once, with which the person enrols a security key as the account NAME.',
      )
      .argument('<name>', 'the account to come')
      .option('--roles <roles>', 'its roles, separated by commas', '')
      .option('--for <duration>', 'how long the invitation is good, at most 30 days', '48h')
      .option('--page <url>', 'address of the page, if another than that of the node'),
  )
    .addHelpText(
      'after',
      '\nExample: weft identity invite ada --roles approver --home net --account council --rpc http://localhost:7611',
    )
    .action(invite);
}

async function invite(name: string, options: InviteOptions): Promise<void> {
  const lifetimeMs = durationMs(options.for);
  const page = pageUrl(options.page ?? options.rpc.split(',')[0] ?? '');
  const roles = options.roles
    .split(',')
    .map((role) => role.trim())
    .filter((role) => role !== '')
    .sort();
  await withSender(options, async ({ send, status }) => {
    const invitation = new Uint8Array(randomBytes(INVITATION_BYTES));
    const { secret, seed } = openInvitation(invitation);
    const publicKey = publicKeyOf(seed);
    const expires = Math.max(Date.now(), status.finalized.time) + lifetimeMs;
    await send('identity.ticket', {
      digest: ticketDigest(secret),
      account: name,
      roles,
      redeemer: `enrol.${keyId(ALG_ED25519, publicKey)}`,
      key: toBase64Url(publicKey),
      expires,
    });
    const link = `${page}#${toBase64Url(invitation)}`;
    if (options.json === true) return printJson({ account: name, roles, expires, link });
    print(link);
    note(`Good once, until ${when(expires)}. Whoever opens it becomes ${name}: send it to nobody else.`);
  });
}

/** Security keys answer for names only: an address in numbers becomes localhost, which is the same machine. */
function pageUrl(text: string): string {
  if (!URL.canParse(text))
    throw usage('--page is the address at which people reach the pages, for example https://weft.example.net');
  const url = new URL(text);
  if (url.hostname === '127.0.0.1' || url.hostname === '[::1]') url.hostname = 'localhost';
  return `${url.origin}/enrol`;
}

function showCommand(identity: Command): void {
  askOptions(
    identity
      .command('show')
      .description('An account as the ledger has it: status, roles, keys.')
      .argument('<name>', 'account'),
  )
    .addHelpText('after', '\nExample: weft identity show ada --rpc http://127.0.0.1:7611')
    .action(show);
}

function show(name: string, options: { readonly rpc: string; readonly json?: boolean }): Promise<void> {
  return withClient(options.rpc, async (client) => {
    const { value } = await client.state(`identity/account/${name}`);
    const record = value as unknown as AccountRecord | null;
    if (record === null) throw new WeftError('ACCOUNT_UNKNOWN', `no account ${name} is registered`);
    if (options.json === true) return printJson(record);
    printFields([
      ['account', record.account],
      ['status', record.status],
      ['roles', record.roles.join(', ') || 'none'],
    ]);
    printTable(
      ['key', 'algorithm', 'signs at'],
      record.keys.map((key) => [key.keyid, key.alg, key.alg === 'webauthn-p256' ? key.origin : '']),
    );
  });
}

function stopCommand(identity: Command, verb: 'suspend' | 'resume'): void {
  senderOptions(
    identity
      .command(verb)
      .description(
        verb === 'suspend'
          ? 'Stops an account: from the next transaction on it signs nothing, with no key.'
          : 'Lets a suspended account sign again.',
      )
      .argument('<name>', 'account')
      .option('--reason <text>', 'why, for whoever reads the log', ''),
  )
    .addHelpText(
      'after',
      `\nExample: weft identity ${verb} ada --reason "key lost" --home net --account council --rpc http://127.0.0.1:7611`,
    )
    .action(async (name: string, options: StopOptions) => {
      await withSender(options, async ({ send }) => {
        const { height, id } = await send(`identity.${verb}`, { account: name, reason: options.reason });
        if (options.json === true) return printJson({ account: name, height, id });
        print(`${good(verb === 'suspend' ? 'suspended' : 'resumed')} in block ${height}`);
      });
    });
}
