// What an engine is made from, checked once.
import { assert, type Config, type ValidatorIndex } from './types.ts';

const validatorsMax = 128;

/** q = n − ⌊(n−1)/3⌋ (W2): two quorums meet in at least one honest validator while at most f lie. */
export function quorumOf(validators: number): number {
  return validators - faultsOf(validators);
}

/** f = ⌊(n−1)/3⌋ */
export function faultsOf(validators: number): number {
  return Math.floor((validators - 1) / 3);
}

/** Leader(view) = order[(view − 1) mod n], for views from 1 (W3). */
export function leaderOf(config: Config, view: number): ValidatorIndex {
  const leader = config.leaderOrder[(view - 1) % config.validators];
  assert(leader !== undefined, `no leader for view ${view}: views count from 1`);
  return leader;
}

/** Throws ConsensusAssertion naming the broken inequality. */
export function checkConfig(config: Config): void {
  const { validators: n, me, floor, timings: t } = config;
  assert(Number.isInteger(n) && n >= 1 && n <= validatorsMax, `validators = ${n}, must be 1..${validatorsMax}`);
  assert(me === undefined || (Number.isInteger(me) && me >= 0 && me < n), `me = ${me}, must be 0..${n - 1} or absent`);
  assert(Number.isInteger(config.epoch) && config.epoch >= 1, `epoch = ${config.epoch}, epochs count from 1`);
  const order = [...config.leaderOrder].sort((a, b) => a - b);
  assert(
    order.length === n && order.every((index, i) => index === i),
    'leaderOrder must be a permutation of 0..validators−1',
  );
  assert(config.retentionViews > 0, 'retentionViews must be > 0');
  for (const [name, value] of Object.entries(t)) {
    assert(Number.isSafeInteger(value) && value >= 0, `${name} = ${value}, must be an integer ≥ 0`);
  }
  assert(t.leaderTimeoutMs > 0, 'leaderTimeoutMs must be > 0');
  assert(t.certificationTimeoutMs > t.leaderTimeoutMs, 'certificationTimeoutMs must be > leaderTimeoutMs');
  assert(t.retryMs > 0 && t.retryMs < t.skipMs, 'retryMs must be > 0 and < skipMs');
  assert(t.fetchMs > 0, 'fetchMs must be > 0');
  assert(t.skipMs > t.certificationTimeoutMs, 'skipMs must be > certificationTimeoutMs');
  assert(t.skipMs >= 3 * t.idleBlockMs, 'skipMs must be ≥ 3 × idleBlockMs');
  assert(t.idleBlockMs > t.leaderTimeoutMs, 'idleBlockMs must be > leaderTimeoutMs');
  assert(
    t.finalizeGraceMs > 0 && 2 * t.finalizeGraceMs <= t.leaderTimeoutMs,
    'finalizeGraceMs must be > 0 and ≤ leaderTimeoutMs / 2',
  );
  assert(t.leaderSilentMs > 0, 'leaderSilentMs must be > 0');
  assert(2 * t.blockIntervalMs <= t.leaderTimeoutMs, 'blockIntervalMs must be ≤ leaderTimeoutMs / 2');
  assert(Number.isInteger(floor.view) && floor.view >= 0, 'floor.view must be an integer ≥ 0');
  const certificate = floor.certificate;
  if (floor.view === 0) assert(certificate === undefined, 'a floor at view 0 has no certificate in this epoch');
  if (certificate !== undefined) {
    assert(
      certificate.subject.view === floor.view &&
        certificate.subject.blockId === floor.block.id &&
        certificate.subject.epoch === config.epoch,
      'floor.certificate must finalize floor.block in floor.view of this epoch',
    );
  }
}
