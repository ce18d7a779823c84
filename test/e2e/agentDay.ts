// `node test/e2e/agentDay.ts [--write]`: the day with an agent that docs/agent.md shows: a network, a host with a gate, a caller in another namespace, and the
// commands as a person types them, in a terminal of their own. Prints what was seen; with --write it stands in docs/agent.md (between its marks)
// and docs/agent-day.svg. As root.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Peer, run } from '../agent/bpf/peers.ts';
import { TestNetwork } from './network.ts';
import { terminalSvg } from './terminalSvg.ts';

const root = join(import.meta.dirname, '..', '..');
const main = join(root, 'src', 'cli', 'main.ts');
const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
const [host, keeper, port] = ['gate-1', 'actuator-web-1', 8443] as const;
const [here, there] = ['10.89.7.1', '10.89.7.9'];
const [device, space] = ['veth-web', `weft-day-${process.pid}`];
const [patienceMs, columns] = [60_000, 132];

const dir = mkdtempSync(join(tmpdir(), 'weft-day-'));
const mount = join(dir, 'bpf');
const at = join(dir, 'host');
/** What the pages show instead of the addresses and folders of this run. */
const shown: [string | RegExp, string][] = [
  [`${mount}/weft`, '/sys/fs/bpf/weft'],
  [new RegExp(`${at}/?`, 'g'), ''],
];
const transcript: string[] = [];
/** Blocks of the page that the picture shows; the others are long, and read better there. */
const pictured = ['observe', 'enforce', 'grant', 'over'];
const blocks = new Map<string, string>();

/** A command as it is typed: what it says, as a terminal shows it. `on`: the prompt of another machine, which is a namespace here. */
function type(block: string, line: string, on?: { readonly prompt: string; readonly namespace: string }): string {
  const { WEFT_PASSPHRASE: _, ...rest } = process.env;
  const env = { ...rest, COLUMNS: String(columns), TERM: 'xterm' };
  const command = ['script', '-qec', line.replace(/^weft /, `${process.execPath} ${main} `), '/dev/null'];
  const [program = '', ...args] =
    on === undefined ? command : ['nsenter', `--net=/run/netns/${on.namespace}`, ...command];
  const typed = spawnSync(program, args, { cwd: at, encoding: 'utf8', env, timeout: patienceMs });
  const text = typed.stdout.replaceAll('\r\n', '\n').trimEnd();
  if (typed.status !== 0) throw new Error(`${line}: ${text}`);
  tell(block, line, text, on?.prompt);
  return plain(text);
}

function tell(block: string, line: string, text: string, prompt = '$'): void {
  const seen = shown.reduce((sum, [from, to]) => sum.replaceAll(from, to), `${prompt} ${line}\n${text}`.trimEnd());
  if (pictured.includes(block)) transcript.push(seen);
  blocks.set(block, [blocks.get(block), plain(seen)].filter((each) => each !== undefined).join('\n'));
  process.stdout.write(`${seen}\n\n`);
}

function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal begin with one
  return text.replace(/\u001b\[[0-9;]*m/g, '');
}

const events = join(at, 'events.ndjson');
async function event(what: string, test: (line: string) => boolean): Promise<string> {
  for (const deadline = performance.now() + patienceMs; ; await sleep(50)) {
    const found = existsSync(events) ? readFileSync(events, 'utf8').split('\n').findLast(test) : undefined;
    if (found !== undefined && found !== '') return found;
    if (performance.now() > deadline) throw new Error(`no ${what} was told of`);
  }
}

mkdirSync(mount);
mkdirSync(at);
run(`mount -t bpf bpf ${mount}`);
run(`ip netns add ${space}`);
run(`ip link add ${device} type veth peer name weft0 netns ${space}`);
run(`ip addr add ${here}/24 dev ${device}`);
run(`ip link set ${device} up`);
for (const line of [`addr add ${there}/24 dev weft0`, 'link set weft0 up']) run(`ip -n ${space} ${line}`);
const network = await TestNetwork.make({ validators: 4, name: 'weft-day' });
const peers: Peer[] = [];
let agent: ChildProcess | undefined;
try {
  network.startAll();
  await network.ready();
  const [server, caller] = [await Peer.start(), await Peer.start(space)];
  peers.push(server, caller);
  await server.ask('serve', port);
  const passes = async (): Promise<boolean> => {
    const connection = await caller.ask('connect', here, port, 1000);
    if (typeof connection === 'number') await caller.ask('hangUp', connection);
    return typeof connection === 'number';
  };
  /** When it is so, the caller sees it, too. */
  const calls = async (block: string, wanted: 'answers' | 'no answer'): Promise<void> => {
    for (const deadline = performance.now() + patienceMs; (await passes()) !== (wanted === 'answers'); await sleep(20))
      if (performance.now() > deadline) throw new Error(`it should be: ${wanted}`);
    const line = `timeout 1 bash -c '</dev/tcp/${here}/${port}' && echo answers || echo no answer`;
    const said = type(block, line, { prompt: 'caller$', namespace: space });
    if (said !== wanted) throw new Error(`${said}, not ${wanted}`);
  };
  const rpc = network.net.validators.map((each) => each.rpc);
  for (const [i, url] of rpc.entries()) shown.push([url, `http://10.0.0.${i + 1}:7611`]);
  for (const name of [keeper, 'router-prime', 'steward', 'warden'])
    symlinkSync(network.net.accounts.get(name) ?? '', join(at, `${name}.json`));
  const net = `--rpc ${rpc[0]}`;
  type('install', `weft trust ${net} > trust.txt`);
  writeFileSync(
    join(at, 'agent.yaml'),
    `host: ${host}
ledger:
  account: ${keeper}
  keys: ${keeper}.json
  trust: trust.txt
  rpc: [${rpc.slice(0, 2).join(', ')}]
gate:
  interfaces: [${device}]
  guarded: [{ port: ${port}, protocol: tcp }]
  pins: ${mount}/weft
telemetry:
  file: { path: events.ndjson }
metrics: { port: 9511 }
`,
  );
  type('probe', 'weft agent probe');
  const ready = Promise.withResolvers<string>();
  let said = '';
  const line = 'weft agent run --config agent.yaml';
  agent = spawn('script', ['-qec', line.replace('weft', `${process.execPath} ${main}`), '/dev/null'], {
    cwd: at,
    env: { ...process.env, COLUMNS: String(columns), TERM: 'xterm' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  agent.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text.replaceAll('\r\n', '\n');
    if (/metrics.*\n/.test(plain(said))) ready.resolve(said.trimEnd());
  });
  agent.on('exit', () => ready.reject(new Error(said)));
  const late = setTimeout(() => ready.reject(new Error(`not ready: ${said}`)), patienceMs);
  tell('observe', line, await ready.promise);
  clearTimeout(late);
  await calls('observe', 'answers');
  await event('observed packet', (each) => each.includes('"gate.observe"'));
  type('observe', `grep '"kind":"gate.observe"' events.ndjson | tail -1`);
  type('enforce', 'weft agent mode enforce --config agent.yaml');
  await calls('enforce', 'no answer');
  await event('drop', (each) => each.includes('"gate.drop"'));
  type('enforce', `grep '"kind":"gate.drop"' events.ndjson | tail -1`);

  const propose = `weft intent propose route.open host=${host} source=${there}/32 destination=${here}/32 port=${port} protocol=tcp --audience ${keeper} --ttl 12s --keys router-prime.json --account router-prime ${net}`;
  const intent = /[0-9a-f]{64}/.exec(type('grant', propose))?.[0] ?? '';
  for (const who of ['steward', 'warden'])
    type('grant', `weft intent approve ${intent.slice(0, 12)} --keys ${who}.json --account ${who} ${net}`);
  await calls('grant', 'answers');
  type('grant', 'weft agent routes --config agent.yaml');
  await calls('over', 'no answer');
  const over = await event('drop of the grant', (each) => each.includes('"expired"') && each.includes(intent));
  type('over', 'grep \'"expired"\' events.ndjson | tail -1');
  const { ledger } = JSON.parse(over) as { ledger: { expires: number } };
  type('record', `weft token get --intent ${intent} ${net} > token.txt`);
  type('record', `weft token explain token.txt --trust trust.txt --at ${ledger.expires - 4000}`);
  type('record', `weft intent show ${intent.slice(0, 12)} ${net}`);

  if (values.write) {
    const path = join(root, 'docs', 'agent.md');
    let text = readFileSync(path, 'utf8');
    for (const [name, block] of blocks) {
      const marks = new RegExp(`(<!-- day: ${name} -->\n)[^]*?(<!-- end -->)`);
      if (!marks.test(text)) throw new Error(`docs/agent.md has no place for ${name}`);
      text = text.replace(
        marks,
        (_, begin: string, end: string) => `${begin}\n\`\`\`console\n${block}\n\`\`\`\n\n${end}`,
      );
    }
    writeFileSync(path, text);
    writeFileSync(
      join(root, 'docs', 'agent-day.svg'),
      terminalSvg(transcript.join('\n\n'), {
        columns,
        label: 'A day with weft agent: observe, enforce, grant, a drop and its record',
      }),
    );
  }
} finally {
  for (const peer of peers) await peer.kill();
  agent?.kill('SIGTERM');
  spawnSync(process.execPath, [main, 'agent', 'release', '--pins', join(mount, 'weft')]);
  execFileSync('sleep', ['0.5']);
  spawnSync('ip', ['link', 'del', device]);
  spawnSync('ip', ['netns', 'del', space]);
  spawnSync('umount', [mount]);
  await network.remove();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
