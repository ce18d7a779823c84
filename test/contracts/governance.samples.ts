// Proposals, and what validators and council say to them.
import type { Vote } from '../../consensus/types.ts';
import type { Change } from '../../contracts/governance/state.ts';
import { encodeVote, voteBytes } from '../../contracts/governance/votes.ts';
import type { Json } from '../../contracts/types.ts';
import { toBase64, toBase64Url } from '../../src/codec/base64.ts';
import { fromHex } from '../../src/codec/hex.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { provePossession } from '../../src/crypto/validatorKeys.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign } from '../../src/log/cosignature.ts';
import { encodeSentCosignature } from '../../src/log/sentCosignature.ts';
import { algCosigner, createVkey } from '../../src/log/vkey.ts';
import { genesisDocument, NAME, Network, seedOf } from './network.ts';

const roles = ['peer', 'vote', 'log', 'cosigner'] as const;
type Role = (typeof roles)[number];
type Entry = Extract<Change, { kind: 'validators' }>['set'][number];

/** The entry of a validator with the keys of `generation`: 0 are those of genesis. */
export function entry(name: string, generation = 0, changed: Partial<Entry> = {}): Entry {
  const key = (role: Role): string => toBase64Url(publicKeyOf(keySeed(name, role, generation)));
  return {
    name,
    peer: key('peer'),
    vote: key('vote'),
    log: key('log'),
    cosigner: key('cosigner'),
    account: name,
    url: `http://${name}.example.net`,
    ...changed,
  };
}

export function keySeed(name: string, role: Role, generation = 0): Uint8Array {
  return seedOf(generation === 0 ? `${name}/${role}` : `${name}/${role}/${generation}`);
}

export function validatorsChange(...set: (string | Entry)[]): Change & { kind: 'validators' } {
  const entries = set.map((each) => (typeof each === 'string' ? entry(each) : each));
  return { kind: 'validators', set: entries.sort((a, b) => (a.name < b.name ? -1 : 1)), remove: [] };
}

export function readyBody(
  network: Network,
  proposal: string,
  name: string,
  options: { readonly generation?: number; readonly height?: number } = {},
) {
  const proof = (role: Role): string =>
    toBase64Url(provePossession(NAME, name, role, keySeed(name, role, options.generation)));
  return {
    proposal,
    height: options.height ?? network.block.height,
    proofs: { peer: proof('peer'), vote: proof('vote'), log: proof('log'), cosigner: proof('cosigner') },
  };
}

export function proposeBody(network: Network, change: Change, options: { notBefore?: number; expires?: number } = {}) {
  return {
    change,
    notBefore: options.notBefore ?? 0,
    expires: options.expires ?? network.block.time + 24 * 3_600_000,
  };
}

/** The id of a proposal that was accepted. */
export function propose(
  network: Network,
  change: Change,
  options: { readonly by?: string; readonly notBefore?: number; readonly expires?: number } = {},
): string {
  const tx = network.transaction(options.by ?? 'admin', 'governance.propose', proposeBody(network, change, options));
  const { refused } = network.execute(tx);
  if (refused !== undefined) throw new Error(refused);
  return tx.txId;
}

/** A vote of v3 (index 2 in genesis) for a block, in base64, as validators send it. */
export function sampleVote(
  network: Network,
  kind: 'notarize' | 'nullify' | 'finalize',
  options: { readonly block?: string; readonly view?: number; readonly epoch?: number; readonly by?: string } = {},
): string {
  const name = options.by ?? 'v3';
  const round = { epoch: options.epoch ?? 1, view: options.view ?? 77 };
  const subject = kind === 'nullify' ? round : { ...round, parentView: 5, blockId: (options.block ?? 'a').repeat(64) };
  const signature = sign(voteBytes(kind, network.genesisHash, subject), keySeed(name, 'vote'));
  return toBase64(encodeVote({ kind, subject, signer: Number(name.slice(1)) - 1, signature } as Vote));
}

/** A cosignature of v3 for a root, in base64. */
export function sampleCosignature(
  network: Network,
  options: { readonly size?: number; readonly root?: string; readonly by?: string } = {},
): string {
  const name = options.by ?? 'v3';
  const size = options.size ?? 912;
  const root = (options.root ?? 'a').repeat(64);
  const seed = keySeed(name, 'cosigner');
  const key = createVkey(sha256, `${network.chain}/${name}`, algCosigner, publicKeyOf(seed));
  const text = formatCheckpoint({ origin: `${network.chain}/weft`, size, root: fromHex(root) });
  const line = cosign(text, 1_763_712_000, key, (message) => sign(message, seed));
  return toBase64(encodeSentCosignature({ size, root, line }));
}

/** A council of three, of whom two decide. */
export function threeMembers(): Network {
  const council = { threshold: 2, members: ['admin', 'femto', 'scanner'] };
  return new Network({ ...genesisDocument(), council } as unknown as Json);
}
