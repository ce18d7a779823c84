// Trust is walked over changes of validators, forward only, and never from a file whose keys may have leaked.
import t from 'tap';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { formatVkey } from '../../src/log/vkey.ts';
import * as browser from '../../src/token/browser.ts';
import * as node from '../../src/token/node.ts';
import type { Trust } from '../../src/token/trust.ts';
import { trustPeriodMs } from '../../src/token/trust.ts';
import { encodeWalk, type WalkStep } from '../../src/token/walk.ts';
import { codeFor } from '../codeFor.ts';
import { SampleLog, type SampleNetwork, sampleEntry, sampleNetwork, timeS } from '../log/sample.ts';

const time = 1000 * (timeS + 1);
/** Four validators of which one is another in each epoch. */
const networks = [0, 1, 2].map((epoch) => sampleNetwork(4, undefined, (i) => (i < 3 ? `v${i + 1}` : `w${epoch}`)));
/** The closing blocks end at these sizes. */
const ends = [20, 40];
const size = 60;

function epochRecord(network: SampleNetwork, epoch: number, height: number) {
  return {
    type: 'epoch',
    height,
    time: 1,
    epoch,
    ruleset: 1,
    validators: network.trust.cosigners.map(({ name, key, url }, i) => ({
      name,
      log: formatVkey(network.trust.logs[i]!),
      cosigner: formatVkey(key),
      account: name,
      url,
    })),
  };
}

function logOf(change: (epoch: number) => { block?: object; epoch?: object } = () => ({})): SampleLog {
  const leaves = new Map<number, object>();
  for (const [n, end] of ends.entries()) {
    const height = 10 * (n + 1);
    const { block = {}, epoch = {} } = change(n + 1);
    leaves.set(end - 2, { ...epochRecord(networks[n + 1]!, n + 2, height), ...epoch });
    leaves.set(end - 1, { type: 'block', height, epoch: n + 1, ...block });
  }
  return new SampleLog(
    Array.from({ length: size }, (_, n) => {
      const leaf = leaves.get(n);
      return leaf === undefined ? sampleEntry(n) : encodeUtf8(JSON.stringify(leaf));
    }),
  );
}

const log = logOf();
/** Cosigned by those of a set whom the next one may have left out. */
const noteOf = (network: SampleNetwork, at = size, of = log): string =>
  of.checkpoint(network, at, network.cosigners.slice(1));
const trust = { ...networks[0]!.trust, epoch: 1 };
const now = time + 5_000;

function step(n: number, of = log, change: Partial<WalkStep> = {}, next = ends[n + 1] ?? size): WalkStep {
  const end = ends[n]!;
  const leaf = (index: number) => ({ leaf: of.entries[index]!, index, hashes: of.inclusion(index, end) });
  return {
    checkpoint: noteOf(networks[n]!, end, of),
    block: leaf(end - 1),
    epoch: leaf(end - 2),
    consistency: of.consistency(end, next),
    ...change,
  };
}

const last = noteOf(networks[2]!);
const walk = encodeWalk([step(0), step(1)], last);
const walked = (text: string, from: Trust = trust, at = now): string =>
  codeFor(() => node.walkTrust(text, { trust: from, now: at }));

t.test('two changes', async (t) => {
  for (const entry of [node, browser]) {
    const { trust: found, file, steps, time: at } = entry.walkTrust(walk, { trust, now });
    t.same(found, { ...networks[2]!.trust, epoch: 3, checkedAt: time });
    t.same(entry.readTrust(file), found);
    t.same(
      steps.map(({ epoch, height, validators }) => [epoch, height, validators.at(-1)]),
      [
        [2, 10, 'w1'],
        [3, 20, 'w2'],
      ],
    );
    t.equal(at, time);
  }
  const short = node.walkTrust(encodeWalk([], noteOf(networks[0]!)), { trust, now });
  t.same(short.trust, { ...trust, checkedAt: time }, 'no change: the file was held against the chain');
  const second = { ...networks[1]!.trust, epoch: 2 };
  t.match(node.walkTrust(encodeWalk([step(1)], last), { trust: second, now }), { trust: { epoch: 3 } });
  const later = { ...trust, checkedAt: time + 30_000 };
  t.equal(node.walkTrust(walk, { trust: later, now }).trust.checkedAt, time + 30_000, 'never earlier than it was');
});

t.test('what leads nowhere', async (t) => {
  const late = now + trustPeriodMs;
  t.equal(walked(walk, { ...trust, checkedAt: late - trustPeriodMs - 1 }, late), 'TRUST_EXPIRED');
  t.equal(walked(walk, { ...trust, checkedAt: now - trustPeriodMs }), 'accepted', '30 days to the millisecond');
  t.equal(walked(walk, networks[0]!.trust), 'TRUST_EPOCH_UNKNOWN');
  t.equal(walked(walk, trust, Number.NaN), 'TRUST_CHECKS_INVALID');
  t.equal(walked(walk, { ...trust, checkedAt: time + 60_001 }), 'WALK_OLD');
  t.equal(walked(walk, trust, time - 2_001), 'WALK_FUTURE');
  t.equal(walked(walk, { ...networks[2]!.trust, epoch: 3 }), 'WALK_SIGNATURES', 'the old set has no say any more');
  t.equal(walked(encodeWalk([step(0, log, {}, size)], last)), 'WALK_SIGNATURES', 'a step left out');
  t.equal(walked(encodeWalk([step(1)], last)), 'WALK_SIGNATURES', 'the first one left out');
  t.equal(walked(encodeWalk([step(1), step(0)], last)), 'WALK_SIGNATURES', 'exchanged');
  t.equal(walked(encodeWalk([step(0), step(1)], noteOf(networks[1]!))), 'WALK_SIGNATURES', 'ends with the old set');
  const block = step(0).block;
  for (const [why, change, code] of [
    ['the record of another block', { epoch: step(1).epoch }, 'WALK_PROOF_INVALID'],
    [
      'no epoch record',
      { epoch: { leaf: log.entries[3]!, index: 3, hashes: log.inclusion(3, 20) } },
      'WALK_STEP_INVALID',
    ],
    ['the epoch record as the block record', { block: step(0).epoch }, 'WALK_STEP_INVALID'],
    ['another leaf', { block: { ...block, leaf: log.entries[3]! } }, 'WALK_PROOF_INVALID'],
    ['another consistency proof', { consistency: log.consistency(20, 30) }, 'WALK_CONSISTENCY'],
    ['no consistency proof', { consistency: [] }, 'WALK_CONSISTENCY'],
    ['signed by the next set', { checkpoint: noteOf(networks[1]!, 20) }, 'WALK_SIGNATURES'],
  ] as const) {
    t.equal(walked(encodeWalk([step(0, log, change), step(1)], last)), code, why);
  }
  const other = sampleNetwork(4, 'weft-dev-000000000000');
  t.equal(walked(encodeWalk([step(0), step(1)], log.checkpoint(other))), 'WALK_ORIGIN');
  for (const [why, change, code] of [
    ['the epoch of another block', { epoch: { height: 9 } }, 'WALK_STEP_INVALID'],
    ['an epoch too far', { epoch: { epoch: 3 } }, 'WALK_STEP_INVALID'],
    ['a block that closes no epoch of ours', { block: { epoch: 0 }, epoch: { epoch: 1 } }, 'WALK_STEP_INVALID'],
    ['no validators', { epoch: { validators: [] } }, 'WALK_STEP_INVALID'],
    ['validators that are none', { epoch: { validators: [1] } }, 'WALK_STEP_INVALID'],
    [
      'a key twice',
      { epoch: { validators: Array(2).fill(epochRecord(networks[1]!, 2, 10).validators[0]!) } },
      'WALK_STEP_INVALID',
    ],
  ] as const) {
    const odd = logOf((epoch) => (epoch === 1 ? change : {}));
    t.equal(walked(encodeWalk([step(0, odd), step(1, odd)], noteOf(networks[2]!, size, odd))), code, why);
  }
});

t.test('never back: an old closing checkpoint that the present validators signed, too', async (t) => {
  // Three of four stayed, so the set of epoch 2 also verifies what epoch 1 closed with.
  const second = { ...networks[1]!.trust, epoch: 2 };
  const back = encodeWalk(
    [step(0, log, { checkpoint: log.checkpoint(networks[0]!, 20) }, size)],
    log.checkpoint(networks[1]!),
  );
  t.equal(walked(back, second), 'WALK_STEP_INVALID');
  t.equal(walked(back, { ...networks[1]!.trust, epoch: 1 }), 'accepted', 'but for the epoch it would pass');
});

t.test('a step is the end of its checkpoint, and leads to the very next epoch', async (t) => {
  const older = (index: number) => ({ leaf: log.entries[index]!, index, hashes: log.inclusion(index, 40) });
  const stale = step(1, log, { block: older(19), epoch: older(18) });
  t.equal(
    walked(encodeWalk([stale], noteOf(networks[1]!)), { ...networks[1]!.trust, epoch: 1 }),
    'WALK_STEP_INVALID',
    'records of an earlier change under a later closing checkpoint',
  );
  const far = logOf((epoch) => (epoch === 2 ? { epoch: { epoch: 7 } } : {}));
  t.equal(walked(encodeWalk([step(0, far), step(1, far)], noteOf(networks[2]!, size, far))), 'WALK_STEP_INVALID');
});

t.test('one spelling, bounded', async (t) => {
  const json = JSON.parse(walk);
  for (const [why, text, code] of [
    ['nothing', '', 'WALK_MALFORMED'],
    ['a member more', JSON.stringify({ ...json, more: 1 }), 'WALK_MALFORMED'],
    ['another format', walk.replace('walk/v1', 'walk/v2'), 'WALK_MALFORMED'],
    ['no steps', JSON.stringify({ ...json, steps: null }), 'WALK_MALFORMED'],
    ['65 steps', JSON.stringify({ ...json, steps: Array(65).fill(json.steps[0]) }), 'WALK_TOO_LONG'],
    ['a hash too short', walk.replace(json.steps[0].consistency[0], 'AAAA'), 'WALK_MALFORMED'],
    ['no checkpoint', JSON.stringify({ ...json, checkpoint: '' }), 'WALK_MALFORMED'],
    ['large', walk + ' '.repeat(4 * 1024 * 1024), 'WALK_TOO_LONG'],
    ['a newline', `${walk}\n`, 'WALK_MALFORMED'],
  ] as const) {
    t.equal(walked(text), code, why);
  }
});
