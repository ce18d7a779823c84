// Status and contract must agree: whatever happens to a grant on a ledger, its status is good exactly when a consume would be taken.
import t from 'tap';
import type { Json, JsonObject } from '../../contracts/types.ts';
import { codeOf } from '../../src/codec/error.ts';
import { checkStatus, statusPaths, type VerifiedToken, verifyToken } from '../../src/token/node.ts';
import { Intents, idOf } from '../contracts/intents.samples.ts';
import { sampleNetwork, timeS } from '../log/sample.ts';
import { tokenOf } from './makeVectors.ts';
import { randomOf } from './mutate.ts';
import { grantIndex, SampleChain } from './statusSample.ts';

const { trust } = sampleNetwork();
/** Of the sample's checkpoints: the verifier's clock stands still, and the ledger's time alone decides about expiry. */
const now = 1000 * (timeS + 1);

/** Of a consume → of a status. Several may speak against a grant at once, and each side names the first that it looks at. */
const statusOf: Readonly<Record<string, string>> = {
  accepted: 'accepted',
  // A status does not say that a target rests: the consume does.
  TARGET_COOLDOWN: 'accepted',
  ACCOUNT_INACTIVE: 'STATUS_SUSPENDED',
  REQUESTER_INACTIVE: 'STATUS_SUSPENDED',
  GRANT_UNKNOWN: 'STATUS_NOT_GRANTED',
  GRANT_CANCELLED: 'STATUS_CANCELLED',
  GRANT_EXPIRED: 'STATUS_EXPIRED',
  GRANT_USED_UP: 'STATUS_USED_UP',
  POLICY_SUPERSEDED: 'STATUS_POLICY_SUPERSEDED',
  INTENTS_PAUSED: 'STATUS_PAUSED',
};

type Granted = { readonly intent: string; readonly token: Extract<VerifiedToken, { kind: 'grant' }> };

class Ledger extends Intents {
  readonly grants: Granted[] = [];
  #attempts = 0;

  took(records: readonly JsonObject[]): void {
    for (const record of records) {
      if (!('_type' in record)) continue;
      const chain = new SampleChain({}, { grant: JSON.stringify(record) });
      const token = verifyToken(tokenOf(chain.log, chain.network, grantIndex), { trust });
      if (token.kind === 'grant') this.grants.push({ intent: idOf(record), token });
    }
  }

  /** What the contract says to a consume, without doing it. */
  wouldConsume({ intent, token }: Granted): string {
    const before = new Map(this.state);
    this.#attempts += 1;
    const { refused } = this.consume(intent, 100_000 + this.#attempts, token.grant.audience);
    this.state.clear();
    for (const [path, value] of before) this.state.set(path, value);
    return refused ?? 'accepted';
  }

  /** What the status of this moment says. */
  statusSays({ token }: Granted): string {
    const chain = new SampleChain(Object.fromEntries(this.state), {
      height: this.block.height,
      block: { time: this.block.time },
    });
    try {
      checkStatus(token, chain.status(statusPaths(token.grant)), { trust, now, maxClockSkewMs: 0 });
      return 'accepted';
    } catch (error) {
      return codeOf(error);
    }
  }

  set(path: string, change: object): void {
    this.state.set(path, { ...(this.state.get(path) as object), ...change } as Json);
  }
}

function step(ledger: Ledger, random: (below: number) => number, n: number): void {
  const some = ledger.grants[random(Math.max(1, ledger.grants.length))];
  const account = ['healer', 'actuator-web-1', 'actuator-web-2'][random(3)] ?? 'healer';
  switch (random(12)) {
    case 0:
    case 1:
    case 2: {
      const service = `nginx-${n}`;
      const { records } = ledger.propose({
        resource: `service/web-3/${service}`,
        effect: { host: 'web-3', service },
        audience: random(2) === 0 ? 'actuator-web-1' : 'actuator-web-2',
        maxUses: 1 + random(2),
        ttlMs: 5_000 + random(60_000),
      });
      ledger.took(records);
      return;
    }
    case 3:
    case 4:
      if (some !== undefined) ledger.consume(some.intent, n, some.token.grant.audience);
      return;
    case 5:
      if (some !== undefined) ledger.cancel(some.intent);
      return;
    case 6:
      ledger.set(`identity/account/${account}`, { status: 'suspended' });
      return;
    case 7:
    case 8:
      for (const each of ['healer', 'actuator-web-1', 'actuator-web-2'])
        ledger.set(`identity/account/${each}`, { status: 'active' });
      return;
    case 9:
      ledger.pause(random(3) === 0);
      return;
    case 10: {
      const { version } = ledger.state.get('governance/policy/current') as { version: number };
      const minValid = random(4) === 0 ? version + 1 : 1;
      ledger.set('governance/policy/current', { version: version + 1, minValid });
      return;
    }
    default:
      ledger.next(1_000 + random(random(6) === 0 ? 1_200_000 : 9_000));
  }
}

t.test('a status is good exactly when a consume would be taken', async (t) => {
  const seen = new Map<string, number>();
  const wrong: string[] = [];
  const compare = (ledger: Ledger, granted: Granted, where: string): void => {
    const consume = ledger.wouldConsume(granted);
    const status = ledger.statusSays(granted);
    seen.set(status, (seen.get(status) ?? 0) + 1);
    const expected = statusOf[consume];
    if (expected === undefined || (expected === 'accepted') !== (status === 'accepted'))
      wrong.push(`${where}: a consume is ${consume}, the status ${status}`);
  };
  for (let seed = 0; seed < 5; seed += 1) {
    const ledger = new Ledger();
    const random = randomOf(seed);
    for (let n = 1; n <= 60; n += 1) {
      step(ledger, random, n);
      const granted = ledger.grants.at(-1 - random(3)) ?? ledger.grants.at(-1);
      if (granted !== undefined) compare(ledger, granted, `seed ${seed}, step ${n}`);
    }
    // State forgets it in the end.
    for (let n = 0; n < 60; n += 1) ledger.next(60_000);
    const [first] = ledger.grants;
    if (first !== undefined) compare(ledger, first, `seed ${seed}, at the end`);
  }
  t.same(wrong, []);
  t.comment(JSON.stringify(Object.fromEntries(seen)));
  for (const code of new Set(Object.values(statusOf))) t.ok((seen.get(code) ?? 0) > 0, `${code} came up`);
});
