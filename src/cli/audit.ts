import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { type Command, InvalidArgumentError } from 'commander';
import type { AuditReport } from '../audit/audit.ts';
import { WeftError } from '../codec/error.ts';
import { startAnew } from './nodeFlags.ts';
import { bad, good, note, print, printFields, printJson, when } from './output.ts';
import { progress } from './progress.ts';

export function auditCommand(program: Command): void {
  program
    .command('audit')
    .description(
      'Replays an archive offline: every certificate, signature, policy decision, record and root. Exit code 0: it holds; 1: it does not, and where.',
    )
    .argument('<file>', 'archive (weft export --out)')
    .option(
      '--genesis <file>',
      'the genesis document that the archive must begin with; else it is its own word which network it is',
    )
    .option(
      '--threads <n>',
      'threads that check signatures beside this one (default: one for each other core, 1 to 4)',
      threadCount,
    )
    .option('--json', 'print the report as one line of JSON')
    .addHelpText('after', '\nExample: weft audit chain.weft --genesis genesis.json')
    .action(async (file: string, options: { genesis?: string; threads?: number; json?: boolean }) => {
      const genesis = options.genesis === undefined ? undefined : read(options.genesis);
      startAnew('audit');
      // What it reads it uses once: old objects may double, and not grow by a hundred megabytes, before they are looked through.
      if (process.versions.v8.startsWith('14.')) setFlagsFromString('--heap-growing-percent=100');
      const { auditArchive } = await import('../audit/audit.ts');
      const bar = progress('bytes');
      const report = await auditArchive(file, {
        ...(genesis === undefined ? {} : { genesis }),
        ...(options.threads === undefined ? {} : { threads: options.threads }),
        onProgress: ({ bytes, of }) => bar.show(bytes, of),
      })
        .catch((error: unknown) => {
          throw unreadable(file, error);
        })
        .finally(() => bar.done());
      if (options.json) printJson(report);
      else printReport(report);
      const { error } = report;
      if (error !== undefined)
        throw new WeftError(error.code, `${error.where}: ${error.message}`, { where: error.where });
    });
}

function threadCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 0 && count <= 256) return count;
  throw new InvalidArgumentError('A number from 0 to 256; 0: this thread checks all of them.');
}

function printReport(report: AuditReport): void {
  const { checkpoint } = report;
  print(report.ok ? good('The archive holds.') : bad('The archive does not hold. What was verified before the error:'));
  printFields([
    ['chain', report.chain],
    ['blocks', `${report.blocks}, in ${report.epochs} epochs`],
    ['transactions', `${report.transactions}, of which ${report.refused} were refused by the ledger`],
    ['records', report.records],
    ['log', report.logRoot === undefined ? undefined : `size ${report.logSize}  root ${report.logRoot}`],
    ['state root', report.stateRoot],
    ['checkpoint', checkpoint === undefined ? 'none' : `size ${checkpoint.size}  cosigned at ${when(checkpoint.time)}`],
  ]);
  if (report.ok && !report.genesisGiven)
    note('Which network this is, is the word of the archive. To be sure: --genesis FILE');
}

function read(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return error instanceof WeftError || code === undefined
    ? error
    : new WeftError('FILE_UNREADABLE', `cannot read ${file}: ${code}`);
}
