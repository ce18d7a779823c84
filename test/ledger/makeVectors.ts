// Makes the frozen vectors of test/vectors/{block,certificate}. Run by hand, once: `node test/ledger/makeVectors.ts`. A file that
// exists is kept. The CBOR comes from cborg and the hashes from node:crypto, not from the code under test.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encode } from 'cborg';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { testParameters } from '../parameters.ts';
import { seedOf, validatorNames } from './fixtures.ts';

const root = join(import.meta.dirname, '..', 'vectors');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const raw = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const hash = (...parts: (Uint8Array | string)[]): string => {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return digest.digest('hex');
};

function save(name: string, content: unknown): void {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path)) return void process.stdout.write(`kept ${name}\n`);
  writeFileSync(path, `${JSON.stringify(content, null, 1)}\n`);
  process.stdout.write(`made ${name}\n`);
}

const genesisHash = hash('vector genesis');
const chain = `weft-vectors-${genesisHash.slice(0, 12)}`;
const digest = (name: string): string => hash(`vector ${name}`);

const headers = [
  {
    ruleset: 1,
    chain,
    epoch: 1,
    view: 1,
    height: 1,
    parent: genesisHash,
    time: 1_763_712_000_000,
    proposer: 0,
    txRoot: hash(''),
    logSize: 2,
    logRoot: digest('log'),
    stateRoot: digest('state'),
    validators: digest('set'),
    nextValidators: digest('set'),
  },
  {
    ruleset: 2,
    chain,
    epoch: 300,
    view: 70_000,
    height: 4_294_967_296,
    parent: digest('parent'),
    time: 9_007_199_254_740_991,
    proposer: 127,
    txRoot: digest('txs'),
    logSize: 9_007_199_254_740_991,
    logRoot: digest('log'),
    stateRoot: '0'.repeat(64),
    validators: digest('set'),
    nextValidators: digest('next set'),
  },
];
save('block/headers.json', {
  note: 'blockId = SHA-256("weft/block/v1" ‖ cbor)',
  headers: headers.map((header) => {
    const {
      ruleset,
      chain,
      epoch,
      view,
      height,
      parent,
      time,
      proposer,
      txRoot,
      logSize,
      logRoot,
      stateRoot,
      validators,
      nextValidators,
    } = header;
    const cbor = encode([
      ruleset,
      chain,
      epoch,
      view,
      height,
      raw(parent),
      time,
      proposer,
      raw(txRoot),
      logSize,
      raw(logRoot),
      raw(stateRoot),
      raw(validators),
      raw(nextValidators),
    ]);
    return { header, cbor: hex(cbor), blockId: hash('weft/block/v1', cbor), closing: validators !== nextValidators };
  }),
});

/** RFC 6962 root, written the slow way. */
function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return raw(hash(''));
  if (leaves.length === 1) return raw(hash(Uint8Array.of(0), only));
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return raw(hash(Uint8Array.of(1), merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split))));
}
const envelopes = ['{"payload":"e30="}', 'x'.repeat(24), 'y'.repeat(300), '{"a":1}', 'z'];
save('block/bodies.json', {
  note: 'body = CBOR array of byte strings; txRoot = RFC 6962 root over the envelope ids (32 bytes each)',
  bodies: [0, 1, 2, 3, 5].map((count) => {
    const some = envelopes.slice(0, count).map((text) => new Uint8Array(Buffer.from(text)));
    return {
      envelopes: some.map(hex),
      cbor: hex(encode(some)),
      txRoot: hex(merkleRoot(some.map((bytes) => raw(hash(bytes))))),
    };
  }),
});

const names = validatorNames(4);
const validators = names.map((name) => {
  const key = (role: string) => hex(publicKeyOf(seedOf(`${name}/${role}`)));
  return {
    name,
    peer: key('peer'),
    vote: key('vote'),
    log: key('log'),
    cosigner: key('cosigner'),
    account: name,
    url: `http://${name}.example`,
  };
});
const parameters = testParameters;
const list = validators.map((v) => [v.name, raw(v.peer), raw(v.vote), raw(v.log), raw(v.cosigner), v.account]);
const u64 = (number: number): Uint8Array => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
};
save('block/epochs.json', {
  note: 'digest = SHA-256("weft/epoch/v1" ‖ CBOR([ruleset, [parameters], [[name, peer, vote, log, cosigner, account]…]])); leaders sorted by SHA-256("weft/leader/v1" ‖ genesisHash ‖ u64be(epoch) ‖ vote key)',
  genesisHash,
  ruleset: 1,
  parameters,
  validators,
  digest: hash('weft/epoch/v1', encode([1, Object.values(parameters), list])),
  leaderOrders: [1, 2, 3].map((epoch) => ({
    epoch,
    order: validators
      .map((v, index) => ({ index, draw: hash('weft/leader/v1', raw(genesisHash), u64(epoch), raw(v.vote)) }))
      .sort((a, b) => (a.draw < b.draw ? -1 : 1))
      .map(({ index }) => index),
  })),
});

const blockId = digest('block');
const subjects = [
  {
    kind: 'notarize',
    tag: 'weft/notarize/v1',
    number: 1,
    subject: { epoch: 1, view: 1, parentView: 0, blockId },
    packed: [[1, 1], 0, raw(blockId)],
  },
  { kind: 'nullify', tag: 'weft/nullify/v1', number: 2, subject: { epoch: 2, view: 300 }, packed: [2, 300] },
  {
    kind: 'finalize',
    tag: 'weft/finalize/v1',
    number: 3,
    subject: { epoch: 2, view: 70_000, parentView: 69_998, blockId },
    packed: [[2, 70_000], 69_998, raw(blockId)],
  },
];
const messageOf = (tag: string, packed: unknown): Uint8Array =>
  Buffer.concat([Buffer.from(tag), raw(genesisHash), encode(packed)]);
save('certificate/votes.json', {
  note: 'message = tag ‖ genesisHash ‖ CBOR(subject); wire = CBOR([kind, subject, signer, signature]). Vote keys: epochs.json',
  genesisHash,
  votes: subjects.map(({ kind, tag, number, subject, packed }, i) => {
    const message = messageOf(tag, packed);
    const signature = sign(message, seedOf(`${names[i]}/vote`));
    return {
      kind,
      subject,
      signer: i,
      message: hex(message),
      signature: hex(signature),
      wire: hex(encode([number, packed, i, signature])),
    };
  }),
});
save('certificate/certificates.json', {
  note: 'wire = CBOR([kind, subject, bitmap, [signatures]]); 4 validators, quorum 3, validator i is bit i (least significant first)',
  genesisHash,
  certificates: subjects.map(({ kind, tag, number, subject, packed }, i) => {
    const signers =
      [
        [0, 1, 2],
        [1, 2, 3],
        [0, 2, 3],
      ][i] ?? [];
    const signatures = signers.map((signer) => sign(messageOf(tag, packed), seedOf(`${names[signer]}/vote`)));
    const bitmap = Uint8Array.of(signers.reduce((bits, signer) => bits | (1 << signer), 0));
    return { kind, subject, signers, wire: hex(encode([number, packed, bitmap, signatures])) };
  }),
});
