import type { Grant, Trust, VerifiedStatus, VerifiedToken } from '../token/node.ts';
import { when } from './output.ts';

/** A part of an explanation: a heading, and lines `label  value` or plain ones. */
export type Words = { readonly heading: string; readonly fields: readonly (readonly [label: string, value: string])[] };

/** What a verified token says, in words of people: who may do what to what until when, why that holds, what was not checked. */
export function explain(token: VerifiedToken, trust: Trust, nowMs: number, status?: VerifiedStatus): Words[] {
  return [
    what(token),
    why(token, trust, nowMs),
    ...(status === undefined ? [] : [now(status)]),
    notChecked(token, status),
  ];
}

function what(token: VerifiedToken): Words {
  switch (token.kind) {
    case 'grant':
      return grantWords(token.grant);
    case 'packets': {
      const { source, target, receiver, expires, ids } = token.packets;
      const where = receiver === target ? receiver : `${receiver}, where the routing table sends what is for ${target}`;
      return {
        heading: `${ids.length === 1 ? 'One packet' : `${ids.length} packets`} from ${source} may be carried to ${where} until ${when(expires)}.`,
        fields: ids.map((id, n) => [n === 0 ? 'packets' : '', id] as const),
      };
    }
    case 'record':
      return {
        heading: `The ledger recorded this: ${token.type}. It lets nobody do anything by itself.`,
        fields: [['record', JSON.stringify(token.record)]],
      };
  }
}

function grantWords(grant: Grant): Words {
  const { action, resource, audience, requester, approvers, policy, limits, maxUses, reusable, actWithinMs, expires } =
    grant;
  const times = maxUses === 1 ? 'once' : `${maxUses} times`;
  const targets = limits.maxTargets === 1 ? 'one target' : `${limits.maxTargets} targets`;
  return {
    heading: `${audience} may do ${action} to ${resource}, ${times}, until ${when(expires.time)} or block ${expires.height}, whichever comes first.`,
    fields: [
      ['exactly this', `the effect whose SHA-256 is ${grant.effect}`],
      ['asked for by', `${requester}, as intent ${grant.intent}`],
      [
        'decided by',
        `policy set ${policy.version} (${policy.sha256.slice(0, 16)}…): ${policy.reasons.join(', ') || 'no policy is named'}`,
      ],
      ['approved by', approvers.length === 0 ? 'nobody: policy asked for no approval' : approvers.join(', ')],
      ['granted', `block ${grant.height}, ${when(grant.time)}`],
      ['limits', `at most ${targets}; ${limits.dryRun ? 'a dry run only, nothing may be changed' : 'for real'}`],
      [
        'before acting',
        reusable
          ? "nothing: the action is one that may be repeated, a note of one's own is enough"
          : `intents.consume is final first, and the act begins within ${actWithinMs} ms of its block`,
      ],
    ],
  };
}

function why({ index, checkpoint }: VerifiedToken, trust: Trust, nowMs: number): Words {
  const { size, root, cosigners, time } = checkpoint;
  return {
    heading: 'Why that holds',
    fields: [
      ['in the log', `entry ${index} of ${size} of ${trust.chain}, proven up to the root ${root.slice(0, 16)}…`],
      [
        'cosigned by',
        `${cosigners.join(', ')}: ${cosigners.length} of ${trust.cosigners.length} validators, ${trust.quorum} are needed`,
      ],
      ['cosigned at', `${when(time)}, ${age(nowMs - time)}: at least one honest validator signed as late as that`],
      ['trust', `keys of a file that was held against the chain on ${when(trust.checkedAt)}`],
    ],
  };
}

function now({ usesLeft, maxUses, ageMs, height, policy, checkpointTime }: VerifiedStatus): Words {
  return {
    heading: `As of ${when(checkpointTime)} (${age(ageMs)}, block ${height}) it still holds`,
    fields: [
      ['uses left', `${usesLeft} of ${maxUses}`],
      ['policy', `set ${policy.version} is in force, grants made under ${policy.minValid} or later count`],
      ['besides', 'not cancelled, not paused by the council, requester and audience not suspended'],
    ],
  };
}

const unchecked: Readonly<Record<string, string>> = {
  now: 'whether it has expired (a time: --at)',
  audience: 'that you are the one who may act (--audience)',
  effect: 'that what you are about to do is this effect (--effect)',
  target: 'that you carry the packet to where it may go (--target)',
  packet: 'that the packet at hand is one of these (--packet)',
};

function notChecked(token: VerifiedToken, status: VerifiedStatus | undefined): Words {
  const open = token.unchecked.map((name) => unchecked[name] ?? name);
  if (token.kind === 'grant') {
    if (status === undefined) {
      open.push(
        'whether it was used up, cancelled, paused, or its policy or accounts put out of force since (weft token status)',
      );
    }
    if (!token.grant.reusable)
      open.push('whether an attempt of yours is consumed: a token of its intents.consumed record says so');
  }
  return {
    heading: open.length === 0 ? 'Nothing was left unchecked.' : 'Not checked',
    fields: open.map((line) => ['–', line] as const),
  };
}

function age(ms: number): string {
  if (ms < 0) return `${-ms} ms ahead of this clock`;
  if (ms < 10_000) return `${ms} ms ago`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 600) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  return minutes < 600 ? `${minutes} min ago` : `${Math.round(minutes / 60 / 24) || 1} days ago`;
}
