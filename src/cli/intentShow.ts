import type { IntentAnswer, WeftClient } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { wholeNumber } from './intentEffect.ts';
import { bad, good, print, printFields, printJson, printTable, usage, when } from './output.ts';
import { withClient } from './withClient.ts';

type Options = { rpc: string; json?: boolean };

export async function show(id: string, options: Options): Promise<void> {
  await withClient(options.rpc, async (client) => {
    const found = await client.call('intents.get', { intent: await fullId(client, id) });
    if (options.json) return printJson(found);
    const { decided, proposed, approvals, approvalsNeeded, approverKey, uses, maxUses, unreported } = found;
    printFields([
      ['intent', found.intent],
      ['action', `${found.action}${found.dryRun ? ' (dry run)' : ''}`],
      ['resource', found.resource],
      ['effect', JSON.stringify(found.effect)],
      ['digest', found.digest],
      ['asked for', `by ${found.requester} in block ${proposed.height}, ${when(proposed.time)}`],
      ['to be done', `by ${found.audience}`],
      ['status', statusText(found)],
      ['policy', `version ${decided.version}: ${decided.reasons.join(', ') || 'none permits it'}`],
      [
        'approvals',
        approvalsNeeded === 0
          ? undefined
          : `${approvals.length} of ${approvalsNeeded}${approverKey === 'any' ? '' : ', by security keys'}  ${approvals.join(' ')}`,
      ],
      ['uses', `${uses} of ${maxUses}${unreported === 0 ? '' : bad(`, ${unreported} without an outcome`)}`],
      ['until', found.expires === 0 ? undefined : when(found.expires)],
      ['log entry', decided.index],
    ]);
  });
}

type ListOptions = Options & { limit: string; audience?: string; status?: string };

export async function list({ status, audience, ...options }: ListOptions): Promise<void> {
  const limit = wholeNumber(options.limit, '--limit');
  if (status !== undefined && status !== 'pending' && status !== 'granted')
    throw usage("--status is 'pending' or 'granted'");
  const filter: { readonly audience?: string; readonly status?: 'pending' | 'granted' } = {
    ...(audience === undefined ? {} : { audience }),
    ...(status === undefined ? {} : { status }),
  };
  await withClient(options.rpc, async (client) => {
    const { intents } = await client.call('intents.list', { limit, ...filter });
    if (options.json) return printJson(intents);
    if (intents.length === 0)
      return print(Object.keys(filter).length === 0 ? 'Nobody has asked for anything.' : 'There is none of these.');
    printTable(
      ['intent', 'action', 'resource', 'by', 'for', 'status', 'uses', 'until'],
      intents.map((each) => [
        each.intent.slice(0, 12),
        each.action,
        each.resource,
        each.requester,
        each.audience,
        statusText(each),
        `${each.uses} of ${each.maxUses}`,
        each.expires === 0 ? '–' : when(each.expires),
      ]),
    );
  });
}

function statusText({ status, decided, approvals, approvalsNeeded }: IntentAnswer): string {
  if (status === 'granted') return good(status);
  if (status === 'pending') return `waits (${approvals.length} of ${approvalsNeeded})`;
  return status === 'denied' ? bad(`${status}: ${decided.why || 'at an approval'}`) : status;
}

const listedMax = 100;

/** An id, or the one recent intent that begins so. @throws WeftError INTENT_UNKNOWN, INTENT_AMBIGUOUS */
export async function fullId(client: WeftClient, id: string): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(id)) return id;
  if (!/^[0-9a-f]{4,63}$/.test(id))
    throw usage(`'${id}' is no intent: give its id, or at least 4 digits of its beginning`);
  const { intents } = await client.call('intents.list', { limit: listedMax });
  const [found, another] = intents.filter(({ intent }) => intent.startsWith(id));
  if (found === undefined)
    throw new WeftError('INTENT_UNKNOWN', `no recent intent begins with ${id}; weft intent list`);
  if (another !== undefined)
    throw new WeftError('INTENT_AMBIGUOUS', `several intents begin with ${id}; give more of it`);
  return found.intent;
}
