// W13: what an engine keeps is bounded. This checker reads the engine's state: its size is not on the wire.
import { liveRecords } from '../../../consensus/journal.ts';
import type { SimNode } from '../node.ts';
import { Violation } from './violation.ts';

const asksMax = 256;

export function checkBounds(node: SimNode): void {
  const { state } = node;
  if (state === undefined) return;
  const n = state.config.validators;
  const check = (what: string, size: number, most: number): void => {
    if (size > most) throw new Violation('UNBOUNDED', `${what} of ${node.index}: ${size}, at most ${most}`);
  };
  // Views: what is retained below the last finalized one (the floor may lag while a commit waits for its block), what is open
  // above it, and one view ahead. Certificates of views further ahead exist only where a quorum has been.
  const from = Math.max(
    state.config.floor.view + 1,
    Math.min(state.finalizedView - node.options.retentionViews, state.floor.view + 1),
  );
  let ahead = 0;
  let blocksMax = 2;
  for (const [view, record] of state.views) {
    if (view < from) throw new Violation('UNBOUNDED', `${node.index} keeps view ${view}, below ${from}`);
    if (view > state.view + 1) {
      ahead += 1;
      if (record.notarization === undefined && record.nullification === undefined && record.finalization === undefined)
        throw new Violation(
          'UNBOUNDED',
          `${node.index} keeps view ${view} in view ${state.view} without a certificate`,
        );
    }
    const { tally } = record;
    for (const kind of ['notarize', 'nullify', 'finalize'] as const)
      check(`${kind} votes of view ${view}`, tally[kind].size, n);
    check(`voters of view ${view}`, tally.voters.size, n);
    check(`subjects of view ${view}`, tally.counts.size, 2 * n + 1);
    check(`reports of view ${view}`, record.reported?.size ?? 0, 4 * n);
    if (view > state.floor.view) blocksMax += 2;
  }
  check('views', state.views.size - ahead, Math.max(0, state.view + 2 - from));
  check('blocks', state.blocks.size, blocksMax);
  check('open questions', state.asks.size, asksMax);
  check('waiting views', state.waiting.size + state.certifyLater.size, 2 * state.views.size);
  check('undurable votes', state.undurable.length, 3 * state.views.size + 3);
  const above = [...state.views.keys()].filter((view) => view > state.floor.view).length;
  check('live journal records', liveRecords(state).length, 1 + 6 * above);
}
