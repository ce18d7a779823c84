// A disk that is full or fails, with real files under it: the node stops at once, answers on, and goes on by itself.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { buildTransaction, ed25519TransactionSigner, sign } from '../../src/client/index.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { type Files, nodeFiles } from '../../src/ledger/files.ts';
import { type KeyValue, openLevel } from '../../src/ledger/keyValue.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { loadConfig } from '../../src/node/config.ts';
import { NodeKeeper } from '../../src/node/keeper.ts';
import { freeBase } from '../freePorts.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** What the disk refuses at the moment; `lossy`: a sync that fails also throws away what it should have written. */
type Disk = { refuses: 'ENOSPC' | 'EIO' | ''; where: 'journal' | 'store' | 'both'; lossy: boolean; free: number };

function refusal(code: string): Error {
  const words = code === 'ENOSPC' ? 'no space left on device' : 'i/o error';
  return Object.assign(new Error(`${code}: ${words}, write`), { code });
}

function failingFiles(disk: Disk): Files {
  const fails = (): boolean => disk.refuses !== '' && disk.where !== 'store';
  return {
    ...nodeFiles,
    async openAppend(path) {
      if (fails()) throw refusal(disk.refuses);
      const file = await nodeFiles.openAppend(path);
      let synced = statSync(path).size;
      return {
        async append(bytes) {
          if (fails() && !disk.lossy) throw refusal(disk.refuses);
          await file.append(bytes);
        },
        async datasync() {
          if (fails()) {
            truncateSync(path, synced);
            throw refusal(disk.refuses);
          }
          await file.datasync();
          synced = statSync(path).size;
        },
        close: () => file.close(),
      };
    },
  };
}

function failingDatabase(disk: Disk, database: KeyValue): KeyValue {
  return {
    ...database,
    async write(ops) {
      if (disk.refuses !== '' && disk.where !== 'journal') throw refusal(disk.refuses);
      await database.write(ops);
    },
  };
}

async function makeKept(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'weft-keeper-'));
  const net = await makeTestnet({
    name: 'weft-keeper',
    validators: 1,
    dir,
    basePort: await freeBase(1),
    passphrase: null,
    demoAccounts: true,
    consensus: { idleBlockMs: 1000, leaderTimeoutMs: 500, skipMs: 3000, recosignMs: 200 },
  });
  const config = loadConfig(net.validators[0]!.config);
  const disk: Disk = { refuses: '', where: 'both', lossy: false, free: 1e12 };
  const fatal: unknown[] = [];
  const keeper = await NodeKeeper.start(
    {
      config,
      genesis: readFileSync(config.genesis),
      keys: validatorKeysFrom(await readKeyFile(config.keys, null)),
      version: '0',
      log: quiet,
      openLedger: async (options) => {
        mkdirSync(options.dir, { recursive: true });
        const database = await openLevel(join(options.dir, 'store'));
        return Ledger.open({ ...options, files: failingFiles(disk), database: failingDatabase(disk, database) });
      },
    },
    {
      freeBytes: async () => disk.free,
      probe: async () => {
        if (disk.refuses !== '') throw refusal(disk.refuses);
      },
      diskEveryMs: 50,
      fatal: (error) => fatal.push(error),
    },
  );
  t.teardown(async () => {
    await keeper.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const [secret] = (await readKeyFile(net.accounts.get('router-prime')!, null)).filter(
    ({ name }) => name === 'account',
  );
  const signer = ed25519TransactionSigner(secret!.secret);
  const submit = async () => {
    const ids = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');
    const group = { source: 'misty.weave', target: 'oracle.weave', expires: Date.now() + 30_000, ids };
    const body = { groups: [group] };
    const tx = sign(
      buildTransaction({
        chain: net.chain,
        account: 'router-prime',
        type: 'packets.commit',
        body,
        expiresInMs: 60_000,
      }),
      [signer],
    );
    await keeper.api.submit(tx.envelope);
    return tx.id;
  };
  const until = async (holds: () => boolean): Promise<void> => {
    for (let i = 0; i < 600 && !holds(); i += 1) await sleep(25);
    if (!holds()) throw new Error(`not reached: ${JSON.stringify(keeper.api.status())}`);
  };
  const final = async (id: string) => {
    await until(() => keeper.api.transaction(id).status === 'finalized');
    return keeper.api.transaction(id);
  };
  const notVoting = (code: string) => until(() => keeper.api.status().notVoting === code);
  return { keeper, api: keeper.api, disk, fatal, submit, final, notVoting };
}

for (const [what, change, code] of [
  ['the journal finds no room', { refuses: 'ENOSPC', where: 'journal' }, 'DISK_FULL'],
  [
    'the journal cannot be synced, and loses what it was given',
    { refuses: 'EIO', where: 'journal', lossy: true },
    'DISK_FAILED',
  ],
  ['the store finds no room', { refuses: 'ENOSPC', where: 'store' }, 'DISK_FULL'],
  ['the store cannot be written', { refuses: 'EIO', where: 'both' }, 'DISK_FAILED'],
] as const) {
  t.test(`${what}: ${code}, and it goes on when the disk does`, { timeout: 60_000 }, async (t) => {
    const { api, disk, fatal, submit, final, notVoting } = await makeKept(t);
    const heights: number[] = [];
    api.subscribe({ topic: 'blocks' }, (event) => {
      if (event.topic === 'blocks') heights.push(event.block.height);
    });
    const before = await submit();
    const told = await final(before);
    Object.assign(disk, change);
    // Whatever was accepted in this moment is answered for later.
    const caught = await submit().catch((error: { code: string }) => {
      t.equal(error.code, 'NODE_STOPPED');
      return undefined;
    });
    await notVoting(code);
    t.same(api.ready(), { ready: false, reason: code });
    t.equal(api.healthy(), true, 'nobody should restart it');
    await t.rejects(submit(), { code: 'NODE_STOPPED', details: { reason: code } });
    t.same(api.transaction(before), told, 'what was final is answered');
    t.ok(api.block(1));
    await sleep(150);
    t.equal(api.status().notVoting, code, 'it does not try its luck');

    disk.refuses = '';
    await notVoting('');
    t.same(api.transaction(before), told);
    if (caught !== undefined) await final(caught);
    await final(await submit());
    t.same(
      heights,
      [...new Set(heights)].sort((a, b) => a - b),
      'subscribers saw each block once',
    );
    t.equal(heights.length, api.status().finalized.height);
    t.same(fatal, []);
  });
}

for (const [refuses, code] of [
  ['EIO', 'DISK_FAILED'],
  ['ENOSPC', 'DISK_FULL'],
] as const) {
  t.test(`opened anew for another reason, on a disk that says ${refuses} then`, { timeout: 60_000 }, async (t) => {
    const { keeper, api, disk, fatal, submit, final, notVoting } = await makeKept(t);
    await final(await submit());
    Object.assign(disk, { refuses, where: 'journal' });
    await t.rejects(keeper.reopen('SNAPSHOT_LOADED'), { code });
    t.same(api.ready(), { ready: false, reason: code });
    t.same(fatal, [], 'the process need not end for it');
    disk.refuses = '';
    await notVoting('');
    await final(await submit());
  });
}

t.test('a disk that is nearly full stops the node before a write fails', { timeout: 60_000 }, async (t) => {
  const { api, disk, submit, final, notVoting } = await makeKept(t);
  await final(await submit());
  disk.free = 200 * 1024 * 1024;
  await notVoting('DISK_FULL');
  const { height } = api.status().finalized;
  await t.rejects(submit(), { code: 'NODE_STOPPED' });
  disk.free = 300 * 1024 * 1024;
  await sleep(200);
  t.equal(api.status().notVoting, 'DISK_FULL', 'a little room is not enough to begin again');
  t.equal(api.status().finalized.height, height, 'and nothing was written');
  disk.free = 400 * 1024 * 1024;
  await notVoting('');
  await final(await submit());
  const metrics = await api.metrics();
  t.match(metrics, /weft_disk_free_bytes 419430400/);
  // docs/bounds.md names a metric for each bound: there is one.
  const root = join(import.meta.dirname, '..', '..');
  const others = ['rpc', 'agent'].map((folder) => readFileSync(join(root, 'src', folder, 'metrics.ts'), 'utf8'));
  const known = metrics + others.join('');
  const named = readFileSync(join(root, 'docs', 'bounds.md'), 'utf8').match(/weft_[a-z_*]+/g) ?? [];
  const absent = named.filter((name) => !new RegExp(name.replaceAll('*', '[a-z]+')).test(known));
  t.ok(named.length > 20);
  t.same(absent, []);
});
