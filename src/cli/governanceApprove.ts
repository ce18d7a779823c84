import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { durationMs, type GovernanceProposal, type WeftClient } from '../client/index.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { findProposal, needProposal } from './governanceAgenda.ts';
import { good, note, print, printJson } from './output.ts';
import { type SenderOptions, senderOptions, withSender } from './sender.ts';

type Options = SenderOptions & { readonly wait?: boolean };

/** How a proposal ended, as state keeps it. */
type Concluded = { readonly status: string; readonly concluded: { height: number; code: string | null } | null };

const askEveryMs = 500;

export function approveCommand(governance: Command): void {
  senderOptions(
    governance
      .command('approve')
      .description(
        'Approves a proposal in the name of a member of the council. With --wait: first until enough of the next validators are ready, and then until the change has taken effect.',
      )
      .argument('<id>', 'its id, or the beginning of it')
      .option('--wait', 'wait for readiness before, and for the effect after'),
    '10m',
  )
    .addHelpText(
      'after',
      '\nExample: weft governance approve 3f09c2 --wait --home net --account council --rpc http://127.0.0.1:7611',
    )
    .action(approve);
}

async function approve(id: string, options: Options): Promise<void> {
  const deadline = performance.now() + durationMs(options.timeout);
  await withSender(options, async ({ client, send }) => {
    const { proposal } = needProposal(await client.governance(), id);
    for (;;) {
      if (options.wait === true) await untilReady(client, proposal, deadline, options.json === true);
      try {
        await send('governance.approve', { proposal });
        break;
      } catch (error) {
        // What was ready may be so no more when the transaction comes into a block.
        if (options.wait !== true || codeOf(error) !== 'GOVERNANCE_NOT_READY') throw error;
        await sleep(askEveryMs);
      }
    }
    const status = await client.governance();
    const open = findProposal(status, proposal);
    const approvals = open?.approvals.length;
    if (open?.status === 'open') {
      if (options.json) return printJson({ proposal, status: 'open', approvals });
      print(`approved: ${approvals} of ${status.council.threshold}`);
      return note('It takes effect once enough members have approved: weft governance list');
    }
    if (options.wait !== true && open !== undefined) {
      if (options.json) return printJson({ proposal, status: 'approved', approvals });
      return print(`approved; it takes effect at the end of block ${Math.max(open.notBefore, status.height + 1)}`);
    }
    await printEffect(client, proposal, deadline, options);
  });
}

/** Says on standard error who is missing, each time that this changes. @throws WeftError GOVERNANCE_NOT_READY, PROPOSAL_CLOSED */
async function untilReady(client: WeftClient, id: string, deadline: number, quiet: boolean): Promise<void> {
  let told = '';
  for (;;) {
    const proposal = findProposal(await client.governance(), id);
    if (proposal === undefined)
      throw new WeftError('PROPOSAL_CLOSED', `${id} is off the agenda; weft governance show says why`);
    if (proposal.ready.length >= proposal.readyNeeded) return;
    const words = missingText(proposal);
    if (performance.now() > deadline)
      throw new WeftError('GOVERNANCE_NOT_READY', `${words}. Are they running, with the keys of the proposal?`);
    if (words !== told && !quiet) note(words);
    told = words;
    await sleep(askEveryMs);
  }
}

async function printEffect(client: WeftClient, id: string, deadline: number, options: Options): Promise<void> {
  for (;;) {
    const { value } = await client.state(`governance/proposal/${id}`);
    const { status, concluded } = (value ?? { status: 'unknown', concluded: null }) as Concluded;
    if (concluded !== null) {
      const { epoch } = await client.governance();
      if (status !== 'effective')
        throw new WeftError(concluded.code ?? 'PROPOSAL_CLOSED', `${id} is ${status} since block ${concluded.height}`);
      if (options.json) return printJson({ proposal: id, status, height: concluded.height, epoch });
      return print(`${good('effective')} since block ${concluded.height}; epoch ${epoch}`);
    }
    if (performance.now() > deadline)
      throw new WeftError(
        'EFFECT_NOT_YET',
        `${id} is approved and has not taken effect yet; weft governance show follows it`,
      );
    await sleep(askEveryMs);
  }
}

function missingText({ ready, readyNeeded, missing }: GovernanceProposal): string {
  return `${ready.length} of ${readyNeeded} are ready; missing: ${missing.join(' ')}`;
}
