import { createHash } from 'node:crypto';
import type { Command } from 'commander';
import {
  approveIntent,
  cancelIntent,
  consumeGrant,
  durationMs,
  type IntentOutcome,
  intentOutcome,
  newAttempt,
  proposeIntent,
  reportOutcome,
} from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { readFile } from './files.ts';
import { effectFrom, effectOf, printActions, wholeNumber } from './intentEffect.ts';
import { explainedIntent } from './intentRefusals.ts';
import { fullId, list, show } from './intentShow.ts';
import { good, note, print, printFields, printJson, usage, when } from './output.ts';
import { type Sender, type SenderOptions, senderOptions, withSender } from './sender.ts';
import { askOptions } from './withClient.ts';

type ProposeOptions = SenderOptions & {
  readonly effect?: string;
  readonly audience: string;
  readonly ttl: string;
  readonly maxUses: string;
  readonly dryRun?: boolean;
};

const example = (text: string): string => `\nExample: weft intent ${text} --rpc http://127.0.0.1:7611`;

export function intentCommand(program: Command): void {
  const intent = program
    .command('intent')
    .description('Permission to act: asked for exactly, decided by policy, approved by people, used once, reported.');
  senderOptions(
    intent
      .command('propose')
      .description(
        'Asks for permission. Prints its id, what policy decided, and what is next. Exit code 1 when it is denied.',
      )
      .argument('<action>', 'entry of the catalogue (weft intent actions)')
      .argument('[effect...]', 'name=value of each member of its effect')
      .option('--effect <file>', 'the effect as a JSON document, instead of name=value')
      .requiredOption('--audience <account>', 'the one executor that may act')
      .option('--ttl <duration>', 'how long the grant is to hold; policy may shorten it', '60s')
      .option('--max-uses <n>', 'how often it is to be consumed; policy may lower it', '1')
      .option('--dry-run', 'nothing is to be changed, only tried'),
  )
    .addHelpText(
      'after',
      example('propose service.restart host=web-3 service=nginx --audience actuator-web-1 --home net --account healer'),
    )
    .action(propose);
  senderOptions(
    intent
      .command('approve')
      .description('Approves an intent that waits. Not by who asked for it, nor by who is to act.')
      .argument('<id>', 'its id, or the beginning of it'),
  )
    .addHelpText('after', example('approve 3f09c2 --home net --account warden'))
    .action((id: string, options: SenderOptions) =>
      withIntents(options, async (sender) => {
        const { type, body } = approveIntent(await fullId(sender.client, id));
        tell(intentOutcome(await sender.send(type, body)), options);
      }),
    );
  senderOptions(
    intent
      .command('consume')
      .description(
        'Takes one use of a grant. Programs act by weft/executor, which keeps the attempt and proves the answer.',
      )
      .argument('<id>', 'the grant: id of its intent, or the beginning of it')
      .option('--attempt <text>', 'base64url of 16 bytes (default: random)'),
  )
    .addHelpText('after', example('consume 3f09c2 --home net --account actuator-web-1'))
    .action(consume);
  senderOptions(
    intent
      .command('report')
      .description('Says how an attempt ended.')
      .argument('<id>', 'the grant: id of its intent, or the beginning of it')
      .requiredOption('--attempt <text>', 'as it was consumed')
      .requiredOption('--outcome <word>', 'done, failed or unknown')
      .option('--result <file>', 'what is kept about it: its SHA-256 is recorded (default: of nothing)'),
  )
    .addHelpText('after', example('report 3f09c2 --attempt q83v… --outcome done --home net --account actuator-web-1'))
    .action(report);
  senderOptions(
    intent
      .command('cancel')
      .description('Takes back an intent that waits, or a grant. Uses that were taken stay taken.')
      .argument('<id>', 'its id, or the beginning of it'),
  )
    .addHelpText('after', example('cancel 3f09c2 --home net --account healer'))
    .action((id: string, options: SenderOptions) =>
      withIntents(options, async ({ client, send }) => {
        const intentId = await fullId(client, id);
        const { type, body } = cancelIntent(intentId);
        const { height } = await send(type, body);
        if (options.json) return printJson({ intent: intentId, height });
        print(`cancelled in block ${height}: ${intentId}`);
      }),
    );
  const ask = (command: Command, text: string): Command => askOptions(command).addHelpText('after', example(text));
  ask(
    intent
      .command('show')
      .description('One intent: what was asked for, what policy said, how it stands.')
      .argument('<id>', 'its id, or the beginning of it'),
    'show 3f09c2',
  ).action(show);
  ask(
    intent
      .command('list')
      .description('The intents that were decided last, newest first.')
      .option('--limit <n>', 'at most so many (100)', '20')
      .option('--audience <account>', 'only those that this account is to do')
      .option('--status <status>', 'only those that are pending, or granted'),
    'list',
  ).action(list);
  intent
    .command('actions')
    .description('The action catalogue: what can be asked for, and the members of each effect.')
    .option('--json', 'print the schemas as one line of JSON')
    .addHelpText('after', '\nExample: weft intent actions')
    .action(printActions);
}

function withIntents<Result>(options: SenderOptions, run: (sender: Sender) => Promise<Result>): Promise<Result> {
  return withSender(options, run, explainedIntent);
}

async function propose(action: string, members: readonly string[], options: ProposeOptions): Promise<void> {
  const content = proposeIntent({
    action,
    effect: options.effect === undefined ? effectOf(action, members) : effectFrom(options.effect, members),
    audience: options.audience,
    ttlMs: durationMs(options.ttl),
    maxUses: wholeNumber(options.maxUses, '--max-uses'),
    dryRun: options.dryRun === true,
  });
  await withIntents(options, async ({ send }) => tell(intentOutcome(await send(content.type, content.body)), options));
}

/** In plain words, and what is next. @throws WeftError why it was denied */
function tell(outcome: IntentOutcome, options: SenderOptions): void {
  const { intent } = outcome;
  const rpc = options.rpc.split(',')[0];
  if (outcome.status === 'denied') {
    const { why, reasons } = outcome;
    const words: Readonly<Record<string, string>> = {
      POLICY_DENIED: reasons.length === 0 ? 'no policy permits it' : `forbidden by ${reasons.join(', ')}`,
      POLICY_ANNOTATION: `a limit in ${reasons.join(', ')} does not read; the council must mend the policy`,
      DRY_RUN_ONLY: `${reasons.join(', ')} permits dry runs only: add --dry-run`,
    };
    throw new WeftError(why, `intent ${intent} is denied: ${words[why] ?? why}`, {
      intent,
      reasons: reasons.join(' '),
      index: outcome.index,
    });
  }
  if (options.json) {
    const { grant, ...rest } = { grant: undefined, ...outcome };
    printJson(grant === undefined ? rest : { ...rest, expires: grant.expires.time, maxUses: grant.maxUses });
    return;
  }
  print(intent);
  if (outcome.status === 'granted') {
    const { expires, maxUses, limits, audience, approvers, policy } = outcome.grant;
    printFields([
      ['status', good('granted')],
      ['by', [...policy.reasons, ...approvers].join(', ')],
      ['for', `${audience}, ${maxUses === 1 ? 'once' : `${maxUses} times`}${limits.dryRun ? ', as a dry run' : ''}`],
      ['until', when(expires.time)],
    ]);
    note(`Its token: weft token get --rpc ${rpc} --intent ${intent} > token.txt`);
    return;
  }
  const missing = outcome.approvalsNeeded - outcome.approvals;
  printFields([
    ['status', 'waits for approvals'],
    ['approvals', `${outcome.approvals} of ${outcome.approvalsNeeded}`],
  ]);
  note(
    `${missing} more ${missing === 1 ? 'person' : 'people'} must agree within 15 minutes of the proposal: weft intent approve ${intent.slice(0, 12)} --rpc ${rpc} --account …`,
  );
}

async function consume(id: string, options: SenderOptions & { readonly attempt?: string }): Promise<void> {
  const attempt = options.attempt ?? newAttempt();
  await withIntents(options, async ({ client, send }) => {
    const grant = await fullId(client, id);
    const { type, body } = consumeGrant(grant, attempt);
    const { height, time, index } = await send(type, body);
    if (options.json) return printJson({ grant, attempt, height, time, index: index + 1 });
    print(attempt);
    note(
      `Consumed in block ${height}, ${when(time)}. Permission is the token of this record: weft token get --rpc ${options.rpc.split(',')[0]} --index ${index + 1}`,
    );
  });
}

async function report(
  id: string,
  options: SenderOptions & { readonly attempt: string; readonly outcome: string; readonly result?: string },
): Promise<void> {
  const { attempt, outcome, result } = options;
  if (outcome !== 'done' && outcome !== 'failed' && outcome !== 'unknown')
    throw usage('--outcome is done, failed or unknown');
  const digest = createHash('sha256')
    .update(result === undefined ? '' : readFile(result))
    .digest('hex');
  await withIntents(options, async ({ client, send }) => {
    const grant = await fullId(client, id);
    const { type, body } = reportOutcome(grant, attempt, outcome, digest);
    const { height } = await send(type, body);
    if (options.json) return printJson({ grant, attempt, outcome, result: digest, height });
    print(`reported in block ${height}: ${outcome}, result ${digest}`);
  });
}
