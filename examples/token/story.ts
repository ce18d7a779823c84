// The whole way of a token, on a network of four validators: asked for, decided, approved by a person, proven, consumed once, acted
// on, reported; and then every way in which it does not help. `npm run demo:token` tells it, test/e2e/story.test.ts holds it to it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createExecutor, type RunReport } from '../../src/executor/index.ts';
import { effectDigest, verifyToken } from '../../src/token/node.ts';
import { StoryNetwork } from './network.ts';
import { type KeyPage, personOf } from './person.ts';
import { type Refused, refusals } from './refusals.ts';
import { Shop } from './service.ts';

/** Whoever listens. */
export type Teller = {
  chapter(title: string): void;
  say(text: string): void;
  facts(rows: readonly (readonly [name: string, value: string])[]): void;
  table(rows: readonly Refused[]): void;
};

export type Told = {
  readonly approver: string;
  readonly tokenBytes: number;
  readonly pidBefore: number;
  readonly pidAfter: number;
  readonly silentBefore: boolean;
  readonly answersAfter: boolean;
  readonly acts: number;
  readonly report: RunReport;
  /** As the ledger has them in the end: how often the grant was used, and which of these have an outcome. */
  readonly uses: readonly boolean[];
  readonly refused: readonly Refused[];
};

const audience = 'actuator-web-1';
const effect = { host: 'web-1', service: 'shop' };

/** `page`: of a browser with a security key; without it a plain key approves. */
export async function tell(teller: Teller, page: KeyPage | undefined): Promise<Told> {
  teller.chapter('A network');
  teller.say('Four validators start as four processes on this machine.');
  const network = await StoryNetwork.start(page !== undefined);
  const shop = new Shop();
  try {
    teller.facts([
      ['chain', network.chain],
      ['nodes', network.rpc.join(' ')],
    ]);
    return await told(teller, network, shop, page);
  } finally {
    await shop.stop();
    await network.stop();
  }
}

async function told(teller: Teller, network: StoryNetwork, shop: Shop, page: KeyPage | undefined): Promise<Told> {
  const person = personOf(network, page);
  teller.say(await person.enrol());

  teller.chapter('Something is wrong');
  await shop.start();
  shop.hang();
  const pidBefore = shop.pid;
  const silentBefore = !(await shop.answers());
  teller.say(`The service "shop" (process ${pidBefore}) runs, and answers nobody.`);

  teller.chapter('An agent asks');
  const { id: intent } = await network.send('healer', 'intents.propose', {
    action: 'service.restart',
    resource: 'service/web-1/shop',
    effect,
    ttlMs: 120_000,
    audience,
    maxUses: 1,
    dryRun: false,
  });
  const { value: pending } = await network.client.state(`intents/grant/${intent}`);
  const { status, approvalsNeeded } = pending as { status: string; approvalsNeeded: number };
  teller.say(
    'The agent "healer" proposes: restart service/web-1/shop, to be done by actuator-web-1, once, within two minutes.',
  );
  teller.facts([
    ['intent', intent],
    ['effect', `${JSON.stringify(effect)}  sha256 ${effectDigest(effect).slice(0, 16)}…`],
    ['policy says', `${status}: ${approvalsNeeded} approval by a person`],
  ]);

  teller.chapter('A person decides');
  const shown = await person.approve(intent);
  for (const line of shown) teller.say(`| ${line}`);
  teller.say(`${person.account} approves, with ${person.key}.`);

  teller.chapter('The token');
  const token = await network.client.fetchToken({ intent });
  const trust = await network.client.trust();
  const trustFile = join(network.dir, 'trust.txt');
  writeFileSync(trustFile, trust);
  const verified = verifyToken(token, { trust, now: Date.now(), audience, effect: effectDigest(effect) });
  if (verified.kind !== 'grant') throw new Error('the token is no grant');
  const { grant, checkpoint } = verified;
  teller.say('Any node gives it, nobody has to be believed: it is verified offline, with the trust file alone.');
  teller.facts([
    ['token', `${token.length} bytes, log entry ${verified.index} of ${checkpoint.size}`],
    ['cosigned by', checkpoint.cosigners.join(' ')],
    ['allows', `${grant.action} of ${grant.resource} by ${grant.audience}, ${grant.maxUses} use`],
    ['approved by', grant.approvers.join(' ')],
    ['policy', `version ${grant.policy.version}: ${grant.policy.reasons.join(', ')}`],
  ]);
  const statusText = await network.client.fetchStatus(intent);
  const statusAt = Date.now();

  teller.chapter('The act');
  const executor = await createExecutor({
    account: audience,
    signers: [await network.signer(audience)],
    trust: trustFile,
    rpc: network.rpc,
    stateDir: join(network.dir, 'executors', 'first'),
  });
  try {
    await executor.resume();
    let acts = 0;
    const report = await executor.run(token, effect, async ({ use, until }) => {
      acts += 1;
      teller.say(`Consumed on the ledger, and proven: use ${use}. The act may begin within ${until - Date.now()} ms.`);
      return { outcome: 'done', result: await shop.restart() };
    });
    const answersAfter = await shop.answers();
    teller.say(`The service runs as process ${shop.pid}, and ${answersAfter ? 'answers' : 'is silent'}.`);
    teller.facts([
      ['outcome', `${report.outcome}, on the ledger: ${report.reported ? 'yes, and proven' : 'not yet'}`],
      ['attempt', report.attempt],
      ['result', `sha256 ${report.result.slice(0, 16)}…`],
    ]);

    teller.chapter('And whatever else is tried with it');
    const refused = await refusals(network, {
      token,
      intent,
      effect,
      consumed: await network.client.fetchToken({ tx: report.consume }),
      trustFile,
      trust,
      status: statusText,
      statusAt,
      executor,
    });
    teller.table(refused);
    return {
      approver: person.account,
      tokenBytes: token.length,
      pidBefore,
      pidAfter: shop.pid,
      silentBefore,
      answersAfter,
      acts,
      report,
      uses: await usesOf(network, intent),
      refused,
    };
  } finally {
    await executor.close();
  }
}

async function usesOf(network: StoryNetwork, intent: string): Promise<boolean[]> {
  const { value } = await network.client.state(`intents/grant/${intent}`);
  return (value as { attempts: { reported: boolean }[] }).attempts.map(({ reported }) => reported);
}
