import t from 'tap';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { keyId } from '../../src/crypto/keyId.ts';
import {
  generateValidatorKeys,
  keyPairOf,
  possessionMessage,
  provePossession,
  type ValidatorRole,
  validatorKeysFrom,
  validatorRoles,
  validatorSecrets,
  verifyPossession,
} from '../../src/crypto/validatorKeys.ts';
import { vectors } from './vectors.ts';

type Possession = {
  seed: string;
  network: string;
  validator: string;
  role: ValidatorRole;
  publicKey: string;
  message: string;
  proof: string;
};

t.test('frozen proofs of possession', async (t) => {
  const frozen = vectors<Possession[]>('possession.json');
  t.same(
    frozen.map(({ role }) => role),
    [...validatorRoles],
  );
  for (const { seed, network, validator, role, publicKey, message, proof } of frozen) {
    const claim = { network, validator, role, publicKey: fromHex(publicKey) };
    t.equal(toHex(keyPairOf(fromHex(seed)).publicKey), publicKey);
    t.equal(toHex(possessionMessage(claim)), message);
    const byHand = Buffer.concat([
      Buffer.from('weft/possession/v1'),
      Buffer.from([0x84, 0x60 + network.length]),
      Buffer.from(network),
      Buffer.from([0x60 + validator.length]),
      Buffer.from(validator),
      Buffer.from([0x60 + role.length]),
      Buffer.from(role),
      Buffer.from([0x58, 32]),
      fromHex(publicKey),
    ]);
    t.equal(message, byHand.toString('hex'), 'the message, written out by hand');
    t.equal(toHex(provePossession(network, validator, role, fromHex(seed))), proof);
    t.ok(verifyPossession(claim, fromHex(proof)));
  }
});

t.test('a proof serves one network, validator, role and key', async (t) => {
  const { vote, log } = generateValidatorKeys();
  const claim = { network: 'weft-dev', validator: 'v1', role: 'vote' as const, publicKey: vote.publicKey };
  const proof = provePossession('weft-dev', 'v1', 'vote', vote.seed);
  t.ok(verifyPossession(claim, proof));
  t.notOk(verifyPossession({ ...claim, network: 'weft-test' }, proof));
  t.notOk(verifyPossession({ ...claim, validator: 'v2' }, proof));
  t.notOk(verifyPossession({ ...claim, role: 'log' }, proof));
  t.notOk(verifyPossession({ ...claim, publicKey: log.publicKey }, proof));
  t.notOk(verifyPossession(claim, proof.slice(1)));
});

t.test('five distinct keys, to a key file and back', async (t) => {
  const keys = generateValidatorKeys();
  t.equal(new Set(validatorRoles.map((role) => toHex(keys[role].publicKey))).size, 5);
  const secrets = validatorSecrets(keys);
  t.same(validatorKeysFrom([...secrets].reverse()), keys);
  t.throws(() => validatorKeysFrom(secrets.slice(1)), { code: 'KEY_FILE_INVALID', message: 'peer' });
  const [peer, vote, ...rest] = secrets as [(typeof secrets)[0], (typeof secrets)[0]];
  t.throws(() => validatorKeysFrom([peer, { ...peer, name: 'vote' }, ...rest]), {
    code: 'KEY_FILE_INVALID',
    message: 'two roles',
  });
  t.throws(() => validatorKeysFrom([peer, { ...vote, publicKey: peer.publicKey }, ...rest]), {
    code: 'KEY_FILE_INVALID',
  });
});

t.test('frozen key ids', async (t) => {
  for (const { algorithm, publicKey, keyid } of vectors<{ algorithm: 1 | 2 | 3; publicKey: string; keyid: string }[]>(
    'key-ids.json',
  )) {
    t.equal(keyId(algorithm, fromHex(publicKey)), keyid);
  }
  const [ed, , , x] = vectors<{ publicKey: string; keyid: string }[]>('key-ids.json');
  t.equal(ed!.publicKey, x!.publicKey, 'the same 32 bytes under two algorithms');
  t.not(ed!.keyid, x!.keyid, 'are two keys');
  t.throws(() => keyId(1, new Uint8Array(33)), { code: 'KEY_INVALID' });
  t.throws(() => keyId(2, new Uint8Array(32)), { code: 'KEY_INVALID' });
});
