import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import { schemaDocuments } from '../../schemas/types/catalogue.ts';
import { validate } from '../../schemas/validators.ts';
import { fromHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { verifyReference } from '../../src/crypto/reference.ts';
import { makeVectors, vectorFolder } from './makeVectors.ts';

const read = (name: string) => JSON.parse(readFileSync(join(vectorFolder, name), 'utf8'));

t.test('what is made today is what was frozen', async (t) => {
  const made = makeVectors();
  for (const [name, document] of made) t.strictSame(document, read(name), name);
  for (const folder of ['tx', 'records', 'genesis']) {
    for (const file of readdirSync(join(vectorFolder, folder)))
      t.ok(made.has(`${folder}/${file}`), `${folder}/${file} is made by something`);
  }
});

t.test('there is a vector for each transaction and each record', async (t) => {
  for (const name of schemaDocuments.keys()) {
    if (name.startsWith('tx/')) t.ok(read(`${name}.json`).txId, name);
    if (name.startsWith('record/') && name !== 'record/tx' && name !== 'record/genesis')
      t.ok(read(`records/${name.slice(7)}.json`).leaves.length > 0, name);
  }
});

t.test('frozen transactions are read, and their signatures hold', async (t) => {
  for (const file of readdirSync(join(vectorFolder, 'tx'))) {
    const vector = read(`tx/${file}`);
    const tx = decodeTransaction(encodeUtf8(vector.envelope));
    t.equal(tx.txId, vector.txId, file);
    t.equal(tx.envelopeId, vector.envelopeId, file);
    for (const [at, { keyid, sig }] of tx.signatures.entries()) {
      t.equal(keyid, vector.seeds[at].keyid);
      t.ok(verifyReference(fromHex(vector.pae), sig, publicKeyOf(fromHex(vector.seeds[at].seed))), file);
    }
  }
});

t.test('frozen records have the form of their schemas', async (t) => {
  for (const file of readdirSync(join(vectorFolder, 'records'))) {
    for (const { leaf } of read(`records/${file}`).leaves)
      t.equal(validate(`record/${file.slice(0, -5)}`, JSON.parse(leaf)), undefined, file);
  }
  t.equal(validate('record/genesis', JSON.parse(read('genesis/genesis.json').record)), undefined);
  t.equal(validate('genesis', read('genesis/genesis.json').document), undefined);
});
