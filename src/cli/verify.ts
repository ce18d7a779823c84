import type { Command } from 'commander';
import { openLogSource } from '../client/logSource.ts';
import { verifyLog } from '../client/verifyLog.ts';
import { type Trust, type VerifiedState, verifyClaim, verifyState } from '../token/node.ts';
import { statusBytesMax } from '../token/statusForm.ts';
import { readBounded, whole } from './files.ts';
import { good, print, printFields, printJson, when } from './output.ts';
import { progress } from './progress.ts';
import { claimWords, textsOf } from './prove.ts';
import { readTrustFile } from './trustFile.ts';

/** People carry files more slowly than executors ask: a minute, not ten seconds. */
const maxAgeMs = 60_000;

export function verifyCommand(program: Command): void {
  const verify = program
    .command('verify')
    .description(
      'Checks offline, with a trust file: a whole log (weft verify PLACE), or what a proof says (weft prove).',
    );
  verify
    .command('log', { isDefault: true })
    .description(
      'Checks a log from outside: checkpoint, all entry bundles, all tiles. Exit code 0: a quorum stands behind exactly these entries.',
    )
    .argument('<place>', 'folder (weft export --tiles) or URL of a node or static server')
    .requiredOption('--trust <file>', 'trust file (weft trust)')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft verify http://127.0.0.1:7611 --trust trust.txt')
    .action(checkLog);
  for (const { name, what, args, example, read } of claimWords) {
    const command = verify
      .command(name)
      .description(`Checks offline ${what}. Exit code 0: proven; 1: not, or the opposite.`);
    for (const [argument, description] of args) command.argument(argument, description);
    offline(command, example).action((...given: unknown[]) => {
      const options = given[args.length] as ProofOptions;
      const claim = read(textsOf(given, args.length));
      const { proof, checks } = readProof(options);
      const { words, state } = verifyClaim(proof, claim, checks);
      if (options.json) return printJson({ holds: true, claim, words, ...summaryOf(state) });
      print(good(words));
      printEvidence(checks.trust, state);
    });
  }
  offline(
    verify.command('state').description('Checks a proof offline and prints what state holds at its paths.'),
    'state',
  ).action((options: ProofOptions) => {
    const { proof, checks } = readProof(options);
    const state = verifyState(proof, checks);
    if (options.json) return printJson({ holds: true, ...summaryOf(state), values: Object.fromEntries(state.values) });
    for (const [path, value] of state.values) print(`${path}  ${value === null ? '(nothing)' : JSON.stringify(value)}`);
    printEvidence(checks.trust, state);
  });
}

type ProofOptions = { proof: string; trust: string; at?: string; maxAge?: string; json?: boolean };

function offline(command: Command, example: string): Command {
  return command
    .requiredOption('--proof <file>', 'proof (weft prove)')
    .requiredOption('--trust <file>', 'trust file (weft trust)')
    .option(
      '--at <ms>',
      'moment to hold it against, milliseconds UTC (default: now): a proof tells of its own moment only',
    )
    .option('--max-age <ms>', `how old its checkpoint may be (default ${maxAgeMs})`)
    .option('--json', 'print one line of JSON')
    .addHelpText('after', `\nExample: weft verify ${example} --proof proof.json --trust trust.txt`);
}

function readProof(options: ProofOptions) {
  const { proof, trust, at, maxAge } = options;
  return {
    proof: readBounded(proof, statusBytesMax),
    checks: {
      trust: readTrustFile(trust),
      now: at === undefined ? Date.now() : whole('at', at),
      maxStalenessMs: maxAge === undefined ? maxAgeMs : whole('max-age', maxAge),
    },
  };
}

function summaryOf({ checkpoint, block, ageMs }: VerifiedState): object {
  return { checkpoint, block, ageMs };
}

function printEvidence(trust: Trust, { checkpoint, block, ageMs }: VerifiedState): void {
  printFields([
    ['chain', trust.chain],
    ['as of', `block ${block.height}, ${when(block.time)}`],
    ['proven by', `its block record, the newest of ${checkpoint.size} log entries`],
    ['cosigned by', `${checkpoint.cosigners.join(' ')}  (quorum ${trust.quorum} of ${trust.cosigners.length})`],
    ['cosigned at', `${when(checkpoint.time)}  (${Math.max(0, ageMs)} ms before)`],
  ]);
}

async function checkLog(place: string, options: { trust: string; json?: boolean }): Promise<void> {
  const source = openLogSource(place);
  const bar = progress('entries');
  try {
    const log = await verifyLog(source, { trust: readTrustFile(options.trust), onProgress: bar.show });
    bar.done();
    if (options.json) return printJson({ holds: true, ...log });
    print(good('The log holds.'));
    printFields([
      ['chain', log.chain],
      ['entries', `${log.size}, in ${log.bundles} bundles and ${log.tiles} tiles`],
      ['root', log.root],
      ['cosigned by', log.cosigners.join(' ')],
      ['cosigned at', when(log.time)],
    ]);
  } finally {
    bar.done();
    source.close();
  }
}
