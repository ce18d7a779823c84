import t from 'tap';
import { Ledger } from '../../src/ledger/ledger.ts';
import { agree, all, fourVoting, parametersOf, work } from './epochNet.ts';

t.setTimeout(120_000);

t.test('a node dies at every point of the change of epoch: it comes back in the new one, and votes', async (t) => {
  const net = await fourVoting(t);
  const awake = ['v1', 'v2', 'v3'];
  const parameters = parametersOf(net, 'v1');
  let epoch = 1;
  // Where the disk fails for good, which is where the process might as well have been killed.
  const points: Record<string, (ledger: Ledger, armed: () => boolean) => void> = {
    'before its line of the closing checkpoint is kept': (ledger, armed) => {
      const { putNote } = ledger;
      ledger.putNote = (name, value) =>
        armed() && name.startsWith('closing-own/') ? fail() : putNote.call(ledger, name, value);
    },
    'before the new journal': (ledger, armed) => {
      const { restart } = ledger.journal;
      ledger.journal.restart = (now, live) => (armed() ? fail() : restart.call(ledger.journal, now, live));
    },
    'after the new journal': (ledger, armed) => {
      const { restart } = ledger.journal;
      ledger.journal.restart = async (now, live) => {
        await restart.call(ledger.journal, now, live);
        if (armed()) return fail();
      };
    },
    'when its first vote is written': (ledger, armed) => {
      const { sync } = ledger.journal;
      ledger.journal.sync = () => (armed() && ledger.journal.epoch > epoch ? fail() : sync.call(ledger.journal));
    },
  };
  for (const [point, arm] of Object.entries(points)) {
    await net.stop('v4');
    let armed = false;
    await net.start('v4', {
      openLedger: async (options) => {
        const ledger = await Ledger.open(options);
        arm(ledger, () => armed);
        return ledger;
      },
    });
    await net.votes(...all);
    armed = true;
    const cosignEveryBlocks = 1 + (epoch % 3);
    const next = await net.change(
      { kind: 'parameters', parameters: { ...parameters, cosignEveryBlocks } },
      awake,
      'v1',
    );
    await net.until(`v4 dies ${point}`, () => !net.node('v4').api.healthy());
    await net.stop('v4');
    epoch = next;
    await work(net, 'v1');
    await net.start('v4');
    await net.until(`${point}: v4 in epoch ${epoch}`, () => net.status('v4').epoch === epoch);
    await net.votes(...all);
    await work(net, 'v4');
    t.pass(point);
  }
  await agree(t, net, all, 4);
});

function fail(): Promise<never> {
  return Promise.reject(new Error('killed here'));
}
