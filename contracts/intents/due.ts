// What comes due when: a heap in state, so that the end of a block looks at what is due and at nothing else. Nodes of the heap lie
// sixteen to a value: with the 32,768 entries that there may be, an entry comes or goes in at most four values.
import type { Draft } from '../draft.ts';
import type { Json, StateReader } from '../types.ts';

/**
 * `pending`: approvals of an intent are taken no longer. `grant`: it has expired. `forget`: what is left of an intent leaves state.
 * `target`: a resource has rested.
 */
export type DueKind = 'pending' | 'grant' | 'forget' | 'target';
export type Due = {
  /** Milliseconds UTC, as block times. */
  readonly time: number;
  readonly kind: DueKind;
  /** An intent's id, or a target's key. */
  readonly id: string;
};

/** Entries that wait at most; each intent has at most two, each resting target one. */
export const DUE_MAX = 32_768;

/** 2^4 nodes a group. Node n lies in group n >> 4; the children of node n are group n + 1, and group 0 has no parent. */
const GROUP_BITS = 4;
const GROUP_MASK = 15;

const sizePath = 'intents/due/size';
const groupPath = (group: number): string => `intents/due/group-${group}`;

type Entry = readonly [time: number, kind: DueKind, id: string];

/** Of two with the same time either may go first: every node has the same heap. */
function isBefore([a]: Entry, [b]: Entry): boolean {
  return a < b;
}

function readGroup(state: StateReader, group: number): readonly Entry[] {
  return (state.get(groupPath(group)) ?? []) as unknown as readonly Entry[];
}

function put(draft: Draft, node: number, entry: Entry): void {
  const group = node >> GROUP_BITS;
  const entries = [...readGroup(draft, group)];
  entries[node & GROUP_MASK] = entry;
  draft.set(groupPath(group), entries as unknown as Json);
}

export function countDue(state: StateReader): number {
  return (state.get(sizePath) ?? 0) as number;
}

/** The caller has seen that there is room (`DUE_MAX`). */
export function addDue(draft: Draft, { time, kind, id }: Due): void {
  const size = countDue(draft);
  const entry: Entry = [time, kind, id];
  let node = size;
  while (node > GROUP_MASK) {
    const parent = (node >> GROUP_BITS) - 1;
    const above = readGroup(draft, parent >> GROUP_BITS)[parent & GROUP_MASK];
    if (above === undefined || !isBefore(entry, above)) break;
    put(draft, node, above);
    node = parent;
  }
  put(draft, node, entry);
  draft.set(sizePath, size + 1);
}

/** Takes out the first entry, if its time has come. */
export function takeDue(draft: Draft, now: number): Due | undefined {
  const size = countDue(draft);
  if (size === 0) return undefined;
  const first = firstOf(readGroup(draft, 0), 0);
  if (first === undefined || first.entry[0] > now) return undefined;
  const last = removeLast(draft, size - 1);
  if (first.node !== size - 1 && last !== undefined) sink(draft, first.node, last);
  const [time, kind, id] = first.entry;
  return { time, kind, id };
}

type Found = { readonly node: number; readonly entry: Entry };

function firstOf(entries: readonly Entry[], group: number): Found | undefined {
  let found: Found | undefined;
  for (const [at, entry] of entries.entries()) {
    if (found === undefined || isBefore(entry, found.entry)) found = { node: (group << GROUP_BITS) + at, entry };
  }
  return found;
}

function removeLast(draft: Draft, node: number): Entry | undefined {
  const group = node >> GROUP_BITS;
  const entries = readGroup(draft, group);
  const kept = entries.slice(0, -1);
  draft.set(groupPath(group), kept.length === 0 ? null : (kept as unknown as Json));
  draft.set(sizePath, node === 0 ? null : node);
  return entries.at(-1);
}

/** Puts an entry where a node has become free, below those that are before it. */
function sink(draft: Draft, from: number, entry: Entry): void {
  let node = from;
  for (;;) {
    const below = firstOf(readGroup(draft, node + 1), node + 1);
    if (below === undefined || !isBefore(below.entry, entry)) break;
    put(draft, node, below.entry);
    node = below.node;
  }
  put(draft, node, entry);
}
