import { WeftError } from '../codec/error.ts';
import { reportFailure } from './output.ts';

/** Resolves at the first signal to stop; a second one ends the process at once. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(reportFailure(new WeftError('STOPPED_AT_ONCE', 'stopped without waiting'), false));
      asked = true;
      resolve();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
    // Started by another program (`weft dev`): when that is gone, however it went, this node stops too.
    if (process.channel !== undefined) process.once('disconnect', stop);
  });
}
