import t from 'tap';
import type { Effect, Event } from '../../consensus/types.ts';
import { ConsensusShell, heldMax } from '../../src/node/shell.ts';

/** A scripted engine: each event's `seq` (of `journaled`) or view picks what it says. */
function setUp(script: (event: Event) => Effect[]) {
  const seen: string[] = [];
  const syncs: (() => void)[] = [];
  const shell: ConsensusShell = new ConsensusShell({
    step: script,
    appendRecord: (record) => seen.push(`append ${record.kind}`),
    appendBlock: (id) => seen.push(`store ${id}`),
    sync: () => new Promise((resolve) => syncs.push(resolve)),
    outward: (effect) => {
      seen.push(effect.type === 'send' ? `send ${effect.peer}` : effect.type);
      if (effect.type === 'send' && effect.peer === 1) shell.handle({ type: 'heard', peer: 9 });
    },
    inward: (effect) => seen.push(effect.type),
    failed: (error) => seen.push(`failed ${(error as Error).message}`),
    monotonicMs: () => 0,
    wallMs: () => 0,
  });
  shell.begin();
  return { shell, seen, syncs };
}

const message = { type: 'yourVotes', votes: [] } as const;
const send = (peer: number): Effect => ({ type: 'send', peer, message });
const vote = (seq: number): Effect => ({
  type: 'journal',
  seq,
  record: {
    kind: 'vote',
    vote: { kind: 'nullify', subject: { epoch: 1, view: seq }, signer: 0, signature: new Uint8Array() },
  },
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('W1: nothing leaves before what was appended ahead of it is durable, and order is kept', async (t) => {
  const { shell, seen, syncs } = setUp((event) => {
    if (event.type === 'heard' && event.peer === 0) return [send(10), vote(1), send(11)];
    if (event.type === 'heard' && event.peer === 2) return [send(12)];
    return [];
  });
  shell.handle({ type: 'heard', peer: 0 });
  shell.handle({ type: 'heard', peer: 2 });
  t.same(seen, ['append vote'], 'even what was said before the record waits: one FIFO');
  syncs.shift()?.();
  await turn();
  t.same(seen, ['append vote', 'send 10', 'send 11', 'send 12']);
  await shell.stop();
});

t.test('what comes while a sync is under way waits for the next one', async (t) => {
  const { shell, seen, syncs } = setUp((event) => {
    if (event.type === 'heard') return [vote(event.peer), send(event.peer + 100)];
    return [];
  });
  shell.handle({ type: 'heard', peer: 2 });
  shell.handle({ type: 'heard', peer: 3 });
  t.equal(syncs.length, 1);
  syncs.shift()?.();
  await turn();
  t.same(seen, ['append vote', 'append vote', 'send 102'], 'the second vote was appended after the sync began');
  syncs.shift()?.();
  await turn();
  t.same(seen.slice(3), ['send 103']);
  await shell.stop();
});

t.test('effects caused by what leaves keep their place behind it', async (t) => {
  const { shell, seen } = setUp((event) => {
    if (event.type === 'heard' && event.peer === 0) return [send(1), send(2)];
    if (event.type === 'heard' && event.peer === 9) return [send(3)];
    return [];
  });
  shell.handle({ type: 'heard', peer: 0 });
  t.same(seen, ['send 1', 'send 2', 'send 3']);
  await shell.stop();
});

t.test('a failed sync stops everything and says so once', async (t) => {
  const seen: string[] = [];
  const shell = new ConsensusShell({
    step: (event) => (event.type === 'heard' ? [vote(1), send(1)] : []),
    appendRecord: () => {},
    appendBlock: () => {},
    sync: () => Promise.reject(new Error('no space')),
    outward: () => seen.push('out'),
    inward: () => {},
    failed: (error) => seen.push((error as Error).message),
    monotonicMs: () => 0,
    wallMs: () => 0,
  });
  shell.begin();
  shell.handle({ type: 'heard', peer: 1 });
  await turn();
  shell.handle({ type: 'heard', peer: 1 });
  await turn();
  t.same(seen, ['no space']);
});

t.test('what comes before the start is kept and follows it', async (t) => {
  const seen: string[] = [];
  const shell = new ConsensusShell({
    step: (event, at) => {
      seen.push(`${event.type}${at === undefined ? '' : ' now'}`);
      return [];
    },
    appendRecord: () => {},
    appendBlock: () => {},
    sync: () => Promise.resolve(),
    outward: () => {},
    inward: () => {},
    failed: () => {},
    monotonicMs: () => 0,
    wallMs: () => 0,
  });
  shell.handle({ type: 'heard', peer: 1 });
  t.same(seen, []);
  shell.begin();
  t.same(seen, ['start now', 'heard'], 'the first of a batch brings the time');
  await shell.stop();
});

t.test('a timer that fires early is set again: what the engine asked for still stands', async (t) => {
  // The clock shows less than the timer has waited, as real ones do now and then.
  const clock = { now: 0 };
  let ticks = 0;
  const shell = new ConsensusShell({
    step: (event) => {
      if (event.type === 'start') return [{ type: 'wake', atMs: 5 }];
      if (event.type === 'tick') ticks += 1;
      return [];
    },
    appendRecord: () => {},
    appendBlock: () => {},
    sync: () => Promise.resolve(),
    outward: () => {},
    inward: () => {},
    failed: () => {},
    monotonicMs: () => clock.now,
    wallMs: () => 0,
  });
  shell.begin();
  t.equal(ticks, 0);
  while (ticks < 1) await turn();
  clock.now = 4;
  while (ticks < 2) await turn();
  clock.now = 5;
  while (ticks < 3) await turn();
  t.pass('it came again until it was due');
  await shell.stop();
});

t.test('a disk that hangs: what peers can repeat is dropped above a bound, what is said to all is kept', async (t) => {
  const { shell, seen, syncs } = setUp((event) => {
    if (event.type !== 'heard') return [];
    return event.peer === 0 ? [vote(1), { type: 'broadcast', message }] : [send(event.peer)];
  });
  shell.handle({ type: 'heard', peer: 0 });
  for (let i = 0; i < 3 * heldMax; i += 1) shell.handle({ type: 'heard', peer: 2 });
  t.equal(shell.held, heldMax);
  t.equal(shell.dropped, 2 * heldMax + 1);
  shell.handle({ type: 'heard', peer: 0 });
  t.equal(shell.held, heldMax + 1, 'a vote, and what is said to all, has its place');
  syncs.shift()?.();
  await turn();
  syncs.shift()?.();
  await turn();
  t.same([shell.held, seen.filter((each) => each === 'broadcast').length], [0, 2]);
  await shell.stop();
});

t.test(
  'certificates and floors are made durable before what leaves after them, and start no sync by themselves',
  async (t) => {
    const certificate = {
      kind: 'nullify',
      subject: { epoch: 1, view: 1 },
      signers: [],
      signatures: [],
    } as const;
    const { shell, seen, syncs } = setUp((event) => {
      if (event.type === 'heard' && event.peer === 0)
        return [{ type: 'journal', seq: 1, record: { kind: 'certificate', certificate } }];
      if (event.type === 'heard' && event.peer === 2) return [send(12)];
      if (event.type === 'heard' && event.peer === 3)
        return [
          { type: 'journal', seq: 2, record: { kind: 'certification', view: 1, block: {} as never, valid: false } },
        ];
      return [];
    });
    shell.handle({ type: 'heard', peer: 0 });
    await turn();
    t.equal(syncs.length, 0);
    shell.handle({ type: 'heard', peer: 2 });
    t.equal(syncs.length, 1);
    t.same(seen, ['append certificate']);
    syncs.shift()?.();
    await turn();
    t.same(seen, ['append certificate', 'send 12']);
    shell.handle({ type: 'heard', peer: 3 });
    t.equal(syncs.length, 1, 'a divergence waits for nobody: a restart must know of it');
    syncs.shift()?.();
    await shell.stop();
  },
);

t.test('an event that is told takes no turn, and waits for the one that runs', async (t) => {
  const given: string[] = [];
  let shell: ConsensusShell | undefined;
  const made = setUp((event) => {
    given.push(event.type);
    if (event.type === 'heard') shell?.tell({ type: 'cosigned', peer: 1, height: 1 });
    return [];
  });
  shell = made.shell;
  given.length = 0;
  shell.tell({ type: 'cosigned', peer: 1, height: 1 });
  t.same(given, ['cosigned'], 'without the time');
  shell.handle({ type: 'heard', peer: 1 });
  t.same(given, ['cosigned', 'heard', 'cosigned']);
  await shell.stop();
  shell.tell({ type: 'cosigned', peer: 1, height: 1 });
  t.equal(given.length, 3);
});
