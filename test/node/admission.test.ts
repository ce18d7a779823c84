import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { Admission, type AdmissionModules } from '../../src/node/admission.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const clocks = { wallMs: () => 0, monotonicMs: () => 0 };
const finalized = { header: { time: 0 } };

t.test('a peer that floods has two batches verified at a time, and others have theirs', async (t) => {
  const verifying: { who: number; end: () => void }[] = [];
  const admission = new Admission({
    ledger: {
      admit: (envelopes: readonly Uint8Array[]) =>
        new Promise((resolve) =>
          verifying.push({
            who: envelopes[0]?.[0] ?? 0,
            end: () => resolve([new WeftError('TX_FORM', 'no transaction')]),
          }),
        ),
      finalized,
    },
    mempool: { get: () => undefined },
    ...clocks,
  } as unknown as AdmissionModules);
  const batch = (who: number, n: number): Uint8Array[] => [Uint8Array.of(who, n)];
  const flood = Array.from({ length: 10 }, (_, n) => admission.receive('flooder', batch(1, n)));
  const honest = [2, 3].map((who) => admission.receive(`honest${who}`, batch(who, 0)));
  t.same(
    verifying.map(({ who }) => who),
    [1, 1, 2, 3],
  );
  const own = t.rejects(admission.submit(Uint8Array.of(9)), { code: 'TX_FORM' });
  t.equal(verifying.length, 5, 'an own client waits for no peer');
  while (verifying.length > 0) {
    verifying.shift()?.end();
    await turn();
    await turn();
    t.ok(verifying.filter(({ who }) => who === 1).length <= 2);
  }
  await Promise.all([...flood, ...honest, own]);
});

t.test('what waits of a peer is bounded by its size: many small batches at once are no flood', async (t) => {
  const verifying: (() => void)[] = [];
  const admission = new Admission({
    ledger: {
      admit: (envelopes: readonly Uint8Array[]) =>
        new Promise((resolve) =>
          verifying.push(() => resolve(envelopes.map(() => new WeftError('TX_FORM', 'no transaction')))),
        ),
      finalized,
    },
    mempool: { get: () => undefined },
    ...clocks,
  } as unknown as AdmissionModules);
  // What a window holds (spread.ts): the loop was late, and finds all of it.
  for (let n = 0; n < 1000; n += 1)
    void admission.receive('honest', [new Uint8Array(256).fill(n % 256).fill(n / 256, 0, 1)]);
  t.equal(admission.dropped, 0);
  for (let n = 0; n < 10_000; n += 1) void admission.receive('empty', []);
  t.ok(admission.dropped > 5000, 'what is empty is not free');
  const before = admission.dropped;
  for (let n = 0; n < 10; n += 1) void admission.receive('large', [new Uint8Array(256 * 1024).fill(n)]);
  t.ok(admission.dropped - before >= 4);
  t.equal(admission.verifying, 4, 'two of each');
  admission.close();
  for (const end of verifying) end();
});

t.test('batches that wait when the node stops are let go', { timeout: 2000 }, async (t) => {
  const admission = new Admission({
    ledger: { admit: () => new Promise(() => {}) },
    mempool: { get: () => undefined },
  } as unknown as AdmissionModules);
  const batches = [1, 2, 3].map((n) => admission.receive('peer', [Uint8Array.of(n)]));
  admission.close();
  await batches[2];
  t.pass();
});

t.test('what comes together is looked at together, and each gets its own answer', async (t) => {
  const calls: { readonly count: number; readonly end: () => void }[] = [];
  const admission = new Admission({
    ledger: {
      finalized,
      admit: (envelopes: readonly Uint8Array[]) =>
        new Promise((resolve, reject) =>
          calls.push({
            count: envelopes.length,
            end: () =>
              envelopes.some(([first]) => first === 0)
                ? reject(new WeftError('VERIFY_QUEUE_FULL', 'later'))
                : resolve(envelopes.map(([first]) => new WeftError(`CODE_${first}`, 'no transaction'))),
          }),
        ),
    },
    mempool: { get: () => undefined },
    ...clocks,
  } as unknown as AdmissionModules);
  const codes = async (numbers: readonly number[]) =>
    (await admission.submitAll(numbers.map((n) => Uint8Array.of(n)))).map((answer) => (answer as WeftError).code);
  const first = codes([1, 2, 2, 3]);
  await turn();
  t.same(
    calls.map(({ count }) => count),
    [3],
    'one call, and the one that came twice once',
  );
  const again = codes([3]);
  const batch = admission.receive('peer', [Uint8Array.of(2), Uint8Array.of(4)]);
  await turn();
  t.same(
    calls.map(({ count }) => count),
    [3, 1],
    'what is under way is waited for',
  );
  for (const { end } of calls) end();
  t.same(await first, ['CODE_1', 'CODE_2', 'CODE_2', 'CODE_3']);
  t.same(await again, ['CODE_3']);
  await batch;
  t.equal(admission.refused, 4);

  const full = codes([0, 5]);
  await turn();
  calls.at(-1)?.end();
  t.same(await full, ['VERIFY_QUEUE_FULL', 'VERIFY_QUEUE_FULL'], 'what was not looked at says so');
  const after = codes([5]);
  await turn();
  calls.at(-1)?.end();
  t.same(await after, ['CODE_5'], 'and nothing of it is left under way');
});
