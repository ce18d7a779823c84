export type Progress = {
  /** May be called as often as there is news; draws at most ten times a second. `total` 0: not known. */
  readonly show: (count: number, total: number) => void;
  /** Wipes the line. Idempotent. */
  readonly done: () => void;
};

const barWidth = 30;
const drawEveryMs = 100;

/** A progress bar on standard error, where that is a terminal; silent in scripts. */
export function progress(what: string): Progress {
  if (!process.stderr.isTTY) return { show: () => {}, done: () => {} };
  let drawnMs = Number.NEGATIVE_INFINITY;
  let drawn = false;
  return {
    show: (count, total) => {
      const nowMs = performance.now();
      if (nowMs - drawnMs < drawEveryMs && count !== total) return;
      drawnMs = nowMs;
      drawn = true;
      const part = total === 0 ? 0 : Math.min(1, count / total);
      const filled = Math.round(part * barWidth);
      const bar =
        total === 0
          ? ''
          : `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${String(Math.floor(part * 100)).padStart(3)} %  `;
      process.stderr.write(`\r\u001b[K${bar}${count}${total === 0 ? '' : ` of ${total}`} ${what}`);
    },
    done: () => {
      if (drawn) process.stderr.write('\r\u001b[K');
      drawn = false;
    },
  };
}
