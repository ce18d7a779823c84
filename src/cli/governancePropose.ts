import type { Command } from 'commander';
import type { Json, JsonObject } from '../../contracts/types.ts';
import { durationMs, type GovernanceStatus } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { type PolicyOptions, policyChange } from './governancePolicy.ts';
import { bringAccount } from './newAccount.ts';
import { readObserverRecord, readValidatorRecord, type ValidatorRecord } from './nodeRecord.ts';
import { note, print, printJson, usage } from './output.ts';
import { type Sender, type SenderOptions, senderOptions, withSender } from './sender.ts';

type Options = SenderOptions & { readonly notBefore: number; readonly expiresIn: string };

type SetOptions = Options & {
  readonly add: readonly string[];
  readonly replace: readonly string[];
  readonly remove: readonly string[];
};

export function proposeCommand(governance: Command): void {
  const propose = governance
    .command('propose')
    .description('Puts a change before the council. It takes effect once enough members have approved.');
  const kind = (name: string, description: string, example: string): Command =>
    senderOptions(propose.command(name).description(description))
      .option('--not-before <height>', 'takes effect at the end of this block or later', Number, 0)
      .option('--expires-in <duration>', 'how long it may wait for its effect (at most 720h)', '24h')
      .addHelpText(
        'after',
        `\nExample: weft governance propose ${name}${example === '' ? '' : ` ${example}`} --home net --account council --rpc http://127.0.0.1:7611`,
      );
  const many = (each: string, all: string[]): string[] => [...all, each];
  kind(
    'validators',
    'Adds, replaces and removes validators, several at once. Registers the accounts that are new first.',
    '--add v5.json --remove v2',
  )
    .option('--add <file>', 'public record of a new validator: weft init prints it (repeatable)', many, [])
    .option('--replace <file>', 'new keys of a validator: its new public record (repeatable)', many, [])
    .option('--remove <name>', 'a validator (repeatable)', many, [])
    .action((options: SetOptions) => propose_(options, (sender, status) => validators(options, sender, status)));
  kind('observers', 'Adds and removes nodes that follow and do not vote.', '--add o1.json')
    .option('--add <file>', 'public record of an observer: weft init --observer prints it (repeatable)', many, [])
    .option('--replace <file>', 'the new public record of one that is there (repeatable)', many, [])
    .option('--remove <name>', 'an observer (repeatable)', many, [])
    .action((options: SetOptions) => propose_(options, (sender, status) => observers(options, sender, status)));
  kind('parameters', 'Changes consensus parameters; those that are not named stay.', '--set maxBlockTxs=8192')
    .option('--set <name=value>', 'a parameter; weft governance list --json shows all (repeatable)', many, [])
    .action((options: Options & { set: string[] }) =>
      propose_(options, async (_, status) => ({ kind: 'parameters', parameters: parametersOf(options.set, status) })),
    );
  kind('ruleset', 'Goes over to another ruleset, once the validators run a version that has it.', '2')
    .argument('<number>', 'its number')
    .action((number: string, options: Options) => {
      if (!/^[0-9]{1,5}$/.test(number)) throw usage('a ruleset is a number');
      return propose_(options, async () => ({ kind: 'ruleset', ruleset: Number(number) }));
    });
  kind(
    'council',
    'Another council: its members, and how many of them must agree.',
    '--members council,v1,v2 --threshold 2',
  )
    .requiredOption('--members <accounts>', 'all members, separated by commas')
    .requiredOption('--threshold <n>', 'how many must agree', Number)
    .action((options: Options & { members: string; threshold: number }) =>
      propose_(options, async () => ({
        kind: 'council',
        threshold: options.threshold,
        members: options.members.split(',').sort(),
      })),
    );
  kind(
    'policy',
    'Another policy set, from a folder: checks it, uploads the texts that are new, proposes it.',
    '--dir genesis/policy',
  )
    .requiredOption('--dir <folder>', 'one .cedarschema file and any number of .cedar files')
    .option('--min-valid <version>', 'grants of older policy versions are void; keep: all stay (default: none stays)')
    .action((options: Options & PolicyOptions) => propose_(options, (sender) => policyChange(sender, options)));
  kind('pause', 'The kill switch: nothing is granted and no grant is used. The ledger goes on.', '').action(
    (options: Options) => propose_(options, async () => ({ kind: 'pause', paused: true })),
  );
  kind('resume', 'Ends a pause.', '').action((options: Options) =>
    propose_(options, async () => ({ kind: 'pause', paused: false })),
  );
}

async function propose_(
  options: Options,
  changeOf: (sender: Sender, status: GovernanceStatus) => Promise<JsonObject>,
): Promise<void> {
  if (!Number.isSafeInteger(options.notBefore) || options.notBefore < 0) throw usage('--not-before takes a height');
  const lifetimeMs = durationMs(options.expiresIn);
  await withSender(options, async (sender) => {
    const change = await changeOf(sender, await sender.client.governance());
    const { id, height } = await sender.send('governance.propose', {
      change,
      notBefore: options.notBefore,
      expires: Date.now() + lifetimeMs,
    });
    if (options.json) return printJson({ proposal: id, height });
    print(id);
    const more = `--home DIR --account MEMBER --rpc ${options.rpc}`;
    note(
      `Proposed in block ${height}. Each member of the council: weft governance approve ${id.slice(0, 12)} --wait ${more}`,
    );
  });
}

async function validators(options: SetOptions, sender: Sender, status: GovernanceStatus): Promise<JsonObject> {
  const added = options.add.map(readValidatorRecord);
  const replaced = options.replace.map(readValidatorRecord);
  const names = (records: readonly ValidatorRecord[]): string[] => records.map(({ validator }) => validator.name);
  checkNames(options, names(added), names(replaced), new Set(status.validators.map(({ name }) => name)));
  for (const record of [...added, ...replaced]) {
    refuseOtherNetwork(record.network, record.validator.name, sender.status.chain);
    const said = await bringAccount(sender, record);
    if (said !== '') note(said);
  }
  const set = [...added, ...replaced].map(
    ({ validator: { name, peer, vote, log, cosigner, account, url } }): Json & { name: string } => ({
      name,
      peer,
      vote,
      log,
      cosigner,
      account,
      url,
    }),
  );
  return { kind: 'validators', set: byName(set), remove: [...options.remove].sort() };
}

async function observers(options: SetOptions, sender: Sender, status: GovernanceStatus): Promise<JsonObject> {
  const added = options.add.map(readObserverRecord);
  const replaced = options.replace.map(readObserverRecord);
  const names = (records: typeof added): string[] => records.map(({ observer }) => observer.name);
  checkNames(options, names(added), names(replaced), new Set(status.observers.map(({ name }) => name)));
  for (const { network, observer } of [...added, ...replaced])
    refuseOtherNetwork(network, observer.name, sender.status.chain);
  const set = [...added, ...replaced].map(({ observer: { name, peer } }) => ({ name, peer }));
  return { kind: 'observers', set: byName(set), remove: [...options.remove].sort() };
}

/** What the contract would do silently, one asks for by its name. */
function checkNames(
  { remove }: SetOptions,
  added: readonly string[],
  replaced: readonly string[],
  there: ReadonlySet<string>,
): void {
  if (added.length + replaced.length + remove.length === 0) throw usage('give --add, --replace or --remove');
  const twice = [...added, ...replaced, ...remove].find((name, i, all) => all.indexOf(name) !== i);
  if (twice !== undefined) throw usage(`${twice} is named twice`);
  const known = added.find((name) => there.has(name));
  if (known !== undefined)
    throw new WeftError('NAME_TAKEN', `${known} is there already; use --replace to give it new keys`);
  const unknown = [...replaced, ...remove].find((name) => !there.has(name));
  if (unknown !== undefined)
    throw new WeftError('NAME_UNKNOWN', `there is no ${unknown} now; weft governance list shows who is there`);
}

/** Proofs of possession name the network: those of another one are worth nothing here. */
function refuseOtherNetwork(network: string, name: string, chain: string): void {
  if (network === chain.slice(0, -13)) return;
  throw new WeftError(
    'RECORD_INVALID',
    `the record of ${name} is for network ${network}, and this is ${chain}; make it with weft init --join`,
  );
}

function parametersOf(set: readonly string[], { parameters }: GovernanceStatus): JsonObject {
  if (set.length === 0) throw usage('give --set name=value');
  const changed: Record<string, number> = { ...parameters };
  for (const each of set) {
    const [name = '', value = ''] = each.split('=', 2);
    if (!/^[0-9]{1,15}$/.test(value)) throw usage(`--set takes name=value with a whole number, not '${each}'`);
    if (changed[name] === undefined)
      throw usage(`there is no parameter '${name}'; there are: ${Object.keys(parameters).join(' ')}`);
    changed[name] = Number(value);
  }
  return changed;
}

function byName<Entry extends { readonly name: string }>(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));
}
