import type { Command } from 'commander';
import { type Claim, claimPaths } from '../token/node.ts';
import { note, printJson, usage } from './output.ts';
import { withClient } from './withClient.ts';

/** Claims as arguments: the same words for `weft prove` and `weft verify`. */
export type ClaimWords = {
  readonly name: Claim['kind'];
  readonly what: string;
  readonly args: readonly (readonly [name: string, description: string])[];
  readonly example: string;
  readonly read: (args: readonly string[]) => Claim;
};

export const claimWords: readonly ClaimWords[] = [
  {
    name: 'key',
    what: 'that a key is not revoked, and its account not suspended',
    args: [
      ['<account>', 'whose key it is'],
      ['<keyid>', '16 hex digits'],
    ],
    example: 'key router-prime dc11467bb0e51a4f',
    read: ([account = '', keyid = '']) => {
      if (!/^[0-9a-f]{16}$/.test(keyid)) throw usage('a key id is 16 hex digits');
      return { kind: 'key', account: accountName(account), keyid };
    },
  },
  {
    name: 'account',
    what: 'that an account is registered and not suspended',
    args: [['<account>', 'its name']],
    example: 'account router-prime',
    read: ([account = '']) => ({ kind: 'account', account: accountName(account) }),
  },
  {
    name: 'policy',
    what: 'that the policy set of this version is the one in force',
    args: [['<version>', 'its number']],
    example: 'policy 7',
    read: ([version = '']) => {
      if (!/^[1-9][0-9]{0,14}$/.test(version)) throw usage('a policy set is named by its number');
      return { kind: 'policy', version: Number(version) };
    },
  },
  {
    name: 'model',
    what: 'that a model is authorised (and is this file)',
    args: [
      ['<model>', 'its id'],
      ['[sha256]', 'digest of the file at hand'],
    ],
    example: 'model misty-7b-q4',
    read: ([model = '', sha256]) => {
      if (!/^[A-Za-z0-9._-]{1,128}$/.test(model)) throw usage('a model id has letters, digits, "." "_" and "-"');
      if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) throw usage('a digest is 64 hex digits');
      return { kind: 'model', model, ...(sha256 === undefined ? {} : { sha256 }) };
    },
  },
];

export function proveCommand(program: Command): void {
  const prove = program
    .command('prove')
    .description(
      'Fetches a proof of what ledger state says now. It is checked offline with a trust file: weft verify key, policy, model, …',
    );
  const fetching = (command: Command, example: string): Command =>
    command
      .requiredOption('--rpc <url>', 'node (more: separated by commas)')
      .option('--json', 'print the proof as a text in one line of JSON')
      .addHelpText(
        'after',
        `\nExample: weft prove ${example} --rpc http://127.0.0.1:7611 > proof.json\n         weft verify ${example} --proof proof.json --trust trust.txt`,
      );
  for (const { name, what, args, example, read } of claimWords) {
    const command = prove.command(name).description(`Proves ${what}.`);
    for (const [argument, description] of args) command.argument(argument, description);
    fetching(command, example).action((...given: unknown[]) => {
      return fetchProof(given[args.length] as ProveOptions, claimPaths(read(textsOf(given, args.length))));
    });
  }
  fetching(
    prove
      .command('state')
      .description('Proves what state holds at any paths (at most 32).')
      .argument('<path...>', 'contract/kind/id'),
    'state governance/policy/current',
  ).action((paths: string[], options: ProveOptions) => fetchProof(options, paths));
}

/** Arguments that were given, without those that were left out. */
export function textsOf(given: readonly unknown[], count: number): string[] {
  return given.slice(0, count).filter((each) => typeof each === 'string');
}

type ProveOptions = { readonly rpc: string; readonly json?: boolean };

/** Prints the proof, byte for byte. */
export async function fetchProof({ rpc, json }: ProveOptions, paths: readonly string[]): Promise<void> {
  const proof = await withClient(rpc, (client) => client.fetchProof(paths));
  if (json) return printJson({ proof });
  process.stdout.write(proof);
  if (process.stdout.isTTY) note('\nIt is evidence once weft verify has taken it, with a trust file of yours.');
}

function accountName(text: string): string {
  if (/^[a-z0-9._-]{1,63}$/.test(text)) return text;
  throw usage('an account name has a-z, 0-9, ".", "_" and "-"');
}
