// W3, W8, from the wire alone: how long each leader's views last, and how soon a block follows its parent.
import type { Message } from '../../../consensus/types.ts';
import type { EpochSet } from '../ledger.ts';
import type { Listener } from '../oracle.ts';
import { Violation } from './violation.ts';

type View = { epoch: number; view: number; openedMs: number };

/** Needs a quiet network and work at all times. */
export function createLeaderChecker(nowMs: () => number, leaderTimeoutMs: number, skipMs: number, intervalMs: number) {
  const opened = new Map<string, View>();
  const closed = new Set<string>();
  /** Machine → when its turns ran out. */
  const timeouts = new Map<number, number[]>();
  const proposed = new Map<string, number>();
  /** The n-th skip is twice as long as the one before. */
  const checkGaps = (machine: number): void => {
    const times = timeouts.get(machine) ?? [];
    for (let i = 1; i < times.length; i += 1) {
      const gapMs = times[i]! - times[i - 1]!;
      if (gapMs < skipMs * Math.min(16, 2 ** (i - 1)))
        throw new Violation(
          'LEADER_TIMEOUTS',
          `leader ${machine} costs two timeouts within ${gapMs} ms (turn ${i + 1})`,
        );
    }
  };
  const onCertificate = (set: EpochSet, view: number, notarized: boolean): void => {
    const key = `${set.epoch} ${view}`;
    if (closed.has(key)) return;
    closed.add(key);
    const open = opened.get(key);
    const leader = set.validators[set.leaderOrder[(view - 1) % set.leaderOrder.length]!]!.machine;
    if (open !== undefined && nowMs() - open.openedMs >= 0.8 * leaderTimeoutMs) {
      const list = timeouts.get(leader) ?? [];
      list.push(nowMs());
      timeouts.set(leader, list);
    }
    // A notarized proposal of its own wipes it out.
    if (notarized) {
      checkGaps(leader);
      timeouts.delete(leader);
    }
    opened.set(`${set.epoch} ${view + 1}`, { epoch: set.epoch, view: view + 1, openedMs: nowMs() });
  };
  const listener: Listener = {
    onSent(_machine: number, set: EpochSet, message: Message): void {
      if (message.type === 'certificate') {
        const { kind, subject } = message.certificate;
        onCertificate(set, subject.view, kind !== 'nullify');
      }
      if (message.type !== 'proposal' || message.block.view !== message.vote.subject.view) return;
      const { id, parent } = message.block;
      if (proposed.has(id)) return;
      proposed.set(id, nowMs());
      const parentMs = proposed.get(parent);
      if (parentMs !== undefined && nowMs() - parentMs < intervalMs)
        throw new Violation(
          'TOO_EARLY',
          `${id} is proposed ${nowMs() - parentMs} ms after its parent, ${intervalMs} ms are due (W8)`,
        );
    },
  };
  return {
    listener,
    /** At most one leader timeout per skip period, and the periods double (W3). */
    check(): void {
      for (const machine of timeouts.keys()) checkGaps(machine);
    },
  };
}
