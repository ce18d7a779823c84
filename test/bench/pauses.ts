/** How long a node's event loop stood still at the most, from its metrics: read once before and once after, as each reading begins anew. */
export type Pauses = {
  /** Milliseconds; undefined where the node does not say. */
  readonly loopLagMaxMs: number | undefined;
  readonly gcMaxMs: number | undefined;
};

export function readPauses(rpc: readonly string[]): Promise<Pauses[]> {
  return Promise.all(
    rpc.map(async (url) => {
      const text = await fetch(`${url}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      );
      return {
        loopLagMaxMs: secondsOf(text, 'nodejs_eventloop_lag_max_seconds'),
        gcMaxMs: secondsOf(text, 'weft_gc_pause_max_seconds'),
      };
    }),
  );
}

function secondsOf(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name} ([0-9.e+-]+)$`, 'm').exec(text)?.[1];
  return found === undefined ? undefined : Math.round(Number(found) * 10_000) / 10;
}
