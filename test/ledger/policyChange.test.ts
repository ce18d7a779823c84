// Another policy set, on a ledger: when it decides, who finds out what Cedar says of it, and what a set does that is made to harm.
import t from 'tap';
import type { Change } from '../../contracts/governance/state.ts';
import { type Ruleset, ruleset } from '../../contracts/rulesets.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { auditArchive } from '../../src/audit/audit.ts';
import { WeftError } from '../../src/codec/error.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { Chain } from '../../src/ledger/chain.ts';
import { BlockExecution } from '../../src/ledger/execute.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { type PolicySetChecker, PolicyVerdicts } from '../../src/ledger/policyVerdicts.ts';
import { inlineVerifier } from '../../src/ledger/prepare.ts';
import { genesisPosition } from '../../src/ledger/restart.ts';
import type { BlockBuilder, CommittedBlock, ExecutedBlock, PreparedTx } from '../../src/ledger/types.ts';
import { leaderOf } from '../../src/ledger/validatorSet.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { digestOfSet } from '../../src/policy/document.ts';
import type { PolicySetDocument } from '../../src/policy/types.ts';
import { archiveOf } from '../audit/fixtures.ts';
import {
  addBlock,
  buildBlock,
  finalizationOf,
  genesisTime,
  makeGenesis,
  makeTx,
  openInMemory,
  registerTx,
} from './fixtures.ts';
import { approveTx, governanceTx, pass, proposeTx, recordOf, typesOf } from './governed.ts';

const initial = readDefaultPolicySet();
const { genesis } = makeGenesis(4);
const digestOf = (text: string): string => sha256Hex(encodeUtf8(text));

/** Nobody registers anybody any more. */
const noRegistering = withPolicy(
  'identity.frozen',
  'forbid (principal, action == Action::"identity.register", resource);',
);

function withPolicy(id: string, text: string, schema: string = initial.schema): PolicySetDocument {
  const policies = [...initial.policies, { id, text }].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { schema, policies };
}

function changeTo({ schema, policies }: PolicySetDocument, minValid = 1): Change {
  const named = policies.map(({ id, text }) => ({ id, text: digestOf(text) }));
  return { kind: 'policy', schema: digestOf(schema), policies: named, minValid };
}

/** Those that the ledger does not have yet. */
async function uploadTexts(ledger: Ledger, { schema, policies }: PolicySetDocument): Promise<void> {
  const known = new Set([initial.schema, ...initial.policies.map(({ text }) => text)]);
  const texts = [schema, ...policies.map(({ text }) => text)].filter((text) => !known.has(text));
  await addBlock(
    ledger,
    texts.map((text) => governanceTx(ledger, 'admin', 'governance.text', { text })),
  );
}

async function refusalOf(ledger: Ledger, document: PolicySetDocument): Promise<string | undefined> {
  await uploadTexts(ledger, document);
  const block = await addBlock(ledger, [proposeTx(ledger, changeTo(document)).tx]);
  return block.transactions[0]?.refused;
}

const register = (ledger: Ledger, name: string): Uint8Array =>
  registerTx(genesis.chain, name, { expires: ledger.finalized.header.time + 60_000 });
const refusedIn = (block: CommittedBlock) => block.transactions.map(({ refused }) => refused);

t.test('the old set decides the block in which the new one takes effect, the new one the block after', async (t) => {
  const ledger = await openInMemory(genesis);
  await uploadTexts(ledger, noRegistering);
  const { id, tx } = proposeTx(ledger, changeTo(noRegistering, 2), 4);
  await addBlock(ledger, [tx]);
  t.strictSame(refusedIn(await addBlock(ledger, [approveTx(ledger, id), register(ledger, 'carol')])), [
    undefined,
    undefined,
  ]);
  const effective = await addBlock(ledger, [register(ledger, 'dave')]);
  t.equal(effective.header.height, 4);
  t.strictSame(refusedIn(effective), [undefined]);
  t.strictSame(typesOf(effective), ['identity.registered', 'governance.effective', 'block']);
  const digest = digestOfSet(noRegistering);
  t.match(recordOf(effective, 'governance.effective'), { kind: 'policy', policy: { version: 2, digest, minValid: 2 } });
  t.match(recordOf(effective, 'block'), { policy: { version: 2, digest } }, 'the block record has it after the block');
  t.equal(effective.facts.closing, false, 'no epoch ends');
  const after = await addBlock(ledger, [register(ledger, 'erin')]);
  t.match(recordOf(after, 'tx.refused'), { code: 'POLICY_DENIED', reasons: ['identity.frozen'] });
  await pass(ledger, changeTo(initial, 2));
  t.strictSame(refusedIn(await addBlock(ledger, [register(ledger, 'erin')])), [undefined], 'and back again');
  t.match(ledger.state.get('governance/policy/current'), { version: 3, minValid: 2, digest: digestOfSet(initial) });
  const report = await auditArchive(archiveOf(ledger));
  t.match(report, { ok: true }, 'audit replays each block under the set of its time, whose texts are in the log');
});

t.test('a branch on which the set did not change is decided by the old one', async (t) => {
  const ledger = await openInMemory(genesis);
  await uploadTexts(ledger, noRegistering);
  const { id, tx } = proposeTx(ledger, changeTo(noRegistering));
  await addBlock(ledger, [tx]);
  const changes = await buildBlock(ledger, [approveTx(ledger, id)]);
  const other = await buildBlock(ledger, []);
  const refused = async (parent: string) =>
    (await buildBlock(ledger, [register(ledger, 'carol')], { parent })).outcomes[0]?.refused;
  t.equal(await refused(changes.blockId), 'POLICY_DENIED');
  t.equal(await refused(other.blockId), undefined);
  await ledger.commit(other.blockId, finalizationOf(genesis, ledger.epoch, other));
  t.match(ledger.state.get('governance/policy/current'), { version: 1 });
});

t.test('sets that are made to harm are refused, each with its code, and the ledger goes on', async (t) => {
  const ledger = await openInMemory(genesis);
  const when = (condition: string) => `permit (principal, action, resource) when { ${condition} };`;
  const doubling = Array.from({ length: 30 }, (_, i) => `type T${i} = { a: T${i + 1}, b: T${i + 1} };`).join('\n');
  const wide = `${Array.from({ length: 200 }, (_, i) => `entity E${i};`).join('\n')}`;
  const cases: readonly [string, PolicySetDocument][] = [
    ['POLICY_SET_TOO_DEEP', withPolicy('zz', when(`${'('.repeat(140)}true${')'.repeat(140)}`))],
    ['POLICY_SET_TOO_DEEP', withPolicy('zz', when(`${'true && '.repeat(1000)}true`))],
    ['POLICY_SCHEMA_TOO_LARGE', { ...initial, schema: `${doubling}\ntype T30 = Long;\n${initial.schema}` }],
    ['POLICY_SCHEMA_TOO_LARGE', { ...initial, schema: `${wide}\n${initial.schema}` }],
    ['POLICY_SCHEMA_INVALID', { ...initial, schema: 'entity A = { a: Nowhere };' }],
    [
      'POLICY_SCHEMA_UNFIT',
      { schema: initial.schema.replace('entity Table;', 'entity Table = { more: Long };'), policies: initial.policies },
    ],
    ['POLICY_TEXT_INVALID', withPolicy('zz', 'permit (principal, action);')],
    ['POLICY_NOT_ONE_STATIC', withPolicy('zz', '// nothing')],
    ['POLICY_ID_MISMATCH', withPolicy('zz', '@id("yy") permit (principal, action, resource);')],
    ['POLICY_SET_UNSOUND', withPolicy('zz', when('context.nothing'))],
    ['POLICY_SET_MALFORMED', withPolicy('zz', 'permit (principal, action, resource')],
    ['POLICY_LOCKS_OUT', withPolicy('zz', 'forbid (principal, action, resource);')],
  ];
  for (const [code, document] of cases) t.equal(await refusalOf(ledger, document), code, code);
  t.equal(ledger.state.get('governance/agenda/current'), undefined);
  t.strictSame(
    refusedIn(await addBlock(ledger, [register(ledger, 'carol')])),
    [undefined],
    'the old set decides as ever',
  );
});

/** Counts, and answers what it is told to. */
function checkerOf(answer: () => Promise<string | undefined>): PolicySetChecker & { asked: string[]; now: number } {
  const verdict = (document: PolicySetDocument, code: string | undefined) =>
    code === undefined
      ? ({ ok: true, digest: digestOfSet(document) } as const)
      : ({ ok: false, code, message: '' } as const);
  const checker = {
    asked: [] as string[],
    now: 0,
    async check(document: PolicySetDocument) {
      checker.asked.push(digestOfSet(document));
      return verdict(document, await answer());
    },
    checkNow(document: PolicySetDocument) {
      checker.now += 1;
      return verdict(document, undefined);
    },
  };
  return checker;
}

type Two = {
  readonly chain: Chain;
  readonly tip: ExecutedBlock;
  readonly sets: PolicySetDocument[];
  readonly proposals: Uint8Array[];
};

/** A chain with the texts of two sets in its first block, and a proposal of each. */
async function twoSets(checker: PolicySetChecker): Promise<Two> {
  const tip = genesisPosition(genesis, () => false);
  const chain = new Chain({ genesis, verifier: inlineVerifier, tip, verdicts: new PolicyVerdicts(checker) });
  const tx = (type: string, body: unknown, nonce: number) =>
    makeTx(genesis.chain, 'admin', type, body as JsonObject, { nonce, expires: genesisTime + 60_000 });
  const conditions = ['1 == 1', '2 == 2'];
  const sets = conditions.map((each) => withPolicy('zz', `permit (principal, action, resource) when { ${each} };`));
  const texts = sets.map(({ policies }) => policies.at(-1)?.text ?? '');
  const uploads = texts.map((text, i) => tx('governance.text', { text }, 90 + i));
  const first = await build(chain, tip.blockId, uploads);
  const proposals = sets.map((set, i) =>
    tx('governance.propose', { change: changeTo(set), notBefore: 0, expires: genesisTime + 3_600_000 }, 95 + i),
  );
  return { chain, tip: first, sets, proposals };
}

function start(chain: Chain, parent: string): BlockBuilder {
  const { header, nextEpoch } = chain.position(parent)!;
  const view = header.view + 1;
  const proposer = leaderOf(nextEpoch, view);
  return chain.startBlock(parent, { epoch: 1, view, proposer, time: header.time + 1000 });
}

async function build(chain: Chain, parent: string, envelopes: readonly Uint8Array[]): Promise<ExecutedBlock> {
  const builder = start(chain, parent);
  for (const prepared of (await chain.prepare(envelopes, 'block', parent)) as PreparedTx[]) {
    const answer = builder.tryAdd(prepared);
    if (answer !== 'added') throw new Error(answer);
  }
  return builder.seal();
}

const soon = () => new Promise((resolve) => setImmediate(resolve));

t.test('a leader takes no proposal whose verdict it does not have, and finds it out meanwhile', async (t) => {
  let release: (code: string | undefined) => void = () => undefined;
  const checker = checkerOf(
    () =>
      new Promise((resolve) => {
        release = resolve;
      }),
  );
  const { chain, tip, sets, proposals } = await twoSets(checker);
  const [prepared] = (await chain.prepare(proposals.slice(0, 1), 'admission', tip.blockId)) as PreparedTx[];
  await soon();
  t.strictSame(checker.asked, [digestOfSet(sets[0]!)], 'asked when it is admitted');
  t.equal(start(chain, tip.blockId).tryAdd(prepared!), 'TX_UNPREPARED');
  release(undefined);
  await soon();
  t.equal(start(chain, tip.blockId).tryAdd(prepared!), 'added');
  t.equal(checker.asked.length, 1);
  t.equal(checker.now, 0, 'execution waited for nothing');
});

t.test('a leader that has not heard of it at admission asks when it builds', async (t) => {
  const checker = checkerOf(async () => undefined);
  const { chain, tip, proposals } = await twoSets(checker);
  // Admitted on a state that did not have the texts yet.
  const [prepared] = (await chain.prepare(proposals.slice(0, 1), 'admission', genesis.genesisHash)) as PreparedTx[];
  await soon();
  t.equal(checker.asked.length, 0);
  t.equal(start(chain, tip.blockId).tryAdd(prepared!), 'TX_UNPREPARED');
  await soon();
  t.equal(start(chain, tip.blockId).tryAdd(prepared!), 'added');
});

t.test('a block has one set of each account checked, and refuses the next without asking', async (t) => {
  const checker = checkerOf(async () => undefined);
  const { chain, tip, sets, proposals } = await twoSets(checker);
  const prepared = (await chain.prepare(proposals, 'block', tip.blockId)) as PreparedTx[];
  t.strictSame(checker.asked, [digestOfSet(sets[0]!)], 'of two, one');
  const builder = start(chain, tip.blockId);
  t.strictSame(
    prepared.map((each) => builder.tryAdd(each)),
    ['added', 'TX_UNPREPARED'],
    'the next block has room',
  );
  // A leader that takes both all the same.
  const modules = { chain: genesis.chain, genesisHash: genesis.genesisHash, rulesets: ruleset };
  const { view, time } = tip.header;
  const context = { view: view + 1, proposer: leaderOf(tip.nextEpoch, view + 1), time: time + 1000 };
  const verdicts = new PolicyVerdicts(checkerOf(async () => undefined));
  const execution = new BlockExecution(chain.position(tip.blockId)!, context, { ...modules, verdicts });
  for (const each of prepared) execution.add(each);
  const block = execution.seal();
  const outcomes = (of: ExecutedBlock) => of.outcomes.map(({ refused }) => refused);
  t.strictSame(outcomes(block), [undefined, 'POLICY_SECOND_SET']);
  const other = checkerOf(async () => undefined);
  const follower = await twoSets(other);
  const checked = await follower.chain.check(block.headerBytes, block.body);
  t.ok(
    checked.verdict === 'valid' && outcomes(checked.block)[1] === 'POLICY_SECOND_SET',
    'everybody comes to the same',
  );
  t.strictSame([other.asked.length, other.now], [1, 0]);
});

t.test('what nobody found out before, execution waits for, in a thread of its own', async (t) => {
  const checker = checkerOf(async () => undefined);
  const { chain, tip, proposals } = await twoSets(checker);
  const [prepared] = (await chain.prepare(proposals.slice(0, 1), 'block', tip.blockId)) as PreparedTx[];
  const modules = { chain: genesis.chain, genesisHash: genesis.genesisHash, rulesets: ruleset };
  const { view, time } = tip.header;
  const execute = (verdicts?: PolicyVerdicts) => {
    const context = { view: view + 1, proposer: 0, time: time + 1000 };
    const own = verdicts === undefined ? {} : { verdicts };
    const execution = new BlockExecution(chain.position(tip.blockId)!, context, { ...modules, ...own });
    execution.add(prepared!);
    return execution.seal().outcomes[0]?.refused;
  };
  const late = checkerOf(async () => undefined);
  t.equal(execute(new PolicyVerdicts(late)), undefined);
  t.strictSame([late.asked.length, late.now], [0, 1]);
  t.equal(execute(), undefined, 'also really');
});

t.test('trouble of this machine is no verdict: not about the set, and not about the block', async (t) => {
  const leader = await twoSets(checkerOf(async () => undefined));
  const block = await build(leader.chain, leader.tip.blockId, leader.proposals.slice(0, 1));
  let works = false;
  const { chain } = await twoSets(
    checkerOf(async () => {
      if (!works) throw new WeftError('POLICY_HOST_FAILED', 'no memory');
      return undefined;
    }),
  );
  await t.rejects(chain.check(block.headerBytes, block.body), { code: 'POLICY_HOST_FAILED' });
  works = true;
  t.match(await chain.check(block.headerBytes, block.body), { verdict: 'valid' }, 'and it may be asked again');
});

t.test('verdicts are remembered by ruleset and digest', async (t) => {
  const checker = checkerOf(async () => 'POLICY_SET_UNSOUND');
  const verdicts = new PolicyVerdicts(checker);
  const rules = (version: number) => ({ version, policyQuestions: [] }) as unknown as Ruleset;
  await Promise.all([verdicts.learn(initial, rules(1)), verdicts.learn(initial, rules(1))]);
  t.equal(checker.asked.length, 1, 'asked once by two');
  t.equal(verdicts.need(initial, rules(1)), 'POLICY_SET_UNSOUND');
  t.equal(verdicts.has(initial, rules(2)), false);
  t.equal(verdicts.need(initial, rules(2)), undefined, 'another ruleset asks other questions');
  for (let i = 0; i < 300; i += 1) verdicts.need({ ...initial, schema: `${i}` }, rules(1));
  t.equal(verdicts.has(initial, rules(1)), false, 'bounded');
  for (let i = 0; i < 20; i += 1)
    verdicts.learnAhead({ ...initial, schema: `x${i}` }, rules(1), i < 19 ? 'stolen' : 'honest');
  await new Promise((resolve) => setTimeout(resolve, 20));
  const last = checker.asked.slice(1);
  const digests = [0, 19].map((i) => digestOfSet({ ...initial, schema: `x${i}` }));
  t.strictSame(last, digests, 'one of an account waits: nobody stands behind the many of another');
});
