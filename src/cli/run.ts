import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { exitCodes, reportFailure } from './output.ts';

/** A command group: its file is loaded only when it is asked for, so that `weft --help` is there at once. */
export type Group = {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<(program: Command) => void>;
};

export const groups: readonly Group[] = [
  {
    name: 'dev',
    summary: 'a whole network on this machine, with live traffic',
    load: async () => (await import('./dev.ts')).devCommand,
  },
  {
    name: 'init',
    summary: 'keys and configuration for one validator; prints its public record',
    load: async () => (await import('./init.ts')).initCommand,
  },
  {
    name: 'genesis',
    summary: 'the genesis document, made of the public records of all validators',
    load: async () => (await import('./genesis.ts')).genesisCommand,
  },
  {
    name: 'testnet',
    summary: 'keys, genesis and configurations for n validators',
    load: async () => (await import('./testnet.ts')).testnetCommand,
  },
  { name: 'start', summary: 'run a node', load: async () => (await import('./start.ts')).startCommand },
  { name: 'keys', summary: 'make, show and rotate keys', load: async () => (await import('./keys.ts')).keysCommand },
  {
    name: 'tx',
    summary: 'build, sign, submit and follow transactions',
    load: async () => (await import('./tx.ts')).txCommand,
  },
  {
    name: 'governance',
    summary: 'who takes part, and how the council changes that: propose, approve; evidence',
    load: async () => (await import('./governance.ts')).governanceCommand,
  },
  {
    name: 'intent',
    summary: 'ask for permission to act, approve, cancel; what was asked for and how it stands',
    load: async () => (await import('./intent.ts')).intentCommand,
  },
  {
    name: 'policy',
    summary: 'what the ledger allows: the set in force, and whether another one is sound',
    load: async () => (await import('./policy.ts')).policyCommand,
  },
  {
    name: 'identity',
    summary: 'people and their accounts: invite, show, suspend, resume',
    load: async () => (await import('./identity.ts')).identityCommand,
  },
  {
    name: 'query',
    summary: 'ask a node: status, blocks, log entries, state, transactions',
    load: async () => (await import('./query.ts')).queryCommand,
  },
  {
    name: 'token',
    summary: 'execution tokens: get, verify, status, explain',
    load: async () => (await import('./token.ts')).tokenCommand,
  },
  {
    name: 'agent',
    summary: 'the sidecar of a host: which probes and gates work here',
    load: async () => (await import('./agent.ts')).agentCommand,
  },
  {
    name: 'trust',
    summary: 'whom to trust: the keys that verify tokens, walked forward when they change',
    load: async () => (await import('./trust.ts')).trustCommand,
  },
  {
    name: 'prove',
    summary: 'fetch a proof: a key is not revoked, a policy is current, a model is authorised',
    load: async () => (await import('./prove.ts')).proveCommand,
  },
  {
    name: 'export',
    summary: 'the whole chain as one file, or its log as tiles',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'audit',
    summary: 'replay an archive offline and say whether it holds',
    load: async () => (await import('./audit.ts')).auditCommand,
  },
  {
    name: 'verify',
    summary: 'check offline, with a trust file: a log, or what a proof says of keys, policy, models',
    load: async () => (await import('./verify.ts')).verifyCommand,
  },
  {
    name: 'compare',
    summary: 'the first difference of two archives or data folders',
    load: async () => (await import('./compare.ts')).compareCommand,
  },
  {
    name: 'recover',
    summary: 'what is wrong with a stopped node, and what brings it back',
    load: async () => (await import('./recover.ts')).recoverCommand,
  },
  {
    name: 'inspect',
    summary: "a node's data folder, read like a node that runs",
    load: async () => (await import('./inspect.ts')).inspectCommand,
  },
  {
    name: 'journal',
    summary: "a validator's vote journal, readably",
    load: async () => (await import('./journal.ts')).journalCommand,
  },
];

/** Runs a command line. @returns the exit code: 0 holds, 1 refused or wrong (reason and code on standard error), 2 usage */
export async function run(argv: readonly string[]): Promise<number> {
  const program = new Command('weft')
    .description('Weft: a permissioned integrity ledger for AI meshes.')
    .version(packageJson.version)
    .exitOverride()
    .showHelpAfterError('(add --help for how to use it)')
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .addHelpText('after', '\nExample: weft dev              then: weft query status --rpc http://127.0.0.1:7611');
  const wanted = argv[0] === 'help' ? argv[1] : argv[0];
  try {
    const group = groups.find(({ name }) => name === wanted);
    if (group === undefined) for (const { name, summary } of groups) program.command(name).description(summary);
    else (await group.load())(program);
    if (argv.length === 0) {
      program.outputHelp();
      return exitCodes.usage;
    }
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? exitCodes.holds);
  } catch (error) {
    // Commander has said already what is wrong with the usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.holds : exitCodes.usage;
    return reportFailure(error, argv.includes('--json'));
  }
}
