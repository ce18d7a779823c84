import type { AccountRecord } from '../../schemas/types/account-record.ts';
import { fromBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { ALG_ED25519, keyId } from '../crypto/keyId.ts';
import type { ValidatorRecord } from './nodeRecord.ts';
import type { Sender } from './sender.ts';

/**
 * Sees to it that the account of a validator's record is there and has the key of the record: registers a new one. Nobody can
 * give a key to an account that speaks for a validator but itself: who has lost its key takes another account.
 * @returns what was done, in words; '' when nothing was to be done
 * @throws WeftError ACCOUNT_KEY_DIFFERS, RECORD_INVALID, or the refusal's code
 */
export async function bringAccount(sender: Sender, record: ValidatorRecord): Promise<string> {
  const { account, validator } = record;
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
  throw new WeftError(
    'ACCOUNT_KEY_DIFFERS',
    `the account ${account.name} is there and has other keys than the record; if these are lost, make the record with another account: weft init --join URL --name ${validator.name} --account ${validator.name}.2`,
    { account: account.name },
  );
}
