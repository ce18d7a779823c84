// What becomes of grants in the kernel's tables, with a table, a ledger and a clock of the test's own.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Grant as KernelGrant } from '../../../src/agent/bpf/grants.ts';
import { RouteBook, type RouteEffect } from '../../../src/agent/routes/routeBook.ts';
import { type RouteEvent, type RouteExecutor, Routes, type RouteTable } from '../../../src/agent/routes/routes.ts';
import { fromSources } from '../../../src/agent/routes/sources.ts';
import { WeftError } from '../../../src/codec/error.ts';
import { refusedUse } from '../../../src/executor/executor.ts';
import type { Permission } from '../../../src/executor/permission.ts';
import { nodeFiles } from '../../../src/ledger/files.ts';
import type { Grant } from '../../../src/token/grant.ts';

const host = 'gate-1';
const account = 'gate-keeper-1';
const leaseMs = 6000;
const skewMs = 500;
const effect: RouteEffect = { host, source: '10.0.3.0/24', destination: '10.0.9.17/32', port: 443, protocol: 'tcp' };
const idOf = (n: number): string => n.toString(16).padStart(64, '0');

/** As src/agent/bpf/grantTable.ts, without a kernel. */
class Table {
  readonly held = new Map<string, KernelGrant>();
  full = false;
  ids = (): string[] => [...this.held.keys()];
  put(grant: KernelGrant): void {
    if (this.full) throw new WeftError('BPF_GRANTS_FULL', 'no room');
    this.held.set(grant.id, grant);
  }
  remove(id: string): boolean {
    return this.held.delete(id);
  }
  reconcile(grants: readonly KernelGrant[]) {
    const before = new Set(this.held.keys());
    this.held.clear();
    for (const grant of grants) this.held.set(grant.id, grant);
    const kept = grants.filter(({ id }) => before.has(id)).length;
    return { added: grants.length - kept, changed: 0, removed: before.size - kept, kept };
  }
  sweep(): number {
    return 0;
  }
}

/** The ledger and the library in one: grants by id, what stands against them, which were consumed. */
class World implements RouteExecutor {
  nowMs = 1_000_000;
  readonly grants = new Map<string, { expires: number; against?: string; dryRun?: boolean }>();
  readonly consumed: string[] = [];
  readonly outcomes: string[] = [];
  /** Grants of which an act was begun: what outlives a process. */
  readonly begun = new Set<string>();
  asked = 0;
  thorough = 0;

  grantOf(intent: string): Grant {
    const { expires, dryRun = false } = this.grants.get(intent) ?? { expires: 0 };
    return {
      intent,
      expires: { height: 1e9, time: expires },
      limits: { dryRun, maxTargets: 1 },
    } as unknown as Grant;
  }

  async run(
    intent: string,
    document: Parameters<RouteExecutor['run']>[1],
    act: Parameters<RouteExecutor['run']>[2],
    options: Parameters<RouteExecutor['run']>[3] = {},
  ): Promise<unknown> {
    const against = this.grants.get(intent)?.against;
    if (against !== undefined) throw new WeftError(against, 'no');
    const grant = this.grantOf(intent);
    options.verified?.(grant);
    if (this.consumed.includes(intent)) throw new WeftError('EXECUTOR_USED_UP', 'used');
    this.consumed.push(intent);
    const { dryRun } = grant.limits;
    const does = dryRun ? options.rehearse : act;
    const permission = { grant, effect: document, dryRun } as unknown as Permission;
    await options.prepare?.(permission);
    this.begun.add(intent);
    const { outcome, result } = (await does?.(permission)) ?? { outcome: 'none' };
    this.outcomes.push(`${outcome} ${result ?? ''}`.trim());
    return undefined;
  }

  hasBegun(intent: string): boolean {
    return this.begun.has(intent);
  }

  async standing(target: string, _effect?: unknown, { thorough = false }: { readonly thorough?: boolean } = {}) {
    this.asked += 1;
    if (thorough) this.thorough += 1;
    const intent = target.replace('token of ', '');
    const against = this.grants.get(intent)?.against;
    if (against !== undefined) throw new WeftError(against, 'no more');
    return { token: `token of ${intent}`, index: 7, grant: this.grantOf(intent), checkpointTime: this.nowMs };
  }
}

async function setUp(
  t: { teardown(work: () => void): void },
  world: World,
  tables: readonly RouteTable[],
  dir?: string,
) {
  const folder = dir ?? mkdtempSync(join(tmpdir(), 'weft-routes-'));
  if (dir === undefined) t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const events: RouteEvent[] = [];
  const unproven: string[] = [];
  const book = await RouteBook.open(nodeFiles, join(folder, 'routes.json'));
  const routes = new Routes(
    { host, account, leaseMs, maxClockSkewMs: skewMs },
    {
      executor: world,
      book,
      tables,
      bootNsAt: (ms) => BigInt(ms) * 1_000_000n,
      wallMs: () => world.nowMs,
      happened: (event) => events.push(event),
      unproven: (error) => unproven.push((error as WeftError).code),
    },
  );
  return { routes, events, folder, book, unproven };
}

const intent = (n: number, change: object = {}) => ({
  intent: idOf(n),
  action: 'route.open',
  audience: account,
  status: 'granted',
  effect: { ...effect },
  ...change,
});
const untilMs = (table: Table, n: number): number => Number((table.held.get(idOf(n))?.expiresNs ?? 0n) / 1_000_000n);

t.test('a grant is let through for a lease, which ends with the grant at the latest', async (t) => {
  const world = new World();
  const [coming, going] = [new Table(), new Table()];
  const { routes, events, book } = await setUp(t, world, [coming, going]);
  await routes.restore();
  world.grants.set(idOf(1), { expires: world.nowMs + 10_000 });
  await routes.consider(intent(1));
  t.equal(untilMs(coming, 1), world.nowMs + leaseMs);
  t.equal(untilMs(going, 1), world.nowMs + leaseMs, 'in both gates');
  t.match(coming.held.get(idOf(1)), { source: '10.0.3.0/24', destination: '10.0.9.17/32', port: 443, protocol: 'tcp' });
  t.match(events, [{ kind: 'grant.open', grant: idOf(1), detail: '10.0.3.0/24 may reach 10.0.9.17/32 tcp port 443' }]);
  t.match(book.get(idOf(1)), { token: `token of ${idOf(1)}`, index: 7 });
  await routes.consider(intent(1));
  t.equal(world.consumed.length, 1, 'once');
  world.nowMs += 5000;
  await routes.renew();
  t.equal(untilMs(coming, 1), 1_000_000 + 10_000 - skewMs, 'never beyond the grant');
  world.nowMs += 5000;
  await routes.renew();
  t.equal(events.at(-1)?.reason, 'EXPIRED');
  t.equal(routes.counts.open, 0);
  t.ok(coming.held.has(idOf(1)), 'it ended there by itself, and can be named for a while');
  t.match(routes.of(idOf(1)), { index: 7, expires: 1_010_000 });
  t.equal(routes.of(idOf(2)), undefined);
});

t.test('for others, for another host, not granted, another action: not ours', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes } = await setUp(t, world, [table]);
  await routes.restore();
  for (const change of [
    { audience: 'other' },
    { status: 'pending' },
    { action: 'service.restart' },
    { effect: { ...effect, host: 'gate-2' } },
  ])
    await routes.consider(intent(1, change));
  t.equal(world.consumed.length, 0);
});

t.test(
  'what a fresh checkpoint proves closes at once; what nobody can be asked about ends with its lease',
  async (t) => {
    const world = new World();
    const table = new Table();
    const { routes, events } = await setUp(t, world, [table]);
    await routes.restore();
    const codes = ['STATUS_PAUSED', 'STATUS_CANCELLED', 'STATUS_POLICY_SUPERSEDED', 'STATUS_SUSPENDED'];
    for (const [n] of codes.entries()) {
      world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
      await routes.consider(intent(n));
    }
    world.grants.set(idOf(9), { expires: world.nowMs + 60_000 });
    await routes.consider(intent(9));
    const before = untilMs(table, 9);
    for (const [n, against] of codes.entries()) world.grants.set(idOf(n), { expires: world.nowMs + 60_000, against });
    world.grants.set(idOf(9), { expires: world.nowMs + 60_000, against: 'STATUS_STALE' });
    world.nowMs += 2000;
    await routes.renew();
    t.same(table.ids(), [idOf(9)]);
    t.same(
      events
        .filter(({ kind }) => kind === 'grant.close')
        .map(({ reason }) => reason)
        .sort(),
      [...codes].sort(),
    );
    t.equal(untilMs(table, 9), before, 'its lease was not renewed');
    world.grants.set(idOf(9), { expires: 1_060_000 });
    await routes.renew();
    t.equal(untilMs(table, 9), world.nowMs + leaseMs, 'asked again, and renewed');
  },
);

t.test('route.close closes, also what has not come yet', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes, events } = await setUp(t, world, [table]);
  await routes.restore();
  for (const n of [1, 2, 3]) world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
  await routes.consider(intent(1));
  const close = (n: number, grant: number) =>
    intent(n, { action: 'route.close', effect: { host, grant: idOf(grant) } });
  await routes.consider(close(2, 1));
  t.same(table.ids(), []);
  t.equal(events.at(-1)?.reason, 'CLOSED');
  await routes.consider(close(3, 4));
  world.grants.set(idOf(4), { expires: world.nowMs + 60_000 });
  await routes.consider(intent(4));
  t.same(table.ids(), [], 'it does not come back by a proposal that is seen late');
  t.same(world.outcomes, ['done', 'done closed', 'done was not open']);
});

t.test('what is closed while the disk writes stays closed', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes, book } = await setUp(t, world, [table]);
  await routes.restore();
  for (const n of [1, 2, 3, 4, 5]) world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
  const close = (n: number, grant: number) =>
    intent(n, { action: 'route.close', effect: { host, grant: idOf(grant) } });
  const put = book.put.bind(book);
  // The first write is that of the act, the second that of its first renewal.
  for (const [n, write] of [
    [1, 1],
    [2, 2],
  ] as const) {
    let writes = 0;
    book.put = async (route) => {
      const written = put(route);
      writes += 1;
      if (writes === write) await routes.consider(close(n + 2, n));
      await written;
    };
    await routes.consider(intent(n));
    t.notOk(table.held.has(idOf(n)), `write ${write}: no gate lets it through`);
    t.equal(book.get(idOf(n)), undefined);
  }
  t.same(world.outcomes, ['done closed', 'failed CLOSED', 'done', 'done closed']);
});

t.test('what is closed while its use is counted is not opened', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes } = await setUp(t, world, [table]);
  await routes.restore();
  for (const n of [1, 2]) world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
  const run = world.run.bind(world);
  world.run = async (target, document, act, options) => {
    if (target === idOf(1))
      await routes.consider(intent(2, { action: 'route.close', effect: { host, grant: idOf(1) } }));
    return run(target, document, act, options);
  };
  await routes.consider(intent(1));
  t.same(table.ids(), []);
  t.same(world.outcomes, ['done was not open', 'failed CLOSED']);
});

t.test('a clock that was set back makes no lease longer', async (t) => {
  const world = new World();
  const table = new Table();
  const first = await setUp(t, world, [table]);
  await first.routes.restore();
  world.grants.set(idOf(1), { expires: world.nowMs + 600_000 });
  await first.routes.consider(intent(1));
  world.nowMs -= 300_000;
  world.grants.set(idOf(1), { expires: 1_600_000, against: 'RPC_UNREACHABLE' });
  const second = await setUp(t, world, [table], first.folder);
  await second.routes.restore();
  t.equal(untilMs(table, 1), world.nowMs + leaseMs);
});

t.test('a route that cannot be renewed here holds up no other, and is told', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes } = await setUp(t, world, [table]);
  await routes.restore();
  for (const n of [1, 2, 3]) {
    world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
    await routes.consider(intent(n));
  }
  world.nowMs += 2000;
  const put = table.put.bind(table);
  table.put = (grant) => {
    if (grant.id === idOf(3)) throw new WeftError('BPF_GRANTS_FULL', 'no room');
    put(grant);
  };
  let swept = 0;
  table.sweep = () => {
    swept += 1;
    return 0;
  };
  await t.rejects(routes.renew(), { code: 'BPF_GRANTS_FULL' });
  t.equal(swept, 1, 'what is over leaves the table all the same');
  t.equal(untilMs(table, 1), world.nowMs + leaseMs);
  t.equal(untilMs(table, 2), world.nowMs + leaseMs);
});

t.test('a clock that is set back while the disk writes makes no lease longer', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes, book } = await setUp(t, world, [table]);
  await routes.restore();
  world.grants.set(idOf(1), { expires: world.nowMs + 7_200_000 });
  const put = book.put.bind(book);
  book.put = async (route) => {
    await put(route);
    world.nowMs -= 600_000;
  };
  await routes.consider(intent(1));
  // Once for the act, once for the first renewal; the kernel's clock has not moved.
  t.equal(untilMs(table, 1), world.nowMs + leaseMs);
});

t.test('an agent that is killed in the middle of a close finishes it in its next life', async (t) => {
  const world = new World();
  const table = new Table();
  const first = await setUp(t, world, [table]);
  await first.routes.restore();
  for (const n of [1, 2, 3, 4]) world.grants.set(idOf(n), { expires: world.nowMs + 600_000 });
  for (const n of [1, 2]) await first.routes.consider(intent(n));
  const closes = [
    [3, 1],
    [4, 2],
  ] as const;
  const never = new Promise<never>(() => undefined);
  // The one dies once it is written that the act was begun, the other before.
  const close = first.book.close.bind(first.book);
  first.book.close = () => never;
  const begin = first.book.begin.bind(first.book);
  first.book.begin = async (closing) => {
    await begin(closing);
    if (closing.close === idOf(4)) await never;
  };
  for (const [n, grant] of closes)
    void first.routes.consider(intent(n, { action: 'route.close', effect: { host, grant: idOf(grant) } }));
  for (let i = 0; i < 200 && first.book.closing().length < 2; i++) await new Promise((done) => setTimeout(done, 5));
  await first.book.flush();
  t.equal(typeof close, 'function');
  world.nowMs += 1000;
  const second = await setUp(t, world, [table], first.folder);
  await second.routes.restore();
  t.same(table.ids(), [idOf(2)], 'begun is done; what was not begun was not done');
  t.same(
    second.events.map(({ grant, reason }) => [grant, reason]),
    [[idOf(1), 'CLOSED']],
  );
  await second.routes.renew();
  world.consumed.length = 0;
  await second.routes.consider(intent(1));
  t.same(table.ids(), [idOf(2)]);
  const third = await setUp(t, world, [table], first.folder);
  t.same([third.book.closing(), third.book.isClosed(idOf(1))], [[], true]);
});

t.test('with an older file, or none, a close that was used closes again; a rehearsal of one does not', async (t) => {
  const world = new World();
  const table = new Table();
  const first = await setUp(t, world, [table]);
  await first.routes.restore();
  for (const n of [1, 2, 3]) world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
  world.grants.set(idOf(4), { expires: world.nowMs + 60_000, dryRun: true });
  for (const n of [1, 2]) await first.routes.consider(intent(n));
  const older = readFileSync(join(first.folder, 'routes.json'));
  const close = (n: number, grant: number) =>
    intent(n, { action: 'route.close', effect: { host, grant: idOf(grant) } });
  for (const hint of [close(3, 1), close(4, 2)]) await first.routes.consider(hint);
  t.same(table.ids(), [idOf(2)]);
  writeFileSync(join(first.folder, 'routes.json'), older);
  const second = await setUp(t, world, [table], first.folder);
  await second.routes.restore();
  for (const hint of [close(3, 1), close(4, 2)]) await second.routes.consider(hint);
  t.same(table.ids(), [idOf(2)]);
  await second.routes.renew();
  t.same(table.ids(), [idOf(2)]);
});

t.test('a lease that nobody renews is told of, and counts as none', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes, unproven } = await setUp(t, world, [table]);
  await routes.restore();
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000 });
  await routes.consider(intent(1));
  t.match(routes.counts, { open: 1, lapsed: 0 });
  world.grants.set(idOf(1), { expires: 1_060_000, against: 'STATUS_FUTURE' });
  world.nowMs += leaseMs;
  await routes.renew();
  t.same(unproven, ['STATUS_FUTURE']);
  t.match(routes.counts, { open: 0, lapsed: 1 });
});

t.test('news that something may have been taken back asks all nodes', async (t) => {
  const world = new World();
  const { routes } = await setUp(t, world, [new Table()]);
  await routes.restore();
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000 });
  await routes.consider(intent(1));
  await routes.renew();
  t.equal(world.thorough, 0);
  await routes.recheck(idOf(1));
  t.equal(world.thorough, 1);
  await Promise.all([routes.renew(), routes.renew({ thorough: true })]);
  t.equal(world.thorough, 2);
});

t.test('a use that the ledger refuses is asked for again ever more seldom', async (t) => {
  const world = new World();
  const { routes } = await setUp(t, world, [new Table()]);
  await routes.restore();
  let tries = 0;
  world.run = async () => {
    tries += 1;
    throw refusedUse('TARGET_COOLDOWN', 'it rests');
  };
  world.grants.set(idOf(1), { expires: world.nowMs + 86_400_000 });
  for (let second = 0; second < 3600; second += 5) {
    world.nowMs += 5000;
    await routes.consider(intent(1));
  }
  t.ok(tries > 5 && tries < 25, `${tries} in an hour`);
  // A code that a node made up, or an effect that is no effect, delays nobody.
  const before = tries;
  world.run = async () => {
    tries += 1;
    throw tries % 2 === 0 ? new WeftError('TARGET_COOLDOWN', 'says who?') : new RangeError('too deep');
  };
  for (let n = 0; n < 10; n++) await routes.consider(intent(2));
  t.equal(tries, before + 10);
});

t.test(
  'a hint names an intent, and nothing else: a token would be another name for what is open or closed',
  async (t) => {
    const world = new World();
    const { routes, book } = await setUp(t, world, [new Table()]);
    await routes.restore();
    for (const name of ['c2sp.org/tlog-proof@v1 …', idOf(1).toUpperCase().replace('1', 'A'), ''])
      await routes.consider({ ...intent(1), intent: name });
    t.same([world.consumed, book.size], [[], 0]);
  },
);

t.test('a host without room for one more route says so', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes, events, book } = await setUp(t, world, [table]);
  await routes.restore();
  book.put = async () => {
    throw new WeftError('AGENT_ROUTES_FULL', 'full');
  };
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000 });
  await routes.consider(intent(1));
  t.match(events, [{ kind: 'grant.refused', reason: 'AGENT_ROUTES_FULL' }]);
  t.same([world.outcomes, table.ids()], [['failed AGENT_ROUTES_FULL'], []]);
});

t.test('what goes out is opened by routes from here only, where somebody says where that is', async (t) => {
  const world = new World();
  const [coming, going] = [new Table(), new Table()];
  const tables = [coming, fromSources(going, ['10.0.9.0/24', '2001:db8::1'])];
  const first = await setUp(t, world, tables);
  await first.routes.restore();
  const sources = ['10.0.3.0/24', '10.0.9.7/32', '0.0.0.0/0', '10.0.8.0/24'];
  for (const [n, source] of sources.entries()) {
    world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
    await first.routes.consider(intent(n, { effect: { ...effect, source } }));
  }
  t.equal(coming.held.size, 4);
  t.same(going.ids(), [idOf(1), idOf(2)]);
  await first.routes.renew();
  t.same(going.ids(), [idOf(1), idOf(2)]);
  const second = await setUp(t, world, tables, first.folder);
  await second.routes.restore();
  t.same([coming.held.size, going.ids().sort()], [4, [idOf(1), idOf(2)]]);
  t.throws(() => fromSources(going, ['here']), { code: 'BPF_ADDRESS' });
});

t.test('a dry run touches nothing', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes } = await setUp(t, world, [table]);
  await routes.restore();
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000, dryRun: true });
  await routes.consider(intent(1));
  t.same(table.ids(), []);
  t.same(world.outcomes, ['done dry run']);
});

t.test('after a restart the kernel holds exactly what stands', async (t) => {
  const world = new World();
  const table = new Table();
  const first = await setUp(t, world, [table]);
  await first.routes.restore();
  await first.routes.renew();
  for (const n of [1, 2, 3]) {
    world.grants.set(idOf(n), { expires: world.nowMs + (n === 1 ? 3000 : 60_000) });
    await first.routes.consider(intent(n));
  }
  // A process that dies says nothing. Meanwhile one expires, one is cancelled, and a stranger writes to the kernel's table.
  world.nowMs += 4000;
  world.grants.set(idOf(2), { expires: 1_060_000, against: 'STATUS_CANCELLED' });
  table.held.set(idOf(99), { ...effect, id: idOf(99), expiresNs: 1n << 60n });
  const second = await setUp(t, world, [table], first.folder);
  await second.routes.restore();
  await second.routes.renew();
  t.same(table.ids(), [idOf(3)]);
  t.equal(untilMs(table, 3), world.nowMs + leaseMs);
  t.same(
    second.book.all().map(({ grant }) => grant),
    [idOf(3)],
  );
  await second.routes.consider(intent(1));
  await second.routes.consider(intent(2));
  t.same(table.ids(), [idOf(3)]);

  // Away for longer than the lease, and nobody to ask: nothing is let through; once somebody answers, it is.
  world.nowMs += 20_000;
  world.grants.set(idOf(3), { expires: 1_060_000, against: 'RPC_UNREACHABLE' });
  const third = await setUp(t, world, [table], first.folder);
  await third.routes.restore();
  await third.routes.renew();
  t.same(table.ids(), []);
  world.grants.set(idOf(3), { expires: 1_060_000 });
  await third.routes.renew();
  t.same(table.ids(), [idOf(3)]);
});

t.test('what was closed stays closed after a restart, also while its grant has uses left', async (t) => {
  const world = new World();
  const table = new Table();
  const first = await setUp(t, world, [table]);
  await first.routes.restore();
  for (const n of [1, 2, 3, 4]) world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
  const close = (n: number, grant: number) =>
    intent(n, { action: 'route.close', effect: { host, grant: idOf(grant) } });
  await first.routes.consider(intent(1));
  await first.routes.consider(intent(2));
  await first.routes.consider(close(3, 1));
  await first.routes.consider(close(4, 9));
  // Paused for a moment, and resumed.
  world.grants.set(idOf(2), { expires: 1_060_000, against: 'STATUS_PAUSED' });
  await first.routes.renew();
  t.same(table.ids(), []);
  world.grants.set(idOf(2), { expires: 1_060_000 });
  world.grants.set(idOf(9), { expires: 1_060_000 });
  // The ledger has further uses of each.
  world.consumed.length = 0;
  const second = await setUp(t, world, [table], first.folder);
  await second.routes.restore();
  for (const n of [1, 2, 9]) await second.routes.consider(intent(n));
  t.same([table.ids(), world.consumed], [[], []], 'nothing is opened, and no use is taken');

  // Nobody need be remembered whose grant is over.
  world.nowMs += 61_000;
  await second.routes.consider(close(5, 10));
  const third = await setUp(t, world, [table], first.folder);
  t.same(
    [1, 2, 9, 10].map((n) => third.book.isClosed(idOf(n))),
    [false, false, true, true],
  );
});

t.test('one route is asked about at once', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes, events } = await setUp(t, world, [table]);
  await routes.restore();
  for (const n of [1, 2]) {
    world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
    await routes.consider(intent(n));
  }
  const asked = world.asked;
  t.equal(await routes.recheck(idOf(1)), true);
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000, against: 'RPC_UNREACHABLE' });
  t.equal(await routes.recheck(idOf(1)), true, 'nobody to ask: it keeps its lease');
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000, against: 'STATUS_CANCELLED' });
  t.equal(await routes.recheck(idOf(1)), false);
  t.equal(await routes.recheck(idOf(7)), false, 'none of ours');
  t.equal(world.asked, asked + 3, 'and about no other');
  t.same(table.ids(), [idOf(2)]);
  world.grants.set(idOf(2), { expires: world.nowMs + 60_000, against: 'STATUS_PAUSED' });
  await Promise.all([routes.renew(), routes.recheck(idOf(2))]);
  t.equal(events.filter(({ kind }) => kind === 'grant.close').length, 2, 'each is told once');
  t.equal(routes.counts.closed, 2);
});

t.test('a node that makes an effect up keeps nobody from looking at the true one', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes } = await setUp(t, world, [table]);
  await routes.restore();
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000 });
  const run = world.run.bind(world);
  const { promise: never, resolve } = Promise.withResolvers<void>();
  world.run = async (target, document, act, options) => {
    if (document['port'] === 1) await never;
    return run(target, document, act, options);
  };
  const lie = routes.consider(intent(1, { effect: { ...effect, port: 1 } }));
  await routes.consider(intent(1));
  t.same(table.ids(), [idOf(1)]);
  resolve();
  await lie;
});

t.test('a gate without room: the outcome is failed, and no gate lets it through', async (t) => {
  const world = new World();
  const [coming, going] = [new Table(), new Table()];
  going.full = true;
  const { routes, events, book } = await setUp(t, world, [coming, going]);
  await routes.restore();
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000 });
  await routes.consider(intent(1));
  t.same(coming.ids(), []);
  t.equal(book.size, 0);
  t.same(world.outcomes, ['failed BPF_GRANTS_FULL']);
  t.match(events, [{ kind: 'grant.refused', reason: 'BPF_GRANTS_FULL' }]);
});

t.test('a refusal that may pass is tried again with the next news, one that is proven is told once', async (t) => {
  const world = new World();
  const { routes, events } = await setUp(t, world, [new Table()]);
  await routes.restore();
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000, against: 'STATUS_STALE' });
  await routes.consider(intent(1));
  t.same(events, []);
  world.grants.set(idOf(1), { expires: world.nowMs + 60_000 });
  await routes.consider(intent(1));
  t.equal(routes.counts.open, 1);
  world.grants.set(idOf(2), { expires: world.nowMs + 60_000, against: 'STATUS_PAUSED' });
  await routes.consider(intent(2));
  await routes.consider(intent(2));
  t.same(
    events.filter(({ kind }) => kind === 'grant.refused').map(({ reason }) => reason),
    ['STATUS_PAUSED'],
  );
});

t.test('who tells lies about an intent keeps nobody from hearing the truth', async (t) => {
  const world = new World();
  const table = new Table();
  const { routes } = await setUp(t, world, [table]);
  await routes.restore();
  for (const n of [1, 2]) world.grants.set(idOf(n), { expires: world.nowMs + 60_000 });
  await routes.consider(intent(1));
  // The executor holds the effect against the token.
  const run = world.run.bind(world);
  const granted = idOf(1);
  world.run = async (target, document, act, options) => {
    if (document['grant'] !== granted) throw new WeftError('TOKEN_EFFECT', 'another effect');
    return run(target, document, act, options);
  };
  const close = (grant: string) => intent(2, { action: 'route.close', effect: { host, grant } });
  for (const code of ['TOKEN_EFFECT', 'TOKEN_SIGNATURES', 'GRANT_UNKNOWN']) {
    await routes.consider(close(idOf(7)));
    world.grants.set(idOf(2), { expires: world.nowMs + 60_000, against: code });
    await routes.consider(close(granted));
    t.ok(table.held.has(granted), code);
  }
  world.grants.set(idOf(2), { expires: world.nowMs + 60_000 });
  await routes.consider(close(granted));
  t.same(table.ids(), []);
});

t.test('a file of another hand is not believed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-routes-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const text of [
    '',
    '{}',
    '{"format":"weft/routes/v1","closed":[],"routes":[{}]}',
    '{"format":"weft/routes/v1","closed":[],"routes":[null]}',
    '{"format":"weft/routes/v1","closed":[{"grant":"aa"}],"routes":[]}',
    '{"format":"weft/routes/v1","routes":[]}',
    ...[
      { effect: {} },
      { effect: { ...effect, source: 'everywhere' } },
      { effect: { ...effect, source: '::/0' } },
      { effect: { ...effect, protocol: 'icmp' } },
      { effect: { ...effect, port: 70_000 } },
      { grant: 'aa' },
      { leasedUntil: -1 },
    ].map((change) =>
      JSON.stringify({
        format: 'weft/routes/v1',
        closed: [],
        routes: [{ grant: idOf(1), token: 't', effect, index: 0, expires: 2, leasedUntil: 1, ...change }],
      }),
    ),
  ]) {
    writeFileSync(join(folder, 'routes.json'), text);
    await t.rejects(RouteBook.open(nodeFiles, join(folder, 'routes.json')), { code: 'AGENT_STATE_DAMAGED' });
  }
});
