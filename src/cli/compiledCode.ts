import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * What V8 compiled of this program (and, in a clone, what was left of its TypeScript) is kept from one start to the next: a quarter of the CPU of
 * `weft start`, and the compiler for TypeScript is not even loaded. Such code is believed as it lies there. So it lies where nobody but
 * this user and root can put anything, else there is none: `folder`, by default in the user's own cache folder. Node writes it when
 * the process ends. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE count as Node documents them.
 */
export function keepCompiledCode(env: NodeJS.ProcessEnv = process.env, folder: string = cacheFolder(env)): void {
  if (env['NODE_COMPILE_CACHE'] !== undefined || env['NODE_DISABLE_COMPILE_CACHE'] !== undefined) return;
  const own = ownFolder(folder);
  if (own !== undefined) enableCompileCache(own);
}

function cacheFolder(env: NodeJS.ProcessEnv): string {
  // The second is what systemd makes for a service (CacheDirectory=), which may have no home.
  const base = env['XDG_CACHE_HOME'] || env['CACHE_DIRECTORY'] || join(homedir(), '.cache');
  return join(base, 'weft', 'compiled');
}

/** The folder, made where it is missing, by its real path; undefined where anybody else could write into it or put another in its place. */
export function ownFolder(folder: string, user: number | undefined = process.getuid?.()): string | undefined {
  // Windows: nobody can say from here.
  if (user === undefined) return undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const real = realpathSync(folder);
    const { uid, mode } = lstatSync(real);
    if (uid !== user || (mode & 0o022) !== 0) return undefined;
    for (let above = dirname(real); ; above = dirname(above)) {
      const { uid, mode } = lstatSync(above);
      // In a folder with the sticky bit nobody moves what is another's.
      if ((uid !== user && uid !== 0) || ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)) return undefined;
      if (above === dirname(above)) return real;
    }
  } catch {
    return undefined;
  }
}
