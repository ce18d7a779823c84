import type { Command } from 'commander';
import type { NodeStatus, WeftClient } from '../client/index.ts';
import { bad, good, print, printFields, printJson, printTable, usage, when } from './output.ts';
import { fetchProof } from './prove.ts';
import { printStatus } from './tx.ts';
import { askOptions, withClient } from './withClient.ts';

type Options = { rpc: string; json?: boolean };

export function queryCommand(program: Command): void {
  const query = program
    .command('query')
    .description('Asks a node. What it answers is its word; tokens, audit and verify are evidence.');
  const ask = (name: string, description: string, example: string): Command =>
    askOptions(query.command(name).description(description)).addHelpText(
      'after',
      `\nExample: weft query ${example} --rpc http://127.0.0.1:7611`,
    );
  ask('status', 'Where the node stands.', 'status').action((options: Options) =>
    withClient(options.rpc, async (client) => {
      const status = await client.status();
      if (options.json) printJson(status);
      else printNode(status);
    }),
  );
  ask('block', 'A finalized block by height or id; without either the newest.', 'block 12')
    .argument('[which]', 'height or block id')
    .action((which: string | undefined, options: Options) =>
      withClient(options.rpc, async (client) => {
        const height = which !== undefined && /^[0-9]{1,15}$/.test(which) ? Number(which) : undefined;
        if (which !== undefined && height === undefined && !/^[0-9a-f]{64}$/.test(which)) {
          throw usage('a block is named by its height or by 64 hex digits');
        }
        const block = await client.block(height ?? which);
        if (options.json) return printJson(block);
        const { time, ...rest } = block;
        printFields([...Object.entries(rest), ['time', when(time)]]);
      }),
    );
  ask('entry', 'A log entry, byte for byte.', 'entry 0')
    .argument('<index>', 'log index')
    .action((index: string, options: Options) =>
      withClient(options.rpc, async (client) => {
        if (!/^[0-9]{1,15}$/.test(index)) throw usage('a log index is a whole number');
        const entry = await client.entry(Number(index));
        if (options.json) printJson(entry);
        else print(entry.leaf);
      }),
    );
  ask('state', 'A value of the ledger state.', 'state governance/policy/current')
    .argument('<path>', 'contract/kind/id')
    .option('--proof', 'with its proof under the state root')
    .action((path: string, options: Options & { proof?: boolean }) =>
      withClient(options.rpc, async (client) => {
        const answer = await client.state(path, options.proof === true);
        if (options.json || options.proof === true) printJson(answer);
        else print(JSON.stringify(answer.value, null, 2));
      }),
    );
  ask(
    'proof',
    'Proof of what state holds at these paths (weft-status/v1), to be checked offline: weft verify state.',
    'proof governance/policy/current',
  )
    .argument('<path...>', 'contract/kind/id')
    .action((paths: string[], options: Options) => fetchProof(options, paths));
  ask('tx', 'What is known of a transaction.', 'tx 3f09…')
    .argument('<id>', 'transaction id')
    .action((id: string, options: Options) =>
      withClient(options.rpc, async (client) => {
        if (!/^[0-9a-f]{64}$/.test(id)) throw usage('a transaction id is 64 hex digits');
        printStatus(await client.transaction(id), options);
      }),
    );
  ask('checkpoint', 'The newest cosigned checkpoint.', 'checkpoint').action((options: Options) =>
    withClient(options.rpc, async (client) => {
      const checkpoint = await client.checkpoint();
      if (options.json) printJson({ checkpoint });
      else process.stdout.write(checkpoint);
    }),
  );
  ask('alerts', 'Alerts that nobody has resolved, newest first.', 'alerts').action((options: Options) =>
    withClient(options.rpc, async (client) => {
      const { alerts } = await client.call('alerts.list', {});
      if (options.json) return printJson(alerts);
      if (alerts.length === 0) return print('There are none.');
      printTable(
        ['alert', 'kind', 'about', 'count', 'from', 'to', 'raised by'],
        alerts.map(({ alert, kind, source, count, window, by }) => [
          alert.slice(0, 12),
          kind,
          source,
          count,
          when(window.from),
          when(window.to),
          by ?? 'the ledger',
        ]),
      );
    }),
  );
  ask('records', 'Records as they are finalized, one line each, until interrupted.', 'records --type packets.committed')
    .option('--type <type>', 'only of this type')
    .option('--account <name>', 'only of this account')
    .option('--limit <n>', 'stop after so many', Number)
    .action(followRecords);
  ask('blocks', 'Blocks as they are finalized, one line each, until interrupted.', 'blocks')
    .option('--limit <n>', 'stop after so many', Number)
    .action(followBlocks);
}

function printNode(status: NodeStatus): void {
  const { finalized } = status;
  const ms = (value: number | null): string => (value === null ? '–' : `${Math.round(value)} ms`);
  printFields([
    ['node', `${status.name} (${status.role}, weft ${status.version})`],
    ['chain', status.chain],
    ['finalized', `block ${finalized.height}  ${when(finalized.time)}  log size ${finalized.logSize}`],
    ['epoch / view', `${status.epoch} / ${status.view}  leader ${status.leader}`],
    ['follows', status.catchingUp ? bad(`catching up, ${status.behind} blocks behind`) : good('the live chain')],
    ['votes', status.notVoting === '' ? good('yes') : bad(`no: ${status.notVoting}`)],
    ['finality', `p50 ${ms(status.finalityMs.p50)}  p99 ${ms(status.finalityMs.p99)}`],
    ['mempool', `${status.mempool.transactions} transactions, ${status.mempool.bytes} bytes`],
    ['policy', `version ${status.policy.version}  ${status.policy.digest.slice(0, 16)}…`],
    ['quorum', `${status.quorum} of ${status.validators.length}`],
    [
      'evidence',
      status.evidence.found === 0
        ? undefined
        : bad(`${status.evidence.found} offences, ${status.evidence.recorded} on the ledger: weft governance evidence`),
    ],
  ]);
  print();
  printTable(
    ['validator', 'connected', 'heard'],
    status.validators.map((each) => [each.name, each.connected ? good('yes') : bad('no'), ms(each.heardMs)]),
  );
}

async function followRecords(options: Options & { type?: string; account?: string; limit?: number }): Promise<void> {
  const { type, account } = options;
  await follow(options, {
    topic: 'records',
    ...(type === undefined ? {} : { type }),
    ...(account === undefined ? {} : { account }),
  });
}

async function followBlocks(options: Options & { limit?: number }): Promise<void> {
  await follow(options, { topic: 'blocks' });
}

async function follow(
  options: Options & { limit?: number },
  request: Parameters<WeftClient['subscribe']>[0],
): Promise<void> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  if (!(limit >= 1)) throw usage('--limit takes a number of at least 1');
  let seen = 0;
  await withClient(options.rpc, async (client) => {
    const handle = client.subscribe(request, {
      onEvent: (event) => {
        if (seen++ >= limit) return;
        if (options.json) printJson(event);
        else if (event.topic === 'records') print(`${event.height}  ${event.index}  ${JSON.stringify(event.record)}`);
        else if (event.topic === 'blocks') {
          const { height, time, proposer, transactions, logSize } = event.block;
          print(`${height}  ${when(time)}  ${proposer}  ${transactions} transactions  log ${logSize}`);
        }
        if (seen >= limit) handle.close();
      },
      onLost: (error) => process.stderr.write(`weft: ${error.message} [${error.code}]\n`),
    });
    const stop = (): void => handle.close();
    process.once('SIGINT', stop).once('SIGTERM', stop);
    await handle.ended;
  });
}
