import { WeftError } from '../codec/error.ts';
import type { JsonObject } from '../token/leaf.ts';
import { checkStatus, verifyConsumed, verifyToken } from '../token/node.ts';
import type { Trust } from '../token/trust.ts';
import type { Checks } from './desk.ts';

/** `weft/token` for one account. */
export function checksOf({
  account,
  maxStalenessMs,
  maxClockSkewMs,
}: {
  readonly account: string;
  readonly maxStalenessMs: number;
  readonly maxClockSkewMs: number;
}): Checks {
  return {
    grant(token, trust, { now, effect }) {
      const verified = verifyToken(token, { trust, now, effect, audience: account, maxClockSkewMs });
      if (verified.kind === 'grant' && verified.unchecked.length === 0) return verified.grant;
      throw new WeftError('TOKEN_KIND', 'The token is no grant: it authorises no act.');
    },
    status(token, status, trust, now) {
      checkStatus(token, status, { trust, now, maxStalenessMs, maxClockSkewMs });
    },
    standing(token, status, trust, now) {
      return checkStatus(token, status, { trust, now, maxStalenessMs, maxClockSkewMs, inUse: true }).checkpointTime;
    },
    consumed(token, trust, { grant, attempt, actWithinMs }, now) {
      return verifyConsumed(token, {
        trust,
        grant: { intent: grant, audience: account, actWithinMs },
        attempt,
        now,
        maxClockSkewMs,
      });
    },
    reported(token, trust, { grant, attempt }) {
      const { type, record } = recordOf(token, trust);
      if (type === 'intents.reported' && record['grant'] === grant && record['attempt'] === attempt) return;
      throw new WeftError('TOKEN_KIND', 'The token is not that of an outcome of this attempt.');
    },
    refusal(token, trust, tx) {
      const { type, record } = recordOf(token, trust);
      if (type === 'tx.refused' && record['tx'] === tx && typeof record['code'] === 'string') return record['code'];
      throw new WeftError('TOKEN_KIND', 'The token is not that of a refusal of this transaction.');
    },
  };
}

function recordOf(token: string, trust: Trust): { readonly type: string; readonly record: JsonObject } {
  const verified = verifyToken(token, { trust });
  if (verified.kind === 'record') return verified;
  throw new WeftError('TOKEN_KIND', 'The token is not that of a record.');
}
