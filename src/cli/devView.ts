import type { NodeStatus } from '../../schemas/types/rpc.ts';
import { bad, dim, good } from './output.ts';

/** The live table of `weft dev`: one screen, drawn again in place. Off a terminal: a line now and then. */

export type ViewState = {
  readonly chain: string;
  readonly home: string;
  readonly rpc: readonly string[];
  readonly statuses: readonly (NodeStatus | undefined)[];
  readonly names: readonly string[];
  readonly records: readonly { readonly height: number; readonly index: number; readonly text: string }[];
  readonly notes: readonly string[];
  readonly startedMs: number;
  /** What the gate does, where it is shown. */
  readonly gate?: string;
};

const clear = '\u001b[H\u001b[J';

export class DevView {
  readonly #out: NodeJS.WriteStream;
  #lastLineMs = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  draw(state: ViewState): void {
    if (this.#out.isTTY) {
      const lines = screen(state, this.#out.columns);
      const fitting = lines.slice(0, Math.max(8, this.#out.rows - 1));
      this.#out.write(`${clear}${fitting.join('\n')}\n`);
      return;
    }
    if (Date.now() - this.#lastLineMs < 5000) return;
    this.#lastLineMs = Date.now();
    const heights = state.statuses.map((status, i) => `${state.names[i]} ${status?.finalized.height ?? '-'}`);
    const p50 = state.statuses.find((status) => status !== undefined)?.finalityMs.p50;
    this.#out.write(`${new Date().toISOString()}  finalized ${heights.join('  ')}  finality ${p50 ?? '-'} ms\n`);
  }
}

function screen(state: ViewState, columns: number): string[] {
  const { statuses, names } = state;
  const up = statuses.filter((status) => status !== undefined).length;
  const first = statuses.find((status) => status !== undefined);
  const seconds = Math.round((Date.now() - state.startedMs) / 1000);
  const lines = [
    `${good('weft dev')}  ${state.chain}  ${dim(`${up} of ${names.length} validators up, quorum ${first?.quorum ?? '-'}, ${seconds} s`)}`,
    '',
    dim('validator  height    view      leader  peers  behind  mempool  finality p50 / p99   state'),
  ];
  for (const [i, name] of names.entries()) {
    const status = statuses[i];
    if (status === undefined) {
      lines.push(`${name.padEnd(11)}${bad('down')}`);
      continue;
    }
    const peers = status.validators.filter((peer) => peer.connected && peer.name !== name).length;
    const finality = `${ms(status.finalityMs.p50)} / ${ms(status.finalityMs.p99)}`;
    const word = status.notVoting === '' ? (status.catchingUp ? 'catching up' : good('voting')) : bad(status.notVoting);
    lines.push(
      [
        name.padEnd(11),
        String(status.finalized.height).padEnd(10),
        String(status.view).padEnd(10),
        status.leader.padEnd(8),
        String(peers).padEnd(7),
        String(status.behind).padEnd(8),
        String(status.mempool.transactions).padEnd(9),
        finality.padEnd(21),
        word,
      ].join(''),
    );
  }
  lines.push('', dim(`log ${first?.finalized.logSize ?? 0} entries, root ${first?.finalized.logRoot ?? '-'}`), '');
  if (state.gate !== undefined) lines.push(`${dim('gate')}  ${state.gate}`.slice(0, Math.max(40, columns - 1)), '');
  lines.push(dim('last records'));
  for (const { height, index, text } of state.records.slice(-8)) {
    lines.push(
      `${String(height).padStart(7)}  ${String(index).padStart(7)}  ${text}`.slice(0, Math.max(40, columns - 1)),
    );
  }
  lines.push('', dim('try in another terminal'));
  lines.push(`  npm run -s weft -- query status --rpc ${state.rpc[0]}`);
  lines.push(`  npm run -s weft -- query records --rpc ${state.rpc[0]}`);
  lines.push(`  npm run -s weft -- trust --rpc ${state.rpc[0]}`);
  lines.push(`  curl ${state.rpc[0]}/checkpoint`);
  for (const text of state.notes.slice(-4)) lines.push(dim(text));
  lines.push(dim(`Ctrl-C stops all; data stays in ${state.home}`));
  return lines;
}

function ms(value: number | null): string {
  return value === null ? '-' : `${value} ms`;
}
