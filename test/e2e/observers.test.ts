// A node without a vote: it follows, answers, passes on what clients send, and publishes what trust files know.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connect } from '../../src/client/index.ts';
import { readTrust, verifyToken } from '../../src/token/node.ts';
import { freeBase } from '../freePorts.ts';
import { TestNetwork } from './network.ts';

t.setTimeout(180_000);
const network = await TestNetwork.make({ observers: 1, basePort: await freeBase(5) });
const own = network.net.observers[0]!;
const observer = connect({ rpc: [own.rpc] });
let child: ChildProcess;

function startObserver(): void {
  const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
  child = spawn(process.execPath, [main, 'start', '--config', own.config], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, WEFT_LOG_FILE: join(own.dir, 'node.log') },
  });
}

async function stopObserver(signal: NodeJS.Signals): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

t.teardown(async () => {
  await stopObserver('SIGKILL');
  await network.remove();
});

network.startAll();
startObserver();
await network.ready();

async function until(what: string, holds: () => Promise<boolean>, withinMs = 30_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(50)) {
    if (await holds().catch(() => false)) return;
  }
  const log = readFileSync(join(own.dir, 'node.log'), 'utf8').slice(-2000);
  throw new Error(
    `${what}: not within ${withinMs} ms\n${JSON.stringify(await observer.status().catch(String))}\n${log}`,
  );
}

const sizeOf = (checkpoint: string): number => Number(checkpoint.split('\n')[1]);

/** The observer's checkpoint covers this log size. */
function covers(logSize: number): Promise<void> {
  return until(`a checkpoint of ${logSize}`, async () => sizeOf(await observer.checkpoint()) >= logSize);
}

t.test('it follows the chain and says what it is', async (t) => {
  const { height } = await network.client('v1').submitAndWait(await network.packet(), { allowRefused: true });
  await until('the live chain', async () => {
    const { finalized, catchingUp, validators } = await observer.status();
    return finalized.height >= height && !catchingUp && validators.every(({ connected }) => connected);
  });
  const status = await observer.status();
  t.equal(status.role, 'observer');
  t.equal(status.cosigner, null);
  t.notOk(status.catchingUp);
  t.equal(status.validators.filter(({ connected }) => connected).length, 4);
  t.equal((await fetch(`${own.rpc}/readyz`)).status, 200);
  t.same(await observer.block(height), await network.client('v1').block(height));
  t.same(await observer.entry(0), await network.client('v2').entry(0));
});

t.test('what a client hands to it is finalized, and what is no good is refused with the same code', async (t) => {
  const tx = await network.packet();
  const status = await observer.submitAndWait(tx, { allowRefused: true });
  t.equal(status.status, 'finalized');
  t.equal((await network.client('v3').submitAndWait(tx, { allowRefused: true })).index, status.index);
  t.equal((await observer.submit(tx)).status, 'finalized', 'again');
  const late = await network
    .signed('router-prime', 'packets.acknowledge', { acknowledgements: [] })
    .catch(() => undefined);
  t.equal(late, undefined, 'an empty list is refused before it is signed');
  const junk = (await network.packet()).text.replace(/"sig":"....../, '"sig":"AAAAAA');
  await t.rejects(observer.submit(junk), { code: 'SIGNATURE_INVALID' });
  const foreign = await network.signed('sentinel', 'identity.suspend', { account: 'operator', reason: 'because' });
  const refused = await observer.submitAndWait(foreign, { allowRefused: true });
  t.equal(refused.refused, 'POLICY_DENIED', 'refused on the ledger');
});

t.test('its checkpoint and its tokens hold under the trust file', async (t) => {
  const { id } = await observer.submitAndWait(await network.packet(), { allowRefused: true });
  const trust = readTrust(await network.client('v1').trust());
  const token = await observer.fetchToken({ tx: id });
  t.equal(verifyToken(token, { trust }).kind, 'record');
  const followed = (await observer.status()).logKey;
  t.match(await network.client('v1').trust(), followed, 'the key of its log line is one that the trust file lists');
  t.equal(
    (await observer.trust()).replaceAll(/^# .*$/gm, ''),
    (await network.client('v1').trust()).replaceAll(/^# .*$/gm, ''),
  );
  const response = await fetch(`${own.rpc}/checkpoint`);
  t.equal(response.headers.get('cache-control'), 'no-cache');
  t.equal(
    (await response.text()).split('\n').filter((line) => line.startsWith('— ')).length,
    4,
    'one log line, q others',
  );
});

t.test('the validator whose checkpoints it passes on dies: it takes those of another', async (t) => {
  const { logKey } = await observer.status();
  const names = await Promise.all(
    network.names.map(async (name) => [name, (await network.client(name).status()).logKey]),
  );
  const followed = names.find(([, key]) => key === logKey)?.[0];
  if (followed === undefined) throw new Error('it follows none of the validators');
  await network.signal(followed, 'SIGKILL');
  const { height } = await observer.submitAndWait(await network.packet(), { allowRefused: true });
  await covers((await observer.block(height)).logSize);
  t.not((await observer.status()).logKey, logKey);
  network.start(followed);
  await network.ready();
});

t.test('it was away for a while: it comes back to the live chain with what it had, and without a person', async (t) => {
  const before = sizeOf(await observer.checkpoint());
  await stopObserver('SIGKILL');
  let height = 0;
  for (let i = 0; i < 15; i++) {
    ({ height } = await network.client('v2').submitAndWait(await network.packet(), { allowRefused: true }));
  }
  startObserver();
  await until('the live chain', async () => {
    const { finalized, catchingUp } = await observer.status();
    return finalized.height >= height && !catchingUp;
  });
  t.ok(sizeOf(await observer.checkpoint()) >= before);
  await covers((await observer.block(height)).logSize);
  const newest = await network.client('v1').block(height);
  t.same(await observer.block(height), newest, 'the same chain');
  const token = await observer.fetchToken({ index: newest.logSize - 1 });
  t.equal(verifyToken(token, { trust: readTrust(await observer.trust()) }).kind, 'record');
});

t.test('an idle network: its checkpoint grows no older than those of the validators', async (t) => {
  const trust = readTrust(await observer.trust());
  const timeOf = async (): Promise<number> =>
    verifyToken(await observer.fetchToken({ index: 0 }), { trust }).checkpoint.time;
  const first = await timeOf();
  await until('a newer cosigned time', async () => (await timeOf()) >= first + 4000, 20_000);
  t.pass();
});

t.test('no validator is left: it says so, and goes on answering about the past', async (t) => {
  for (const name of network.names) await network.signal(name, 'SIGKILL');
  const tx = await network.packet();
  await t.rejects(observer.submit(tx, { timeoutMs: 2000 }), { code: 'VALIDATORS_UNREACHABLE' });
  t.equal((await observer.entry(0)).index, 0);
  t.equal((await fetch(`${own.rpc}/healthz`)).status, 200);
  t.equal(child.exitCode, null);
  const errors = readFileSync(join(own.dir, 'node.log'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && (JSON.parse(line) as { level: number }).level >= 50);
  t.same(errors, []);
});
