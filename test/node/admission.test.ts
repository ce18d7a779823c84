import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { Admission, type AdmissionModules } from '../../src/node/admission.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('a peer that floods has two batches verified at a time, and others have theirs', async (t) => {
  const verifying: { who: number; end: () => void }[] = [];
  const admission = new Admission({
    ledger: {
      prepare: (envelopes: readonly Uint8Array[]) =>
        new Promise((resolve) =>
          verifying.push({
            who: envelopes[0]?.[0] ?? 0,
            end: () => resolve([new WeftError('TX_FORM', 'no transaction')]),
          }),
        ),
    },
    mempool: { get: () => undefined },
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

t.test('batches that wait when the node stops are let go', { timeout: 2000 }, async (t) => {
  const admission = new Admission({
    ledger: { prepare: () => new Promise(() => {}) },
    mempool: { get: () => undefined },
  } as unknown as AdmissionModules);
  const batches = [1, 2, 3].map((n) => admission.receive('peer', [Uint8Array.of(n)]));
  admission.close();
  await batches[2];
  t.pass();
});
