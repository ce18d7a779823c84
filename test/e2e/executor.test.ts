// Executors that are killed (SIGKILL) at each step of a grant on a real network, and taken up again on their folders.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { codeOf } from '../../src/codec/error.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { createExecutor, type Executor } from '../../src/executor/index.ts';
import { TestNetwork } from './network.ts';

const account = 'actuator-web-1';
const victim = join(import.meta.dirname, '..', 'executor', 'victim.ts');
/** Where it dies → outcomes that may follow. */
const steps: Readonly<Record<string, readonly string[]>> = {
  prepared: ['done', 'failed'],
  consumed: ['done', 'failed'],
  begun: ['unknown'],
  act: ['unknown'],
  acted: ['unknown'],
  ended: ['done'],
  reported: ['done'],
};

t.test('killed at each step: at most one act, exactly one outcome', async (t) => {
  const network = await TestNetwork.make({ validators: 1 });
  t.teardown(() => network.remove());
  network.startAll();
  await network.ready();
  const client = network.client('v1');
  const [rpc = ''] = network.net.validators.map((each) => each.rpc);
  const trust = join(network.dir, 'trust.txt');
  writeFileSync(trust, await client.trust());
  const keys = await readKeyFile(network.net.accounts.get(account) ?? '', null);
  const seed = keys.find(({ name }) => name === 'account')?.secret ?? new Uint8Array();
  const names = Object.keys(steps);
  const folder = (step: string) => join(network.dir, `executor-${step}`);
  const file = (step: string) => join(network.dir, `acts-${step}`);
  const effectOf = (step: string) => ({ host: 'web-1', cache: step });

  const intents = await Promise.all(names.map(proposed));

  // They die where they are: with the lock in their hands, and a journal that nobody closed.
  const children: ChildProcess[] = [];
  t.teardown(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  await Promise.all(
    names.map(async (step, i) => {
      const args = [folder(step), intents[i] ?? '', JSON.stringify(effectOf(step)), Buffer.from(seed).toString('hex')];
      const child = spawn(process.execPath, [victim, step, ...args, trust, rpc, file(step)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      for await (const line of createInterface({ input: child.stdout })) {
        t.equal(line, 'here', `${step}: it came so far`);
        const second = await openCode(() => executorOn(step));
        t.equal(second, 'EXECUTOR_LOCKED', `${step}: while it lives, its folder is its own`);
        child.kill('SIGKILL');
        break;
      }
      await gone;
    }),
  );

  for (const [i, step] of names.entries()) {
    const intent = intents[i] ?? '';
    const executor = await executorOn(step);
    // Some look after what was left first, some do not: it must make no difference.
    if (i % 2 === 0) await executor.resume();
    const answer = await executor
      .run(intent, effectOf(step), () => {
        writeFileSync(file(step), 'done\n', { flag: 'a' });
        return { outcome: 'done' };
      })
      .then(({ outcome }) => outcome, codeOf);
    for (let tries = 0; executor.open.length > 0 && tries < 100; tries += 1) await executor.resume();
    t.strictSame(executor.open, [], `${step}: nothing is left open (${answer})`);
    await executor.close();
  }

  // Two replicas that share the account, with a folder each, at the same moment.
  const shared = await proposed('shared');
  const twins = await Promise.all(['twin-1', 'twin-2'].map(executorOn));
  const answers = await Promise.all(
    twins.map((twin) =>
      twin.run(shared, effectOf('shared'), () => ({ outcome: 'done' })).then(({ use }) => use, codeOf),
    ),
  );
  t.equal(answers.filter((answer) => answer === 1).length, 1, `one of them acts: ${answers.join(', ')}`);
  t.match(answers.join(), /GRANT_USED_UP|STATUS_USED_UP/, 'and the other is told why not');
  await Promise.all(twins.map((twin) => twin.close()));

  const outcomes = await outcomesOf();
  t.strictSame(outcomes.get(shared), ['done']);
  for (const [i, step] of names.entries()) {
    const intent = intents[i] ?? '';
    const acts = existsSync(file(step)) ? readFileSync(file(step), 'utf8').trimEnd().split('\n').length : 0;
    const found = outcomes.get(intent) ?? [];
    t.equal(found.length, 1, `${step}: one outcome`);
    t.ok(steps[step]?.includes(found[0] ?? ''), `${step}: ${found[0]}`);
    t.equal(acts, found[0] === 'failed' || step === 'begun' ? 0 : 1, `${step}: acts`);
    const { value } = await client.state(`intents/grant/${intent}`);
    t.match(value, { uses: 1, attempts: [{ reported: true }] }, `${step}: one use`);
  }
  t.strictSame(network.complaints(), []);

  async function proposed(cache: string): Promise<string> {
    const proposal = await network.signed('healer', 'intents.propose', {
      action: 'cache.clear',
      resource: `cache/web-1/${cache}`,
      effect: effectOf(cache),
      ttlMs: 300_000,
      audience: account,
      maxUses: 1,
      dryRun: false,
    });
    return (await client.submitAndWait(proposal)).id;
  }

  function executorOn(step: string): Promise<Executor> {
    return network
      .signer(account)
      .then((signer) => createExecutor({ account, signers: [signer], trust, rpc: [rpc], stateDir: folder(step) }));
  }

  async function openCode(open: () => Promise<Executor>): Promise<string> {
    try {
      await (await open()).close();
      return 'opened';
    } catch (error) {
      return codeOf(error);
    }
  }

  /** Every outcome in the log, by intent. */
  async function outcomesOf(): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>();
    const { finalized } = await client.status();
    const { logSize } = await client.block(finalized.height);
    for (let index = 0; index < logSize; index += 1) {
      const { leaf } = await client.entry(index);
      if (!leaf.startsWith('{"type":"intents.reported"')) continue;
      const { grant, outcome } = JSON.parse(leaf) as { grant: string; outcome: string };
      found.set(grant, [...(found.get(grant) ?? []), outcome]);
    }
    return found;
  }
});
