// A status says whether a grant may still be used, at a fresh checkpoint and never at an older one.
import t from 'tap';
import type { Json } from '../../src/codec/json.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import * as browser from '../../src/token/browser.ts';
import * as node from '../../src/token/node.ts';
import { codeFor } from '../codeFor.ts';
import { sampleNetwork, timeS } from '../log/sample.ts';
import { grantText, recordText } from './leaves.ts';
import { tokenOf } from './makeVectors.ts';
import { goodState, grantIndex, grantTime, intent, SampleChain, type SampleState } from './statusSample.ts';

const network = sampleNetwork();
const { trust } = network;
const checkpointTime = 1000 * (timeS + 1);
const now = checkpointTime + 1_500;
const paths = node.statusPaths({ intent, requester: 'remedy.engine', audience: 'actuator-web-3' });
const chain = new SampleChain();
const token = tokenOf(chain.log, network, grantIndex);
const status = chain.status(paths);
/** The code for a state that differs in one value from the good one. */
const codeIn = (path: string, change: Record<string, Json> | null, of: string = token): string => {
  const state: SampleState = Object.fromEntries(
    Object.entries(goodState).flatMap(([name, value]) => {
      if (name !== path) return [[name, value]];
      return change === null ? [] : [[name, { ...(value as object), ...change }]];
    }),
  );
  return codeFor(() => node.checkStatus(of, new SampleChain(state).status(paths), { trust, now }));
};

t.test('a good status', async (t) => {
  for (const entry of [node, browser]) {
    t.match(entry.checkStatus(token, status, { trust, now }), {
      usesLeft: 1,
      uses: 0,
      maxUses: 1,
      checkpointTime,
      ageMs: 1_500,
      height: 820,
      policy: { version: 3, minValid: 2 },
      grant: { intent },
      checkpoint: { size: 40, cosigners: ['v1', 'v2', 'v3'] },
    });
  }
  const verified = node.verifyToken(token, { trust });
  t.match(node.checkStatus(verified, encodeUtf8(status), { trust, now }), { usesLeft: 1 }, 'a verified token, bytes');
  t.same(paths, [...paths].sort());
  t.equal(node.statusPaths({ intent, requester: 'a', audience: 'a' }).length, 4, 'one account is asked for once');
});

t.test('what state says against it', async (t) => {
  const grant = `intents/grant/${intent}`;
  for (const [path, change, code] of [
    [grant, { status: 'pending' }, 'STATUS_NOT_GRANTED'],
    [grant, { status: 'denied' }, 'STATUS_NOT_GRANTED'],
    [grant, { status: 'cancelled' }, 'STATUS_CANCELLED'],
    [grant, { status: 'expired' }, 'STATUS_EXPIRED'],
    [grant, { status: 7 }, 'STATUS_STATE_INVALID'],
    [grant, null, 'STATUS_NOT_GRANTED'],
    [grant, { uses: 1 }, 'STATUS_USED_UP'],
    [grant, { uses: 2 }, 'STATUS_USED_UP'],
    [grant, { uses: -1 }, 'STATUS_STATE_INVALID'],
    [grant, { maxUses: 2 }, 'STATUS_MISMATCH'],
    [grant, { effect: '00'.repeat(32) }, 'STATUS_MISMATCH'],
    [grant, { audience: 'actuator-web-4' }, 'STATUS_MISMATCH'],
    ['governance/policy/current', { minValid: 3 }, 'accepted'],
    ['governance/policy/current', { minValid: 4 }, 'STATUS_POLICY_SUPERSEDED'],
    ['governance/policy/current', null, 'STATUS_STATE_INVALID'],
    ['governance/pause/current', { paused: true }, 'STATUS_PAUSED'],
    ['governance/pause/current', { paused: 'no' }, 'STATUS_STATE_INVALID'],
    ['governance/pause/current', null, 'STATUS_STATE_INVALID'],
    ['identity/account/remedy.engine', { status: 'suspended' }, 'STATUS_SUSPENDED'],
    ['identity/account/actuator-web-3', { status: 'suspended' }, 'STATUS_SUSPENDED'],
    ['identity/account/actuator-web-3', null, 'STATUS_STATE_INVALID'],
  ] as const) {
    t.equal(codeIn(path, change), code, `${path} ${JSON.stringify(change)}`);
  }
});

t.test('freshness', async (t) => {
  for (const [options, code] of [
    [{ now: checkpointTime + 10_000 }, 'accepted'],
    [{ now: checkpointTime + 10_001 }, 'STATUS_STALE'],
    [{ now: checkpointTime + 501, maxStalenessMs: 500 }, 'STATUS_STALE'],
    [{ now: checkpointTime - 2_000 }, 'accepted'],
    [{ now: checkpointTime - 2_001 }, 'STATUS_FUTURE'],
    [{ now: Number.NaN }, 'STATUS_CHECKS_INVALID'],
    [{ now, maxStalenessMs: Number.NaN }, 'STATUS_CHECKS_INVALID'],
    [{ now, maxStalenessMs: -1 }, 'STATUS_CHECKS_INVALID'],
    [{ now, maxClockSkewMs: 0.5 }, 'STATUS_CHECKS_INVALID'],
    [{ now: undefined as unknown as number }, 'STATUS_CHECKS_INVALID'],
  ] as const) {
    t.equal(
      codeFor(() => node.checkStatus(token, status, { trust, ...options })),
      code,
      JSON.stringify(options),
    );
  }
  // One liar cannot make a checkpoint look younger than an honest validator says: the second newest of four counts.
  const expires = grantTime + 300_000;
  const late = (block: object) => new SampleChain(goodState, { block }).status(paths);
  t.equal(
    codeFor(() => node.checkStatus(token, late({ time: expires }), { trust, now })),
    'STATUS_EXPIRED',
  );
  t.equal(
    codeFor(() => node.checkStatus(token, late({ height: 1412 }), { trust, now })),
    'STATUS_EXPIRED',
  );
  const slow = { trust, now: expires - 2_000, maxStalenessMs: 10 ** 9 };
  t.equal(
    codeFor(() => node.checkStatus(token, status, slow)),
    'TOKEN_EXPIRED',
  );
  t.equal(
    codeFor(() => node.checkStatus(node.verifyToken(token, { trust }), status, slow)),
    'STATUS_EXPIRED',
    'a token that was verified without a clock is held against it here',
  );
});

t.test('a stale state under a fresh checkpoint', async (t) => {
  // Yesterday's block record, with its right proofs, in today's log.
  const older = new SampleChain({ ...goodState, 'governance/pause/current': { paused: false, height: 0 } });
  const leaf = older.log.entries[39]!;
  const today = new SampleChain(
    { ...goodState, 'governance/pause/current': { paused: true, height: 9 } },
    { size: 60 },
  );
  const entries = [...today.log.entries];
  entries[39] = leaf;
  const { SampleLog } = await import('../log/sample.ts');
  const log = new SampleLog(entries);
  const checkpoint = log.checkpoint(network);
  const parts = older.parts(paths);
  const proven = (index: number, bytes: Uint8Array): string =>
    codeFor(() =>
      node.checkStatus(token, older.status(paths, { checkpoint, leaf: bytes, index, hashes: log.inclusion(index) }), {
        trust,
        now,
      }),
    );
  t.equal(proven(39, leaf), 'STATUS_NOT_NEWEST');
  t.equal(proven(59, log.entries[59]!), 'STATUS_PROOF_INVALID', 'values of yesterday under the root of today');
  t.equal(
    codeFor(() =>
      node.checkStatus(token, older.status(paths, { checkpoint, leaf, index: 59, hashes: log.inclusion(59) }), {
        trust,
        now,
      }),
    ),
    'STATUS_PROOF_INVALID',
    'yesterday’s leaf passed off as the newest',
  );
  t.equal(parts.index, 39);
  t.equal(
    codeFor(() =>
      node.verifyState(new SampleChain(goodState, { block: { type: 'tick' } }).status(paths), { trust, now }),
    ),
    'STATUS_BLOCK_INVALID',
  );
});

t.test('a status that does not hold', async (t) => {
  const other = sampleNetwork(4, 'weft-dev-000000000000');
  for (const [why, text, code] of [
    ['another log', new SampleChain(goodState, { network: other }).status(paths), 'STATUS_ORIGIN'],
    [
      'other keys',
      new SampleChain(goodState, { network: sampleNetwork(4, network.chain, (i) => `w${i}`) }).status(paths),
      'STATUS_SIGNATURES',
    ],
    ['too few', chain.status(paths, { checkpoint: chain.log.checkpoint(sampleNetwork(2)) }), 'STATUS_SIGNATURES'],
    ['another proof', chain.status(paths, { hashes: chain.log.inclusion(38) }), 'STATUS_PROOF_INVALID'],
    ['a path left out', chain.status(paths.slice(1)), 'STATUS_INCOMPLETE'],
    ['no state', chain.status([]), 'STATUS_INCOMPLETE'],
    [
      'absent, though it is there',
      chain.status([], { entries: chain.parts(paths).entries.map((each) => ({ ...each, value: null })) }),
      'STATUS_PROOF_INVALID',
    ],
    [
      'there, though it is absent',
      chain.status([], {
        entries: chain.parts([...paths, 'x/y/z']).entries.map((each) => ({ ...each, value: each.value ?? true })),
      }),
      'STATUS_PROOF_INVALID',
    ],
    [
      'another path',
      chain.status([], {
        entries: chain.parts(paths).entries.map((each) => ({
          ...each,
          path: each.path.replace('other', 'an').replace('actuator-web-3', 'other'),
        })),
      }),
      'STATUS_PROOF_INVALID',
    ],
    ['another value', status.replace('"minValid":2', '"minValid":1'), 'STATUS_PROOF_INVALID'],
    [
      'members of a value in another order',
      status.replace('"height":0,"paused":false', '"paused":false,"height":0'),
      'STATUS_PROOF_INVALID',
    ],
  ] as const) {
    t.equal(
      codeFor(() => node.checkStatus(token, text, { trust, now })),
      code,
      why,
    );
  }
  t.equal(
    codeFor(() =>
      node.checkStatus(tokenOf(new SampleChain(goodState, { grant: recordText }).log, network, grantIndex), status, {
        trust,
        now,
      }),
    ),
    'STATUS_KIND',
  );
  const elsewhere = tokenOf(new SampleChain(goodState, { network: other }).log, other, grantIndex);
  t.equal(
    codeFor(() => node.checkStatus(node.verifyToken(elsewhere, { trust: other.trust }), status, { trust, now })),
    'STATUS_KIND',
    'verified, but under another trust',
  );
});

t.test('one spelling, bounded', async (t) => {
  const json = JSON.parse(status);
  for (const [why, text, code] of [
    ['nothing', '', 'STATUS_MALFORMED'],
    ['no JSON', '{', 'STATUS_MALFORMED'],
    ['a space', status.replace('":', '": '), 'STATUS_MALFORMED'],
    ['a member more', JSON.stringify({ ...json, more: 1 }), 'STATUS_MALFORMED'],
    [
      'a member less',
      JSON.stringify({ format: json.format, checkpoint: json.checkpoint, block: json.block }),
      'STATUS_MALFORMED',
    ],
    [
      'another order',
      JSON.stringify({ checkpoint: json.checkpoint, format: json.format, block: json.block, state: json.state }),
      'STATUS_MALFORMED',
    ],
    ['another format', status.replace('status/v1', 'status/v2'), 'STATUS_MALFORMED'],
    ['paths that descend', JSON.stringify({ ...json, state: json.state.toReversed() }), 'STATUS_MALFORMED'],
    ['a path twice', JSON.stringify({ ...json, state: [json.state[0], ...json.state] }), 'STATUS_MALFORMED'],
    ['33 paths', JSON.stringify({ ...json, state: Array(33).fill(json.state[0]) }), 'STATUS_MALFORMED'],
    ['no path', JSON.stringify({ ...json, state: [{ ...json.state[0], path: 'nowhere' }] }), 'STATUS_PROOF_INVALID'],
    [
      '64 hashes',
      JSON.stringify({ ...json, block: { ...json.block, proof: Array(64).fill(json.block.proof[0]) } }),
      'STATUS_MALFORMED',
    ],
    ['a hash that is short', status.replace(json.block.proof[0], 'AAAA'), 'STATUS_MALFORMED'],
    [
      'a leaf too large',
      JSON.stringify({ ...json, block: { ...json.block, leaf: 'A'.repeat(90_000) } }),
      'STATUS_MALFORMED',
    ],
    ['an index below 0', status.replace('"index":39', '"index":-1'), 'STATUS_MALFORMED'],
    [
      '257 siblings',
      JSON.stringify({
        ...json,
        state: [{ ...json.state[0], proof: { siblings: Array(257).fill('00'.repeat(32)), leaf: null } }],
      }),
      'STATUS_MALFORMED',
    ],
    [
      'siblings after the leaf',
      JSON.stringify({ ...json, state: [{ ...json.state[0], proof: { leaf: null, siblings: [] } }] }),
      'STATUS_MALFORMED',
    ],
    ['a newline', `${status}\n`, 'STATUS_MALFORMED'],
    [
      'nested too deep',
      status.replace('"minValid":2', `"minValid":${'['.repeat(40)}${']'.repeat(40)}`),
      'STATUS_MALFORMED',
    ],
    ['large', `${status}${' '.repeat(1024 * 1024)}`, 'STATUS_TOO_LARGE'],
    ['a lone surrogate', status.replace('"granted"', '"\ud800"'), 'STATUS_MALFORMED'],
  ] as const) {
    t.equal(
      codeFor(() => node.checkStatus(token, text, { trust, now })),
      code,
      why,
    );
  }
  const entry = chain.parts([paths[0]!]).entries[0]!;
  const many = Array.from({ length: 33 }, (_, n) => ({ ...entry, path: `x/y/${String(n).padStart(2, '0')}` }));
  t.equal(
    codeFor(() => chain.status([], { entries: many })),
    'STATUS_MALFORMED',
  );
  t.equal(
    codeFor(() => chain.status([], { entries: [{ ...entry, value: 'x'.repeat(2 ** 20) }] })),
    'STATUS_TOO_LARGE',
  );
});

t.test('permission is the consume of my attempt, for as long as it lasts', async (t) => {
  const attempt = 'AAECAwQFBgcICQoLDA0ODw';
  const time = 1_763_712_001_456;
  const consumed = `${recordText.slice(0, -1)},"account":"actuator-web-3","use":1}`;
  const tokenFor = (text: string): string =>
    tokenOf(new SampleChain(goodState, { grant: text }).log, network, grantIndex);
  const verified = node.verifyToken(token, { trust });
  if (verified.kind !== 'grant') throw new Error('no grant');
  const good = { trust, grant: verified.grant, attempt, now: time + 3_000 };
  t.match(node.verifyConsumed(tokenFor(consumed), good), { height: 813, time, use: 1, until: time + 8_000, index: 5 });
  for (const [change, code] of [
    [{ now: time + 7_999 }, 'accepted'],
    [{ now: time + 8_000 }, 'CONSUMED_TOO_LATE'],
    [{ now: time + 9_999, maxClockSkewMs: 0 }, 'accepted'],
    [{ now: time + 10_000, maxClockSkewMs: 0 }, 'CONSUMED_TOO_LATE'],
    [{ now: time - 2_000 }, 'accepted'],
    [{ now: time - 2_001 }, 'CONSUMED_CLOCK'],
    [{ now: Number.NaN }, 'TOKEN_CHECKS_INVALID'],
    [{ maxClockSkewMs: -1 }, 'TOKEN_CHECKS_INVALID'],
    [{ attempt: 'AAECAwQFBgcICQoLDA0ODg' }, 'CONSUMED_OTHER_ATTEMPT'],
    [{ attempt: '' }, 'TOKEN_CHECKS_INVALID'],
    [{ attempt: undefined as unknown as string }, 'TOKEN_CHECKS_INVALID'],
    [{ grant: { ...verified.grant, intent: 'ab'.repeat(32) } }, 'CONSUMED_OTHER_GRANT'],
    [{ grant: { ...verified.grant, audience: 'actuator-web-4' } }, 'CONSUMED_OTHER_ACCOUNT'],
    [{ grant: { ...verified.grant, actWithinMs: 4_000 } }, 'CONSUMED_TOO_LATE'],
  ] as const) {
    t.equal(
      codeFor(() => node.verifyConsumed(tokenFor(consumed), { ...good, ...change })),
      code,
      JSON.stringify(change),
    );
  }
  t.equal(
    codeFor(() => node.verifyConsumed(token, good)),
    'TOKEN_KIND',
    'the grant itself permits nothing',
  );
  for (const text of [
    consumed.replace('intents.consumed', 'intents.reported'),
    grantText,
    consumed.replace('intents.consumed', 'Intents.consumed'),
  ]) {
    t.equal(
      codeFor(() => node.verifyConsumed(tokenFor(text), good)),
      'TOKEN_KIND',
    );
  }
  for (const text of [
    recordText,
    consumed.replace(',"use":1', ''),
    consumed.replace('"attempt":"', '"attempt":7,"x":"'),
  ]) {
    t.equal(
      codeFor(() => node.verifyConsumed(tokenFor(text), good)),
      'TOKEN_LEAF_INVALID',
    );
  }
});

t.test('claims in words', async (t) => {
  const at = { trust, now };
  const key = 'dc11467bb0e51a4f';
  const account = { account: 'alice', status: 'active', roles: [], keys: [] };
  const good: SampleState = {
    ...goodState,
    'identity/account/alice': account,
    [`identity/key/${key}`]: { account: 'alice', alg: 'ed25519', publicKey: 'A', status: 'active', height: 3 },
  };
  const claimed = (claim: node.Claim, state: SampleState = good): string =>
    codeFor(() => node.verifyClaim(new SampleChain(state).status(node.claimPaths(claim)), claim, at));
  const alice = { kind: 'key', account: 'alice', keyid: key } as const;
  t.equal(
    node.verifyClaim(new SampleChain(good).status(node.claimPaths(alice)), alice, at).words,
    `The key ${key} of alice is not revoked, and alice is not suspended.`,
  );
  const keyIs = (change: object): SampleState => ({
    ...good,
    [`identity/key/${key}`]: { ...(good[`identity/key/${key}`] as object), ...change },
  });
  const file = 'cd'.repeat(32);
  const model = { kind: 'model', model: 'misty-7b' } as const;
  for (const [claim, state, code] of [
    [alice, keyIs({ status: 'revoked' }), 'KEY_REVOKED'],
    [alice, keyIs({ account: 'bob' }), 'KEY_OF_ANOTHER'],
    [alice, { ...good, 'identity/account/alice': { ...account, status: 'suspended' } }, 'ACCOUNT_SUSPENDED'],
    [{ ...alice, keyid: '0'.repeat(16) }, good, 'KEY_UNKNOWN'],
    [{ kind: 'account', account: 'alice' }, good, 'accepted'],
    [{ kind: 'account', account: 'nobody' }, good, 'ACCOUNT_UNKNOWN'],
    [{ kind: 'policy', version: 3 }, good, 'accepted'],
    [{ kind: 'policy', version: 2 }, good, 'POLICY_NOT_CURRENT'],
    [model, good, 'accepted'],
    [{ ...model, sha256: file }, good, 'accepted'],
    [{ ...model, sha256: file.replace('c', 'd') }, good, 'MODEL_OTHER_FILE'],
    [{ ...model, model: 'other' }, good, 'MODEL_UNKNOWN'],
    [model, { ...good, 'models/model/misty-7b': { status: 'registered', sha256: file } }, 'MODEL_NOT_AUTHORISED'],
    [model, { ...good, 'models/model/misty-7b': { status: 'revoked', sha256: file } }, 'MODEL_NOT_AUTHORISED'],
    [model, { ...good, 'models/model/misty-7b': 'authorised' }, 'STATUS_STATE_INVALID'],
  ] as const) {
    t.equal(claimed(claim, state), code, JSON.stringify(claim));
  }
  t.equal(
    codeFor(() => node.verifyClaim(new SampleChain(good).status(['identity/account/alice']), alice, at)),
    'STATUS_INCOMPLETE',
  );
  t.equal(
    codeFor(() => node.verifyClaim(chain.status(node.claimPaths(model)), model, { trust, now: now + 60_000 })),
    'STATUS_STALE',
  );
});
