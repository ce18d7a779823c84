// Texts of policies on their way into a set. A transaction has room for one policy, not for a set: so texts come first, each by
// itself, and a proposal then names them by digest.
import type { GovernanceTextBody } from '../../schemas/types/tx/governance.text.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { serviceUid } from '../authorisation.ts';
import { recordHead, refuse, rule } from '../contract.ts';
import { Draft } from '../draft.ts';
import type { BlockContext, StateReader } from '../types.ts';
import { type Change, readAgenda, readCouncil, readPending } from './state.ts';

export const TEXT_BYTES_MAX = 16 * 1024;
/** A text that no proposal on the agenda names is gone after so long, in block time. */
export const TEXT_LIFETIME_MS = 3_600_000;
/** Uploads of one member within that time: a whole set, its schema included. */
export const TEXTS_MAX = 257;
export const TEXTS_BYTES_MAX = 288 * 1024;

/** At `governance/text/<sha256>`. `expires`: milliseconds UTC. */
export type TextValue = {
  readonly text: string;
  /** Who uploaded it last. */
  readonly account: string;
  /** Of the block since which it is here: uploaded again, it is no younger, or one member could keep others' proposals from naming it. */
  readonly height: number;
  readonly expires: number;
};

/** At `governance/texts/<account>`: uploads that have not expired, in that order. */
type TextsValue = {
  readonly account: string;
  readonly texts: readonly { readonly text: string; readonly bytes: number; readonly expires: number }[];
};

/** `{accounts}`: who has such uploads, sorted. */
const textOwnersPath = 'governance/text-owners/current';

function textPath(digest: string): string {
  return `governance/text/${digest}`;
}

function textsPath(account: string): string {
  return `governance/texts/${account}`;
}

export function readText(state: StateReader, digest: string): TextValue | undefined {
  return state.get(textPath(digest)) as TextValue | undefined;
}

function readTexts(state: StateReader, account: string): TextsValue['texts'] {
  return (state.get(textsPath(account)) as unknown as TextsValue | undefined)?.texts ?? [];
}

function readOwners(state: StateReader): readonly string[] {
  return (state.get(textOwnersPath) as { readonly accounts: readonly string[] } | undefined)?.accounts ?? [];
}

function writeTexts(draft: Draft, account: string, texts: TextsValue['texts']): void {
  const owners = readOwners(draft);
  const others = owners.filter((each) => each !== account);
  draft.set(textsPath(account), texts.length === 0 ? null : { account, texts });
  if (texts.length > 0 === owners.includes(account)) return;
  const accounts = texts.length > 0 ? [...others, account].sort() : others;
  draft.set(textOwnersPath, accounts.length === 0 ? null : { accounts });
}

/** Anybody's proposal may name it; only who decides about proposals fills state with texts, each member up to a bound of its own. */
export const text = rule<GovernanceTextBody>('governance.text', {
  question: () => ({ resource: serviceUid('governance'), context: {} }),
  apply(body, context) {
    const { state, block, tx } = context;
    // Whatever policy says: state is bounded because the council is.
    if (!readCouncil(state).members.includes(tx.account)) return refuse('NOT_COUNCIL');
    const utf8 = encodeUtf8(body.text);
    if (utf8.length > TEXT_BYTES_MAX) return refuse('TEXT_TOO_LARGE');
    const digest = sha256Hex(utf8);
    const draft = new Draft(state);
    // Uploaded again, by whomever: it begins anew, and counts for the one who did so.
    const known = readText(state, digest);
    if (known !== undefined) {
      const held = readTexts(state, known.account);
      if (held.some((each) => each.text === digest))
        writeTexts(
          draft,
          known.account,
          held.filter((each) => each.text !== digest),
        );
    }
    const own = readTexts(draft, tx.account);
    const bytes = own.reduce((sum, each) => sum + each.bytes, utf8.length);
    if (own.length >= TEXTS_MAX || bytes > TEXTS_BYTES_MAX) return refuse('TEXTS_FULL');
    const expires = block.time + TEXT_LIFETIME_MS;
    draft.set(textPath(digest), {
      text: body.text,
      account: tx.account,
      height: known?.height ?? block.height,
      expires,
    });
    writeTexts(draft, tx.account, [...own, { text: digest, bytes: utf8.length, expires }]);
    const record = {
      ...recordHead('governance.uploaded', context),
      by: tx.account,
      text: digest,
      bytes: utf8.length,
      expires,
    };
    return { records: [record], changes: draft.changes };
  },
});

/** At the end of a block: uploads that have expired go, unless a proposal on the agenda names them. */
export function sweepTexts(draft: Draft, block: BlockContext): void {
  const owners = readOwners(draft);
  if (owners.length === 0) return;
  const expired: string[] = [];
  for (const account of owners) {
    const texts = readTexts(draft, account);
    const kept = texts.filter(({ expires }) => expires > block.time);
    if (kept.length === texts.length) continue;
    for (const each of texts) if (each.expires <= block.time) expired.push(each.text);
    writeTexts(draft, account, kept);
  }
  if (expired.length > 0) dropTexts(draft, block, expired);
}

/** A proposal left the agenda: what only it kept goes. */
export function releaseTexts(draft: Draft, block: BlockContext, change: Change): void {
  if (change.kind === 'policy') dropTexts(draft, block, [...namedBy(change)]);
}

function dropTexts(draft: Draft, block: BlockContext, digests: readonly string[]): void {
  const named = new Set<string>();
  for (const id of readAgenda(draft)) {
    const change = readPending(draft, id)?.change;
    if (change?.kind === 'policy') for (const digest of namedBy(change)) named.add(digest);
  }
  for (const digest of digests) {
    const found = readText(draft, digest);
    if (found !== undefined && found.expires <= block.time && !named.has(digest)) draft.set(textPath(digest), null);
  }
}

function namedBy({ schema, policies }: Extract<Change, { readonly kind: 'policy' }>): Set<string> {
  return new Set([schema, ...policies.map((policy) => policy.text)]);
}
