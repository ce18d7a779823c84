import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../node/config.ts';
import { configOfHome } from './home.ts';
import { exitCodes, note, print, printFields, printJson } from './output.ts';

type Options = { home?: string; validator?: string; config?: string; json?: boolean };

export function journalCommand(program: Command): void {
  program
    .command('journal')
    .description("A validator's vote journal: what its vote key has signed and what it must not forget (W11).")
    .command('dump')
    .description('Prints the records of a journal, also of a damaged one; changes nothing, and the node may run.')
    .option('--home <dir>', 'home folder')
    .option('--validator <name>', 'which one, when the home has several')
    .option('--config <file>', 'configuration file, instead of --home')
    .option('--json', 'one line of JSON for the file, then one for each record')
    .addHelpText('after', '\nExample: weft journal dump --home net --validator v1 | tail')
    .action(dump);
}

async function dump(options: Options): Promise<void> {
  const config = loadConfig(configOfHome(options), process.env);
  const [{ loadGenesis }, { journalLineJson, readJournal }] = await Promise.all([
    import('../ledger/genesis.ts'),
    import('../ledger/journalReport.ts'),
  ]);
  const { genesisHash } = loadGenesis(new Uint8Array(readFileSync(config.genesis)));
  const { records, ...file } = await readJournal(join(config.data, 'journal'), genesisHash);
  const unproven = file.bytes - file.end;
  if (options.json === true) printJson({ ...file, records: records.length });
  else {
    printFields([
      [
        'journal',
        file.file === '' ? `none in ${join(config.data, 'journal')}` : join(config.data, 'journal', file.file),
      ],
      ['state', file.state],
      ['epoch', file.state === 'absent' ? undefined : file.epoch],
      ['floor', file.state === 'absent' ? undefined : `view ${file.floorView}, height ${file.floorHeight}`],
      [
        'bytes',
        `${file.bytes}${unproven > 0 ? `, the last ${unproven} do not hang together with what is before` : ''}`,
      ],
      ['records', records.length],
    ]);
  }
  for (const line of records) {
    const fields = journalLineJson(line);
    if (options.json === true) printJson(fields);
    else print(wordsOf(fields));
  }
  if (options.json !== true && file.state === 'damaged')
    note('This vote key must not vote again with this journal: weft recover says what to do.');
  if (file.state !== 'complete') process.exitCode = exitCodes.refused;
}

/** `7  vote notarize  epoch=1 view=4 …`, a mark before what is behind a break. */
function wordsOf(fields: Record<string, unknown>): string {
  const { sequence, kind, vote, of, chained, at: _at, durable: _durable, ...rest } = fields;
  const what = [kind, vote, of].filter((each) => each !== undefined).join(' ');
  const values = Object.entries(rest).map(([name, value]) => `${name}=${short(value)}`);
  return `${chained === true ? ' ' : '?'} ${String(sequence).padStart(7)}  ${what.padEnd(21)} ${values.join(' ')}`.trimEnd();
}

function short(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  const text = String(value);
  return /^[0-9a-f]{64}$/.test(text) ? text.slice(0, 16) : text;
}
