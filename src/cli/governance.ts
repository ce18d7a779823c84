import type { Command } from 'commander';
import type { WeftClient } from '../client/index.ts';
import { changedMembers, changeText, findProposal, needProposal, unknownProposal } from './governanceAgenda.ts';
import { approveCommand } from './governanceApprove.ts';
import { describePolicy, type PolicyChangeBody } from './governancePolicy.ts';
import { proposeCommand } from './governancePropose.ts';
import { bad, good, note, print, printFields, printJson, printTable, when } from './output.ts';
import { type SenderOptions, senderOptions, withSender } from './sender.ts';
import { askOptions, withClient } from './withClient.ts';

type Options = { rpc: string; json?: boolean };

export function governanceCommand(program: Command): void {
  const governance = program
    .command('governance')
    .description('What the network is made of, and how the council changes it: propose, approve, withdraw; evidence.');
  const ask = (command: Command, example: string): Command =>
    askOptions(command).addHelpText('after', `\nExample: weft governance ${example} --rpc http://127.0.0.1:7611`);
  ask(governance.command('list').description('The set, the council, and the proposals on its agenda.'), 'list').action(
    list,
  );
  ask(
    governance
      .command('show')
      .description('One proposal: what it changes, who approved, who is ready and who is missing.')
      .argument('<id>', 'its id, or the beginning of it'),
    'show 3f09c2',
  ).action(show);
  proposeCommand(governance);
  approveCommand(governance);
  senderOptions(
    governance
      .command('withdraw')
      .description('Takes a proposal off the agenda. Who made it may; a member of the council where that one cannot.')
      .argument('<id>', 'its id, or the beginning of it'),
  )
    .addHelpText(
      'after',
      '\nExample: weft governance withdraw 3f09c2 --home net --account council --rpc http://127.0.0.1:7611',
    )
    .action(withdraw);
  ask(
    governance
      .command('evidence')
      .description('Who signed what no honest validator signs: on the ledger, and kept by the node that is asked.'),
    'evidence',
  ).action(evidence);
}

function list(options: Options): Promise<void> {
  return withClient(options.rpc, async (client) => {
    const status = await client.governance();
    if (options.json) return printJson(status);
    const { council, validators, observers, proposals } = status;
    const pause = (await client.state('governance/pause/current')).value as { readonly paused: boolean } | null;
    printFields([
      ['epoch', `${status.epoch}  (ruleset ${status.ruleset}, block ${status.height})`],
      ['validators', `${validators.map(({ name }) => name).join(' ')}  (quorum ${status.quorum})`],
      ['observers', observers.map(({ name }) => name).join(' ') || '–'],
      ['council', `${council.threshold} of ${council.members.join(' ')}`],
      [
        'paused',
        pause?.paused ? bad('yes: nothing is granted, no grant is used (weft governance propose resume)') : undefined,
      ],
    ]);
    print();
    if (proposals.length === 0) return print('Nothing is on the agenda.');
    printTable(
      ['proposal', 'change', 'status', 'approvals', 'ready', 'not before', 'lapses'],
      proposals.map((each) => [
        each.proposal.slice(0, 12),
        changeText(each, status),
        each.obstacle === '' ? each.status : `${each.status} (${each.obstacle})`,
        `${each.approvals.length} of ${council.threshold}`,
        each.readyNeeded === 0 ? '–' : `${each.ready.length} of ${each.readyNeeded}`,
        each.notBefore,
        when(each.expires),
      ]),
    );
  });
}

function show(id: string, options: Options): Promise<void> {
  return withClient(options.rpc, async (client) => {
    const status = await client.governance();
    const proposal = findProposal(status, id);
    if (proposal === undefined) return showConcluded(client, id, options);
    if (options.json) return printJson(proposal);
    const { council } = status;
    const listed = (await client.state('governance/validators/current')).value;
    printFields([
      ['proposal', proposal.proposal],
      ['change', changeText(proposal, status)],
      ['proposed', `by ${proposal.proposer} in block ${proposal.height}`],
      ['status', proposal.status],
      ['obstacle', proposal.obstacle === '' ? undefined : bad(proposal.obstacle)],
      ['approvals', `${proposal.approvals.length} of ${council.threshold}  ${proposal.approvals.join(' ')}`],
      ...(proposal.readyNeeded === 0
        ? []
        : ([
            ['ready', `${proposal.ready.length} of ${proposal.readyNeeded} needed  ${good(proposal.ready.join(' '))}`],
            ['missing', proposal.missing.length === 0 ? undefined : bad(proposal.missing.join(' '))],
          ] as const)),
      ['not before', `block ${proposal.notBefore}`],
      ['lapses', when(proposal.expires)],
    ]);
    for (const [name, text] of changedMembers(proposal, listed))
      for (const line of text.split('\n')) print(`changes of ${name}: ${line}`);
    if (proposal.kind === 'policy') {
      print();
      for (const line of await describePolicy(client, proposal.change as unknown as PolicyChangeBody)) print(line);
    } else print(`\n${JSON.stringify(proposal.change, null, 2)}`);
  });
}

/** What state still knows of a proposal that has left the agenda. */
async function showConcluded(client: WeftClient, id: string, options: Options): Promise<void> {
  const value = /^[0-9a-f]{64}$/.test(id) ? (await client.state(`governance/proposal/${id}`)).value : null;
  if (value === null || typeof value !== 'object') throw unknownProposal(id);
  if (options.json) return printJson(value);
  const { status, kind, concluded } = value as {
    readonly status: string;
    readonly kind: string;
    readonly concluded: { readonly height: number; readonly code: string | null } | null;
  };
  printFields([
    ['proposal', id],
    ['kind', kind],
    ['status', concluded?.code == null ? status : `${status}: ${concluded.code}`],
    ['since', `block ${concluded?.height ?? 0}`],
  ]);
}

async function withdraw(id: string, options: SenderOptions): Promise<void> {
  await withSender(options, async ({ client, send }) => {
    const { proposal } = needProposal(await client.governance(), id);
    const { height } = await send('governance.withdraw', { proposal });
    if (options.json) return printJson({ proposal, height });
    print(`withdrawn in block ${height}: ${proposal}`);
  });
}

function evidence(options: Options): Promise<void> {
  return withClient(options.rpc, async (client) => {
    const { recorded, open } = await client.evidence();
    if (options.json) return printJson({ recorded, open });
    if (recorded.length + open.length === 0) return print('No validator was seen to sign what no honest one signs.');
    printTable(
      ['offender', 'signed twice', 'where', 'on the ledger'],
      [
        ...open.map((each) => ({ ...each, place: 'not yet' })),
        ...recorded.map((each) => ({ ...each, place: each })),
      ].map(({ offender, kind, epoch, at, place }) => [
        offender,
        kind,
        kind === 'votes' ? `epoch ${epoch} view ${at}` : `epoch ${epoch} size ${at}`,
        typeof place === 'string' ? place : `block ${place.height}, log entry ${place.index}, by ${place.by}`,
      ]),
    );
    note(
      'Both messages stand in the transaction before the log entry: weft query entry N. Removing who did it: weft governance propose validators --remove NAME',
    );
  });
}
