// `node test/bench/policyDiff.ts [--decisions 100000] [--archive FILE] [--check] [--json]`: the time machine over an archive of so many
// decisions, as a user runs it: `weft policy diff`, in a process of its own. Once with a candidate that lets the cache work, once with
// one that reads the time, so that no question is like another. `--check`: the same flips as by brute force, each decision anew.
// See docs/performance.md.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { createPolicyEngine } from '../../src/policy/engine.ts';
import type { PolicySetDocument } from '../../src/policy/types.ts';
import { replayArchive } from '../../src/policyTools/history.ts';
import { flipOf, verdictOf } from '../../src/policyTools/verdict.ts';
import { wholeFrom } from '../options.ts';
import { makePast } from '../policyTools/past.ts';
import { machine } from './processes.ts';
import { runWeft } from './weftProcess.ts';

const { values } = parseArgs({
  options: {
    decisions: { type: 'string', default: '100000' },
    archive: { type: 'string' },
    check: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const decisions = wholeFrom('decisions', values.decisions, 100);
const tell = (text: string): void => void process.stderr.write(`${text}\n`);
const dir = mkdtempSync(join(tmpdir(), 'weft-policy-diff-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));

/** Made once, and kept where a file is named. */
const archive = values.archive ?? join(dir, 'past.weft');
if (!existsSync(archive)) {
  const began = performance.now();
  // A little more than one question a transaction.
  const past = await makePast({ transactions: Math.ceil(decisions / 1.1) });
  writeFileSync(archive, past.archive);
  tell(`${past.blocks} blocks made in ${Math.round((performance.now() - began) / 1000)} s`);
}

const set = readDefaultPolicySet();
const changed: PolicySetDocument = {
  schema: set.schema,
  policies: set.policies.filter(
    ({ id }) => !['packets.commit-own', 'intents.sysctl-kernel', 'models.unverified'].includes(id),
  ),
};
const timed: PolicySetDocument = {
  schema: set.schema,
  policies: [
    ...changed.policies,
    {
      id: 'zz.freeze',
      text: '@id("zz.freeze")\nforbid (principal, action == Action::"models.attest", resource)\nwhen { context has time && context.time > 1763720000000 };',
    },
  ],
};

type Figures = {
  readonly decisions: number;
  readonly flips: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly residentMiB: number;
  /** Over the flips, in order. */
  readonly digest: string;
};

async function run(name: string, candidate: PolicySetDocument): Promise<Figures> {
  const folder = join(dir, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'set.cedarschema'), candidate.schema);
  writeFileSync(join(folder, 'set.cedar'), candidate.policies.map(({ text }) => text).join('\n\n'));
  const digest = createHash('sha256');
  let flips = 0;
  const args = ['policy', 'diff', '--candidate', folder, '--archive', archive, '--json'];
  const { last, ...used } = await runWeft(args, (line) => {
    const flip = JSON.parse(line);
    if (flip.flip === undefined) return;
    flips += 1;
    digest.update(`${flip.height} ${flip.tx} ${flip.action} ${flip.flip}\n`);
  });
  const { questions: decisions } = JSON.parse(last) as { questions: number };
  return { decisions, flips, ...used, digest: digest.digest('hex') };
}

/** Each decision by an engine that remembers nothing, one after the other. */
async function bruteForce(candidate: PolicySetDocument): Promise<Pick<Figures, 'flips' | 'seconds' | 'digest'>> {
  const [before, after] = [set, candidate].map((each) => createPolicyEngine(each, { cacheEntriesMax: 0 }));
  const digest = createHash('sha256');
  let flips = 0;
  const began = performance.now();
  await replayArchive(archive, {
    decider:
      (_, tx, { height }) =>
      (request) => {
        const decision = before!.decide(request);
        const flip = flipOf(verdictOf(request, decision), verdictOf(request, after!.decide(request)));
        if (flip !== undefined) {
          flips += 1;
          digest.update(`${height} ${tx.txId} ${request.action} ${flip}\n`);
        }
        return decision;
      },
  });
  return { flips, seconds: (performance.now() - began) / 1000, digest: digest.digest('hex') };
}

tell(`${(statSync(archive).size / 1024 / 1024).toFixed(1)} MiB of archive`);
const results: Record<string, Figures & { readonly bruteForce?: Awaited<ReturnType<typeof bruteForce>> }> = {};
let differs = false;
for (const [name, candidate] of Object.entries({ changed, timed })) {
  const figures = await run(name, candidate);
  tell(
    `${name}: ${figures.decisions} decisions in ${figures.seconds.toFixed(1)} s, ${figures.flips} flips; CPU ${figures.cpuSeconds.toFixed(1)} s, RSS ${Math.round(figures.residentMiB)} MiB`,
  );
  results[name] = figures;
  if (!values.check) continue;
  const checked = await bruteForce(candidate);
  const same = checked.flips === figures.flips && checked.digest === figures.digest;
  tell(
    `${name}: by brute force ${checked.flips} flips in ${checked.seconds.toFixed(1)} s, ${same ? 'the same' : 'OTHERS'}`,
  );
  differs ||= !same;
  results[name] = { ...figures, bruteForce: checked };
}
process.stdout.write(values.json ? `${JSON.stringify({ machine: machine(), results })}\n` : '');
process.exitCode = differs ? 1 : 0;
