import t from 'tap';
import { validate } from '../../schemas/validators.ts';
import { Network } from './network.ts';

const sha256 = 'ab'.repeat(32);
const report = 'cd'.repeat(32);
const model = {
  model: 'm',
  name: 'Misty 7B',
  sha256,
  size: 4368439296,
  format: 'gguf',
  source: 'https://example.net/m.gguf',
  lineage: [],
};

function steps(network: Network) {
  return {
    register: (changed: object = {}, by = 'femto') => network.send(by, 'models.register', { ...model, ...changed }),
    attest: (verdict: string, by = 'scanner', changed: object = {}) =>
      network.send(by, 'models.attest', {
        model: 'm',
        kind: 'static-scan',
        verdict,
        report,
        tool: { name: 'scan', version: '1' },
        supersedes: null,
        ...changed,
      }),
    authorise: (changed: object = {}) =>
      network.send('oracle.weave', 'models.authorise', { model: 'm', sha256, ...changed }),
    revoke: (id = 'm') => network.send('oracle.weave', 'models.revoke', { model: id, reason: 'poisoned' }),
    lineage: (add: object[], id = 'm') => network.send('femto', 'models.lineage', { model: id, add }),
    status: () => (network.state.get('models/model/m') as { status: string }).status,
  };
}

t.test('register: one id, one file', async (t) => {
  const network = new Network();
  const { register, revoke } = steps(network);
  t.equal(register({ lineage: [{ model: 'nobody', relation: 'merged' }] }).refused, 'MODEL_UNKNOWN');
  const done = register();
  t.equal(validate('record/models.registered', done.records[0]), undefined);
  t.equal(validate('model-record', network.state.get('models/model/m')), undefined);
  t.equal(register().refused, 'MODEL_EXISTS');
  t.equal(register({ model: 'other' }).refused, 'MODEL_FILE_TAKEN');
  revoke();
  t.equal(
    register({ model: 'other' }).refused,
    'MODEL_FILE_TAKEN',
    'a revoked file does not come back under another name',
  );
});

t.test('nothing unverified is authorised', async (t) => {
  const network = new Network();
  const { register, attest, authorise, revoke, status } = steps(network);
  t.equal(attest('PASSED').refused, 'MODEL_UNKNOWN');
  t.equal(authorise().refused, 'MODEL_UNKNOWN');
  t.equal(revoke().refused, 'MODEL_UNKNOWN');
  register();
  t.equal(authorise().refused, 'MODEL_UNVERIFIED');
  attest('WARNED');
  t.equal(authorise().refused, 'MODEL_UNVERIFIED');
  const failed = attest('FAILED');
  t.equal(validate('record/models.attested', failed.records[0]), undefined);
  t.equal(authorise().refused, 'MODEL_CHECK_FAILED');
  attest('PASSED', 'scanner-2', { kind: 'sandbox' });
  t.equal(authorise().refused, 'MODEL_CHECK_FAILED', 'a failed check blocks until its maker takes it back');
  attest('PASSED');
  t.equal(authorise({ sha256: report }).refused, 'MODEL_FILE_DIFFERS');
  const done = authorise();
  t.equal(done.refused, undefined);
  t.equal(validate('record/models.authorised', done.records[0]), undefined);
  t.match(network.asked.at(-1)!.context, { passed: ['sandbox', 'static-scan'], warned: [] });
  t.equal(authorise().refused, 'NOTHING_TO_DO');
  t.equal(validate('model-record', network.state.get('models/model/m')), undefined);

  t.equal(attest('PASSED', 'scanner-2').records[0]!['status'], 'authorised');
  t.equal(
    attest('FAILED', 'scanner-2').records[0]!['status'],
    'registered',
    'a check that fails later takes the authorisation away',
  );
  t.equal(status(), 'registered');
  t.equal(authorise().refused, 'MODEL_CHECK_FAILED');
  t.equal(attest('PASSED', 'scanner', { supersedes: 'femto' }).refused, 'ATTESTATION_UNKNOWN');
  const superseded = attest('PASSED', 'scanner', { supersedes: 'scanner-2' });
  t.equal(superseded.refused, undefined);
  t.match(network.asked.at(-1)!.context, { supersedesOther: true });
  t.equal(authorise().refused, undefined);
  const ended = revoke();
  t.equal(validate('record/models.revoked', ended.records[0]), undefined);
  for (const applied of [revoke(), authorise(), attest('PASSED')]) t.equal(applied.refused, 'MODEL_REVOKED');
});

t.test('a kind passed only when nobody doubts it', async (t) => {
  const network = new Network();
  const { register, attest, authorise } = steps(network);
  register();
  attest('PASSED', 'scanner');
  attest('WARNED', 'scanner-2');
  authorise();
  t.match(network.asked.at(-1)!.context, { passed: [], warned: ['static-scan'] });
});

t.test('attestations are bounded', async (t) => {
  const network = new Network();
  const { register, attest } = steps(network);
  register();
  for (let i = 0; i < 32; i += 1) attest('PASSED', 'scanner', { kind: `k${i}` });
  t.equal(attest('PASSED', 'scanner', { kind: 'one-more' }).refused, 'ATTESTATIONS_TOO_MANY');
  t.equal(attest('WARNED', 'scanner', { kind: 'k7' }).refused, undefined, 'taking back is always possible');
});

t.test('lineage never circles', async (t) => {
  const network = new Network();
  const { register, lineage, attest, authorise, revoke } = steps(network);
  const file = (i: number) => i.toString(16).padStart(64, '0');
  t.equal(lineage([{ model: 'x', relation: 'merged' }]).refused, 'MODEL_UNKNOWN');
  register({ model: 'base', sha256: file(1) });
  register({ lineage: [{ model: 'base', relation: 'quantised' }] });
  register({ model: 'tuned', sha256: file(2), lineage: [{ model: 'm', relation: 'fine-tuned' }] });
  const back = (id: string, add: string) => lineage([{ model: add, relation: 'merged' }], id);
  t.equal(back('m', 'm').refused, 'LINEAGE_LOOP');
  t.equal(back('base', 'tuned').refused, 'LINEAGE_LOOP');
  t.equal(back('m', 'base').refused, 'LINEAGE_REPEATED');
  t.equal(back('m', 'nobody').refused, 'MODEL_UNKNOWN');
  const done = back('tuned', 'base');
  t.equal(validate('record/models.related', done.records[0]), undefined);
  for (let i = 0; i < 15; i += 1) register({ model: `p${i}`, sha256: file(100 + i) });
  const many = Array.from({ length: 16 }, (_, i) => ({ model: `p${i % 15}`, relation: 'merged' }));
  t.equal(lineage(many, 'm').refused, 'LINEAGE_TOO_LARGE');
  attest('PASSED');
  revoke('base');
  t.equal(authorise().refused, 'MODEL_PARENT_REVOKED');
  t.equal(back('base', 'p1').refused, 'MODEL_REVOKED');
});

t.test('an ancestry that is too large is refused, not walked', async (t) => {
  const network = new Network();
  const { register } = steps(network);
  let last: string | undefined;
  for (let i = 0; i <= 258; i += 1) {
    const lineage = i === 0 ? [] : [{ model: `c${i - 1}`, relation: 'fine-tuned' }];
    last = register({ model: `c${i}`, sha256: i.toString(16).padStart(64, '0'), lineage }).refused;
    if (last !== undefined) break;
  }
  t.equal(last, 'LINEAGE_TOO_LARGE');
});
