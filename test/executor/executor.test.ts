// Every way in which an executor must not act, and what it says then.
import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import type { LedgerNode } from '../../src/executor/nodes.ts';
import { account, effect } from './ledger.ts';
import { type Life, World } from './lives.ts';

const nobody: LedgerNode = {
  name: 'gone',
  walk: () => Promise.reject(new WeftError('RPC_UNREACHABLE', 'gone')),
  token: () => Promise.reject(new WeftError('RPC_UNREACHABLE', 'gone')),
  status: () => Promise.reject(new WeftError('RPC_UNREACHABLE', 'gone')),
  submit: () => Promise.reject(new WeftError('RPC_TIMEOUT', 'gone')),
  close: () => undefined,
};

t.test('verify, status, consume, act, report', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const life = await world.life();
  const seen: unknown[] = [];
  const report = await life.executor.run(intent, effect, (permission) => {
    seen.push(permission);
    t.throws(() => Object.assign(permission.effect as object, { service: 'sshd' }), TypeError, 'nobody changes it');
    return { outcome: 'done', result: 'active' };
  });
  t.match(report, { grant: intent, use: 1, outcome: 'done', reported: true, result: sha256Hex(encodeUtf8('active')) });
  t.match(seen, [{ use: 1, dryRun: false, maxTargets: 1, effect, until: world.ledger.now + 8_000 }]);
  t.same(world.ledger.outcomes(intent), [['done']]);
  t.same(life.executor.open, []);
  t.match(await life.run(intent), { code: 'EXECUTOR_USED_UP' });
  await life.executor.close();
  t.match(await life.run(intent), { code: 'EXECUTOR_CLOSED' });
});

t.test('a token does as well as its intent', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const life = await world.life();
  const token = world.ledger.token({ intent });
  t.match(await life.run(token), { outcome: 'done', reported: true });
  t.match(await life.run(token.replace('leaf e', 'leaf f')), { code: 'TOKEN_PROOF_INVALID' });
  // Signed by too few who count now: proven anew, but only for the same leaf.
  const second = world.ledger.grant();
  const old = world.ledger.token({ intent: second }).replace(/\n[^\n]*\n$/, '\n');
  world.nodes = () => [
    { ...world.ledger.node(), token: async () => world.ledger.token({ intent: world.ledger.grant() }) },
  ];
  t.match(await (await world.life()).run(old), { code: 'TOKEN_SIGNATURES' }, 'another grant in its place is refused');
  world.nodes = () => [world.ledger.node()];
  t.match(await (await world.life()).run(old), { grant: second, outcome: 'done' });
  t.match(await life.run('nothing of the kind'), { code: 'TOKEN_MALFORMED' });
});

t.test('stops before anything is consumed', async (t) => {
  const cases: Record<string, (world: World) => { intent: string; document?: { host: string; service: string } }> = {
    TOKEN_AUDIENCE: ({ ledger }) => ({ intent: ledger.grant({ audience: 'actuator-web-4' }) }),
    TOKEN_EFFECT: ({ ledger }) => ({ intent: ledger.grant(), document: { ...effect, service: 'sshd' } }),
    TOKEN_EXPIRED: ({ ledger }) => {
      const intent = ledger.grant({ ttlMs: 30_000 });
      ledger.now += 28_000;
      return { intent };
    },
    TX_UNKNOWN: () => ({ intent: 'ab'.repeat(32) }),
    STATUS_PAUSED: ({ ledger }) => {
      const intent = ledger.grant();
      ledger.state.set('governance/pause/current', { paused: true, height: 1 });
      ledger.block([]);
      return { intent };
    },
    STATUS_POLICY_SUPERSEDED: ({ ledger }) => {
      const intent = ledger.grant();
      ledger.state.set('governance/policy/current', { version: 2, digest: '1'.repeat(64), minValid: 2, height: 1 });
      ledger.block([]);
      return { intent };
    },
    STATUS_SUSPENDED: ({ ledger }) => {
      const intent = ledger.grant();
      ledger.state.set('identity/account/remedy', { account: 'remedy', status: 'suspended' });
      ledger.block([]);
      return { intent };
    },
    STATUS_USED_UP: ({ ledger }) => {
      const intent = ledger.grant();
      ledger.submit(
        ledger.tx('intents.consume', account, { grant: intent, attempt: 'A'.repeat(22) }, ledger.now + 1).text,
      );
      return { intent };
    },
    STATUS_STALE: (world) => {
      const { ledger } = world;
      const intent = ledger.grant();
      const old = ledger.status(intent);
      ledger.now += 11_000;
      world.nodes = () => [{ ...ledger.node(), status: async () => old }];
      return { intent };
    },
    STATUS_FUTURE: (world) => {
      const intent = world.ledger.grant();
      world.nodes = () => [
        {
          ...world.ledger.node(),
          status: async () => {
            world.ledger.now += 5_000;
            const ahead = world.ledger.status(intent);
            world.ledger.now -= 5_000;
            return ahead;
          },
        },
      ];
      return { intent };
    },
    STATUS_MALFORMED: (world) => {
      world.nodes = () => [{ ...world.ledger.node(), status: async () => '{"paused":false}' }];
      return { intent: world.ledger.grant() };
    },
    RPC_UNREACHABLE: (world) => {
      world.nodes = () => [nobody, nobody];
      return { intent: world.ledger.grant() };
    },
  };
  for (const [code, arrange] of Object.entries(cases)) {
    const world = new World();
    const { intent, document } = arrange(world);
    const life = await world.life();
    t.match(await life.run(intent, document), { code }, code);
    t.same(world.acts, [], code);
    t.same(life.executor.open, [], `${code}: nothing was begun`);
    t.notOk(life.trail.includes('before submit intents.consume'), `${code}: nothing was sent`);
  }
});

t.test('stops at the consume', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant();
  const stranger = ledger.tx(
    'intents.consume',
    account,
    { grant: intent, attempt: 'B'.repeat(22) },
    ledger.now + 60_000,
  );
  let fault: Partial<LedgerNode> = {};
  world.nodes = () => [{ ...ledger.node(), ...fault }];
  const run = async (): Promise<[unknown, Life]> => {
    const life = await world.life();
    return [await life.run(intent), life];
  };

  // A node that says "finalized" and has nothing to show.
  fault = { submit: async () => undefined };
  let [answer, life] = await run();
  t.match(answer, { code: 'EXECUTOR_NOT_CONSUMED' }, 'the word of a node is no permission');
  t.equal(life.executor.open.length, 1, 'and neither is it a refusal: the attempt stays');

  // One that shows another's consume, of the same account and the same grant.
  ledger.submit(stranger.text);
  fault = {
    submit: async () => undefined,
    token: async (wanted) => ledger.token('tx' in wanted ? { tx: stranger.id } : wanted),
  };
  [answer, life] = await run();
  t.match(answer, { code: 'CONSUMED_OTHER_ATTEMPT' }, 'two that share a key: the attempt in the record decides');
  t.same(world.acts, []);

  // The ledger itself.
  fault = {};
  [answer, life] = await run();
  t.match(answer, { code: 'GRANT_USED_UP' });
  t.same(life.executor.open, [], 'its refusal is on the ledger: the attempt is over');
  t.same(world.acts, []);
});

t.test('time that passes on the way counts', async (t) => {
  for (const where of ['after submit intents.consume', 'consumed', 'begun']) {
    const world = new World();
    const intent = world.ledger.grant();
    world.meanwhile = (point) => {
      if (point === where) world.ledger.now += 8_000;
    };
    const life = await world.life();
    t.match(await life.run(intent), { code: 'CONSUMED_TOO_LATE' }, where);
    t.same(world.acts, [], where);
    t.same(world.ledger.outcomes(intent), [['failed']], `${where}: nothing was done, and the ledger knows`);
    t.same(life.executor.open, [], where);
  }
});

t.test('a refusal by one node is not that of the ledger', async (t) => {
  const world = new World();
  const { ledger } = world;
  const liar = {
    ...ledger.node('liar'),
    submit: () => Promise.reject(new WeftError('GRANT_USED_UP', 'so it says', { index: 0 })),
  };
  world.nodes = () => [liar];
  const intent = ledger.grant();
  const life = await world.life();
  t.match(await life.run(intent), { code: 'GRANT_USED_UP' });
  t.equal(life.executor.open.length, 1, 'it proved nothing');
  world.nodes = () => [liar, ledger.node()];
  await life.executor.close();
  const next = await world.life();
  t.match(await next.run(intent), { outcome: 'done', use: 1 }, 'another node forwards it');
});

t.test('nodes that are silent, stale or tell another tale are passed over', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant();
  const other = ledger.grant();
  const old = ledger.status(intent);
  ledger.now += 20_000;
  world.nodes = () => [
    nobody,
    {
      ...ledger.node('confused'),
      token: async (wanted) => ledger.token('intent' in wanted ? { intent: other } : wanted),
    },
    { ...ledger.node('stale'), status: async () => old },
    { ...ledger.node('swallows'), submit: () => new Promise(() => undefined) },
    ledger.node('honest'),
  ];
  const life = await world.life();
  t.match(await life.run(intent), { grant: intent, outcome: 'done', reported: true });
  t.equal(world.acts.length, 1);
});

t.test('two executors of one account: one acts', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const twin = new World();
  Object.assign(twin, { ledger: world.ledger });
  const lives = [await world.life(), await twin.life()];
  const answers = await Promise.all(lives.map((life) => life.run(intent)));
  t.equal(world.acts.length + twin.acts.length, 1);
  t.equal(answers.filter((each) => each instanceof WeftError).length, 1);
  t.same(world.ledger.outcomes(intent), [['done']]);
});

t.test('several uses, one at a time', async (t) => {
  const world = new World();
  const intent = world.ledger.grant({ maxUses: 3 });
  const life = await world.life();
  const [first, second] = await Promise.all([life.run(intent), life.run(intent)]);
  t.match(first, { use: 1 });
  t.match(second, { code: 'EXECUTOR_BUSY' });
  t.match(await life.run(intent), { use: 2 });
  t.match(await life.run(intent, effect, 'failed'), { use: 3, outcome: 'failed' });
  t.match(await life.run(intent), { code: 'EXECUTOR_USED_UP' });
  t.same(world.ledger.outcomes(intent), [['done'], ['done'], ['failed']]);
});

t.test('reusable grants may be counted here: no consume, and no more than they allow', async (t) => {
  const world = new World({ reusable: 'local' });
  const intent = world.ledger.grant({ maxUses: 2, reusable: true });
  const once = world.ledger.grant({ maxUses: 1 });
  const life = await world.life();
  t.match(await life.run(intent), { use: 1, reported: true });
  t.notOk(
    life.trail.some((point) => point.includes('submit')),
    'nothing is sent, neither before nor after',
  );
  const next = await world.life();
  t.match(await next.run(intent), { use: 2 }, 'remembered over a restart');
  t.match(await next.run(intent), { code: 'EXECUTOR_USED_UP' });
  t.same(world.ledger.outcomes(intent), []);
  t.match(await next.run(once), { use: 1 });
  t.ok(next.trail.includes('before submit intents.consume'), 'what is not reusable is consumed');
});

t.test('a dry run is never the real thing', async (t) => {
  const world = new World();
  const intent = world.ledger.grant({ dryRun: true });
  const life = await world.life();
  t.match(await life.run(intent), { code: 'EXECUTOR_DRY_RUN' });
  t.notOk(life.trail.includes('before submit intents.consume'), 'refused before anything is consumed');
  const report = await life.executor.run(
    intent,
    effect,
    () => {
      throw new Error('the real thing');
    },
    { rehearse: ({ dryRun }) => ({ outcome: dryRun ? 'done' : 'failed', result: 'would restart nginx' }) },
  );
  t.match(report, { dryRun: true, outcome: 'done' });
  t.same(world.acts, []);
});

t.test('an act that throws may have done anything', async (t) => {
  const world = new World();
  const intent = world.ledger.grant({ maxUses: 2 });
  const life = await world.life();
  const thrown = await life.executor.run(intent, effect, () => Promise.reject(new Error('half way')));
  t.match(thrown, { outcome: 'unknown', reported: true });
  const odd = await life.executor.run(intent, effect, () => ({ outcome: 'splendid' }) as never);
  t.match(odd, { outcome: 'unknown' });
  t.same(world.ledger.outcomes(intent), [['unknown'], ['unknown']]);
});

t.test('a wall clock that is set back makes no window longer', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant({ actWithinMs: 3_000 });
  // The consume takes 2 s by every clock but the wall's, which is set back meanwhile.
  const { openExecutor } = await import('../../src/executor/create.ts');
  let wallMs = 0;
  let passedMs = 0;
  const executor = await openExecutor(
    { account, signers: [], trust: '', rpc: [], stateDir: '/executor' },
    {
      files: world.disk.files,
      clock: {
        now: () => ledger.now + passedMs + wallMs,
        monotonic: () => 5_000 + passedMs,
        sleep: (_ms, signal) => new Promise((resolve) => signal?.addEventListener('abort', () => resolve())),
      },
      trust: { current: ledger.network.trust, advance: async () => false },
      nodes: [
        {
          ...ledger.node(),
          submit: async (text: string) => {
            ledger.submit(text);
            if (!text.includes('intents.consume')) return;
            passedMs += 2_000;
            wallMs -= 2_000;
          },
        },
      ],
      sign: (type, body, expires) => ledger.tx(type, account, body, expires),
      lock: async () => async () => undefined,
    },
  );
  await t.rejects(executor.run(intent, effect, never), { code: 'CONSUMED_TOO_LATE' });
  t.same(ledger.outcomes(intent), [['failed']]);
  await executor.close();

  function never(): never {
    throw new Error('it acted');
  }
});

t.test('what only a node says is no proof', async (t) => {
  const world = new World();
  const { ledger } = world;
  for (const code of ['STATUS_CANCELLED', 'STATUS_PAUSED', 'TOKEN_EXPIRED', 'CONSUMED_TOO_LATE']) {
    const says = () => Promise.reject(new WeftError(code, 'says who?'));
    const liar = { ...ledger.node('liar'), status: says, token: says, submit: says, walk: says };
    world.nodes = () => [liar, ledger.node()];
    const life = await world.life();
    const intent = ledger.grant();
    t.match(await life.run(intent), { outcome: 'done', reported: true }, code);
    t.match(await life.executor.standing(intent, effect), { grant: { intent } }, code);
    await life.executor.close();
    world.nodes = () => [liar];
    const deceived = await world.life();
    t.match(await deceived.run(ledger.grant()), { code: 'RPC_ANSWER_INVALID' }, `${code}, of nobody else`);
    await deceived.executor.close();
  }
});

t.test('what is proven against a grant is not shopped around', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant();
  const before = ledger.status(intent);
  ledger.now += 2_000;
  ledger.state.set('governance/pause/current', { paused: true, height: 2 });
  ledger.block([]);
  // The second node is two seconds behind, which is fresh enough for whoever asks it alone.
  world.nodes = () => [ledger.node(), { ...ledger.node('behind'), status: async () => before }];
  const life = await world.life();
  t.match(await life.run(intent), { code: 'STATUS_PAUSED' });
  t.notOk(life.trail.includes('before submit intents.consume'));
});

t.test('closing waits for the act, and tells it', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const life = await world.life();
  const begun = Promise.withResolvers<void>();
  const running = life.executor.run(intent, effect, async ({ signal }) => {
    begun.resolve();
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    return { outcome: 'failed' };
  });
  await begun.promise;
  const closing = life.executor.close();
  t.match(await running.catch((error: unknown) => error), { outcome: 'failed' });
  await closing;
  const next = await world.life();
  await next.executor.resume();
  t.same(world.ledger.outcomes(intent), [['failed']]);
});

t.test('what is to be known of an act that is cut short is written before it is begun', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const life = await world.life();
  const seen: string[] = [];
  const act = () => {
    seen.push('act');
    return { outcome: 'done' } as const;
  };
  const failing = life.executor.run(intent, effect, act, {
    verified: (grant) => seen.push(grant.intent),
    prepare: async () => {
      throw new WeftError('DISK_FULL', 'no room');
    },
  });
  await t.rejects(failing, { code: 'DISK_FULL' });
  t.same(seen, [intent]);
  t.match(life.executor.open, [{ state: 'prepared' }], 'nothing was begun, and it may be run again');
  t.equal(life.executor.hasBegun(intent), false);
  const prepare = async (): Promise<void> => {
    t.equal(life.executor.hasBegun(intent), false);
    seen.push('prepared');
  };
  t.match(await life.executor.run(intent, effect, act, { prepare }), { outcome: 'done', use: 1 });
  t.same(seen, [intent, 'prepared', 'act']);
  t.equal(life.executor.hasBegun(intent), true);
  const second = world.ledger.grant();
  await life.executor.run(second, effect, () => ({ outcome: 'failed' }));
  t.equal(life.executor.hasBegun(second), false, 'that came to nothing');
});

t.test('a node that is quick with an old proof hides nothing: all are asked, or another one first', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant();
  const old = ledger.status(intent);
  const asked: string[] = [];
  const named = (name: string, status: () => string): LedgerNode => ({
    ...ledger.node(name),
    status: async () => {
      asked.push(name);
      return status();
    },
  });
  world.nodes = () => [named('liar', () => old), named('honest', () => ledger.status(intent))];
  const life = await world.life();
  const grant = ledger.state.get(`intents/grant/${intent}`) as object;
  ledger.state.set(`intents/grant/${intent}`, { ...grant, status: 'cancelled' });
  ledger.block([]);
  const stands = (thorough: boolean): Promise<string> =>
    life.executor.standing(intent, effect, { thorough }).then(
      () => 'stands',
      (error: WeftError) => error.code,
    );
  t.equal(await stands(true), 'STATUS_CANCELLED');
  t.same(asked.sort(), ['honest', 'liar']);
  t.same([await stands(false), await stands(false)].sort(), ['STATUS_CANCELLED', 'stands'], 'in turns');
});

t.test('trust is held against the chain daily, also where nothing is open and grants only stand', async (t) => {
  const world = new World();
  const { ledger } = world;
  const life = await world.life();
  const day = 24 * 60 * 60 * 1000;
  ledger.now = ledger.network.trust.checkedAt + day + 1;
  const intent = ledger.grant();
  await life.executor.standing(intent, effect);
  t.equal(world.advanced, 1);
  await life.executor.standing(intent, effect);
  t.equal(world.advanced, 1, 'not with each renewal');
  ledger.now += 61_000;
  await life.executor.standing(intent, effect);
  t.equal(world.advanced, 2);
});

t.test('a wall clock that is set back makes no old proof fresh again', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant({ ttlMs: 7_200_000 });
  const old = ledger.status(intent);
  let shown = (): string => ledger.status(intent);
  world.nodes = () => [{ ...ledger.node(), status: async () => shown() }];
  // Only the wall clock is set.
  let setMs = 0;
  world.wallMs = () => ledger.now + setMs;
  const life = await world.life();
  ledger.now += 600_000;
  ledger.block([]);
  await life.executor.standing(intent, effect);
  const grant = ledger.state.get(`intents/grant/${intent}`) as object;
  ledger.state.set(`intents/grant/${intent}`, { ...grant, status: 'cancelled' });
  ledger.block([]);
  ledger.now += 1_000;
  setMs = -600_000;
  shown = () => old;
  await t.rejects(life.executor.standing(intent, effect), { code: 'STATUS_STALE' });
  shown = () => ledger.status(intent);
  await t.rejects(
    life.executor.standing(intent, effect),
    { code: 'STATUS_CANCELLED' },
    'nor what is new of the future',
  );
});
