import { WeftError } from '../codec/error.ts';
import { quorumOf } from '../log/cosignature.ts';
import type { Hash } from '../log/hasher.ts';
import { formatTlogPolicy, parseTlogPolicy } from '../log/tlogPolicy.ts';
import type { Vkey } from '../log/vkey.ts';

/** Whom a verifier believes: the validators of one chain, as of one day. */
export type Trust = {
  /** `<name>-<first 12 hex digits of genesisHash>`. */
  readonly chain: string;
  /** `<chain>/weft`: the checkpoint's first line and the name of every log key. */
  readonly origin: string;
  /** Keys (type 0x01) of which any one may have published a checkpoint. */
  readonly logs: readonly Vkey[];
  /** Keys (type 0x04) in policy order, which is the order of names; all public keys differ. */
  readonly cosigners: readonly Cosigner[];
  /** q = n − ⌊(n−1)/3⌋ of the cosigners. */
  readonly quorum: number;
  /** Milliseconds UTC: when somebody last held this file against the chain. */
  readonly checkedAt: number;
  /** Whose validators these are. Files without it verify, but nothing leads on from them (walk.ts). */
  readonly epoch?: number;
};

export type Cosigner = { readonly name: string; readonly key: Vkey; readonly url: string };

/** Milliseconds for which a trust file may be walked forward to a newer validator set; later its keys may have leaked. */
export const trustPeriodMs = 30 * 24 * 60 * 60 * 1000;

const header = 'weft-trust/v1';
const group = 'V';

/** The trust file: a C2SP tlog-policy; what is ours alone stands in comments. Throws TRUST_INVALID. */
export function formatTrust(hash: Hash, trust: Trust): string {
  const text = refusedAsTrust(() =>
    formatTlogPolicy(hash, {
      comments: [
        header,
        `chain ${trust.chain}`,
        `checkedAt ${trust.checkedAt}`,
        ...(trust.epoch === undefined ? [] : [`epoch ${trust.epoch}`]),
      ],
      logs: trust.logs.map((key) => ({ key })),
      witnesses: trust.cosigners,
      groups: [{ name: group, threshold: trust.quorum, members: trust.cosigners.map(({ name }) => name) }],
      quorum: group,
    }),
  );
  parseTrust(hash, text);
  return text;
}

/** Reads a trust file that says all that a verifier needs, and nothing that contradicts itself. Throws TRUST_INVALID. */
export function parseTrust(hash: Hash, text: string): Trust {
  const policy = refusedAsTrust(() => parseTlogPolicy(hash, text));
  if (!policy.comments.includes(header)) throw invalid(`no comment reads "# ${header}"`);
  const chain = comment(policy.comments, 'chain');
  if (!isChainId(chain)) throw invalid('"# chain" does not hold a chain id');
  const checkedAt = number(comment(policy.comments, 'checkedAt'), 'checkedAt', 'milliseconds UTC');
  const epoch = policy.comments.some((line) => line.startsWith('epoch '))
    ? number(comment(policy.comments, 'epoch'), 'epoch', 'a number from 1 on')
    : undefined;
  const origin = originOf(chain);
  const logs = policy.logs.map(({ key }) => key);
  if (logs.length === 0) throw invalid('it lists no log key');
  if (logs.some(({ name }) => name !== origin)) throw invalid(`a log key is not named ${origin}`);
  for (const { name, key } of policy.witnesses) {
    if (key.name !== cosignerName(chain, name))
      throw invalid(`the key of witness ${name} is not named ${chain}/${name}`);
  }
  const [only, ...others] = policy.groups;
  if (only === undefined || others.length > 0 || policy.quorum !== only.name) {
    throw invalid('it should have one group, which is the quorum');
  }
  const names = policy.witnesses.map(({ name }) => name);
  if (only.members.join() !== names.join())
    throw invalid('the group should list every witness, in the order of their lines');
  if (only.threshold !== quorumOf(names.length)) {
    throw invalid(
      `${only.threshold} of ${names.length} is not the quorum of this chain, which is ${quorumOf(names.length)}`,
    );
  }
  return {
    chain,
    origin,
    logs,
    cosigners: policy.witnesses,
    quorum: only.threshold,
    checkedAt,
    ...(epoch === undefined ? {} : { epoch }),
  };
}

/** Log origin of a chain, which is also the name of its log keys. */
export function originOf(chain: string): string {
  return `${chain}/weft`;
}

/** Key name of a validator's cosigner key. */
export function cosignerName(chain: string, validator: string): string {
  return `${chain}/${validator}`;
}

/** `<name>-<12 hex digits>`, name 3-40 of `a-z0-9.-`. */
export function isChainId(text: string): boolean {
  return text.length <= 53 && /^[a-z0-9.-]{3,40}-[0-9a-f]{12}$/.test(text);
}

function comment(comments: readonly string[], name: string): string {
  const [found, ...others] = comments.filter((line) => line.startsWith(`${name} `));
  if (found === undefined || others.length > 0) throw invalid(`"# ${name}" should stand there once`);
  return found.slice(name.length + 1);
}

function number(text: string, name: string, what: string): number {
  if (/^[1-9][0-9]{0,15}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw invalid(`"# ${name}" does not hold ${what}`);
}

function refusedAsTrust<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof WeftError && error.code !== 'TRUST_INVALID') {
      throw new WeftError('TRUST_INVALID', error.message, { ...error.details, cause: error.code });
    }
    throw error;
  }
}

function invalid(why: string): WeftError {
  return new WeftError('TRUST_INVALID', `Not a usable trust file: ${why}. Get a fresh one with "weft trust".`);
}
