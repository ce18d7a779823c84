import type { AccountRecord } from '../../schemas/types/account-record.ts';
import { fromBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { ALG_ED25519, keyId } from '../crypto/keyId.ts';
import type { ValidatorRecord } from './nodeRecord.ts';
import type { Sender } from './sender.ts';

/**
 * Sees to it that the account of a validator's record is there and has the key of the record: registers a new one; with
 * `rotate` gives an existing one that key and takes all others away.
 * @returns what was done, in words; '' when nothing was to be done
 * @throws WeftError ACCOUNT_KEY_DIFFERS, RECORD_INVALID, or the refusal's code
 */
export async function bringAccount(sender: Sender, record: ValidatorRecord, rotate: boolean): Promise<string> {
  const { account, validator, accountProof } = record;
  const [key] = account.keys;
  if (key === undefined || key.alg !== 'ed25519' || account.name !== validator.account)
    throw new WeftError('RECORD_INVALID', `the record of ${validator.name} names no Ed25519 key of its account`);
  const { value } = await sender.client.state(`identity/account/${account.name}`);
  const present = value as unknown as AccountRecord | null;
  if (present === null) {
    const { height } = await sender.send('identity.register', {
      account: account.name,
      roles: [],
      keys: [{ alg: key.alg, publicKey: key.publicKey }],
    });
    return `registered the account ${account.name} in block ${height}`;
  }
  const keyid = keyId(ALG_ED25519, fromBase64Url(key.publicKey));
  if (present.keys.some((each) => each.keyid === keyid)) return '';
  if (!rotate) {
    throw new WeftError(
      'ACCOUNT_KEY_DIFFERS',
      `the account ${account.name} is there and has other keys than the record; if the validator has lost them, repeat with --rotate-account, which gives it the key of the record and takes the others away`,
      { account: account.name },
    );
  }
  if (accountProof?.chain !== sender.status.chain)
    throw new WeftError(
      'RECORD_INVALID',
      `the record of ${validator.name} was not made with weft init --join on this chain`,
    );
  const { height } = await sender.send('identity.rotate', {
    account: account.name,
    add: [{ alg: key.alg, publicKey: key.publicKey, proof: accountProof.proof }],
    remove: present.keys.map((each) => each.keyid).sort(),
  });
  return `the account ${account.name} has the key of the record since block ${height}, and no other`;
}
