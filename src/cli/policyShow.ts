import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { WeftClient } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { statementsOf } from '../policy/defaultSet.ts';
import { digestOfSet } from '../policy/document.ts';
import type { PolicySetDocument } from '../policy/types.ts';
import { bad, dim, note, print, printFields, printJson } from './output.ts';
import { withClient } from './withClient.ts';

type Options = { readonly rpc: string; readonly json?: boolean; readonly write?: string };

/** The policy in force, as the node that is asked has it in finalized state. */
export type PolicyInForce = {
  readonly version: number;
  readonly digest: string;
  readonly minValid: number;
  /** Block at whose end it took effect; 0: genesis. */
  readonly height: number;
  readonly paused: boolean;
  readonly document: PolicySetDocument;
};

export function policyShowCommand(policy: Command): void {
  policy
    .command('show')
    .description('The policy in force: version, digest, since when, and its policies.')
    .argument('[id]', 'one policy, with its text; "schema" for the Cedar schema')
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .option('--write <dir>', 'write the set into a new folder, to change it and propose it')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft policy show models.unverified --rpc http://127.0.0.1:7611')
    .action(show);
}

/**
 * Asked twice where the policy changes in between. The texts are held against the digest that state names.
 * @throws WeftError POLICY_SET_MISMATCH (the node answers with another set than it names), RPC_*
 */
export async function readPolicyInForce(rpc: string): Promise<PolicyInForce> {
  return withClient(rpc, policyInForce);
}

/** The same through a client that is there. */
export async function policyInForce(client: WeftClient): Promise<PolicyInForce> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const current = (await client.state('governance/policy/current')).value as Omit<PolicyInForce, 'document'>;
    const document = (await client.state(`governance/policy-set/${current.digest}`)).value as PolicySetDocument | null;
    if (document === null) continue;
    if (digestOfSet(document) !== current.digest)
      throw new WeftError(
        'POLICY_SET_MISMATCH',
        `the node's texts are not those of policy set ${current.digest}; ask another node`,
      );
    const { paused } = (await client.state('governance/pause/current')).value as { readonly paused: boolean };
    const { version, digest, minValid, height } = current;
    return { version, digest, minValid, height, paused, document };
  }
  throw new WeftError('POLICY_SET_MISMATCH', 'the policy changed three times while it was asked for; ask again');
}

async function show(id: string | undefined, options: Options): Promise<void> {
  const { document, ...inForce } = await readPolicyInForce(options.rpc);
  if (options.write !== undefined) writeSet(options.write, document);
  if (id !== undefined) {
    const text = id === 'schema' ? document.schema : document.policies.find((policy) => policy.id === id)?.text;
    if (text === undefined)
      throw new WeftError('POLICY_UNKNOWN', `the set in force has no policy ${id}; weft policy show lists them`);
    if (options.json) printJson({ id, text });
    else print(text);
    return;
  }
  if (options.json) return printJson({ ...inForce, ...document });
  const { version, digest, minValid, height, paused } = inForce;
  printFields([
    ['version', version],
    ['digest', digest],
    ['since', height === 0 ? 'genesis' : `the end of block ${height}`],
    ['grants', `count from version ${minValid} on`],
    ['paused', paused ? bad('yes: nothing is granted, no grant is used') : 'no'],
    ['policies', document.policies.length],
  ]);
  print();
  for (const policy of document.policies) print(`${policy.id}  ${dim(purposeOf(policy.text))}`);
}

/** @throws WeftError FOLDER_EXISTS */
function writeSet(folder: string, { schema, policies }: PolicySetDocument): void {
  if (existsSync(folder)) throw new WeftError('FOLDER_EXISTS', `${folder} exists already; name another folder`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'policy.cedarschema'), `${schema}\n`);
  // Whoever reads the folder takes the id from the text; genesis documents can name it beside.
  const named = policies.map(({ id, text }) => (statementsOf(text)[0]?.id === id ? text : `@id("${id}")\n${text}`));
  writeFileSync(join(folder, 'policy.cedar'), `${named.join('\n\n')}\n`);
  note(`Wrote ${policies.length} policies and the schema to ${folder}; change them, then weft policy check ${folder}`);
}

/** The first line of the comment above a policy. */
function purposeOf(text: string): string {
  const line = text.split('\n').find((each) => each.trimStart().startsWith('//'));
  return line === undefined ? '' : line.trimStart().slice(2).trim();
}
