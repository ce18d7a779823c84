import { flushCompileCache, registerHooks } from 'node:module';
import { isMainThread } from 'node:worker_threads';

/**
 * For `node --import`: puts a wrapper of this folder in the place of a module, so that the code under test needs no test
 * hooks of its own. WEFT_TEST_RECORD (a file) records what is sent, WEFT_TEST_MUTE (kinds) and WEFT_TEST_LOSE (`kind:share`) keep
 * some of it back; WEFT_TEST_TWICE (key file and genesis) signs the contrary too; WEFT_TEST_DISK=forgetful loses what was not
 * synced; WEFT_TEST_CLOCK_MS shifts the clock.
 */

const root = new URL('../../../', import.meta.url);
const here = (name: string): string => new URL(name, import.meta.url).href;

/** URL of a module → the wrapper that everybody but the wrapper itself gets. */
const wrappers = new Map<string, string>();
if (['WEFT_TEST_RECORD', 'WEFT_TEST_MUTE', 'WEFT_TEST_LOSE'].some((name) => process.env[name] !== undefined)) {
  wrappers.set(new URL('src/net/network.ts', root).href, here('recordingNetwork.ts'));
}
if (process.env['WEFT_TEST_TWICE'] !== undefined) {
  wrappers.set(new URL('src/net/network.ts', root).href, here('twiceSigningNetwork.ts'));
}
if (process.env['WEFT_TEST_DISK'] === 'forgetful') {
  wrappers.set(new URL('src/ledger/files.ts', root).href, here('forgetfulFiles.ts'));
  wrappers.set(import.meta.resolve('level'), here('forgetfulLevel.ts'));
}

const shiftMs = Number(process.env['WEFT_TEST_CLOCK_MS'] ?? 0);
if (shiftMs !== 0) {
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: []) => Reflect.construct(target, args.length === 0 ? [target.now()] : args),
  });
  const now = RealDate.now;
  RealDate.now = () => now() + shiftMs;
}

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    const wrapper = wrappers.get(resolved.url);
    return wrapper === undefined || context.parentURL === wrapper ? resolved : { ...resolved, url: wrapper };
  },
});

// Node writes its compile cache when a process ends, and these are killed.
if (isMainThread) setTimeout(flushCompileCache, 2000).unref();
