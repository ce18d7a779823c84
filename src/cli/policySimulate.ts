import type { Command } from 'commander';
import { WeftError } from '../codec/error.ts';
import type { DangerReport, SimulationReport } from '../policyTools/simulate.ts';
import { bad, dim, good, print, printJson, printTable, usage } from './output.ts';
import { chosenSet, type SetChoice } from './policySets.ts';
import { progress } from './progress.ts';

type Options = SetChoice & {
  readonly library?: readonly string[];
  readonly only?: boolean;
  readonly json?: boolean;
};

export function policySimulateCommand(policy: Command): void {
  policy
    .command('simulate')
    .description(
      'Asks for every dangerous intent of the library, and a policy set must refuse each; every forbid of the set must be what stands against one at least. Exit code 1 if anything gets through.',
    )
    .option('--dir <dir>', 'a set in a folder; by default the one that new networks start with')
    .option('--rpc <url>', 'the set in force on a node (more: separated by commas)')
    .option('--library <dir...>', 'folders with dangerous intents of your own, beside those of Weft')
    .option('--only', 'only those of --library')
    .option('--json', 'print the report as one line of JSON')
    .addHelpText('after', '\nExample: weft policy simulate --dir genesis/policy')
    .action(simulateCommand);
}

async function simulateCommand(options: Options): Promise<void> {
  const { library = [] } = options;
  if (options.only && library.length === 0) throw usage('--only needs --library DIR');
  const set = await chosenSet(options);
  const { ownLibrary, readLibrary } = await import('../policyTools/library.ts');
  const { rehearse, simulate } = await import('../policyTools/simulate.ts');
  const dangers = readLibrary([...(options.only ? [] : [ownLibrary()]), ...library]);
  const bar = progress('dangerous intents');
  const rehearsals = await rehearse(dangers, bar.show).finally(() => bar.done());
  const report = await simulate(rehearsals, set);
  if (options.json) printJson(report);
  else printReport(report);
  if (!report.ok) throw new WeftError('POLICY_UNSAFE', whatIsWrong(report));
}

function printReport({ dangers, refused, forbids, uncovered, digest }: SimulationReport): void {
  printTable(
    ['', 'dangerous intent', 'refused by'],
    dangers.map((danger) => [danger.verdict === 'refused' ? good('✓') : bad('✗'), danger.id, rulesOf(danger)]),
  );
  for (const danger of dangers) {
    if (danger.verdict === 'refused') continue;
    print();
    print(`${bad(danger.id)}  ${danger.title}`);
    print(dim(danger.why));
    if (danger.verdict === 'passed')
      print(`It got through (${(danger.happened ?? []).join(', ')}). ${danger.expected} should have refused it.`);
    else print(`It was refused by ${danger.refusedBy.join(', ')}, and should have been by ${danger.expected}.`);
  }
  print();
  print(`policy set ${digest}`);
  print(
    `${refused} of ${dangers.length} dangerous intents refused as they should be; ${forbids - uncovered.length} of ${forbids} forbids each stand alone against one at least.`,
  );
  for (const id of uncovered)
    print(
      `${bad('uncovered forbid')} ${id}: without it nothing of the library gets through. Write the dangerous intent that it is there for (--library DIR), or do without it.`,
    );
}

function rulesOf({ verdict, refusedBy }: DangerReport): string {
  if (verdict === 'passed') return bad('nothing: it got through');
  return refusedBy.join(', ');
}

function whatIsWrong({ passed, byOthers, uncovered, missing }: SimulationReport): string {
  const said: string[] = [];
  if (passed.length > 0) said.push(`${count(passed.length, 'dangerous intent')} got through: ${passed.join(', ')}`);
  for (const { policy, passed: through } of missing)
    said.push(`the set has no policy ${policy}, which should refuse ${through.join(', ')}`);
  if (byOthers.length > 0) said.push(`refused by another rule than expected: ${byOthers.join(', ')}`);
  if (uncovered.length > 0) said.push(`${count(uncovered.length, 'uncovered forbid')}: ${uncovered.join(', ')}`);
  return said.join('; ');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
