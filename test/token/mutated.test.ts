// 10,000 changed tokens and 10,000 changed statuses, and walks: none is accepted, none ends in anything but a code of ours.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { codeOf } from '../../src/codec/error.ts';
import { checkStatus, readTrust, statusPaths, verifyToken, walkTrust } from '../../src/token/node.ts';
import { encodeWalk } from '../../src/token/walk.ts';
import { timeS } from '../log/sample.ts';
import { tokenOf, tokenVectorsUrl } from './makeVectors.ts';
import { mutate } from './mutate.ts';
import { goodState, grantIndex, intent, SampleChain } from './statusSample.ts';

const vectors = JSON.parse(readFileSync(tokenVectorsUrl, 'utf8'));
const trust = readTrust(vectors.trust);
const tokens: string[] = vectors.tokens.map(({ token }: { token: string }) => token);
const count = 10_000;
/** Codes with how often each came. Throws for an acceptance, and for any error that is none of ours. */
function codesOf(runs: number, run: (seed: number) => unknown): Map<string, number> {
  const codes = new Map<string, number>();
  for (let seed = 0; seed < runs; seed += 1) {
    let code = 'accepted';
    try {
      run(seed);
    } catch (error) {
      code = codeOf(error);
      if (code === 'INTERNAL') throw error;
    }
    if (code === 'accepted') throw new Error(`the change of seed ${seed} was accepted`);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  return codes;
}

t.test('tokens', async (t) => {
  const codes = codesOf(count, (seed) => {
    const changed = mutate(tokens[seed % tokens.length]!, seed, tokens);
    return verifyToken(changed, { trust });
  });
  t.comment(JSON.stringify(Object.fromEntries(codes)));
  for (const code of [
    'TOKEN_MALFORMED',
    'TOKEN_SIGNATURE_INVALID',
    'TOKEN_SIGNATURES',
    'TOKEN_PROOF_INVALID',
    'TOKEN_ORIGIN',
  ])
    t.ok((codes.get(code) ?? 0) > 0, `${code} was reached`);
});

t.test('statuses', async (t) => {
  const chain = new SampleChain();
  const paths = statusPaths({ intent, requester: 'remedy.engine', audience: 'actuator-web-3' });
  const status = chain.status(paths);
  const paused = new SampleChain({ ...goodState, 'governance/pause/current': { paused: true, height: 1 } }).status(
    paths,
  );
  const token = verifyToken(tokenOf(chain.log, chain.network, grantIndex), { trust: chain.network.trust });
  const options = { trust: chain.network.trust, now: 1000 * (timeS + 2) };
  const codes = codesOf(count, (seed) => {
    const changed = seed % 4 === 3 ? exchanged(status, paused, seed) : mutate(status, seed, [status, paused]);
    return checkStatus(token, changed, options);
  });
  t.comment(JSON.stringify(Object.fromEntries(codes)));
  for (const code of ['STATUS_MALFORMED', 'STATUS_SIGNATURE_INVALID', 'STATUS_PROOF_INVALID'])
    t.ok((codes.get(code) ?? 0) > 0, `${code} was reached`);
});

t.test('walks', async (t) => {
  const { log, network } = new SampleChain();
  const from = { ...network.trust, epoch: 1 };
  const walk = encodeWalk([], log.checkpoint(network));
  const now = 1000 * (timeS + 2);
  t.equal(walkTrust(walk, { trust: from, now }).steps.length, 0);
  const codes = codesOf(1_000, (seed) => walkTrust(mutate(walk, seed), { trust: from, now }));
  t.ok((codes.get('WALK_MALFORMED') ?? 0) > 0 && (codes.get('WALK_SIGNATURE_INVALID') ?? 0) > 0);
});

/** A well-formed document with a part of another state: signatures and form hold, what it says must not. */
function exchanged(status: string, other: string, seed: number): string {
  const a = JSON.parse(status);
  const b = JSON.parse(other);
  const n = seed % a.state.length;
  switch ((seed >> 2) % 5) {
    case 0:
      return JSON.stringify({ ...a, checkpoint: b.checkpoint });
    case 1:
      return JSON.stringify({ ...a, block: b.block });
    case 2:
      return JSON.stringify({ ...a, state: a.state.with(n, { ...a.state[n], value: seed }) });
    case 3:
      return JSON.stringify({ ...a, state: a.state.with(n, { ...a.state[n], path: `${a.state[n].path}x` }) });
    default:
      return JSON.stringify({ ...b, checkpoint: a.checkpoint, block: a.block });
  }
}
