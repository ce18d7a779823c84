// The past under another policy set: what the time machine shows is what a check by brute force finds, whoever tells of the past.
import t from 'tap';
import { auditArchive } from '../../src/audit/audit.ts';
import type { LogSource } from '../../src/client/logSource.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { encodeBundle } from '../../src/log/bundles.ts';
import { formatBundlePath } from '../../src/log/tiles.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { createPolicyEngine } from '../../src/policy/engine.ts';
import type { Decision, PolicyRequest, PolicySetDocument } from '../../src/policy/types.ts';
import { bruteForceCandidate, type Candidate, openCandidate } from '../../src/policyTools/candidate.ts';
import { type HistoryListener, replayArchive, replayLog } from '../../src/policyTools/history.ts';
import { type Dependent, type Flip, runTimeMachine } from '../../src/policyTools/timeMachine.ts';
import { flipOf, verdictOf } from '../../src/policyTools/verdict.ts';
import { makePast } from './past.ts';

const set = readDefaultPolicySet();

/** The default set with policies changed (null: taken out) and added. */
function candidateOf(changes: Readonly<Record<string, ((text: string) => string) | string | null>>): PolicySetDocument {
  const kept = set.policies.flatMap(({ id, text }) => {
    const change = changes[id];
    if (change === null) return [];
    return [{ id, text: typeof change === 'function' ? change(text) : (change ?? text) }];
  });
  const known = new Set(set.policies.map(({ id }) => id));
  const added = Object.entries(changes).flatMap(([id, text]) =>
    typeof text === 'string' && !known.has(id) ? [{ id, text: `@id("${id}")\n${text}` }] : [],
  );
  return { schema: set.schema, policies: [...kept, ...added].sort((a, b) => (a.id < b.id ? -1 : 1)) };
}

const entries: Uint8Array[] = [];
const past = await makePast({
  transactions: 320,
  seed: 7,
  onBlock: ({ leaves }) => void entries.push(...leaves.map(({ bytes }) => bytes)),
});
entries.unshift(past.genesis.leaf);

const candidates: Readonly<Record<string, PolicySetDocument>> = {
  'the same set': set,
  'less is permitted': candidateOf({ 'packets.commit-own': null, 'intents.repair-by-operator': null }),
  'more is permitted': candidateOf({
    'intents.sysctl-kernel': null,
    'models.unverified': null,
    'zz.agents-restart': 'permit (principal in Role::"agent", action == Action::"service.restart", resource);',
  }),
  'on other terms': candidateOf({
    'intents.clear-cache-by-operator': (text) => text.replace('@ttl("5m")', '@ttl("45s")\n@approvals("1")'),
    'intents.repair-by-operator': (text) => text.replace('@max_targets("5")', '@dry_run("true")'),
    'intents.change-by-operator': (text) => text.replace('@cooldown("5m")', '@cooldown("five minutes")'),
  }),
  'time is read': candidateOf({
    'zz.freeze': `forbid (principal, action == Action::"models.attest", resource)
      when { context has time && context.time > ${past.genesis.time + 80_000} };`,
  }),
  'a policy errs': candidateOf({
    'zz.errs': `forbid (principal, action == Action::"packets.commit", resource)
      when { context.packets + 9223372036854775807 > 5 };`,
  }),
};

type Run = { readonly flips: Flip[]; readonly dependents: Dependent[]; readonly questions: number };

async function machine(
  candidate: PolicySetDocument,
  options: {
    readonly history?: (listener: HistoryListener) => ReturnType<typeof replayArchive>;
    readonly open?: (document: PolicySetDocument) => Candidate;
  } = {},
): Promise<Run> {
  const flips: Flip[] = [];
  const dependents: Dependent[] = [];
  const report = await runTimeMachine({
    history: options.history ?? ((listener) => replayArchive(past.archive, listener)),
    candidate,
    onFlip: (flip) => flips.push(flip),
    onDependent: (dependent) => dependents.push(dependent),
    open: options.open ?? bruteForceCandidate,
  });
  const count = (kind: Flip['flip']): number => flips.filter(({ flip }) => flip === kind).length;
  t.strictSame(report.flips, { deny: count('deny'), allow: count('allow'), terms: count('terms') });
  t.equal(report.dependents, dependents.length);
  return { flips, dependents, questions: report.questions };
}

type Recorded = {
  readonly height: number;
  readonly tx: string;
  readonly request: PolicyRequest;
  readonly before: Decision;
};

/** Every question of the past, each decided by an engine that remembers nothing. */
async function recordedQuestions(): Promise<Recorded[]> {
  const engine = createPolicyEngine(set, { cacheEntriesMax: 0 });
  const found: Recorded[] = [];
  await replayArchive(past.archive, {
    decider:
      (_, tx, { height }) =>
      (request) => {
        const before = engine.decide(request);
        found.push({ height, tx: tx.txId, request, before });
        return before;
      },
  });
  return found;
}

const recorded = await recordedQuestions();

/** Nothing of the time machine but its idea of a difference. */
function byBruteForce(candidate: PolicySetDocument): unknown[] {
  const engine = createPolicyEngine(candidate, { cacheEntriesMax: 0 });
  return recorded.flatMap(({ height, tx, request, before }) => {
    const after = engine.decide(request);
    const flip = flipOf(verdictOf(request, before), verdictOf(request, after));
    const { action, resource } = request;
    return flip === undefined ? [] : [[height, tx, action, resource.id, flip, before.reasons, after.reasons]];
  });
}

const brief = ({ height, tx, action, resource, flip, before, after }: Flip): unknown => [
  height,
  tx,
  action,
  /"(.*)"$/.exec(resource)?.[1],
  flip,
  before.policies,
  after.policies,
];

t.test('the past is an honest one, of many kinds', async (t) => {
  t.match(await auditArchive(past.archive), { ok: true, transactions: 320 });
  const { questions, flips } = await machine(set);
  t.ok(questions > 320);
  t.strictSame(flips, []);
});

for (const [name, candidate] of Object.entries(candidates)) {
  t.test(`${name}: as brute force finds it`, async (t) => {
    const wanted = byBruteForce(candidate);
    const { flips } = await machine(candidate, { open: openCandidate });
    t.strictSame(flips.map(brief), wanted);
    if (name !== 'the same set') t.ok(wanted.length > 0, `${wanted.length} flips`);
  });
}

t.test('a fresh engine for each decision finds the same', async (t) => {
  const candidate = candidates['more is permitted']!;
  const sample: { request: PolicyRequest; answer: Decision }[] = [];
  await machine(candidate, {
    open: (document) => {
      const brute = bruteForceCandidate(document);
      return {
        decide: async (questions) => {
          const answers = await brute.decide(questions);
          for (const [i, request] of questions.entries())
            if (i % 90 === 0) sample.push({ request, answer: answers[i]! });
          return answers;
        },
        close: brute.close,
      };
    },
  });
  t.ok(sample.length > 3);
  for (const { request, answer } of sample) t.strictSame(createPolicyEngine(candidate).decide(request), answer);
});

t.test('one thread, three threads and none say the same, in the order of the past', async (t) => {
  const candidate = candidates['less is permitted']!;
  const one = await machine(candidate, { open: (document) => openCandidate(document, 1) });
  t.strictSame(await machine(candidate, { open: (document) => openCandidate(document, 3) }), one);
  t.strictSame(await machine(candidate, { open: bruteForceCandidate }), one);
  const heights = one.flips.map(({ height }) => height);
  t.strictSame(
    heights,
    heights.toSorted((a, b) => a - b),
  );
});

t.test('what followed an intent whose decision flips depends on it', async (t) => {
  const { flips, dependents } = await machine(candidates['less is permitted']!);
  const proposals = new Set(flips.filter(({ transaction }) => transaction === 'intents.propose').map(({ tx }) => tx));
  t.ok(proposals.size > 0);
  t.ok(dependents.some(({ transaction }) => transaction === 'intents.consume'));
  t.ok(dependents.some(({ transaction }) => transaction === 'intents.report'));
  for (const { dependsOn, tx } of dependents) {
    t.ok(proposals.has(dependsOn));
    t.not(tx, dependsOn);
  }
  const other = await machine(candidates['time is read']!);
  t.strictSame(other.dependents, [], 'and on no other decision');
});

t.test('the terms of an intent', async (t) => {
  const asked = {
    context: { ttlMs: 60_000, maxUses: 2, dryRun: false },
    action: 'cache.clear',
  } as unknown as PolicyRequest;
  const allow = (annotations: Record<string, string>): Decision => ({
    decision: 'allow',
    reasons: ['p'],
    errors: false,
    annotations: { p: annotations },
  });
  const plain = verdictOf(asked, allow({}));
  t.match(plain, { decision: 'allow', terms: { ttlMs: 60_000, maxUses: 2, approvals: 0 } });
  t.equal(flipOf(plain, verdictOf(asked, allow({ ttl: '1h', max_uses: '5' }))), undefined, 'bounds that do not bite');
  t.equal(flipOf(plain, verdictOf(asked, allow({ ttl: '59s' }))), 'terms');
  t.equal(flipOf(plain, verdictOf(asked, allow({ approvals: '1' }))), 'terms');
  t.match(verdictOf(asked, allow({ ttl: 'soon' })), { decision: 'deny', why: 'POLICY_ANNOTATION' });
  t.match(verdictOf(asked, allow({ dry_run: 'true' })), { decision: 'deny', why: 'DRY_RUN_ONLY' });
  t.equal(flipOf(plain, verdictOf(asked, allow({ dry_run: 'true' }))), 'deny');
  const others = { ...asked, action: 'packets.commit' };
  t.strictSame(verdictOf(others, allow({ ttl: 'soon' })), { decision: 'allow', policies: ['p'] }, 'of intents alone');
});

/** The log as a node serves it. */
function served(leaves: readonly Uint8Array[], size = leaves.length): LogSource {
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at < size; at += 256) {
    const bundle = leaves.slice(at, Math.min(at + 256, size));
    files.set(formatBundlePath(at / 256, bundle.length), encodeBundle(bundle));
  }
  return { read: async (path) => files.get(path), close: () => {} };
}

const fromLog =
  (leaves: readonly Uint8Array[], size = leaves.length) =>
  (listener: HistoryListener) =>
    replayLog(served(leaves, size), { genesis: past.genesis.bytes, size }, listener);

t.test('the log of a node tells the same past as an archive', async (t) => {
  const candidate = candidates['on other terms']!;
  t.strictSame(await machine(candidate, { history: fromLog(entries) }), await machine(candidate));
});

t.test('a past that was not so', async (t) => {
  const refuses = (leaves: readonly Uint8Array[], size?: number) =>
    t.rejects(machine(set, { history: fromLog(leaves, size) }), { code: 'HISTORY_DIFFERS' });
  const changed = (index: number, from: string, to: string) =>
    entries.map((leaf, i) => (i === index ? encodeUtf8(new TextDecoder().decode(leaf).replace(from, to)) : leaf));
  const find = (text: string): number => entries.findIndex((leaf) => new TextDecoder().decode(leaf).includes(text));
  await refuses(changed(0, 'weft-test', 'weft-tost'));
  await refuses(changed(find('"code":"POLICY_DENIED"'), 'POLICY_DENIED', 'ACCOUNT_EXISTS'));
  const boundary = find('{"type":"block"');
  await refuses(changed(boundary, '"stateRoot":"', '"stateRoot":"0'));
  await refuses(changed(boundary, '"time":', '"time":1'));
  await refuses(changed(boundary, '"height":1', '"height":-1'));
  await refuses(changed(boundary, '{"type":"block",', '{"type":"block":'));
  await refuses(entries.filter((_, i) => i !== find('packets.committed')));
  await refuses(entries, entries.length - 1);
  const archive = past.archive.slice();
  archive[archive.length >> 1]! ^= 1;
  await t.rejects(machine(set, { history: (listener) => replayArchive(archive, listener) }), {
    code: 'ARCHIVE_CORRUPT',
  });
  await t.rejects(machine(set, { history: (listener) => replayArchive('/nowhere', listener) }), { code: 'ENOENT' });
});

t.test('a candidate that cannot decide ends the run', async (t) => {
  const failing = { decide: () => Promise.reject(new Error('no memory')), close: async () => {} };
  await t.rejects(machine(set, { open: () => failing }), /no memory/);
  const broken = { schema: set.schema, policies: [{ id: 'x', text: 'permit (' }] };
  await t.rejects(machine(broken, { open: openCandidate }), { code: 'POLICY_HOST_FAILED' });
  const candidate = openCandidate(set, 1);
  await candidate.close();
  await t.rejects(candidate.decide([]), { code: 'POLICY_HOST_FAILED' });
});
