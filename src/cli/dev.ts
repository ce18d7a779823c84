import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { NodeStatus } from '../../schemas/types/rpc.ts';
import { connect, type WeftClient } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { loadConfig } from '../node/config.ts';
import { DevProcesses, type Member } from './devProcesses.ts';
import { runTraffic } from './devTraffic.ts';
import { DevView } from './devView.ts';
import { type Home, homeAt } from './home.ts';
import { note, printJson } from './output.ts';
import { pause } from './pause.ts';
import { makeTestnet } from './testnet.ts';

/** `weft dev`: a whole network on this machine, four validators as four processes, with the traffic of a small weave. */

type DevOptions = {
  readonly home: string;
  readonly validators: number;
  readonly basePort: number;
  readonly json?: boolean;
  readonly traffic: boolean;
  readonly gate: boolean;
  readonly rate: number;
};

type DevMember = Member & { readonly rpc: string };

const readyWithinMs = 60_000;
const pollMs = 500;

export function devCommand(program: Command): void {
  program
    .command('dev')
    .description('Runs a whole network on this machine: validators as processes of their own, and live traffic.')
    .option('--home <dir>', 'where keys and data are kept between runs', '.weft-dev')
    .option('--validators <n>', 'how many, when the network is made', Number, 4)
    .option('--base-port <port>', 'peers on base+10, base+20, …; RPC one above each', Number, 7600)
    .option('--rate <n>', 'packet commits a second', Number, 2)
    .option('--no-traffic', 'no transactions but yours')
    .option('--no-gate', 'no gate with traffic behind it (it is shown on Linux, as root, and never with --json)')
    .option('--json', 'one line when ready, then one line per finalized block')
    .addHelpText('after', '\nExample: weft dev\n         weft dev --home /tmp/net --base-port 9600 --no-traffic --json')
    .action((options: DevOptions) => runDev(options));
}

async function runDev(options: DevOptions): Promise<void> {
  const dir = resolve(options.home);
  const home = homeAt(dir);
  const members = existsSync(home.genesis) ? membersOf(dir) : await makeMembers(options, dir);
  const notes: string[] = [];
  const say = (text: string): void => {
    if (options.json === true || !process.stdout.isTTY) note(text);
    notes.push(`${new Date().toISOString().slice(11, 19)}  ${text}`);
    if (notes.length > 100) notes.shift();
  };
  const processes = new DevProcesses(members, say);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // A terminal that is closed: namespaces and interfaces would stay.
  process.once('SIGHUP', stop);
  if (options.json !== true)
    note(`weft: starting ${members.length} validators (logs: ${relative('.', dir) || '.'}/*/node.log) ...`);
  processes.start();
  try {
    const clients = members.map(({ rpc }) => connect({ rpc }));
    await ready(members, clients, processes, stopping.signal);
    if (stopping.signal.aborted) return;
    await follow({ options, home, members, clients, processes, say, notes, signal: stopping.signal });
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    process.off('SIGHUP', stop);
    await processes.stop();
    if (options.json !== true)
      note(`\nweft: all ${members.length} validators stopped; \`npm start\` continues the same chain`);
  }
}

async function makeMembers(options: DevOptions, dir: string): Promise<DevMember[]> {
  const net = await makeTestnet({
    dir,
    validators: options.validators,
    basePort: options.basePort,
    name: 'weft-dev',
    passphrase: null,
    demoAccounts: true,
  });
  return net.validators.map(({ name, config, dir: own, rpc }) => ({
    name,
    config,
    logFile: join(own, 'node.log'),
    rpc,
  }));
}

/** The network of an earlier run, as its configuration files say. */
function membersOf(dir: string): DevMember[] {
  const members = readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(dir, entry.name, 'config.yaml')))
    .map(({ name }) => {
      const config = join(dir, name, 'config.yaml');
      const { rpc } = loadConfig(config);
      return { name, config, logFile: join(dir, name, 'node.log'), rpc: `http://${rpc.host}:${rpc.port}` };
    });
  if (members.length === 0) {
    throw new WeftError(
      'HOME_INCOMPLETE',
      `${dir} holds a genesis document and no validator; remove the folder and start again`,
    );
  }
  return members.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

/** Waits until every validator votes; says which one does not, and why. */
async function ready(
  members: readonly DevMember[],
  clients: readonly WeftClient[],
  processes: DevProcesses,
  signal: AbortSignal,
): Promise<void> {
  const until = Date.now() + readyWithinMs;
  for (;;) {
    if (signal.aborted) return;
    const statuses = await Promise.all(clients.map((client) => statusOf(client)));
    if (statuses.every((status) => status !== undefined && status.notVoting === '' && !status.catchingUp)) return;
    const dead = processes.givenUp;
    const late =
      members[statuses.findIndex((status) => status === undefined || status.notVoting !== '' || status.catchingUp)];
    if (dead !== undefined || Date.now() > until) {
      const name = dead ?? late?.name ?? '';
      const why = processes.tailOf(name).trim().split('\n').at(-1) ?? '';
      throw new WeftError(
        'DEV_NOT_READY',
        `${name} does not come up${why === '' ? '' : `: ${why}`}; its log is ${late?.logFile ?? ''}`,
      );
    }
    await sleep(150);
  }
}

type Following = {
  readonly options: DevOptions;
  readonly home: Home;
  readonly members: readonly DevMember[];
  readonly clients: readonly WeftClient[];
  readonly processes: DevProcesses;
  readonly say: (text: string) => void;
  readonly notes: readonly string[];
  readonly signal: AbortSignal;
};

async function follow({ options, home, members, clients, processes, say, notes, signal }: Following): Promise<void> {
  const rpc = members.map((member) => member.rpc);
  const all = connect({ rpc });
  const status = await all.status();
  writeFileSync(home.trust, await all.trust());
  const records: { height: number; index: number; text: string }[] = [];
  const statuses: (NodeStatus | undefined)[] = members.map(() => undefined);
  const view = new DevView(process.stdout);
  if (options.json === true) printJson(await readyLine(status, home, rpc, clients, processes));
  const blocks = all.subscribe(
    { topic: 'blocks' },
    {
      onEvent: (event) => {
        if (options.json === true && event.topic === 'blocks') printJson({ block: event.block });
      },
    },
  );
  const wanted =
    options.json === true
      ? undefined
      : all.subscribe(
          { topic: 'records' },
          {
            onEvent: (event) => {
              if (event.topic !== 'records') return;
              const text = describe(event.record as Record<string, unknown>);
              if (text === undefined) return;
              records.push({ height: event.height, index: event.index, text });
              if (records.length > 50) records.shift();
            },
          },
        );
  const traffic = options.traffic
    ? runTraffic({ home, chain: status.chain, client: all, rate: options.rate, note: say }, signal)
    : Promise.resolve();
  traffic.catch((error: unknown) => say(`traffic stopped: ${error instanceof Error ? error.message : String(error)}`));
  // The kernel's part of it, where there is one.
  const gate =
    options.gate && options.json !== true
      ? new (await import('./devGate.ts')).GateShow({ home, chain: status.chain, client: all, rpc, note: say })
      : undefined;
  const shown = gate?.run(signal) ?? Promise.resolve();
  const startedMs = Date.now();
  while (!signal.aborted) {
    if (options.json !== true) {
      for (const [i, client] of clients.entries()) statuses[i] = await statusOf(client);
      view.draw({
        chain: status.chain,
        home: options.home,
        rpc,
        statuses,
        names: members.map(({ name }) => name),
        records,
        notes,
        startedMs,
        ...(gate === undefined ? {} : { gate: gate.line }),
      });
    }
    await pause(pollMs, signal);
  }
  blocks.close();
  wanted?.close();
  await Promise.race([traffic.catch(() => {}), sleep(1000)]);
  await shown;
  all.close();
}

async function readyLine(
  status: NodeStatus,
  home: Home,
  rpc: readonly string[],
  clients: readonly WeftClient[],
  processes: DevProcesses,
): Promise<object> {
  const each = await Promise.all(clients.map((client) => client.status()));
  return {
    ready: true,
    chain: status.chain,
    origin: status.origin,
    home: home.dir,
    rpc,
    logKeys: each.map(({ logKey }) => logKey),
    cosigners: each.map(({ cosigner }) => cosigner),
    quorum: status.quorum,
    trust: home.trust,
    pids: processes.pids,
  };
}

async function statusOf(client: WeftClient): Promise<NodeStatus | undefined> {
  try {
    return await client.call('node.status', {}, 2000);
  } catch {
    return undefined;
  }
}

/** A record in a line for people; block and transaction leaves are left out. */
function describe(record: Record<string, unknown>): string | undefined {
  const type = String(record['type'] ?? record['_type'] ?? '');
  if (type === 'block' || type === 'tx' || type === '') return undefined;
  const { source, target, decision, route, model, instance, status, state, account, code } = record;
  const rule = (route as { rule?: string } | null | undefined)?.rule;
  const parts = [
    source !== undefined ? `${String(source)} → ${String(target)}` : '',
    decision,
    rule,
    model,
    instance,
    status,
    state,
    account,
    code,
  ]
    .filter((part) => typeof part === 'string' && part !== '')
    .join('  ');
  return `${type.padEnd(20)} ${parts}`;
}
