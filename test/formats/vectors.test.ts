// One small chain, frozen: genesis, execution, blocks, votes and certificates together (docs/formats.md).
import { readFileSync } from 'node:fs';
import t from 'tap';
import { fromHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { decodeCertificate, verifyCertificate } from '../../src/ledger/certificate.ts';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { decodeVote, verifyVote } from '../../src/ledger/votes.ts';
import { closingVectorsUrl, makeClosingVectors } from './closingVectors.ts';
import { chainVectorsUrl, makeChainVectors } from './makeVectors.ts';

type Frozen = Awaited<ReturnType<typeof makeChainVectors>>;
const text = readFileSync(chainVectorsUrl, 'utf8');
const frozen = JSON.parse(text) as Frozen;

t.test('the chain of the vectors comes out as it was frozen', async (t) => {
  t.equal(`${JSON.stringify(await makeChainVectors(frozen.genesis.document), null, 1)}\n`, text);
});

t.test('the end of an epoch comes out as it was frozen', async (t) => {
  const before = readFileSync(closingVectorsUrl, 'utf8');
  const vector = JSON.parse(before) as Awaited<ReturnType<typeof makeClosingVectors>>;
  t.equal(`${JSON.stringify(await makeClosingVectors(vector.genesis.document), null, 1)}\n`, before);
  const [closing, first] = vector.blocks;
  t.not(closing?.header.nextValidators, closing?.header.validators);
  t.equal(first?.header.validators, closing?.header.nextValidators);
  t.strictSame(
    vector.epochs.map(({ digest }) => digest),
    [closing?.header.validators, first?.header.validators],
  );
});

t.test('its votes and certificates hold, and not with another bit or signer', async (t) => {
  const { epoch, genesisHash } = loadGenesis(encodeUtf8(JSON.stringify(frozen.genesis.document)));
  for (const { wire, signer } of frozen.votes) {
    const vote = decodeVote(fromHex(wire));
    t.ok(verifyVote(vote, genesisHash, epoch.validators));
    t.notOk(verifyVote({ ...vote, signer: (signer + 1) % 4 }, genesisHash, epoch.validators));
  }
  for (const { wire, signers } of frozen.certificates) {
    const certificate = decodeCertificate(fromHex(wire), 4);
    t.strictSame(certificate.signers, signers);
    t.ok(verifyCertificate(certificate, genesisHash, epoch.validators));
    const moved = { ...certificate, signers: [0, 1, 2] };
    t.notOk(verifyCertificate(moved, genesisHash, epoch.validators));
    t.notOk(verifyCertificate(certificate, '00'.repeat(32), epoch.validators));
  }
});
