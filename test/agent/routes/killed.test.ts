// An agent that is killed at any moment of a close, with the real executor and its journal: what was begun is done by the next one.
import t from 'tap';
import type { Grant as KernelGrant } from '../../../src/agent/bpf/grants.ts';
import { RouteBook } from '../../../src/agent/routes/routeBook.ts';
import { Routes } from '../../../src/agent/routes/routes.ts';
import type { Files } from '../../../src/ledger/files.ts';
import { account } from '../../executor/ledger.ts';
import { type Life, World } from '../../executor/lives.ts';

const host = 'gate-1';
const opened = 'ab'.repeat(32);
const effect = { host, source: '10.0.3.0/24', destination: '10.0.9.17/32', port: 443, protocol: 'tcp' } as const;
const path = '/agent/routes.json';

/** The disk of the executor's tests, which says ENOENT as the system does. */
function filesOf({ disk: { files } }: World): Files {
  const read = (at: string): Promise<Uint8Array> =>
    files.read(at).catch((error: unknown) => Promise.reject(Object.assign(error as Error, { code: 'ENOENT' })));
  return { ...files, read };
}

async function agentOf(world: World, life: Life) {
  const held = new Map<string, KernelGrant>();
  const book = await RouteBook.open(filesOf(world), path);
  const table = {
    ids: () => [...held.keys()],
    put: (grant: KernelGrant) => void held.set(grant.id, grant),
    remove: (id: string) => held.delete(id),
    reconcile(grants: readonly KernelGrant[]) {
      held.clear();
      for (const grant of grants) held.set(grant.id, grant);
      return { added: grants.length, changed: 0, removed: 0, kept: 0 };
    },
    sweep: () => 0,
  };
  const routes = new Routes(
    { host, account, leaseMs: 6000, maxClockSkewMs: 2000 },
    {
      executor: life.executor,
      book,
      tables: [table],
      bootNsAt: (ms) => BigInt(ms) * 1_000_000n,
      wallMs: () => world.ledger.now,
      happened: () => undefined,
      unproven: () => undefined,
    },
  );
  return { routes, book, held };
}

/** Resolves when the work is done, or its life is over: the dead wait for ever. */
async function unlessDead(life: Life, work: Promise<unknown>): Promise<void> {
  let isDone = false;
  const end = (): void => {
    isDone = true;
  };
  work.then(end, end);
  while (!isDone && !life.dead) await new Promise(setImmediate);
}

t.test('killed at every point of a close', async (t) => {
  let [points, finished, repeated] = [0, 0, 0];
  for (const keep of [0, 1_000_000])
    for (let cutAt = 1; ; cutAt += 1) {
      const world = new World();
      const { ledger } = world;
      const close = ledger.grant({ effect: { host, grant: opened }, reusable: true });
      const route = { grant: opened, token: opened, effect, index: 0 };
      const first = await RouteBook.open(filesOf(world), path);
      await first.put({ ...route, expires: ledger.now + 600_000, leasedUntil: ledger.now + 6000 });
      const hint = { intent: close, action: 'route.close', audience: account, status: 'granted' };
      const said = { ...hint, effect: { host, grant: opened } };

      const life = await world.life(cutAt);
      if (!life.dead) {
        const { routes } = await agentOf(world, life);
        await unlessDead(
          life,
          routes.restore().then(() => routes.consider(said)),
        );
      }
      if (!life.dead) {
        points = cutAt - 1;
        break;
      }
      world.disk = world.disk.powerLoss(keep);
      const next = await world.life();
      const begun = next.executor.hasBegun(close);
      const agent = await agentOf(world, next);
      await agent.routes.restore();
      const where = `cut at ${cutAt} (${life.cut}), ${keep} bytes kept`;
      if (begun) {
        finished += 1;
        t.ok(agent.book.isClosed(opened), `${where}: what was begun is done`);
        t.notOk(agent.held.has(opened), `${where}: and no gate lets it through`);
      }
      await next.executor.resume();
      await agent.routes.consider(said);
      if (!begun) repeated += 1;
      t.ok(agent.book.isClosed(opened) && !agent.held.has(opened), `${where}: closed in the end`);
      await next.executor.close();
    }
  t.ok(points > 20, `${points} points`);
  t.ok(finished > 5 && repeated > 5, `${finished} finished, ${repeated} done by the next`);
});
