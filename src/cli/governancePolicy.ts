// The policy set, from files to a proposal: what is new in it, what of that the ledger has to be told first, and in what words people
// read it.
import { policyQuestions } from '../../contracts/policyQuestions.ts';
import type { JsonObject } from '../../contracts/types.ts';
import type { WeftClient } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';
import { checkPolicySet } from '../policy/check.ts';
import { filesIn, readSources } from '../policy/setFolder.ts';
import type { PolicySetDocument } from '../policy/types.ts';
import { note, usage } from './output.ts';
import { type PolicyInForce, policyInForce } from './policyShow.ts';
import type { Sender } from './sender.ts';

export type PolicyOptions = { readonly dir?: string; readonly minValid?: string };

/** Uploads that wait for their block at a time. */
const uploadsAtOnce = 32;
/** What is gone before the proposal may be in its block is uploaded anew. */
const uploadLeftMs = 10 * 60_000;

/**
 * Reads the set, checks it as the ledger will, uploads what of it the ledger does not have, and answers the change to propose.
 * @throws WeftError POLICY_FILE_INVALID, POLICY_*, NOTHING_TO_DO, USAGE, and why an upload was refused
 */
export async function policyChange(sender: Sender, options: PolicyOptions): Promise<JsonObject> {
  if (options.dir === undefined) throw usage('give --dir: the folder of the set');
  const { document } = readSources(...filesIn(options.dir));
  const inForce = await policyInForce(sender.client);
  const minValid = minValidOf(options.minValid, inForce);
  const verdict = await checkPolicySet(document, policyQuestions);
  if (!verdict.ok) throw new WeftError(verdict.code, `${verdict.message}. weft policy check ${options.dir} says where`);
  if (verdict.digest === inForce.digest && minValid === inForce.minValid)
    throw new WeftError('NOTHING_TO_DO', 'this set is in force already');
  for (const line of differences(inForce.document, document)) note(line);
  await upload(sender, await missing(sender.client, inForce, document));
  const policies = document.policies.map(({ id, text }) => ({ id, text: digestOf(text) }));
  return { kind: 'policy', schema: digestOf(document.schema), policies, minValid };
}

/** `keep`: grants stay; a version: grants from it on; nothing: none that was made before. */
function minValidOf(given: string | undefined, { version, minValid }: PolicyInForce): number {
  if (given === undefined) return version + 1;
  if (given === 'keep') return minValid;
  if (!/^[0-9]{1,15}$/.test(given) || Number(given) < minValid || Number(given) > version + 1)
    throw usage(`--min-valid takes keep, or a version from ${minValid} to ${version + 1}`);
  return Number(given);
}

function digestOf(text: string): string {
  return sha256Hex(encodeUtf8(text));
}

function textsOf({ schema, policies }: PolicySetDocument): string[] {
  return [schema, ...policies.map(({ text }) => text)];
}

/** Texts that the ledger keeps: those of the set in force and of the one before it. */
async function keptTexts(client: WeftClient, inForce: PolicyInForce): Promise<string[]> {
  const previous = (await client.state('governance/policy/previous')).value as { readonly digest: string } | null;
  if (previous === null) return textsOf(inForce.document);
  const before = (await client.state(`governance/policy-set/${previous.digest}`)).value as PolicySetDocument | null;
  return [...textsOf(inForce.document), ...(before === null ? [] : textsOf(before))];
}

/** Those that the ledger neither keeps with a set nor holds as an upload. */
async function missing(client: WeftClient, inForce: PolicyInForce, document: PolicySetDocument): Promise<string[]> {
  const known = new Set(await keptTexts(client, inForce));
  const fresh = [...new Set(textsOf(document).filter((text) => !known.has(text)))];
  const uploads = await Promise.all(fresh.map((text) => client.state(`governance/text/${digestOf(text)}`)));
  return fresh.filter((_, i) => {
    const held = uploads[i]?.value as { readonly expires: number } | null | undefined;
    return held == null || held.expires < Date.now() + uploadLeftMs;
  });
}

async function upload({ send }: Sender, texts: readonly string[]): Promise<void> {
  if (texts.length === 0) return;
  note(`Uploading ${texts.length} ${texts.length === 1 ? 'text' : 'texts'} …`);
  for (let at = 0; at < texts.length; at += uploadsAtOnce)
    await Promise.all(texts.slice(at, at + uploadsAtOnce).map((text) => send('governance.text', { text })));
}

/** `+ id`, `~ id`, `- id`, each in a line; and `~ schema`. */
function differences(before: PolicySetDocument, after: PolicySetDocument): string[] {
  const old = new Map(before.policies.map(({ id, text }) => [id, text]));
  const now = new Map(after.policies.map(({ id, text }) => [id, text]));
  const lines = after.policies.flatMap(({ id, text }) => {
    if (!old.has(id)) return [`+ ${id}`];
    return old.get(id) === text ? [] : [`~ ${id}`];
  });
  const gone = before.policies.filter(({ id }) => !now.has(id)).map(({ id }) => `- ${id}`);
  return [...(before.schema === after.schema ? [] : ['~ schema']), ...lines, ...gone];
}

/** What a proposal of a policy set comes to, for those who are to approve it: differences, and the texts that are new. */
export async function describePolicy(client: WeftClient, change: PolicyChangeBody): Promise<readonly string[]> {
  const inForce = await policyInForce(client);
  const document = await proposedSet(client, inForce, change);
  const lines = [
    `Policy version ${inForce.version} → ${inForce.version + 1}: ${document.policies.length} policies.`,
    change.minValid > inForce.version
      ? 'All grants made so far become void.'
      : `Grants from policy version ${change.minValid} on stay valid.`,
  ];
  const changed = differences(inForce.document, document);
  if (changed.length === 0) return [...lines, 'The set itself stays as it is.'];
  const textOf = (line: string): string | undefined => {
    if (line.startsWith('- ')) return undefined;
    const id = line.slice(2);
    return id === 'schema' ? document.schema : document.policies.find((policy) => policy.id === id)?.text;
  };
  for (const line of changed) {
    lines.push('', line);
    const text = textOf(line);
    if (text !== undefined) lines.push(...text.split('\n').map((each) => `    ${each}`));
  }
  return lines;
}

export type PolicyChangeBody = {
  readonly schema: string;
  readonly policies: readonly { readonly id: string; readonly text: string }[];
  readonly minValid: number;
};

/**
 * The texts behind the digests of a proposal, held against them.
 * @throws WeftError TEXT_UNKNOWN (the proposal has left the agenda meanwhile, or the node answers with other texts)
 */
async function proposedSet(
  client: WeftClient,
  inForce: PolicyInForce,
  { schema, policies }: PolicyChangeBody,
): Promise<PolicySetDocument> {
  const known = new Map((await keptTexts(client, inForce)).map((text) => [digestOf(text), text]));
  const textOf = async (digest: string): Promise<string> => {
    const held = (await client.state(`governance/text/${digest}`)).value as { readonly text: string } | null;
    const text = known.get(digest) ?? held?.text;
    if (text === undefined || digestOf(text) !== digest)
      throw new WeftError('TEXT_UNKNOWN', `the node has no text ${digest} any more; ask again, or another node`);
    return text;
  };
  const texts = await Promise.all(policies.map(({ text }) => textOf(text)));
  return {
    schema: await textOf(schema),
    policies: policies.map(({ id }, i) => ({ id, text: texts[i] ?? '' })),
  };
}
