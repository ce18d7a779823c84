// Every way in which a good token does not help: each is refused, by its own code, and nothing is done.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../src/codec/error.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { createExecutor, type Executor } from '../../src/executor/index.ts';
import type { PolicySetDocument } from '../../src/policy/types.ts';
import { checkStatus, verifyConsumed, verifyToken } from '../../src/token/node.ts';
import type { StoryNetwork } from './network.ts';

export type Refused = { readonly what: string; readonly by: string; readonly code: string };

export type Used = {
  readonly token: string;
  readonly intent: string;
  readonly effect: { readonly host: string; readonly service: string };
  /** Of the `intents.consumed` record. */
  readonly consumed: string;
  readonly trustFile: string;
  readonly trust: string;
  /** A status of when the token was good, and when that was (milliseconds UTC). */
  readonly status: string;
  readonly statusAt: number;
  /** The executor that has acted. */
  readonly executor: Executor;
};

/** Grants of their own for what befalls a token before it is used: nobody needs to approve that a cache is cleared. */
type Fresh = { readonly intent: string; readonly effect: { readonly host: string; readonly cache: string } };

const audience = 'actuator-web-1';
const other = 'actuator-web-2';
const maxStalenessMs = 6_000;

async function codeFrom(does: () => unknown): Promise<string> {
  try {
    await does();
    return 'NOT REFUSED';
  } catch (error) {
    return codeOf(error);
  }
}

const never = (): never => {
  throw new Error('an act was begun that nobody may begin');
};

/** Runs them all; answers one row each. Whatever they begin would throw. */
export async function refusals(network: StoryNetwork, used: Used): Promise<readonly Refused[]> {
  const rows: Refused[] = [];
  const row = async (what: string, by: string, does: () => unknown): Promise<void> => {
    rows.push({ what, by, code: await codeFrom(does) });
  };
  const { token, intent, effect, trust } = used;
  const open: Executor[] = [];
  const executorOf = async (account: string, at: number, folder: string): Promise<Executor> => {
    const executor = await createExecutor({
      account,
      signers: [await network.signer(account)],
      trust: used.trustFile,
      rpc: [network.rpc[at] ?? ''],
      stateDir: join(network.dir, 'executors', folder),
    });
    open.push(executor);
    return executor;
  };
  try {
    const [paused, cancelled, short, stolen] = await Promise.all([
      clearCache(network, 'thumbnails', 120_000),
      clearCache(network, 'sessions', 120_000),
      clearCache(network, 'feeds', 4_000),
      clearCache(network, 'tiles', 120_000, other),
    ]);
    const expiresAt = Date.now() + 4_000;

    await row('used again by the one that used it', 'its own folder', () => used.executor.run(token, effect, never));
    const twin = await executorOf(audience, 2, 'twin');
    await row('used by a second one with the same key, on another replica', 'the status', () =>
      twin.run(token, effect, never),
    );
    await row('consumed once more all the same', 'the ledger', () =>
      network.send(audience, 'intents.consume', { grant: intent, attempt: 'AAAAAAAAAAAAAAAAAAAAAA' }),
    );
    await row("shown with the first one's proof of consume", 'verification, offline', () => {
      const verified = verifyToken(token, { trust });
      if (verified.kind !== 'grant') throw new Error('no grant');
      const { grant } = verified;
      return verifyConsumed(used.consumed, { trust, grant, attempt: 'AAAAAAAAAAAAAAAAAAAAAA', now: Date.now() });
    });
    const stranger = await executorOf(other, 1, 'stranger');
    await row('used by another executor', 'verification, offline', () => stranger.run(token, effect, never));
    await row('used for something else', 'verification, offline', () =>
      twin.run(token, { ...effect, service: 'billing' }, never),
    );
    await row('changed by one character', 'verification, offline', () => twin.run(changed(token), effect, never));
    await row('checked with a status of some seconds ago', 'the status', () =>
      checkStatus(token, used.status, { trust, now: used.statusAt + maxStalenessMs + 1_000, maxStalenessMs }),
    );

    await network.send('healer', 'intents.cancel', { intent: cancelled.intent });
    await row('cancelled by who asked for it', 'the status', () => twin.run(cancelled.intent, cancelled.effect, never));

    await network.change({ kind: 'pause', paused: true });
    await row('while the council has paused everything', 'the status', () =>
      twin.run(paused.intent, paused.effect, never),
    );
    await row('consumed while paused', 'the ledger', () =>
      network.send(audience, 'intents.consume', { grant: paused.intent, attempt: 'AQEBAQEBAQEBAQEBAQEBAQ' }),
    );
    await network.change({ kind: 'pause', paused: false });

    await network.send('operator', 'identity.suspend', { account: 'healer', reason: 'it asks for odd things' });
    await row('when who asked for it is suspended', 'the status', () => twin.run(paused.intent, paused.effect, never));
    await network.send('council', 'identity.resume', { account: 'healer', reason: 'it was not the healer' });

    const { keyid } = await network.signer(other);
    await network.send('council', 'identity.revoke', { account: other, keyid, reason: 'stolen' });
    await row('consumed with a key that was revoked', 'the nodes', () =>
      stranger.run(stolen.intent, stolen.effect, never),
    );

    await supersede(network);
    await row('granted under a policy that is superseded', 'the status', () =>
      twin.run(paused.intent, paused.effect, never),
    );
    await sleep(Math.max(0, expiresAt - Date.now()));
    await row('too late', 'verification, offline', () => twin.run(short.intent, short.effect, never));
    return rows;
  } finally {
    await Promise.all(open.map((each) => each.close()));
  }
}

async function clearCache(network: StoryNetwork, cache: string, ttlMs: number, by = audience): Promise<Fresh> {
  const effect = { host: 'web-1', cache };
  const { id } = await network.send('healer', 'intents.propose', {
    action: 'cache.clear',
    resource: `cache/web-1/${cache}`,
    effect,
    ttlMs,
    audience: by,
    maxUses: 1,
    dryRun: false,
  });
  return { intent: id, effect };
}

/** The council puts the set in force once more, under a new number: grants of the one before are void, as is the rule. */
async function supersede(network: StoryNetwork): Promise<void> {
  const { value } = await network.client.state('governance/policy/current');
  const { version, digest } = value as { version: number; digest: string };
  const set = (await network.client.state(`governance/policy-set/${digest}`)).value as unknown as PolicySetDocument;
  const named = (text: string): string => sha256Hex(encodeUtf8(text));
  const policies = set.policies.map(({ id, text }) => ({ id, text: named(text) }));
  await network.change({ kind: 'policy', schema: named(set.schema), policies, minValid: version + 1 });
}

/** Another good character in the middle of the leaf. */
function changed(token: string): string {
  const at = token.indexOf('\n') + 400;
  return token.slice(0, at) + (token.charAt(at) === 'A' ? 'B' : 'A') + token.slice(at + 1);
}
