import { join } from 'node:path';
import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { openLevel } from '../../src/ledger/keyValue.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { stateKeyOf } from '../../src/ledger/storeKeys.ts';
import { agree, all, work } from './epochNet.ts';
import { others, recoverV4, votingNet } from './guardsNet.ts';

t.test(
  'a value of the state that another hand wrote: the node does not start, and comes back',
  { timeout: 60_000 },
  async (t) => {
    const net = await votingNet(t);
    await net.stop('v4');
    const store = await openLevel(join(net.dataOf('v4'), 'store'));
    const key = stateKeyOf('governance/council/current');
    const text = decodeUtf8(store.get(key) ?? new Uint8Array());
    await store.write([{ type: 'put', key, value: encodeUtf8(text.replace('council', 'counsel')) }]);
    await store.close();
    await t.rejects(net.start('v4'), { code: 'DATA_DAMAGED', message: /state does not have the root/ });
    await recoverV4(net, false);
    await net.start('v4', { reopen: (why) => void net.reopen('v4', why) });
    await net.until('v4 is back', () => net.nodes.has('v4') && net.status('v4').notVoting === '');
    await work(net, 'v4');
    await agree(t, net, all, 0);
  },
);

t.test(
  'a node that executes a final block to another root: it stops, keeps why, and a restart gives nothing back',
  { timeout: 60_000 },
  async (t) => {
    const net = await votingNet(t);
    await net.stop('v4');
    const openLedger = async (options: Parameters<typeof Ledger.open>[0]): Promise<Ledger> => {
      const ledger = await Ledger.open(options);
      ledger.commit = () => Promise.reject(new WeftError('STATE_DIVERGED', 'another root'));
      ledger.importRun = () => Promise.reject(new WeftError('STATE_DIVERGED', 'another root'));
      return ledger;
    };
    await net.start('v4', { openLedger });
    await work(net, 'v1');
    await net.until('v4 has stopped', () => net.status('v4').notVoting === 'STATE_DIVERGED');
    const { height } = net.status('v4').finalized;
    await net.stop('v4');
    await net.start('v4');
    await net.votes(...others);
    await work(net, 'v1');
    t.match(net.status('v4'), { notVoting: 'STATE_DIVERGED', finalized: { height } });
    t.same(net.node('v4').api.ready(), { ready: false, reason: 'STATE_DIVERGED' });
    await t.rejects(work(net, 'v4'), { code: 'NODE_STOPPED' });
  },
);
