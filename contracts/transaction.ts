// A transaction as bytes: what is read here has one encoding, one reading and the form of its type. Nothing is said yet
// about signatures, state or time; those are prepare's and apply's.

import { hasSchema, validate } from '../schemas/validators.ts';
import { WeftError } from '../src/codec/error.ts';
import { parseStrictJson, stringifyJson } from '../src/codec/json.ts';
import { encodeUtf8 } from '../src/codec/utf8.ts';
import { envelopeIdOf } from '../src/crypto/digests.ts';
import {
  decodeEnvelope,
  type EnvelopeSignature,
  encodeEnvelope,
  type PlainAlgorithm,
  pae,
  sortSignatures,
} from '../src/crypto/dsse.ts';
import { sha256Hex } from '../src/crypto/hash.ts';
import { userVerified } from '../src/crypto/webauthn.ts';
import { LIMITS, type Limits } from './limits.ts';
import type { JsonObject, SignatureEntry, Transaction } from './types.ts';

export const TRANSACTION_PAYLOAD_TYPE = 'application/vnd.weft.tx+json';

/** What a ruleset says about how transactions read: bounds, and for each of its types what is wrong with a body, if anything. */
export type TransactionForm = {
  readonly limits: Pick<Limits, 'bodyBytesMax' | 'envelopeBytesMax' | 'bodyDepthMax'>;
  /** Undefined: there is no such type. */
  bodyOf(type: string): ((body: unknown) => string | undefined) | undefined;
};

/** The form of `schemas/tx/<type>`, of whatever ruleset. */
export function bodyOf(type: string): ((body: unknown) => string | undefined) | undefined {
  const schema = `tx/${type}`;
  return hasSchema(schema) ? (body) => validate(schema, body) : undefined;
}

/** For tools: all that this build knows. What may stand in a block, its ruleset says. */
const anyForm: TransactionForm = { limits: LIMITS, bodyOf };

function envelopeLimits({ limits }: TransactionForm) {
  return { payloadBytesMax: limits.bodyBytesMax, envelopeBytesMax: limits.envelopeBytesMax };
}

/** What a sender writes; members in the order in which the body holds them. */
export type TransactionFields = {
  readonly chain: string;
  readonly account: string;
  readonly type: string;
  /** Milliseconds UTC; at most `maxTxLifetimeMs` after the time of the block that is to hold it. */
  readonly expires: number;
  /** base64url of 8 bytes that the sender draws at random. */
  readonly nonce: string;
  readonly body: JsonObject;
};

export type TransactionSigner = {
  readonly keyid: string;
  /** Default `ed25519`. */
  readonly alg?: PlainAlgorithm;
  /** Signs the PAE; 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
};

export type DecodeOptions = {
  /** When given, another chain's transaction is refused. */
  readonly chain?: string | undefined;
  /** envelopeIdOf of these bytes, for who has computed it. */
  readonly envelopeId?: string | undefined;
};

/**
 * Reads an envelope's exact bytes, and copies what it keeps of them.
 * @param options.form of a ruleset; without, every type that this build knows is read. Nodes and audits use `Ruleset.decode`.
 * @throws WeftError `ENVELOPE_*` (not the one encoding, too large, an algorithm that is not checked), `JSON_*` (not the one
 *   reading), `TX_PAYLOAD_TYPE`, `TX_FORM` (members), `TX_CHAIN`, `TX_TYPE_UNKNOWN`, `TX_BODY` (the form of its type)
 */
export function decodeTransaction(
  bytes: Uint8Array,
  options: DecodeOptions & { readonly form?: TransactionForm } = {},
): Transaction {
  const form = options.form ?? anyForm;
  const { limits } = form;
  const envelope = decodeEnvelope(bytes, envelopeLimits(form));
  const { payload, payloadType, signatures, signed } = envelope;
  if (payloadType !== TRANSACTION_PAYLOAD_TYPE) {
    throw new WeftError('TX_PAYLOAD_TYPE', `The envelope holds ${payloadType}, not ${TRANSACTION_PAYLOAD_TYPE}.`);
  }
  const fields = parseStrictJson(payload, { bytesMax: limits.bodyBytesMax, depthMax: limits.bodyDepthMax });
  checkFields(fields, form);
  if (options.chain !== undefined && fields.chain !== options.chain) {
    throw new WeftError('TX_CHAIN', `The transaction is for chain ${fields.chain}, this is ${options.chain}.`, {
      chain: fields.chain,
      expected: options.chain,
    });
  }
  return {
    txId: sha256Hex(signed),
    envelopeId: options.envelopeId ?? envelopeIdOf(bytes),
    envelope: envelope.bytes,
    signed,
    chain: fields.chain,
    account: fields.account,
    type: fields.type,
    expires: fields.expires,
    nonce: fields.nonce,
    body: fields.body,
    signatures: signatures.map(asEntry),
  };
}

function asEntry(signature: EnvelopeSignature): SignatureEntry {
  return signature.alg === 'webauthn-p256'
    ? { ...signature, userVerified: userVerified(signature.authenticatorData) }
    : signature;
}

/**
 * The body's bytes, as they are signed.
 * @throws WeftError as `decodeTransaction` does: what is built here can be read there
 */
export function buildTransactionBody(fields: TransactionFields): Uint8Array {
  const { chain, account, type, expires, nonce, body } = fields;
  const ordered: TransactionFields = { chain, account, type, expires, nonce, body };
  checkFields(ordered, anyForm);
  const payload = encodeUtf8(stringifyJson(ordered, LIMITS.bodyDepthMax));
  if (payload.length > LIMITS.bodyBytesMax) {
    throw new WeftError(
      'JSON_TOO_LARGE',
      `A body of ${payload.length} bytes; at most ${LIMITS.bodyBytesMax} are accepted.`,
    );
  }
  return payload;
}

/** What each signer signs: PAE of the body. */
export function signingBytes(payload: Uint8Array): Uint8Array {
  return pae(TRANSACTION_PAYLOAD_TYPE, payload);
}

/** The envelope of a body and signatures made elsewhere, in any order. @throws WeftError `ENVELOPE_*` */
export function sealTransaction(payload: Uint8Array, signatures: readonly EnvelopeSignature[]): Uint8Array {
  return encodeEnvelope(
    { payload, payloadType: TRANSACTION_PAYLOAD_TYPE, signatures: sortSignatures(signatures) },
    envelopeLimits(anyForm),
  );
}

/**
 * Builds, signs and encodes a transaction: the bytes to submit.
 * @throws WeftError as `buildTransactionBody` and `sealTransaction` do
 */
export function buildEnvelope(fields: TransactionFields, signers: readonly TransactionSigner[]): Uint8Array {
  const payload = buildTransactionBody(fields);
  const message = signingBytes(payload);
  return sealTransaction(
    payload,
    signers.map(({ keyid, alg = 'ed25519', sign }) => ({ keyid, alg, sig: sign(message) })),
  );
}

function checkFields(fields: unknown, form: TransactionForm): asserts fields is TransactionFields {
  const wrong = validate('transaction', fields);
  if (wrong !== undefined) throw new WeftError('TX_FORM', `Not a transaction: ${wrong}.`);
  const { type, body } = fields as TransactionFields;
  const wrongWith = form.bodyOf(type);
  if (wrongWith === undefined) {
    throw new WeftError('TX_TYPE_UNKNOWN', `No transaction has the type ${type}; schemas/tx/ lists those there are.`, {
      type,
    });
  }
  const wrongBody = wrongWith(body);
  if (wrongBody !== undefined) throw new WeftError('TX_BODY', `Body of ${type}: ${wrongBody}.`, { type });
}
