// A validator that signs two things that no honest one signs both: the ledger says so, once, whoever falls on the way.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { fromBase64 } from '../../src/codec/base64.ts';
import { sign } from '../../src/crypto/ed25519.ts';
import { decodeVote, encodeVote, voteBytes } from '../../src/ledger/votes.ts';
import { decodeSentCosignature } from '../../src/log/sentCosignature.ts';
import { frameKinds } from '../../src/node/wire.ts';
import { impostorOf } from './impostor.ts';
import { TestNetwork } from './network.ts';

t.setTimeout(300_000);

type Body = { readonly kind: string; readonly a: string; readonly b: string };

/** The evidence on the log of `name`: the leaf of each record, and the body of the transaction before it. */
async function onLog(network: TestNetwork, name: string): Promise<{ leaf: string; body: Body; offender: string }[]> {
  const client = network.client(name);
  const { recorded } = await client.call('governance.evidence', {});
  return Promise.all(
    recorded.map(async ({ index, offender }) => {
      const { leaf } = await client.entry(index);
      const before = JSON.parse((await client.entry(index - 1)).leaf) as { envelope: { payload: string } };
      const { body } = JSON.parse(Buffer.from(before.envelope.payload, 'base64').toString()) as { body: Body };
      return { leaf, body, offender };
    }),
  );
}

/**
 * Resolves when `count` offences are on the log of all of `names`; fails when a second record of one came. `once`: nor was one
 * sent twice (who was killed may have had it in a block of its own already, which comes back with its journal), and all had seen the
 * messages themselves: who is the first to bring them has no need to pass them on.
 */
async function recordedOnAll(
  t: Test,
  network: TestNetwork,
  names: readonly string[],
  count: number,
  once: boolean,
): Promise<void> {
  if (once)
    await network.until((all) => all.every(({ evidence }) => evidence.found === count && evidence.recorded === count), {
      names,
    });
  else {
    const deadline = Date.now() + 120_000;
    // They are only just starting.
    const here = (name: string) => onLog(network, name).catch(() => []);
    while (!(await Promise.all(names.map(here))).every(({ length }) => length >= count)) {
      if (Date.now() > deadline) throw new Error(`not on all logs: ${network.logTails()}`);
      await sleep(100);
    }
  }
  // The turns of all others pass.
  await sleep(10_000);
  const [first, ...others] = await Promise.all(names.map((name) => onLog(network, name)));
  t.equal(first?.length, count);
  for (const other of others) t.same(other, first, 'the same on every log');
  for (const { rpc, name } of network.net.validators.filter((each) => names.includes(each.name))) {
    const metrics = await (await fetch(`${rpc}/metrics`)).text();
    const refused = Number(/^weft_transactions_finalized_total\{outcome="refused"\} (\d+)/m.exec(metrics)?.[1] ?? 0);
    if (!once) continue;
    t.equal(refused, 0, `${name}: none came twice`);
    t.match(metrics, new RegExp(`^weft_evidence_recorded ${count}$`, 'm'));
  }
}

t.test('a running validator that also signs the contrary', async (t) => {
  const hook = join(import.meta.dirname, 'hooks', 'register.ts');
  const guilty = 'v4';
  let twice = '';
  const network = await TestNetwork.make({
    nodeArgs: (name) => (name === guilty ? ['--import', hook] : []),
    env: (name) => (name === guilty ? { WEFT_TEST_TWICE: twice } : {}),
  });
  t.teardown(() => network.remove());
  const { keys } = network.net.validators.find(({ name }) => name === guilty)!;
  twice = JSON.stringify({ keys, genesis: network.net.genesis });
  network.startAll();
  await network.ready();
  await network.client('v1').submitAndWait(await network.packet(), { allowRefused: true });
  await recordedOnAll(t, network, network.names, 2, true);
  const found = await onLog(network, 'v1');
  t.same([...new Set(found.map(({ offender }) => offender))], [guilty]);
  const votes = found.find(({ body }) => body.kind === 'votes')?.body;
  const [a, b] = [votes?.a, votes?.b].map((text) => decodeVote(fromBase64(text ?? '')));
  t.same([a?.kind, b?.kind, a?.subject.view], ['finalize', 'finalize', b?.subject.view]);
  t.notSame(a?.subject, b?.subject);
  const cosignatures = found.find(({ body }) => body.kind === 'cosignatures')?.body;
  const [c, d] = [cosignatures?.a, cosignatures?.b].map((text) => decodeSentCosignature(fromBase64(text ?? '')));
  t.equal(c?.size, d?.size);
  t.not(c?.root, d?.root);
});

t.test('only one saw it, and was killed before it could tell anybody', async (t) => {
  const network = await TestNetwork.make();
  t.teardown(() => network.remove());
  const honest = ['v1', 'v2', 'v3'];
  const [finder = '', ...others] = honest;
  for (const name of honest) network.start(name);
  const impostor = await impostorOf(network, 'v4');
  t.teardown(() => impostor.network.close());
  await network.ready(honest);
  t.ok(await impostor.reaches(finder));
  for (const name of others) await network.signal(name, 'SIGKILL');
  const { view } = (await network.status(finder))!;
  const { keys, genesis, index } = impostor;
  for (let i = 0; i < 2; i += 1) {
    const subject = { epoch: 1, view, parentView: view - 1, blockId: randomBytes(32).toString('hex') };
    const signature = sign(voteBytes('notarize', genesis.genesisHash, subject), keys.vote.seed);
    const payload = encodeVote({ kind: 'notarize', subject, signer: index, signature });
    impostor.network.send(finder, 'urgent', frameKinds.notarize, payload, { class: 'vote', view });
  }
  await network.until(([status]) => status?.evidence.found === 1, { names: [finder] });
  await sleep(500);
  await network.signal(finder, 'SIGKILL');
  for (const name of others) network.start(name);
  await network.until((all) => all.every(({ evidence }) => evidence.found === 0), { names: others });
  network.start(finder);
  await recordedOnAll(t, network, honest, 1, false);
  const [found] = await onLog(network, finder);
  t.equal(found?.offender, 'v4');
});
