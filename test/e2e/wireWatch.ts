import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Vote } from '../../consensus/types.ts';
import { decodeVote } from '../../src/ledger/votes.ts';
import { decodeProposal, frameKinds } from '../../src/node/wire.ts';
import { subjectKey, wireLines } from './wire.ts';

/**
 * The oracle of `wire.ts` for a run that is too long for its memory: reads the recorded files as they are completed, removes them,
 * and remembers of each validator and view one vote of each kind, for the newest views. A vote for a view older than that is
 * counted as a conflict: nobody honest goes back so far.
 */

/** Views remembered: more than any restart, rewind or journal goes back. */
const viewsMax = 20_000;

type Kept = { notarize?: string; nullify?: true; finalize?: string };

export class WireWatch {
  /** Signer's own file → view → what it signed. */
  readonly #kept = new Map<string, Map<number, Kept>>();
  readonly conflicts: string[] = [];
  votes = 0;

  /** Reads and removes what is complete; `all`: also what is still being written (then nobody may run any more). */
  read(paths: ReadonlyMap<string, string>, all = false): void {
    for (const [name, path] of paths) {
      if (!existsSync(dirname(path))) continue;
      const complete = readdirSync(dirname(path))
        .filter((each) => each.startsWith(`${basename(path)}.`))
        .map((each) => Number(each.split('.').at(-1)))
        .sort((a, b) => a - b)
        .map((n) => join(dirname(path), `${basename(path)}.${n}`));
      for (const each of complete) {
        this.#file(name, each);
        rmSync(each);
      }
      if (all && existsSync(path)) this.#file(name, path);
    }
  }

  #file(name: string, path: string): void {
    for (const [kind, payload] of wireLines(readFileSync(path, 'latin1'))) {
      if (kind === frameKinds.certificate) continue;
      this.#vote(name, kind === frameKinds.proposal ? decodeProposal(payload).vote : decodeVote(payload));
    }
  }

  /** Only what a validator signed itself and sent first-hand: relayed votes of others are in their own files. */
  #vote(name: string, vote: Vote): void {
    const { epoch, view } = vote.subject;
    const of = `${epoch}/${vote.signer}`;
    const views = this.#kept.get(of) ?? new Map<number, Kept>();
    this.#kept.set(of, views);
    const kept = views.get(view) ?? {};
    if (!views.has(view) && views.size >= viewsMax) {
      const oldest = views.keys().next().value ?? 0;
      if (view < oldest)
        this.#say(`${name} sent a vote of ${of} for view ${view}, long after view ${oldest + viewsMax}`);
      views.delete(oldest);
    }
    views.set(view, kept);
    const key = subjectKey(vote);
    this.votes += 1;
    if (vote.kind === 'nullify') kept.nullify = true;
    else {
      const before = kept[vote.kind];
      if (before !== undefined && before !== key)
        this.#say(`two ${vote.kind} votes by ${of} in view ${view}: ${before}, ${key}`);
      kept[vote.kind] = key;
    }
    if (kept.nullify && kept.finalize !== undefined) this.#say(`nullify and finalize by ${of} in view ${view}`);
  }

  #say(words: string): void {
    if (this.conflicts.length < 50) this.conflicts.push(words);
  }
}
