import t from 'tap';
import { closeAlert, countOpen, raiseAlert, readAlert } from '../../contracts/alerts/state.ts';
import { Draft } from '../../contracts/draft.ts';
import { validate } from '../../schemas/validators.ts';
import { Network } from './network.ts';

const body = {
  kind: 'packets-mismatch',
  source: 'misty.weave',
  window: { from: 1, to: 2 },
  count: 3,
  evidence: ['ab'.repeat(32)],
};

t.test('raised, looked after, gone', async (t) => {
  const network = new Network();
  const raised = network.send('scanner', 'alerts.raise', body);
  const [record] = raised.records;
  t.equal(validate('record/alerts.raised', record), undefined);
  const alert = String(record!['alert']);
  t.equal(alert, record!['tx']);
  t.equal(validate('alert-record', network.state.get(`alerts/alert/${alert}`)), undefined);
  t.equal(network.send('admin', 'alerts.resolve', { alert: 'cd'.repeat(32) }).refused, 'ALERT_UNKNOWN');
  const resolved = network.send('admin', 'alerts.resolve', { alert });
  t.equal(validate('record/alerts.resolved', resolved.records[0]), undefined);
  t.match(network.asked.at(-1), { action: 'alerts.resolve', context: { kind: 'packets-mismatch', own: false } });
  t.equal(network.send('admin', 'alerts.resolve', { alert }).refused, 'ALERT_UNKNOWN', 'once');
  t.strictSame(
    [...network.state].filter(([path]) => path.startsWith('alerts/')),
    [['alerts/rate/scanner', { times: [network.block.time], open: 0 }]],
  );
});

t.test('what makes no sense is refused', async (t) => {
  const network = new Network();
  t.equal(network.send('scanner', 'alerts.raise', { ...body, window: { from: 3, to: 2 } }).refused, 'ALERT_WINDOW');
  const evidence = ['cd'.repeat(32), 'ab'.repeat(32)];
  t.equal(network.send('scanner', 'alerts.raise', { ...body, evidence }).refused, 'LIST_UNSORTED');
});

t.test('ten a minute of block time and account', async (t) => {
  const network = new Network();
  const raise = (by = 'scanner') => network.send(by, 'alerts.raise', body).refused;
  for (let i = 0; i < 5; i += 1) t.equal(raise(), undefined);
  network.next(30_000);
  for (let i = 0; i < 5; i += 1) t.equal(raise(), undefined);
  t.equal(raise(), 'ALERT_RATE');
  t.equal(raise('scanner-2'), undefined, 'another account is another matter');
  network.next(29_999);
  t.equal(raise(), 'ALERT_RATE');
  network.next(1);
  for (let i = 0; i < 5; i += 1) t.equal(raise(), undefined);
  t.equal(raise(), 'ALERT_RATE', 'the window slides');
});

t.test('one account does not fill the list, and the list is bounded', async (t) => {
  const network = new Network();
  const open: string[] = [];
  for (let i = 0; i < 64; i += 1) {
    if (i % 10 === 0) network.next(60_000);
    open.push(String(network.send('scanner', 'alerts.raise', body).records[0]!['alert']));
  }
  network.next(60_000);
  t.equal(network.send('scanner', 'alerts.raise', body).refused, 'ALERTS_FULL');
  t.equal(network.send('scanner-2', 'alerts.raise', body).refused, undefined);
  network.send('admin', 'alerts.resolve', { alert: open[0] });
  t.equal(network.send('scanner', 'alerts.raise', body).refused, undefined);
  network.state.set('alerts/open/current', 1024);
  t.equal(network.send('femto', 'alerts.raise', body).refused, 'ALERTS_FULL');
});

t.test('one account about which the ledger raises alerts does not fill the list either', async (t) => {
  const draft = new Draft({ get: () => undefined });
  const { block } = new Network();
  const alertOf = (n: number) => ({ ...body, alert: String(n).padStart(64, '0'), by: null, source: 'actuator-web-1' });
  for (let n = 0; n < 70; n += 1) t.match(raiseAlert(draft, block, alertOf(n)), { type: 'alerts.raised', by: null });
  t.equal(countOpen(draft), 64, 'the others are in the log alone');
  for (let n = 0; n < 70; n += 1) {
    const open = readAlert(draft, alertOf(n).alert);
    if (open !== undefined) closeAlert(draft, open);
  }
  t.equal(countOpen(draft), 0);
  t.equal(draft.get('alerts/rate/actuator-web-1'), undefined);
});
