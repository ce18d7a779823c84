// Makes test/vectors/crypto/webauthn.json. Run by hand, once: `node test/crypto/makeWebAuthnVectors.ts`; a file that exists is
// kept. Verdicts are written down here from the rule (docs/formats.md, section 7), never taken from the code under test.
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ticketDigest } from '../../contracts/identity/tickets.ts';
import { toBase64 } from '../../src/codec/base64.ts';
import { toHex } from '../../src/codec/hex.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { keyProofMessage } from '../../src/crypto/accountKey.ts';
import { pae } from '../../src/crypto/dsse.ts';
import { openInvitation } from '../../src/crypto/enrolment.ts';
import { keyId } from '../../src/crypto/keyId.ts';
import { type AnswerOptions, clientDataText, PRESENT, party, SoftwareKey, VERIFIED } from './authenticator.ts';

const path = join(import.meta.dirname, '..', 'vectors', 'crypto', 'webauthn.json');

const fixed = (label: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(`weft vectors ${label}`).digest());

const payloadType = 'application/vnd.weft.tx+json';
const payload = encodeUtf8(
  '{"chain":"weft-dev-3f09c2a41b7e","account":"ada","type":"governance.approve","expires":1763712300000,"nonce":"q83vEjRWeJA","body":{}}',
);
const message = pae(payloadType, payload);
const key = new SoftwareKey(fixed('person'));
const grease =
  ',"other_keys_can_be_added_here":"do not compare clientDataJSON against a template. See https://goo.gl/yabPex"';

const head = (challenge: string, origin: string): string =>
  `{"type":"webauthn.get","challenge":"${challenge}","origin":"${origin}"`;
const tail =
  (text: string): NonNullable<AnswerOptions['clientData']> =>
  (challenge, origin) =>
    head(challenge, origin) + text;

const cases: readonly (AnswerOptions & { why: string; holds: boolean })[] = [
  { why: 'present and verified', holds: true },
  { why: 'present only (a touch, no PIN)', holds: true, flags: PRESENT },
  { why: 'a passkey that is backed up', holds: true, flags: PRESENT | VERIFIED | 0x18 },
  { why: 'a counter of zero, as passkeys have', holds: true, counter: 0 },
  { why: 'crossOrigin left out (Safari)', holds: true, clientData: tail('}') },
  { why: 'a member added (Chromium, at random)', holds: true, clientData: tail(`,"crossOrigin":false${grease}}`) },
  { why: 'two members added', holds: true, clientData: tail(',"crossOrigin":false,"a":true,"b_2":""}') },
  { why: 'nobody present', holds: false, flags: VERIFIED },
  { why: 'no flag at all', holds: false, flags: 0 },
  { why: 'reserved flag 0x02', holds: false, flags: 0x07 },
  { why: 'reserved flag 0x20', holds: false, flags: 0x25 },
  { why: 'attested data announced', holds: false, flags: 0x45 },
  { why: 'extensions announced', holds: false, flags: 0x85 },
  { why: 'backed up but not eligible', holds: false, flags: 0x15 },
  { why: 'extensions appended', holds: false, flags: 0x85, more: Uint8Array.of(0xa0) },
  { why: 'a byte appended', holds: false, more: Uint8Array.of(0) },
  { why: 'another rpId', holds: false, rpId: 'example.net' },
  { why: 'another origin', holds: false, origin: 'https://approve.example.org' },
  { why: 'another port of the origin', holds: false, origin: 'https://approve.example.net:8443' },
  { why: 'an origin that begins alike', holds: false, origin: 'https://approve.example.net.evil.example' },
  {
    why: 'the challenge of other bytes',
    holds: false,
    challenge: new SoftwareKey(fixed('other')).accountKey.publicKey.slice(0, 43),
  },
  { why: 'a challenge with padding', holds: false, clientData: (c, o) => clientDataText(`${c}=`, o) },
  { why: 'high S', holds: false, highS: true },
  { why: 'type webauthn.create', holds: false, clientData: (c, o) => clientDataText(c, o).replace('.get', '.create') },
  {
    why: 'type payment.get',
    holds: false,
    clientData: (c, o) => clientDataText(c, o).replace('webauthn.', 'payment.'),
  },
  { why: 'in a frame of another site', holds: false, clientData: tail(',"crossOrigin":true}') },
  { why: 'topOrigin', holds: false, clientData: tail(',"crossOrigin":true,"topOrigin":"https://evil.example"}') },
  {
    why: 'topOrigin without crossOrigin',
    holds: false,
    clientData: tail(',"topOrigin":"https://approve.example.net"}'),
  },
  { why: 'crossOrigin null', holds: false, clientData: tail(',"crossOrigin":null}') },
  { why: 'crossOrigin later', holds: false, clientData: tail(',"a":true,"crossOrigin":false}') },
  { why: 'type twice', holds: false, clientData: tail(',"crossOrigin":false,"type":"webauthn.create"}') },
  { why: 'origin twice', holds: false, clientData: tail(',"crossOrigin":false,"origin":"https://evil.example"}') },
  { why: 'a member twice', holds: false, clientData: tail(',"a":true,"a":false}') },
  { why: 'an object as value', holds: false, clientData: tail(',"tokenBinding":{"status":"supported"}}') },
  { why: 'a number as value', holds: false, clientData: tail(',"a":1}') },
  { why: 'a backslash in a value', holds: false, clientData: tail(',"a":"\\u0041"}') },
  { why: 'an escape in a name', holds: false, clientData: tail(',"to\\u0070Origin":"x"}') },
  { why: 'an empty name', holds: false, clientData: tail(',"":true}') },
  { why: 'a name of 65 characters', holds: false, clientData: tail(`,"${'a'.repeat(65)}":true}`) },
  { why: 'a letter that is not ASCII', holds: false, clientData: tail(',"a":"ä"}') },
  { why: 'a space', holds: false, clientData: (c, o) => clientDataText(c, o).replace('{', '{ ') },
  { why: 'a final newline', holds: false, clientData: (c, o) => `${clientDataText(c, o)}\n` },
  { why: 'a comma at the end', holds: false, clientData: tail(',"crossOrigin":false,}') },
  { why: 'not closed', holds: false, clientData: tail(',"crossOrigin":false') },
  { why: 'closed twice', holds: false, clientData: tail(',"crossOrigin":false}}') },
  { why: 'falsehood', holds: false, clientData: tail(',"crossOrigin":falsely}') },
  {
    why: 'members in another order',
    holds: false,
    clientData: (c, o) => `{"challenge":"${c}","type":"webauthn.get","origin":"${o}","crossOrigin":false}`,
  },
  { why: 'a byte order mark', holds: false, clientData: (c, o) => `\ufeff${clientDataText(c, o)}` },
  { why: 'nothing', holds: false, clientData: () => '' },
];

const keyid = keyId(2, key.publicKey);
const good = key.answer(message);
const entryOf = ({ authenticatorData, clientDataJSON, sig }: typeof good): string =>
  `{"keyid":"${keyid}","alg":"webauthn-p256","authenticatorData":"${toBase64(authenticatorData)}","clientDataJSON":"${toBase64(clientDataJSON)}","sig":"${toBase64(sig)}"}`;
const envelopeOf = (entry: string): string =>
  `{"payload":"${toBase64(payload)}","payloadType":"${payloadType}","signatures":[${entry}]}`;
/** The longest and shortest that is too long: entries grow by four characters for three bytes. */
const padded = (bytes: number): typeof good =>
  key.answer(message, { clientData: tail(`,"a":"${'x'.repeat(bytes)}"}`) });
let room = 0;
while (entryOf(padded(room + 1)).length <= 2048) room += 1;
const entry = entryOf(good);
const envelope = envelopeOf(entry);

const relyingParties: readonly [rpId: string, origin: string, accepted: boolean][] = [
  ['approve.example.net', 'https://approve.example.net', true],
  ['example.net', 'https://approve.example.net', true],
  ['approve.example.net', 'https://approve.example.net:8443', true],
  ['localhost', 'http://localhost:7611', true],
  ['localhost', 'http://localhost', true],
  ['weft.localhost', 'http://weft.localhost:80000', false],
  ['weft.localhost', 'http://weft.localhost:7611', true],
  ['approve.example.net', 'http://approve.example.net', false],
  ['approve.example.net', 'https://approve.example.net:443', false],
  ['localhost', 'http://localhost:80', false],
  ['localhost', 'http://localhost:', false],
  ['localhost', 'http://localhost:07611', false],
  ['localhost', 'http://localhost:76x1', false],
  ['approve.example.net', 'https://approve.example.net/', false],
  ['approve.example.net', 'https://example.net', false],
  ['example.net', 'https://evilexample.net', false],
  ['example.net', 'https://approve.example.net.evil.example', false],
  ['Example.net', 'https://Example.net', false],
  ['example..net', 'https://example..net', false],
  ['-a.net', 'https://-a.net', false],
  ['', 'https://', false],
  ['example.net.', 'https://example.net.', false],
  ['example.net', 'wss://example.net', false],
  ['example.net', 'android:apk-key-hash:abc', false],
];

const content = {
  publicKey: toHex(key.publicKey),
  keyid,
  ...party,
  payload: decodeUtf8(payload),
  message: toHex(message),
  cases: cases.map(({ why, holds, ...options }) => {
    const { authenticatorData, clientDataJSON, sig } = key.answer(message, options);
    return {
      why,
      holds,
      authenticatorData: toHex(authenticatorData),
      clientDataJSON: toHex(clientDataJSON),
      sig: toHex(sig),
    };
  }),
  envelope,
  envelopes: [
    { why: 'as it must be', envelope, code: 'accepted' },
    { why: 'an entry of as many bytes as may be', envelope: envelopeOf(entryOf(padded(room))), code: 'accepted' },
    { why: 'an entry above 2,048 bytes', envelope: envelopeOf(entryOf(padded(room + 1))), code: 'ENVELOPE_SIGNATURES' },
    {
      why: 'authenticatorData of 38 bytes',
      envelope: envelopeOf(entryOf(key.answer(message, { more: Uint8Array.of(0) }))),
      code: 'ENVELOPE_SIGNATURES',
    },
    {
      why: 'authenticatorData of 40 bytes',
      envelope: envelopeOf(entryOf(key.answer(message, { more: new Uint8Array(3) }))),
      code: 'ENVELOPE_SIGNATURES',
    },
    {
      why: 'clientDataJSON without padding',
      envelope: envelope.replace(/=+","sig"/, '","sig"'),
      code: 'ENVELOPE_INVALID',
    },
    { why: 'sig before clientDataJSON', envelope: reordered(), code: 'ENVELOPE_INVALID' },
    {
      why: 'without clientDataJSON',
      envelope: envelope.replace(/"clientDataJSON":"[^"]*",/, ''),
      code: 'ENVELOPE_INVALID',
    },
    { why: 'alg after sig', envelope: envelope.replace('"alg":"webauthn-p256",', ''), code: 'ENVELOPE_INVALID' },
    { why: 'an unknown member', envelope: envelope.replace('"}]}', '","userHandle":""}]}'), code: 'ENVELOPE_INVALID' },
    {
      why: 'sig in DER',
      envelope: envelopeOf(entry.replace(/"sig":"[^"]*"/, `"sig":"MEQ${'A'.repeat(89)}"`)),
      code: 'ENVELOPE_SIGNATURES',
    },
  ],
  possession: possession(),
  invitation: invitation(),
  relyingParties: relyingParties.map(([rpId, origin, accepted]) => ({ rpId, origin, accepted })),
};

function possession() {
  const [chain, account] = ['weft-dev-3f09c2a41b7e', 'ada'];
  const claim = keyProofMessage(chain, account, key.accountKey);
  const { authenticatorData, clientDataJSON, sig } = key.answer(claim);
  return {
    chain,
    account,
    message: toHex(claim),
    authenticatorData: toHex(authenticatorData),
    clientDataJSON: toHex(clientDataJSON),
    sig: toHex(sig),
  };
}

function invitation() {
  const bytes = fixed('invitation');
  const { secret, seed } = openInvitation(bytes);
  return { invitation: toHex(bytes), secret: toHex(secret), digest: ticketDigest(secret), seed: toHex(seed) };
}

function reordered(): string {
  const [, client = '', sig = ''] = /("clientDataJSON":"[^"]*"),("sig":"[^"]*")/.exec(envelope) ?? [];
  return envelope.replace(`${client},${sig}`, `${sig},${client}`);
}

if (existsSync(path)) process.stdout.write('kept webauthn.json\n');
else {
  writeFileSync(path, `${JSON.stringify(content, null, 1)}\n`);
  process.stdout.write('made webauthn.json\n');
}
