// What running nodes prove: state at the checkpoint that is published, and how trust leads over changes of validators.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { JsonObject } from '../../contracts/types.ts';
import { parseCheckpoint } from '../../src/log/checkpoint.ts';
import { parseNote } from '../../src/log/note.ts';
import { walkOf } from '../../src/node/proofs.ts';
import { readTrust, verifyState, verifyToken, walkTrust } from '../../src/token/node.ts';
import { codeFor } from '../codeFor.ts';
import { all, fourVoting, parametersOf, published, work } from './epochNet.ts';

t.setTimeout(120_000);

t.test('state at the published checkpoint, and a walk over two changes', async (t) => {
  const net = await fourVoting(t);
  const first = net.node('v1').api.trust();
  t.match(first, /\n# epoch 1\n/);
  t.equal(readTrust(first).epoch, 1);
  const trust = readTrust(first);

  const paths = ['governance/pause/current', 'identity/account/operator', 'identity/account/nobody'];
  let proven = 0;
  // The chain goes on while it is asked: each answer holds for the checkpoint that it carries.
  for (let round = 0; round < 6; round += 1) {
    const busy = work(net, all[round % 4] ?? '');
    for (const name of all) {
      const text = await published(() => net.node(name).api.stateProof([...paths, ...paths]));
      const { values, block, checkpoint } = verifyState(text, { trust, now: Date.now() });
      t.same([...values.keys()], [...paths].sort());
      t.same(values.get('governance/pause/current'), { height: 0, paused: false });
      t.match(values.get('identity/account/operator'), { account: 'operator', status: 'active' });
      t.equal(values.get('identity/account/nobody'), null);
      const there = net.node(name).api.block(block.height);
      t.same([there?.stateRoot, there?.logSize], [block.stateRoot, checkpoint.size]);
      proven += 1;
    }
    await busy;
  }
  t.equal(proven, 24);
  const old = await published(() => net.node('v2').api.stateProof(paths));
  await sleep(400);
  t.equal(
    codeFor(() => verifyState(old, { trust, now: Date.now(), maxStalenessMs: 200 })),
    'STATUS_STALE',
  );
  t.equal(
    codeFor(() => net.node('v1').api.stateProof([])),
    'STATE_PATHS',
  );
  t.equal(
    codeFor(() => net.node('v1').api.stateProof(['nowhere'])),
    'STATE_PATH_INVALID',
  );
  t.equal(
    codeFor(() => net.node('v1').api.tokenStatus('ab'.repeat(32))),
    'GRANT_UNKNOWN',
  );
  t.equal(
    codeFor(() => net.node('v1').api.token({ intent: 'ab'.repeat(32) })),
    'GRANT_UNKNOWN',
  );

  // Two changes: v4's cosigner key, and then the parameters.
  await net.stop('v4');
  const next = net.renew('v4', 'cosigner', 'log');
  await net.start('v4');
  await net.votes(...all);
  await net.change({ kind: 'validators', set: [net.entry('v4', next)], remove: [] } as JsonObject, all, 'v1');
  await published(() => net.node('v1').api.walk(2));
  const older = net.node('v1').api.checkpoint() ?? '';
  const parameters = parametersOf(net, 'v1');
  await net.change({ kind: 'parameters', parameters: { ...parameters, maxTxLifetimeMs: 120_000 } }, all, 'v1');
  await net.votes(...all);
  await work(net, 'v2');
  for (const name of all) {
    const walk = await published(() => net.node(name).api.walk(1));
    const { trust: now, file, steps } = walkTrust(walk, { trust, now: Date.now() });
    t.same(
      steps.map(({ epoch }) => epoch),
      [2, 3],
    );
    const stated = readTrust(net.node(name).api.trust());
    t.same({ ...now, checkedAt: 0 }, { ...stated, checkedAt: 0 }, `${name}: what the node itself says`);
    t.ok(now.checkedAt > trust.checkedAt);
    const token = await published(() => net.node(name).api.token({ index: 3 }));
    t.equal(verifyToken(token, { trust: file }).index, 3, 'a fresh token holds under the walked file');
    t.match(
      codeFor(() => walkTrust(walk, { trust: now, now: Date.now() })),
      /^WALK_(STEP_INVALID|SIGNATURES)$/,
      'never back',
    );
    const none = await published(() => net.node(name).api.walk(3));
    t.equal(walkTrust(none, { trust: now, now: Date.now() }).steps.length, 0);
  }
  t.equal(
    codeFor(() => net.node('v1').api.walk(4)),
    'EPOCH_UNKNOWN',
  );
  t.equal(
    codeFor(() => net.node('v1').api.walk(0)),
    'EPOCH_UNKNOWN',
  );

  // A node that starts serves what it published before; it proves state as soon as there is something newer to prove.
  const closings = [1, 2].map((epoch) => net.node('v3').api.closing(epoch));
  await net.stop('v3');
  const held = await net.openLedger('v3');
  const walkUnder = (note: string): string =>
    walkOf(held, { note: (epoch) => closings[epoch - 1] }, 1, {
      note,
      size: parseCheckpoint(parseNote(note).text).size,
    });
  t.throws(
    () => walkUnder(older),
    { code: 'CHECKPOINT_NOT_YET', message: /newest change of validators/ },
    'validators that stayed have signed it, but the change is younger',
  );
  t.equal(
    walkTrust(walkUnder(closings[1] ?? ''), { trust, now: Date.now() }).steps.length,
    2,
    'the change itself will do',
  );
  await held.close();
  await net.start('v3');
  const text = await published(() => net.node('v3').api.stateProof(paths));
  const present = readTrust(net.node('v3').api.trust());
  t.ok(verifyState(text, { trust: present, now: Date.now() }).block.height > 0);
  t.equal(parseCheckpoint(parseNote(JSON.parse(text).checkpoint).text).size, JSON.parse(text).block.index + 1);

  // Who validates no more is an observer: it proves under what the validators publish, and knows the way from the beginning.
  await net.change({ kind: 'validators', set: [], remove: ['v4'] }, all, 'v1');
  await net.votes('v1', 'v2', 'v3');
  await work(net, 'v1');
  const fromFirst = await published(() => net.node('v4').api.walk(1));
  const walked = walkTrust(fromFirst, { trust, now: Date.now() }).trust;
  t.same(
    walked.cosigners.map(({ name }) => name),
    ['v1', 'v2', 'v3'],
  );
  await net.until(
    'the observer has caught up',
    () => net.status('v4').finalized.height > 0 && net.status('v4').behind === 0,
  );
  const observed = await published(() => net.node('v4').api.stateProof(paths));
  t.equal(verifyState(observed, { trust: walked, now: Date.now() }).values.size, 3);
});
