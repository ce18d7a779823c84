import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'cborg';
import fc from 'fast-check';
import t from 'tap';
import type { Certificate, Proposal, Round, Vote, VoteKind } from '../../consensus/types.ts';
import { headBytes } from '../../src/codec/cbor.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { envelopeIdOf } from '../../src/crypto/digests.ts';
import { decodeBody, encodeBody, treeHasher, txRootOf } from '../../src/ledger/body.ts';
import { decodeCertificate, encodeCertificate, verifyCertificate } from '../../src/ledger/certificate.ts';
import { blockIdOf, decodeHeader, encodeHeader, type Header, isClosing } from '../../src/ledger/header.ts';
import {
  type ConsensusParameters,
  epochDigest,
  leaderOrder,
  quorumOf,
  type Validator,
} from '../../src/ledger/validatorSet.ts';
import { decodeVote, encodeVote, verifyVote, voteBytes } from '../../src/ledger/votes.ts';
import { Frontier } from '../../src/log/frontier.ts';

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(join(import.meta.dirname, '..', 'vectors', name), 'utf8')) as T;
const limits = { maxBlockBytes: 1_048_576, maxBlockTxs: 4096 };

type Epochs = {
  genesisHash: string;
  ruleset: number;
  parameters: ConsensusParameters;
  validators: Record<'name' | 'peer' | 'vote' | 'log' | 'cosigner' | 'account' | 'url', string>[];
  digest: string;
  leaderOrders: { epoch: number; order: number[] }[];
};
const epochs = read<Epochs>('block/epochs.json');
const validators: Validator[] = epochs.validators.map((v) => ({
  ...v,
  peer: fromHex(v.peer),
  vote: fromHex(v.vote),
  log: fromHex(v.log),
  cosigner: fromHex(v.cosigner),
}));

t.test('headers and block ids', async (t) => {
  const { headers } = read<{ headers: { header: Header; cbor: string; blockId: string; closing: boolean }[] }>(
    'block/headers.json',
  );
  for (const { header, cbor, blockId, closing } of headers) {
    t.equal(toHex(encodeHeader(header)), cbor);
    t.strictSame(decodeHeader(fromHex(cbor)), header);
    t.equal(blockIdOf(header), blockId);
    t.equal(isClosing(header), closing);
  }
  const { header, cbor } = headers[0]!;
  const bad = (name: string, value: unknown, code: string) => {
    const array = [
      'ruleset',
      'chain',
      'epoch',
      'view',
      'height',
      'parent',
      'time',
      'proposer',
      'txRoot',
      'logSize',
      'logRoot',
      'stateRoot',
      'validators',
      'nextValidators',
    ].map((field) =>
      field === name
        ? value
        : typeof header[field as keyof Header] === 'string' && field !== 'chain'
          ? fromHex(header[field as 'parent'])
          : header[field as keyof Header],
    );
    t.throws(() => decodeHeader(encode(array)), { code }, `${name} = ${String(value)}`);
  };
  bad('ruleset', 0, 'HEADER_INVALID');
  bad('epoch', 0, 'HEADER_INVALID');
  bad('view', -1, 'HEADER_INVALID');
  bad('height', 0, 'HEADER_INVALID');
  bad('parent', new Uint8Array(31), 'HEADER_INVALID');
  bad('parent', 'text', 'HEADER_INVALID');
  bad('proposer', 128, 'HEADER_INVALID');
  bad('chain', 'UPPER-000000000000', 'HEADER_INVALID');
  bad('chain', 'x'.repeat(2000), 'CBOR_TOO_LARGE');
  bad('time', 1.5, 'CBOR_UNSUPPORTED');
  t.throws(() => decodeHeader(fromHex(`${cbor}00`)), { code: 'CBOR_NOT_CANONICAL' });
  t.throws(() => decodeHeader(encode([1])), { code: 'HEADER_INVALID' });
});

t.test('bodies and transaction roots', async (t) => {
  const { bodies } = read<{ bodies: { envelopes: string[]; cbor: string; txRoot: string }[] }>('block/bodies.json');
  for (const { envelopes, cbor, txRoot } of bodies) {
    const bytes = envelopes.map((envelope) => fromHex(envelope));
    t.equal(toHex(encodeBody(bytes)), cbor);
    t.strictSame(decodeBody(fromHex(cbor), limits).map(toHex), envelopes);
    t.equal(txRootOf(bytes.map(envelopeIdOf)), txRoot);
  }
  // The same root as that of the tree that grows leaf by leaf, whatever was computed before.
  const ids = Array.from({ length: 1100 }, (_, i) => envelopeIdOf(Uint8Array.of(i >> 8, i)));
  for (const count of [1100, ...Array.from({ length: 70 }, (_, i) => i), 255, 256, 257, 1023, 1024, 1025]) {
    const leaves = ids.slice(0, count).map((id) => treeHasher.leafHash(fromHex(id)));
    t.equal(txRootOf(ids.slice(0, count)), toHex(Frontier.empty(treeHasher).appendAll(leaves).root()));
  }
  for (const id of ['', 'ab', 'AB'.repeat(32), 'ab'.repeat(33), `${'ab'.repeat(31)}a`]) {
    t.throws(() => txRootOf([ids[0]!, id]), { code: 'HEX_INVALID' });
  }
  t.throws(() => decodeBody(encode([new Uint8Array(10)]), { maxBlockBytes: 11, maxBlockTxs: 1 }), {
    code: 'BLOCK_TOO_LARGE',
  });
  t.throws(() => decodeBody(encode([Uint8Array.of(1), Uint8Array.of(2)]), { ...limits, maxBlockTxs: 1 }), {
    code: 'BLOCK_TOO_LARGE',
  });
  t.throws(() => decodeBody(encode(['text']), limits), { code: 'BODY_INVALID' });
  t.throws(() => decodeBody(encode([new Uint8Array(0)]), limits), { code: 'BODY_INVALID' });
  t.throws(() => decodeBody(encode([new Uint8Array(49_153)]), limits), { code: 'BODY_INVALID' });
  t.throws(() => decodeBody(encode(7), limits), { code: 'BODY_INVALID' });
  for (const length of [0, 23, 24, 255, 256, 65_535, 65_536]) {
    t.equal(headBytes(length), encodeBody([new Uint8Array(length)]).length - 1 - length);
  }
});

t.test('epoch digest, leaders, quorum', async (t) => {
  t.equal(epochDigest(epochs.ruleset, epochs.parameters, validators), epochs.digest);
  t.equal(
    epochDigest(
      1,
      epochs.parameters,
      validators.map((v) => ({ ...v, url: 'http://moved' })),
    ),
    epochs.digest,
    'a URL closes no epoch',
  );
  t.not(epochDigest(2, epochs.parameters, validators), epochs.digest);
  t.not(epochDigest(1, { ...epochs.parameters, recosignMs: 1 }, validators), epochs.digest);
  t.not(epochDigest(1, epochs.parameters, validators.slice(1)), epochs.digest);
  for (const { epoch, order } of epochs.leaderOrders)
    t.strictSame(leaderOrder(epoch, epochs.genesisHash, validators), order);
  t.strictSame([1, 2, 3, 4, 5, 6, 7, 22, 128].map(quorumOf), [1, 2, 3, 3, 4, 5, 5, 15, 86]);
});

t.test('votes', async (t) => {
  const { votes } = read<{
    votes: {
      kind: VoteKind;
      subject: Proposal | Round;
      signer: number;
      message: string;
      signature: string;
      wire: string;
    }[];
  }>('certificate/votes.json');
  for (const { kind, subject, signer, message, signature, wire } of votes) {
    const vote = { kind, subject, signer, signature: fromHex(signature) } as Vote;
    t.equal(toHex(voteBytes(kind, epochs.genesisHash, subject)), message);
    t.equal(toHex(encodeVote(vote)), wire);
    t.strictSame(decodeVote(fromHex(wire)), vote);
    t.ok(verifyVote(vote, epochs.genesisHash, validators));
    t.notOk(verifyVote({ ...vote, signer: (signer + 1) % 4 }, epochs.genesisHash, validators), 'another signer');
    t.notOk(verifyVote({ ...vote, signer: 9 }, epochs.genesisHash, validators), 'no such signer');
    t.notOk(verifyVote(vote, epochs.digest, validators), 'another network');
    const other = {
      ...vote,
      kind: kind === 'notarize' ? 'finalize' : 'notarize',
      subject: { parentView: 0, blockId: epochs.digest, ...subject },
    } as Vote;
    t.notOk(verifyVote(other, epochs.genesisHash, validators), 'another kind');
    // What was made last is handed out again: only where nothing of it differs.
    for (const member of ['epoch', 'view', ...(kind === 'nullify' ? [] : ['parentView', 'blockId'])]) {
      const changed = { ...subject, [member]: member === 'blockId' ? epochs.digest : 7_777 } as Proposal;
      t.not(toHex(voteBytes(kind, epochs.genesisHash, changed)), message, member);
      t.equal(toHex(voteBytes(kind, epochs.genesisHash, subject)), message);
      t.notOk(verifyVote({ ...vote, subject: changed } as Vote, epochs.genesisHash, validators), member);
    }
    t.not(toHex(voteBytes(kind, epochs.digest, subject)), message, 'another network');
  }
  const id = new Uint8Array(32);
  const signature = new Uint8Array(64);
  for (const [name, value] of [
    ['kind 0', [0, [1, 1], 0, signature]],
    ['kind 4', [4, [1, 1], 0, signature]],
    ['epoch 0', [2, [0, 1], 0, signature]],
    ['view 0', [2, [1, 0], 0, signature]],
    ['parent not below', [1, [[1, 2], 2, id], 0, signature]],
    ['negative parent', [1, [[1, 2], -1, id], 0, signature]],
    ['short id', [1, [[1, 2], 1, id.slice(1)], 0, signature]],
    ['nullify with a block', [2, [[1, 2], 1, id], 0, signature]],
    ['notarize without', [1, [1, 2], 0, signature]],
    ['signer 128', [2, [1, 1], 128, signature]],
    ['short signature', [2, [1, 1], 0, signature.slice(1)]],
    ['five members', [2, [1, 1], 0, signature, 0]],
  ] as const) {
    t.throws(() => decodeVote(encode(value)), { code: 'VOTE_INVALID' }, name);
  }
});

t.test('certificates', async (t) => {
  const { certificates } = read<{ certificates: { kind: string; subject: object; signers: number[]; wire: string }[] }>(
    'certificate/certificates.json',
  );
  for (const { kind, subject, signers, wire } of certificates) {
    const certificate = decodeCertificate(fromHex(wire), 4);
    t.match(certificate, { kind, subject, signers });
    t.equal(toHex(encodeCertificate(certificate, 4)), wire);
    t.ok(verifyCertificate(certificate, epochs.genesisHash, validators));
    t.notOk(verifyCertificate(certificate, epochs.digest, validators), 'another network');
    const change = (changed: Partial<Certificate>) =>
      verifyCertificate({ ...certificate, ...changed } as Certificate, epochs.genesisHash, validators);
    const [a, b, c] = certificate.signatures as [Uint8Array, Uint8Array, Uint8Array];
    t.notOk(change({ signatures: [a, c, b] }), 'signatures of others');
    t.notOk(change({ signers: [0, 0, 2], signatures: [a, a, b] }), 'one signer twice');
    t.notOk(change({ signers: [...signers].reverse(), signatures: [c, b, a] }), 'not ascending');
    t.notOk(change({ signers: signers.slice(1), signatures: [b, c] }), 'below the quorum');
    t.notOk(change({ signers: [0, 1, 2, 3], signatures: [a, a, b, c] }), 'above it');
    t.throws(() => decodeCertificate(fromHex(wire), 5), { code: 'CERTIFICATE_INVALID' }, 'another quorum');
    t.throws(() => decodeCertificate(fromHex(wire), 9), { code: 'CERTIFICATE_INVALID' }, 'another bitmap length');
    t.throws(() => decodeCertificate(fromHex(wire), 2), { code: 'CERTIFICATE_INVALID' });
  }
  const signature = new Uint8Array(64);
  const wire = (bitmap: number[], signatures: Uint8Array[]) => encode([2, [1, 1], Uint8Array.from(bitmap), signatures]);
  const three = [signature, signature, signature];
  t.ok(decodeCertificate(wire([0b0111], three), 4));
  t.throws(
    () => decodeCertificate(wire([0b10011], three), 4),
    { code: 'CERTIFICATE_INVALID' },
    'a bit beyond the list',
  );
  t.throws(
    () => decodeCertificate(wire([0b0111], [signature]), 4),
    { code: 'CERTIFICATE_INVALID' },
    'bits without signatures',
  );
  t.throws(
    () => decodeCertificate(wire([0b1111], [...three, signature]), 4),
    { code: 'CERTIFICATE_INVALID' },
    'more than q',
  );
  t.throws(() => decodeCertificate(wire([0b0111], [signature, signature, signature.slice(1)]), 4), {
    code: 'CERTIFICATE_INVALID',
  });
});

t.test('certificate encoding round-trips for every size of set', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 128 }), fc.infiniteStream(fc.nat(127)), (n, stream) => {
      const signers = new Set<number>();
      for (const draw of stream) {
        if (signers.size === quorumOf(n)) break;
        signers.add(draw % n);
      }
      const sorted = [...signers].sort((a, b) => a - b);
      const certificate: Certificate = {
        kind: 'nullify',
        subject: { epoch: 1, view: 5 },
        signers: sorted,
        signatures: sorted.map((i) => new Uint8Array(64).fill(i)),
      };
      const decoded = decodeCertificate(encodeCertificate(certificate, n), n);
      return JSON.stringify(decoded) === JSON.stringify(certificate);
    }),
    { numRuns: 60 },
  );
});

t.test('junk never throws anything uncoded', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const decode of [
        decodeHeader,
        decodeVote,
        (b: Uint8Array) => decodeCertificate(b, 4),
        (b: Uint8Array) => decodeBody(b, limits),
      ]) {
        try {
          decode(bytes);
        } catch (error) {
          if (!(error instanceof Error && 'code' in error)) return false;
        }
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.pass('all refusals carry a code');
});
