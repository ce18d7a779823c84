import type { Command } from 'commander';
import { readsAnnotation } from '../../contracts/intents/terms.ts';
import { policyQuestions } from '../../contracts/policyQuestions.ts';
import { checkPolicySet } from '../policy/check.ts';
import { digestOfSet } from '../policy/document.ts';
import { type Finding, findingsOf } from '../policy/findings.ts';
import { filesIn, readSources, type SourceSet } from '../policy/setFolder.ts';
import { bad, dim, exitCodes, good, print, printJson } from './output.ts';

type Options = { readonly strict?: boolean; readonly json?: boolean };

export function policyCheckCommand(policy: Command): void {
  policy
    .command('check')
    .description(
      'Whether a set is sound: types, policies that can never apply or that another one makes pointless, annotations; and whether the ledger would take it.',
    )
    .argument('<folder>', 'one .cedarschema file and any number of .cedar files')
    .option('--strict', 'warnings fail too')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExit code: 0 sound, 1 not, 2 usage\nExample: weft policy check genesis/policy')
    .action(check);
}

async function check(folder: string, options: Options): Promise<void> {
  const sources = readSources(...filesIn(folder));
  const { document } = sources;
  const found = findingsOf(document, readsAnnotation);
  const count = (severity: Finding['severity']): number => found.filter((each) => each.severity === severity).length;
  if (count('error') === 0) {
    // What is said about single texts was said above; this is the ledger's own verdict on the whole.
    const verdict = await checkPolicySet(document, policyQuestions);
    if (!verdict.ok) found.push({ severity: 'error', code: verdict.code, message: verdict.message });
  }
  const [errors, warnings] = [count('error'), count('warning')];
  const sound = errors === 0 && (options.strict !== true || warnings === 0);
  if (!sound) process.exitCode = exitCodes.refused;
  const digest = errors === 0 ? digestOfSet(document) : null;
  if (options.json)
    return printJson({ sound, digest, findings: found.map((each) => ({ ...each, ...placeOf(sources, each) })) });
  for (const each of found) print(lineOf(sources, each));
  const policies = `${document.policies.length} policies`;
  if (digest === null) print(bad(`${policies}, ${errors} ${errors === 1 ? 'error' : 'errors'}: not sound.`));
  else {
    const remarks = warnings === 0 ? '' : `, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
    print((sound ? good : bad)(`${policies}${remarks}: sound. Digest ${digest}`));
  }
}

function placeOf(sources: SourceSet, { policy, at, code }: Finding) {
  // What is wrong with the set as a whole has no place.
  if (policy === undefined && at === undefined && code !== 'POLICY_SCHEMA_INVALID') return undefined;
  return sources.placeOf(policy, at);
}

/** As compilers write it, so that editors find the place. */
function lineOf(sources: SourceSet, finding: Finding): string {
  const place = placeOf(sources, finding);
  const where = place === undefined ? '' : `${place.file}:${place.line}:${place.column}: `;
  const { severity, policy, message, code } = finding;
  const word = severity === 'error' ? bad(severity) : severity;
  return `${where}${word}: ${policy === undefined ? '' : `${policy}: `}${message} ${dim(`[${code}]`)}`;
}
