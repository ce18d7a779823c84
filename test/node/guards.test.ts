// Networks in this process, and what may happen to the data folder of one validator (W11, W4).
import { cpSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { type Files, nodeFiles } from '../../src/ledger/files.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { loadConfig } from '../../src/node/config.ts';
import { WeftNode } from '../../src/node/node.ts';
import { signStatePath } from '../../src/node/signState.ts';
import { agree, all, EpochNet, parametersOf, work } from './epochNet.ts';
import { others, recoverV4, votingNet } from './guardsNet.ts';

t.test('a data folder is wiped while all the others restart, too', { timeout: 60_000 }, async (t) => {
  const net = await votingNet(t);
  for (const name of all) await net.stop(name);
  rmSync(net.dataOf('v4'), { recursive: true });
  for (const name of all) await net.start(name);
  t.equal(net.status('v4').notVoting, 'JOURNAL_LOST', 'said before anybody was asked');
  await net.votes(...others);
  await work(net, 'v4');
  t.equal(net.status('v4').notVoting, 'JOURNAL_LOST');
  await agree(t, net, all, 0);
});

/** v4, stopped, is to fetch its store anew beside its journal. */
async function rebuildStore(t: Parameters<typeof EpochNet.make>[0], net: EpochNet): Promise<void> {
  t.same(await recoverV4(net, true), ['rebuild-store']);
}

t.test('a store that is rebuilt: the journal stays, and the same key votes on', { timeout: 60_000 }, async (t) => {
  const net = await votingNet(t);
  // With the floor in its journal: one that begins at genesis is where an empty store is.
  for (let i = 0; i < 3; i += 1) await work(net, 'v4');
  await net.stop('v4');
  await rebuildStore(t, net);
  await work(net, 'v1');
  await net.start('v4', { reopen: (why) => void net.reopen('v4', why) });
  t.equal(net.status('v4').notVoting, 'STORE_BEHIND');
  await net.until('v4 is back', () => net.nodes.has('v4') && net.status('v4').notVoting === '');
  await net.votes(...all);
  await work(net, 'v4');
  t.match(net.lines.join('\n'), /v4 reopened for STORE_BEHIND/);
  await agree(t, net, all, 0);
});

t.test('a rebuilt store that enters the epoch of its journal where that begins', { timeout: 60_000 }, async (t) => {
  const net = await votingNet(t);
  await net.change({ kind: 'parameters', parameters: { ...parametersOf(net, 'v1'), cosignEveryBlocks: 2 } });
  await net.until('v4 votes in epoch 2', () => net.lines.some((line) => line === 'v4 info voting {"epoch":2}'));
  await net.stop('v4');
  await rebuildStore(t, net);
  // As if it had committed no block of this epoch yet, and voted for the first.
  const openLedger: typeof Ledger.open = async (options) => {
    const ledger = await Ledger.open(options);
    const { replay } = ledger.journal;
    const from = replay.records.findIndex(({ kind }) => kind === 'floor');
    const records = replay.records.filter(({ kind }, i) => kind !== 'floor' || i === from);
    Object.assign(ledger.journal, { replay: { ...replay, records } });
    return ledger;
  };
  await net.start('v4', { openLedger, reopen: (why) => void net.reopen('v4', why) });
  t.equal(net.status('v4').notVoting, 'STORE_BEHIND');
  await net.until('v4 is back', () => net.nodes.has('v4') && net.status('v4').notVoting === '');
  t.match(net.lines.join('\n'), /v4 reopened for STORE_BEHIND/, 'its blocks are taken up with it');
  await net.votes(...all);
  await work(net, 'v4');
  await agree(t, net, all, 1);
});

t.test(
  'a folder that is copied: the copy listens first, and hears the other one vote',
  { timeout: 120_000 },
  async (t) => {
    const net = await votingNet(t);
    // The others keep to their connection with the first one, unless it is for this key to dial: the lowest dials all.
    const peerKeys = all.map((name) => Buffer.from(String(net.entry(name)['peer']), 'base64url'));
    const lowest = peerKeys.reduce((least, key) => (Buffer.compare(key, least) < 0 ? key : least));
    const name = all[peerKeys.indexOf(lowest)] ?? 'v4';
    await net.stop(name);
    const home = dirname(net.dataOf(name));
    const copies = ['plain', 'slow', 'unwritable'].map((kind) => `${home}-${kind}`);
    for (const copy of copies) cpSync(home, copy, { recursive: true });
    const [plain = '', slow = '', unwritable = ''] = copies;
    // The one that is where it was votes at once. What it votes now is in no copy, and the others know it: a copy that takes over its
    // connections before it has voted could not be told from one that was moved.
    await net.start(name);
    await net.votes(name);
    for (let i = 0; i < 3; i += 1) await work(net, name);
    const said: string[] = [];
    const hear = (details: object, message: string): void => void said.push(`${message} ${JSON.stringify(details)}`);
    const startTwin = async (copy: string, openAppend: Files['openAppend'] = nodeFiles.openAppend) => {
      const config = loadConfig(join(copy, 'config.yaml'), {}, { 'peer.listen': ['/ip4/127.0.0.1/tcp/0'] });
      const twin = await WeftNode.start({
        config,
        genesis: readFileSync(config.genesis),
        keys: validatorKeysFrom(await readKeyFile(config.keys, null)),
        version: '0',
        log: { debug() {}, info: hear, warn: hear, error: hear },
        files: { ...nodeFiles, openAppend },
      });
      t.teardown(() => twin.close());
      const says = (code: string) => net.until(`the copy says ${code}`, () => twin.api.status().notVoting === code);
      const beside = () => readFileSync(signStatePath(config.keys), 'utf8');
      return { twin, says, beside };
    };
    const first = await startTwin(plain);
    // What the others say to it while it listens may already be here.
    t.match(first.twin.api.status().notVoting, /^DATA_MOVED$|^JOURNAL_ROLLED_BACK$/);
    await first.says('JOURNAL_ROLLED_BACK');
    await first.twin.close();
    t.match(first.beside(), /JOURNAL_ROLLED_BACK/);

    const second = await startTwin(slow, async (path) => {
      await sleep(3000);
      return nodeFiles.openAppend(path);
    });
    await second.says('JOURNAL_ROLLED_BACK');
    await second.twin.close();
    t.match(second.beside(), /JOURNAL_ROLLED_BACK/, 'it is stored before the node has stopped');

    const third = await startTwin(unwritable, async () => {
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    });
    await third.says('SIGN_STATE_UNWRITABLE');
    t.equal(third.twin.api.healthy(), false);
    await third.twin.close();
    t.notOk(
      said.some((line) => line.startsWith('voting')),
      'it never voted',
    );
    await net.votes(...all);
    t.same(
      net.cries.filter((line) => !/lane|peer/.test(line)),
      [],
      'nobody found anything that is signed twice',
    );
    await agree(t, net, all, 0);
  },
);

t.test('keys alone, put into an empty folder of a network that has grown: block 1 is not made again', async (t) => {
  const net = await EpochNet.make(t, 1);
  const own = loadConfig(join(dirname(net.dataOf('v1')), 'config.yaml'));
  const keys = validatorKeysFrom(await readKeyFile(own.keys, null));
  const start = (config: typeof own) =>
    WeftNode.start({
      config,
      genesis: readFileSync(config.genesis),
      keys,
      version: '0',
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
  const peers = [{ name: 'v2', address: '/ip4/127.0.0.1/tcp/1' }];
  const restored = await start({ ...own, peer: { ...own.peer, peers } });
  t.teardown(() => restored.close());
  t.equal(restored.api.status().notVoting, 'NETWORK_GROWN');
  await sleep(1500);
  t.equal(restored.api.status().finalized.height, 0);
  await restored.close();
  const fresh = await start(own);
  t.teardown(() => fresh.close());
  await net.until('a network that begins makes its first blocks', () => fresh.api.status().finalized.height > 0);
});

t.test('a folder that was moved: the same key votes there, a little later', { timeout: 60_000 }, async (t) => {
  const net = await votingNet(t);
  await net.stop('v4');
  const data = net.dataOf('v4');
  renameSync(data, `${data}-before`);
  cpSync(`${data}-before`, data, { recursive: true });
  await net.start('v4');
  t.equal(net.status('v4').notVoting, 'DATA_MOVED');
  await net.votes(...all);
  await work(net, 'v4');
  await net.stop('v4');
  await net.start('v4');
  t.not(net.status('v4').notVoting, 'DATA_MOVED', 'it is at home here now');
  await net.votes(...all);
  await agree(t, net, all, 0);
});
