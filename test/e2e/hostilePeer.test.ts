// A validator that says anything at all to three honest ones: they cut it off, or pass over it, and go on without it.
import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Vote } from '../../consensus/types.ts';
import { decodeCbor, encodeCbor } from '../../src/codec/cbor.ts';
import { WeftError } from '../../src/codec/error.ts';
import { sign } from '../../src/crypto/ed25519.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { decodeCertificate, encodeCertificate } from '../../src/ledger/certificate.ts';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { decodeHeader } from '../../src/ledger/header.ts';
import { decodeVote, encodeVote, voteBytes } from '../../src/ledger/votes.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign } from '../../src/log/cosignature.ts';
import { decodeSentCosignature, encodeSentCosignature } from '../../src/log/sentCosignature.ts';
import { createNetwork } from '../../src/net/network.ts';
import type { GossipTopic, Network } from '../../src/net/types.ts';
import { decodePair, encodePair, makePair } from '../../src/node/evidencePair.ts';
import { cosignerKeyOf } from '../../src/node/queries.ts';
import { decodeRunAnswer } from '../../src/node/runAnswers.ts';
import { decodeAnswer, encodeAnswer } from '../../src/node/signOnceMessages.ts';
import {
  decodeBlock,
  decodeEnvelopes,
  decodeEnvelopesRequest,
  decodeHello,
  decodeNumbers,
  decodeProposal,
  encodeBlock,
  encodeEnvelopes,
  encodeEnvelopesRequest,
  encodeHello,
  encodeNumbers,
  encodeProposal,
  frameKinds,
  requestKinds,
} from '../../src/node/wire.ts';
import { TestNetwork } from './network.ts';

t.setTimeout(180_000);

const network = await TestNetwork.make();
t.teardown(() => network.remove());
const honest = ['v1', 'v2', 'v3'];
for (const name of honest) network.start(name);

const genesis = loadGenesis(new Uint8Array(readFileSync(network.net.genesis)));
const { validators } = genesis.epoch;
const own = network.net.validators[3]!;
const keys = validatorKeysFrom(await readKeyFile(own.keys, null));
const me = validators.findIndex(({ name }) => name === 'v4');
const quiet = { debug: () => {}, info: () => {}, warn: () => {} };
const endOfNumbers = Number.MAX_SAFE_INTEGER;
let view = 1;

/** What it answers when it is asked: nonsense, always. */
async function lie(): Promise<Uint8Array | undefined> {
  const kind = randomInt(4);
  if (kind === 0) return randomBytes(randomInt(2000));
  if (kind === 1) return encodeCbor([[randomBytes(100)], [randomBytes(100)], randomBytes(100)]);
  return kind === 2 ? encodeBlock(randomBytes(200), randomBytes(200)) : undefined;
}

const hostile: Network = await createNetwork(
  {
    chain: network.net.chain,
    name: 'v4',
    role: 'validator',
    peerSeed: keys.peer.seed,
    listen: [own.address],
    peers: validators.map(({ name, peer }) => ({
      name,
      role: 'validator' as const,
      peerKey: peer,
      addresses: [network.net.validators.find((each) => each.name === name)!.address],
    })),
    timings: { reconnectMaxMs: 200, penaltyMinMs: 1, penaltyMaxMs: 1 },
  },
  {
    log: quiet,
    handlers: {
      hello: () =>
        encodeHello({
          chain: network.net.chain,
          ruleset: 1,
          epoch: 1,
          view,
          finalizedHeight: endOfNumbers,
          finalizedView: endOfNumbers,
        }),
      onHello: () => undefined,
      onFrame: () => undefined,
      onRequest: lie,
      verifyRelayed: () => ({}),
      onGossip: () => 'accept',
    },
  },
);
t.teardown(() => hostile.close());

async function goesOn(t: Test, after: string): Promise<void> {
  const client = network.client('v1');
  const { height } = await client.submitAndWait(await network.packet(), { allowRefused: true });
  await network.until((all) => all.every(({ finalized }) => finalized.height >= height), { names: honest });
  for (const name of honest) {
    const { rpc } = network.net.validators.find((each) => each.name === name)!;
    for (const path of ['healthz', 'readyz']) {
      const response = await fetch(`${rpc}/${path}`);
      t.equal(response.status, 200, `${name}: ${path} after: ${after}`);
    }
  }
}

async function connected(name: string, withinMs = 20_000): Promise<boolean> {
  for (const until = Date.now() + withinMs; Date.now() < until; await sleep(20)) {
    if (hostile.connected(name) && hostile.askable().includes(name)) return true;
  }
  return false;
}

t.test('three of four finalize while the fourth has only lies to tell', async (t) => {
  await network.ready(honest);
  for (const name of honest) t.ok(await connected(name), `connected to ${name}`);
  await goesOn(t, 'hello');
});

t.test('a height that nobody can have', async (t) => {
  for (let i = 0; i < 30; i++) {
    const payload = encodeNumbers(randomInt(2) === 0 ? endOfNumbers : randomInt(2 ** 40));
    for (const name of honest) hostile.send(name, 'urgent', frameKinds.finalizedHeight, payload);
    await sleep(50);
  }
  await goesOn(t, 'heights');
  const statuses = await network.until((all) => all.every(({ catchingUp }) => !catchingUp), { names: honest });
  for (const { name, behind } of statuses) t.ok(behind < 10, `${name} is ${behind} behind`);
});

t.test('cosignatures of a future that never comes', async (t) => {
  const key = cosignerKeyOf(genesis.chain, validators[me]!);
  for (let i = 0; i < 200; i++) {
    const size = 1_000_000_000 + i;
    const root = randomBytes(32);
    const text = formatCheckpoint({ origin: genesis.origin, size, root });
    const line = cosign(text, Math.floor(Date.now() / 1000), key, (message) => sign(message, keys.cosigner.seed));
    const payload = encodeSentCosignature({ size, root: root.toString('hex'), line });
    for (const name of honest) hostile.send(name, 'urgent', frameKinds.cosignature, payload);
  }
  await sleep(500);
  const { height } = await network.client('v1').submitAndWait(await network.packet(), { allowRefused: true });
  const { logSize } = await network.client('v1').block(height);
  const deadline = Date.now() + 15_000;
  for (const name of honest) {
    const size = async (): Promise<number> => Number((await network.client(name).checkpoint()).split('\n')[1]);
    while ((await size()) < logSize && Date.now() < deadline) await sleep(100);
    t.ok((await size()) >= logSize, `${name} publishes checkpoints`);
  }
});

t.test('thousands of requests that make no sense', async (t) => {
  const kinds = [...Object.values(requestKinds), 0, 31, 37, 63, 191];
  const shaped = (kind: number): Uint8Array => {
    switch (kind) {
      case requestKinds.envelopes:
        return encodeEnvelopesRequest(randomBytes(32).toString('hex'), [0, endOfNumbers]);
      case requestKinds.run:
        return encodeNumbers(randomInt(3) === 0 ? endOfNumbers : randomInt(100), randomInt(2) * endOfNumbers);
      default:
        return randomBytes(randomInt(100));
    }
  };
  let answered = 0;
  const ask = async (name: string): Promise<void> => {
    for (let i = 0; i < 300; i++) {
      const kind = kinds[randomInt(kinds.length)]!;
      const payload = randomInt(2) === 0 ? randomBytes(randomInt(200)) : shaped(kind);
      await hostile
        .request(name, kind, payload, { timeoutMs: 5000 })
        .then(() => answered++)
        .catch((error: unknown) => {
          if (error instanceof WeftError && error.code === 'NET_TIMEOUT') t.fail(`kind ${kind}: no answer`);
        });
    }
  };
  await Promise.all(honest.flatMap((name) => [ask(name), ask(name), ask(name), ask(name)]));
  t.ok(answered > 3000, `${answered} answered`);
  await goesOn(t, 'requests');
});

t.test('gossip of no worth', async (t) => {
  const topics: readonly GossipTopic[] = ['headers', 'checkpoints', 'evidence', 'transactions'];
  for (let i = 0; i < 400; i++) {
    const data = i % 2 === 0 ? randomBytes(randomInt(1, 500)) : encodeBlock(randomBytes(200), randomBytes(200));
    await hostile.publish(topics[i % 4]!, data);
  }
  await goesOn(t, 'gossip');
});

t.test('frames that only a liar sends: each closes the lane, and none does more', { timeout: 240_000 }, async (t) => {
  view = (await network.until(() => true, { names: honest }))[0]!.view;
  const proposal = { epoch: 1, view, parentView: view - 1, blockId: randomBytes(32).toString('hex') };
  const vote = (kind: Vote['kind'], signer = me, junk = true): Vote => {
    const subject = kind === 'nullify' ? { epoch: 1, view } : proposal;
    const signature = junk
      ? new Uint8Array(randomBytes(64))
      : sign(voteBytes(kind, genesis.genesisHash, subject), keys.vote.seed);
    return { kind, subject, signer, signature } as Vote;
  };
  // Of a view far ahead: whatever the chain does until it is sent, nobody passes over it as old.
  const far = { ...proposal, view: view + 1000, parentView: view + 999 };
  const certificate = encodeCertificate(
    {
      kind: 'finalize',
      subject: far,
      signers: [0, 1, 2],
      signatures: [randomBytes(64), randomBytes(64), randomBytes(64)].map((each) => new Uint8Array(each)),
    },
    validators.length,
  );
  const longer = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes, Buffer.from([0])]);
  const bad: readonly (readonly [what: string, kind: number, payload: Uint8Array])[] = [
    ['a notarize vote of junk', frameKinds.notarize, encodeVote(vote('notarize'))],
    ['a nullify vote of junk', frameKinds.nullify, encodeVote(vote('nullify'))],
    ["somebody else's vote", frameKinds.nullify, encodeVote(vote('nullify', (me + 1) % 4, false))],
    ['a byte behind a vote', frameKinds.nullify, longer(encodeVote(vote('nullify', me, false)))],
    ['a number in a longer form', frameKinds.view, Uint8Array.from([0x82, 0x18, 0x01, 0x01])],
    ['a list of no definite length', frameKinds.myVotes, Uint8Array.from([0x9f, 0x01, 0xff])],
    ['arrays in arrays', frameKinds.proposal, new Uint8Array(60_000).fill(0x81)],
    ['a list of four thousand million', frameKinds.cosignature, Uint8Array.from([0x9a, 0xff, 0xff, 0xff, 0xff])],
    ['a certificate of junk', frameKinds.certificate, certificate],
    ['a kind that does not exist', 99, randomBytes(50)],
    [
      'a cosignature that is too short',
      frameKinds.cosignature,
      encodeCbor([1, randomBytes(32), 'x', randomBytes(4), randomBytes(3)]),
    ],
    ['nothing', frameKinds.proposal, new Uint8Array()],
    ['transactions that are no list', frameKinds.transactions, encodeCbor(7)],
    ['a batch of which less than nothing was looked at', frameKinds.taken, encodeCbor([-1])],
    [
      'evidence that proves nothing',
      frameKinds.evidence,
      encodePair(makePair('votes', 1, encodeVote(vote('nullify')), encodeVote(vote('finalize')))),
    ],
  ];
  const misbehaved = async (name: string): Promise<number> => {
    const { rpc } = network.net.validators.find((each) => each.name === name)!;
    const text = await (await fetch(`${rpc}/metrics`)).text();
    return Number(/^weft_lane_urgent_misbehaved_total (\d+)/m.exec(text)?.[1] ?? 0);
  };
  // Who votes already has no use for answers about its own votes, and does not even read them.
  for (const name of honest) {
    t.ok(await connected(name), `${name} takes us back`);
    const before = await misbehaved(name);
    const answer = { epoch: 1, asker: 0, nonce: randomBytes(16), answerer: me, votes: [vote('nullify', 0)] };
    const junk = encodeAnswer(answer, genesis.genesisHash, () => randomBytes(64));
    hostile.send(name, 'urgent', frameKinds.yourVotes, junk, { class: 'other' });
    await sleep(100);
    t.equal(await misbehaved(name), before, `${name} passes over votes that are said to be its own`);
  }
  await Promise.all(
    honest.map(async (name, part) => {
      for (const [what, kind, payload] of bad.filter((_, i) => i % 3 === part)) {
        // Each strike doubles the time for which we are kept out.
        if (!(await connected(name, 60_000))) {
          t.fail(`${name} takes us back for: ${what}`);
          return;
        }
        const before = await misbehaved(name);
        // Sent again, since what we take for an open lane may be the one that was closed on us a moment ago.
        for (let i = 0; i < 250 && (await misbehaved(name)) === before; i++) {
          if (i % 25 === 0) hostile.send(name, 'urgent', kind, payload, { class: 'other' });
          await sleep(20);
        }
        t.ok((await misbehaved(name)) > before, `${name} closes the lane: ${what}`);
      }
    }),
  );
  await goesOn(t, 'frames');
});

t.test('bytes on the peer port from nobody', async (t) => {
  const ports = network.net.validators.slice(0, 3).map(({ address }) => Number(address.split('/').at(-1)));
  const pour = (port: number, bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      const socket = connectTcp(port, '127.0.0.1', () => socket.end(bytes));
      socket.on('error', () => resolve()).on('close', () => resolve());
      socket.resume();
      setTimeout(() => socket.destroy(), 1000).unref();
    });
  const heads = [
    Buffer.from('\x13/multistream/1.0.0\n'),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from([0x16, 3, 1]),
    Buffer.alloc(0),
  ];
  await Promise.all(
    Array.from({ length: 120 }, (_, i) =>
      pour(ports[i % 3]!, Buffer.concat([heads[i % 4]!, randomBytes(randomInt(5000))])),
    ),
  );
  await goesOn(t, 'bytes from nobody');
});

t.test('decoders of all that peers say: a coded refusal, whatever the bytes', async (t) => {
  const header = encodeCbor([
    1,
    'a',
    1,
    1,
    1,
    randomBytes(32),
    1,
    0,
    randomBytes(32),
    1,
    randomBytes(32),
    randomBytes(32),
    randomBytes(32),
    randomBytes(32),
  ]);
  const subject = { epoch: 1, view: 9, parentView: 8, blockId: '00'.repeat(32) };
  const vote = { kind: 'notarize', subject, signer: 1, signature: new Uint8Array(64) } as const;
  const line = { name: 'a', keyId: '00000000', blob: new Uint8Array(72) };
  const samples: readonly (readonly [decode: (bytes: Uint8Array) => unknown, good: Uint8Array])[] = [
    [decodeHello, encodeHello({ chain: 'a', ruleset: 1, epoch: 1, view: 1, finalizedHeight: 1, finalizedView: 1 })],
    [(bytes) => decodeNumbers(bytes, 2), encodeNumbers(1, 2)],
    [decodeVote, encodeVote(vote)],
    [
      decodeAnswer,
      encodeAnswer(
        { epoch: 1, asker: 0, nonce: randomBytes(16), answerer: 1, votes: [vote, vote] },
        '00'.repeat(32),
        () => new Uint8Array(64),
      ),
    ],
    [
      decodeProposal,
      encodeProposal({
        vote,
        header,
        envelopeIds: ['11'.repeat(32)],
        bodies: [{ position: 0, envelope: randomBytes(9) }],
      }),
    ],
    [decodeSentCosignature, encodeSentCosignature({ size: 1, root: '00'.repeat(32), line })],
    [(bytes) => decodeEnvelopes(bytes, { bytesMax: 1000, countMax: 10 }), encodeEnvelopes([randomBytes(9)])],
    [decodePair, encodePair(makePair('votes', 1, randomBytes(9), randomBytes(9)))],
    [decodeEnvelopesRequest, encodeEnvelopesRequest('00'.repeat(32), [1, 2])],
    [(bytes) => decodeBlock(bytes, 1000), encodeBlock(randomBytes(9), randomBytes(9))],
    [decodeRunAnswer, encodeCbor([[randomBytes(9)], [randomBytes(9)], randomBytes(9)])],
    [
      (bytes) => decodeCertificate(bytes, 4),
      encodeCertificate(
        { kind: 'finalize', subject, signers: [0, 1, 2], signatures: [0, 1, 2].map(() => new Uint8Array(64)) },
        4,
      ),
    ],
    [decodeHeader, header],
    [(bytes) => decodeCbor(bytes, { bytesMax: 1000 }), header],
  ];
  let refused = 0;
  for (const [decode, good] of samples) {
    for (let i = 0; i < 1500; i++) {
      let bytes = Uint8Array.from(good);
      if (i % 3 === 0) bytes = new Uint8Array(randomBytes(randomInt(good.length + 10)));
      else if (i % 3 === 1) bytes[randomInt(bytes.length)] = randomInt(256);
      else bytes = bytes.subarray(0, randomInt(bytes.length));
      try {
        decode(bytes);
      } catch (error) {
        refused++;
        if (!(error instanceof WeftError))
          t.fail(`${decode.name}: ${String(error)}`, { bytes: Buffer.from(bytes).toString('hex') });
      }
    }
  }
  t.ok(refused > 10_000, `${refused} refused`);
});

t.test('after all of it: three processes, one chain, no error in any log, no defect counted', async (t) => {
  await goesOn(t, 'everything');
  for (const name of honest) {
    t.ok(network.running(name), `${name} runs`);
    const validator = network.net.validators.find((each) => each.name === name)!;
    const lines = readFileSync(join(validator.dir, 'node.log'), 'utf8')
      .split('\n')
      .filter((each) => each !== '');
    t.same(
      lines.map((each) => JSON.parse(each) as { level: number }).filter(({ level }) => level >= 50),
      [],
    );
    const metrics = await (await fetch(`${validator.rpc}/metrics`)).text();
    t.match(metrics, /^weft_handler_errors_total 0$/m, `${name}: no handler threw`);
  }
});
