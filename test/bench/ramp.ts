import type { Engine, PointResult } from './result.ts';

/** Looks for the highest rate that an engine sustains. */

const sustainedP99Ms = 1000;
const factor = 1.25;
const stepsMax = 20;

/** Everything that was sent is committed in time: the rule is the same for all. */
export function isSustained(result: PointResult): boolean {
  return (
    result.committed === result.sent &&
    result.finalityMs.p99 < sustainedP99Ms &&
    result.committedPerSecond >= 0.97 * result.rate
  );
}

export type RampOptions = {
  readonly records: number;
  /** Where to begin. */
  readonly from: number;
  readonly seconds: number;
  readonly progress: (text: string) => void;
};

export type Ramp = {
  readonly records: number;
  /** In the order in which they were tried. */
  readonly steps: readonly PointResult[];
  /** Committed per second at the highest rate that was sustained; 0 when none was. */
  readonly sustained: number;
};

/**
 * Up in steps of 25 % until one is not sustained (down, when the first is not), then once between the last two: 12 % is what the answer
 * may be too low. One run on a shared machine proves little: take the median of several.
 */
export async function ramp(engine: Engine, { records, from, seconds, progress }: RampOptions): Promise<Ramp> {
  const steps: PointResult[] = [];
  const holds = async (rate: number): Promise<boolean> => {
    const result = await engine.run({ rate, records, seconds });
    steps.push(result);
    const { p50, p99 } = result.finalityMs;
    const verdict = isSustained(result) ? '' : ', not sustained';
    progress(
      `${engine.name}: ${rate}/s × ${records}: ${result.committedPerSecond}/s, p50 ${p50} ms, p99 ${p99} ms${verdict}`,
    );
    return isSustained(result);
  };
  let rate = from;
  let good: number;
  if (await holds(rate)) {
    for (good = rate; steps.length < stepsMax; good = rate) {
      rate = Math.round(good * factor);
      if (!(await holds(rate))) break;
    }
  } else {
    for (good = Math.round(rate / factor); good > 1 && steps.length < stepsMax; good = Math.round(good / factor)) {
      if (await holds(good)) break;
      rate = good;
    }
  }
  const between = Math.round(Math.sqrt(good * rate));
  if (between > good && between < rate) await holds(between);
  const sustained = Math.max(0, ...steps.filter(isSustained).map(({ committedPerSecond }) => committedPerSecond));
  return { records, steps, sustained };
}
