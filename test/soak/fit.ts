/** Straight lines through samples, by least squares. */

export type Sample = { readonly x: number; readonly y: number };

/** Slope of y over x; NaN for fewer than two different x. */
export function slope(samples: readonly Sample[]): number {
  return pooledSlope([samples]);
}

/**
 * One slope for several series, each with an intercept of its own: for processes that begin anew, each life has its own level,
 * and the growth within lives is what they have in common.
 */
export function pooledSlope(series: readonly (readonly Sample[])[]): number {
  let over = 0;
  let under = 0;
  for (const samples of series) {
    const meanX = mean(samples.map(({ x }) => x));
    const meanY = mean(samples.map(({ y }) => y));
    for (const { x, y } of samples) {
      over += (x - meanX) * (y - meanY);
      under += (x - meanX) ** 2;
    }
  }
  return under === 0 ? Number.NaN : over / under;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value below which `fraction` of them lie; NaN for none. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}
