import type { Command } from 'commander';
import type { Terms } from '../../contracts/intents/terms.ts';
import { WeftError } from '../codec/error.ts';
import type { HistoryEnd, HistoryListener } from '../policyTools/history.ts';
import type { Dependent, Flip, TimeMachineReport } from '../policyTools/timeMachine.ts';
import type { Verdict } from '../policyTools/verdict.ts';
import { bad, dim, good, note, print, printJson, usage, when } from './output.ts';
import { checkedFolder } from './policySets.ts';
import { progress } from './progress.ts';

type Options = {
  readonly candidate: string;
  readonly archive?: string;
  readonly rpc?: string;
  readonly list?: boolean;
  readonly json?: boolean;
};

export function policyDiffCommand(policy: Command): void {
  policy
    .command('diff')
    .description(
      'The time machine: puts every policy question of the past to a candidate set and shows each decision that would have been another one. The past itself goes on as it was recorded.',
    )
    .requiredOption('--candidate <dir>', 'the set: a folder with one .cedarschema and .cedar files')
    .option('--archive <file>', 'the past of an archive (weft export --out)')
    .option('--rpc <url>', 'the past of a running node')
    .option('--list', 'a line for each decision, and not for each kind of change')
    .option('--json', 'a line of JSON for each decision, and one for the whole')
    .addHelpText('after', '\nExample: weft policy diff --candidate my-policy --archive chain.weft')
    .action(diffCommand);
}

async function diffCommand(options: Options): Promise<void> {
  const { archive, rpc } = options;
  if ((archive === undefined) === (rpc === undefined)) throw usage('give --archive FILE or --rpc URL');
  const candidate = await checkedFolder(options.candidate);
  const { runTimeMachine } = await import('../policyTools/timeMachine.ts');
  const bar = progress(archive === undefined ? 'log entries' : 'bytes');
  const kinds = new Kinds();
  const inLines = options.json === true || options.list === true;
  const report = await runTimeMachine({
    history: archive === undefined ? historyOfNode(rpc ?? '') : historyOfArchive(archive),
    candidate,
    onFlip(flip) {
      if (!inLines) kinds.add(flip);
      else if (options.json) printJson(flip);
      else print(lineOf(flip));
    },
    onDependent(dependent) {
      if (!inLines) kinds.follow(dependent);
      else if (options.json) printJson(dependent);
      else print(`  ${dependentOf(dependent)}`);
    },
    onProgress: ({ done, of }) => bar.show(done, of),
  }).finally(() => bar.done());
  if (options.json) return printJson(report);
  if (!inLines) kinds.print();
  printSummary(report);
}

function historyOfArchive(file: string): (listener: HistoryListener) => Promise<HistoryEnd> {
  return async (listener) => {
    const { replayArchive } = await import('../policyTools/history.ts');
    return replayArchive(file, listener).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (error instanceof WeftError || code === undefined) throw error;
      throw new WeftError('FILE_UNREADABLE', `cannot read ${file}: ${code}`);
    });
  };
}

function historyOfNode(rpc: string): (listener: HistoryListener) => Promise<HistoryEnd> {
  return async (listener) => {
    const { replayNode } = await import('../policyTools/nodeHistory.ts');
    return replayNode(rpc, listener);
  };
}

/** Changes of one kind that are shown as examples. */
const examplesMax = 3;
/** Kinds that are told apart; what comes after them is counted. */
const kindsMax = 200;

/** The same change, by the same policies: told once, with how often and where. */
class Kinds {
  readonly #kinds = new Map<string, { readonly flip: Flip; readonly examples: Flip[]; count: number }>();
  readonly #dependents = new Map<string, number>();
  #others = 0;

  add(flip: Flip): void {
    const name = [flip.flip, flip.action, ...sides(flip)].join('\n');
    const kind = this.#kinds.get(name);
    if (kind === undefined && this.#kinds.size >= kindsMax) {
      this.#others += 1;
      return;
    }
    const known = kind ?? { flip, examples: [], count: 0 };
    known.count += 1;
    if (known.examples.length < examplesMax) known.examples.push(flip);
    this.#kinds.set(name, known);
  }

  follow({ transaction }: Dependent): void {
    this.#dependents.set(transaction, (this.#dependents.get(transaction) ?? 0) + 1);
  }

  print(): void {
    for (const { flip, examples, count } of [...this.#kinds.values()].sort((a, b) => b.count - a.count)) {
      print(`${turn(flip)}  ${flip.action}  ${count} ${count === 1 ? 'time' : 'times'}`);
      const [was, then] = sides(flip);
      print(`  was  ${was}`);
      print(`  then ${then}`);
      for (const example of examples)
        print(
          dim(
            `       block ${example.height}  ${when(example.time)}  ${example.account} on ${example.resource}  tx ${example.tx}`,
          ),
        );
      if (count > examples.length) print(dim(`       and ${count - examples.length} more (--list)`));
      print();
    }
    if (this.#others > 0) print(`${this.#others} more, of other kinds (--list shows each)\n`);
    for (const [transaction, count] of this.#dependents)
      print(
        `${count} ${transaction} followed intents whose proposals would have been decided otherwise (--list names them)\n`,
      );
  }
}

/** Both answers, and of their terms what differs: what was asked for would tell one change from the next for no reason. */
function sides({ flip, before, after }: Flip): readonly [was: string, then: string] {
  if (flip !== 'terms') return [said({ ...before, terms: undefined }), said({ ...after, terms: undefined })];
  const [old, fresh] = [before, after].map(({ terms }) => (terms === undefined ? [] : termsOf(terms)));
  const bare = (verdict: Verdict, own: readonly string[] = [], other: readonly string[] = []): string => {
    const differing = own.filter((term) => !other.includes(term));
    return `${said({ ...verdict, terms: undefined })}, ${differing.join(' · ') || 'without'}`;
  };
  return [bare(before, old, fresh), bare(after, fresh, old)];
}

function lineOf(flip: Flip): string {
  const { height, time, tx, account, action, resource, before, after } = flip;
  return `${turn(flip)}  block ${height}  ${when(time)}  ${account}: ${action} on ${resource}  was ${said(before)}, then ${said(after)}  tx ${tx}`;
}

function dependentOf({ height, account, transaction, tx, dependsOn }: Dependent): string {
  return dim(`depends on ${dependsOn}: block ${height}  ${account}: ${transaction}  tx ${tx}`);
}

function turn({ flip }: Flip): string {
  if (flip === 'deny') return bad('allow → deny');
  return flip === 'allow' ? good('deny → allow') : 'other terms  ';
}

type Said = Omit<Verdict, 'terms'> & { readonly terms?: Terms | undefined };

function said({ decision, policies, errors, why, terms }: Said): string {
  const by = policies.length > 0 ? policies.join(', ') : 'nobody permits it';
  const code = why === undefined ? '' : ` ${why}`;
  const on = terms === undefined ? '' : `, ${termsOf(terms).join(' · ')}`;
  return `${decision}${code} (${by})${on}${errors ? ', and a policy errs' : ''}`;
}

function termsOf(terms: Terms): string[] {
  const { ttlMs, maxUses, maxTargets, approvals, approverKey, dryRunOnly, cooldownMs } = terms;
  return [
    `${formatDuration(ttlMs)}`,
    `${maxUses} ${maxUses === 1 ? 'use' : 'uses'}`,
    ...(approvals > 0 ? [`${approvals} ${approvals === 1 ? 'approval' : 'approvals'}`] : []),
    ...(approverKey === 'any' ? [] : [`by ${approverKey}`]),
    ...(maxTargets < Number.MAX_SAFE_INTEGER ? [`${maxTargets} targets in force`] : []),
    ...(cooldownMs > 0 ? [`rest ${formatDuration(cooldownMs)}`] : []),
    ...(dryRunOnly ? ['dry run'] : []),
  ];
}

/** `90000` → `90s`. */
function formatDuration(ms: number): string {
  if (ms % 1000 !== 0) return `${ms}ms`;
  if (ms % 60_000 !== 0) return `${ms / 1000}s`;
  return ms % 3_600_000 === 0 ? `${ms / 3_600_000}h` : `${ms / 60_000}m`;
}

function printSummary({ chain, height, transactions, questions, flips, dependents }: TimeMachineReport): void {
  print(`${chain}: ${questions} decisions in ${transactions} transactions of ${height} blocks`);
  const changed = Object.values(flips).reduce((sum, each) => sum + each, 0);
  if (changed === 0) {
    print(good('None would have been another one.'));
    return;
  }
  print(
    `${changed} would have been another one: ${flips.deny} allow → deny, ${flips.allow} deny → allow, ${flips.terms} on other terms`,
  );
  if (dependents > 0) print(`${dependents} later transactions depend on them.`);
  note('The past went on as it was recorded: each question was asked in the state in which it was asked then.');
}
