// `node test/bench/flame.ts`: where a validator's main thread spends its time, as a picture and as a table, from a CPU profile.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { flameGraph } from './flameGraph.ts';
import { type Cut, type Profile, readProfile } from './profile.ts';
import type { PointResult } from './result.ts';
import { type Account, accountOf, sharesOf, spentTable, twoTable } from './spent.ts';

const usage = `usage: node test/bench/flame.ts PROFILE[,RUN.json] [--svg FILE] [--title TEXT] [--cpu-seconds S] [--transactions N] [--blocks N]
       node test/bench/flame.ts --two PROFILE,A.json PROFILE,B.json      per block and per transaction, from two loads
  --cpu-seconds, --transactions, --blocks: the main thread's, in the window looked at; the JSON says them otherwise
  both: [--skip-first S] [--skip-last S (default 2: stopping)] [--seconds S: at most so many, the last of the rest]
  PROFILE: a .cpuprofile, or a folder: the newest in it. It and the JSON are what 'npm run bench -- --rate N --seconds S --profile DIR --out RUN.json' leaves. With the JSON
  the window is the last S - 2 seconds of the load, unless --seconds or --skip-first says otherwise.
`;

type Input = { readonly profile: Profile; readonly account: Account; readonly notes: readonly string[] };

const { values, positionals } = read();
function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        two: { type: 'boolean', default: false },
        svg: { type: 'string' },
        title: { type: 'string' },
        'cpu-seconds': { type: 'string' },
        transactions: { type: 'string' },
        blocks: { type: 'string' },
        'skip-first': { type: 'string' },
        'skip-last': { type: 'string' },
        seconds: { type: 'string' },
      },
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(why: string): never {
  process.stderr.write(`${why}\n${usage}`);
  process.exit(2);
}

function number(name: keyof typeof values): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  return value >= 0 && value < 1e12 ? value : refuse(`--${name} takes a number, not '${text}'`);
}

const [first, second, ...more] = positionals;
if (first === undefined || more.length > 0 || values.two !== (second !== undefined)) {
  refuse(values.two ? '--two takes two of PROFILE,JSON' : 'one profile, please');
}
if (second === undefined) one(open(first));
else two(open(first), open(second));

function open(argument: string): Input {
  const [given = '', runPath] = argument.split(',');
  const profilePath = statSync(given, { throwIfNoEntry: false })?.isDirectory() ? newestIn(given) : given;
  const point = runPath === undefined ? undefined : lastPoint(runPath);
  const skipFirst = number('skip-first');
  const seconds = number('seconds') ?? (point === undefined || skipFirst !== undefined ? undefined : point.seconds - 2);
  const cut: Cut = {
    skipLast: number('skip-last') ?? 2,
    ...(skipFirst === undefined ? {} : { skipFirst }),
    ...(seconds === undefined ? {} : { seconds }),
  };
  const profile = readProfile(readFileSync(profilePath, 'utf8'), cut);
  if (profile.busyMicros === 0) refuse(`${profilePath} has nothing in that window`);
  const busy = profile.busyMicros / 1e6;
  const found = point === undefined ? { cpuSeconds: busy } : accountOf(point, profile);
  const said = { cpuSeconds: number('cpu-seconds'), transactions: number('transactions'), blocks: number('blocks') };
  const account = { ...found, ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) };
  const waited =
    account.cpuSeconds === busy
      ? ''
      : `, with ${account.cpuSeconds.toFixed(2)} s of CPU: the rest was waiting for a core`;
  const window = (profile.micros / 1e6).toFixed(1);
  const notes = [
    `${profilePath}: of ${window} s looked at the main thread was busy for ${busy.toFixed(2)} s${waited}.`,
  ];
  return { profile, account, notes };
}

/** Node gives a profile a name with the moment and the process in it. */
function newestIn(dir: string): string {
  const found = readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'));
  return join(dir, found.sort().at(-1) ?? refuse(`${dir} has no profile`));
}

/** A run of several points has one profile, of which the last point is the end. */
function lastPoint(path: string): PointResult {
  const { points = [] } = JSON.parse(readFileSync(path, 'utf8')) as { readonly points?: readonly PointResult[] };
  return points.at(-1) ?? refuse(`${path} has no points: it is not what the bench wrote with --out`);
}

function one({ profile, account, notes }: Input): void {
  if (values.svg !== undefined)
    writeFileSync(values.svg, flameGraph(values.title ?? "A validator's main thread", profile));
  process.stdout.write(`${notes.join('\n')}\n\n${spentTable(sharesOf(profile), account)}\n`);
}

function two(a: Input, b: Input): void {
  for (const { account } of [a, b]) {
    if (account.blocks === undefined || account.transactions === undefined) refuse('--two needs the JSON of both runs');
  }
  const load = ({ profile, account }: Input) => ({ shares: sharesOf(profile), account });
  process.stdout.write(`${[...a.notes, ...b.notes].join('\n')}\n\n${twoTable(load(a), load(b))}\n`);
}
