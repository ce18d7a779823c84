import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { loadConfig } from '../node/config.ts';
import { type DataCopy, openDataCopy } from './dataCopy.ts';
import { configOfHome } from './home.ts';
import { bad, good, print, printFields, printJson, usage, when } from './output.ts';

type Options = { home?: string; validator?: string; config?: string; json?: boolean };

export function inspectCommand(program: Command): void {
  const inspect = program
    .command('inspect')
    .description(
      "Reads a node's data folder as weft query reads a node: also while it is stopped, and without changing it. Everything is compared with its hashes on the way.",
    );
  const look = (name: string, description: string, example: string): Command =>
    inspect
      .command(name)
      .description(description)
      .option('--home <dir>', 'home folder')
      .option('--validator <name>', 'which one, when the home has several')
      .option('--config <file>', 'configuration file, instead of --home')
      .option('--json', 'print one line of JSON')
      .addHelpText('after', `\nExample: weft inspect ${example} --home net --validator v1`);
  look('status', 'Where the ledger stands, and whether this node may vote.', 'status').action((options: Options) =>
    withCopy(options, status),
  );
  look('block', 'A finalized block by height or id; without either the newest.', 'block 12')
    .argument('[which]', 'height or block id')
    .action((which: string | undefined, options: Options) =>
      withCopy(options, async ({ ledger }) => {
        const { blockOf } = await import('../node/queries.ts');
        const height = which === undefined ? ledger.finalized.header.height : Number(which);
        const block = blockOf(ledger, which !== undefined && /^[0-9a-f]{64}$/.test(which) ? which : height);
        if (block === undefined) throw absent(`block ${which ?? height}`);
        if (options.json === true) return printJson(block);
        const { time, ...rest } = block;
        printFields([...Object.entries(rest), ['time', when(time)]]);
      }),
    );
  look('entry', 'A log entry, byte for byte.', 'entry 0')
    .argument('<index>', 'log index')
    .action((index: string, options: Options) =>
      withCopy(options, async ({ ledger }) => {
        if (!/^[0-9]{1,15}$/.test(index)) throw usage('a log index is a whole number');
        const { entryOf } = await import('../node/queries.ts');
        const entry = entryOf(ledger, Number(index));
        if (entry === undefined) throw absent(`log entry ${index}`);
        const leaf = decodeUtf8(entry.leaf);
        if (options.json === true) printJson({ index: Number(index), height: entry.height, leaf });
        else print(leaf);
      }),
    );
  look('state', 'A value of the ledger state.', 'state governance/policy/current')
    .argument('<path>', 'contract/kind/id')
    .action((path: string, options: Options) =>
      withCopy(options, async ({ ledger }) => {
        const { stateOf } = await import('../node/queries.ts');
        const answer = stateOf(ledger, path, false);
        if (options.json === true) printJson(answer);
        else print(JSON.stringify(answer.value, null, 2));
      }),
    );
  look('tx', 'What became of a transaction.', 'tx 3f09…')
    .argument('<id>', 'transaction id')
    .action((id: string, options: Options) =>
      withCopy(options, async ({ ledger }) => {
        const { finalizedTx } = await import('../node/queries.ts');
        const found = finalizedTx(ledger, id);
        if (found === undefined) throw absent(`transaction ${id} among the finalized ones`);
        if (options.json === true) printJson(found);
        else printFields(Object.entries({ ...found, records: JSON.stringify(found.records), time: when(found.time) }));
      }),
    );
}

type Work = (copy: DataCopy, options: Options, genesis: Genesis) => Promise<void>;

async function withCopy(options: Options, work: Work): Promise<void> {
  const config = loadConfig(configOfHome(options), process.env);
  const { loadGenesis } = await import('../ledger/genesis.ts');
  const genesis = loadGenesis(new Uint8Array(readFileSync(config.genesis)));
  const copy = await openDataCopy(config.data, genesis.bytes);
  try {
    await work(copy, options, genesis);
  } finally {
    await copy.close();
  }
}

async function status({ ledger, checkpoint }: DataCopy, options: Options, genesis: Genesis): Promise<void> {
  const config = loadConfig(configOfHome(options), process.env);
  const [{ readVoteState }, { readStopMark }] = await Promise.all([
    import('../node/homeState.ts'),
    import('../node/stopMark.ts'),
  ]);
  const { header, blockId } = ledger.finalized;
  const { epoch } = ledger;
  const words = {
    epoch,
    height: header.height,
    journalRecords: ledger.journalRecords,
    note: (name: string) => ledger.note(name),
  };
  const { journal, entry, refusal, storeBehind } = await readVoteState(config, genesis, words);
  const listed = entry !== undefined;
  const mark = await readStopMark(config.data);
  const notVoting = mark?.code ?? (refusal === '' && storeBehind ? 'STORE_BEHIND' : refusal);
  const answer = {
    name: config.name,
    chain: genesis.chain,
    epoch: epoch.epoch,
    validators: epoch.validators.map(({ name }) => name),
    height: header.height,
    blockId,
    time: header.time,
    logSize: header.logSize,
    logRoot: header.logRoot,
    stateRoot: header.stateRoot,
    journal: journal.state,
    notVoting,
    checkpoint: checkpoint !== undefined,
  };
  if (options.json === true) return printJson(answer);
  const votes = !listed ? 'observes' : notVoting === '' ? good('may vote') : bad(`does not vote: ${notVoting}`);
  printFields([
    ...Object.entries({ ...answer, validators: answer.validators.join(' '), time: when(header.time) }).filter(
      ([key]) => key !== 'notVoting' && key !== 'checkpoint',
    ),
    ['votes', votes],
  ]);
}

function absent(what: string): WeftError {
  return new WeftError('NOT_FOUND', `${what} is not in this data folder`);
}
