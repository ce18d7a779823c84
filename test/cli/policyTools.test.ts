// weft policy simulate and diff, as a user runs them: in processes of their own, over folders, archives and nodes.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeBundle } from '../../src/log/bundles.ts';
import { formatBundlePath } from '../../src/log/tiles.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { digestPolicySet } from '../../src/policy/document.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { makePast } from '../policyTools/past.ts';
import { fakeNode } from '../rpc/fakeNode.ts';
import { weft } from './run.ts';

const root = join(import.meta.dirname, '..', '..');
const defaults = join(root, 'genesis', 'policy');
const dir = t.testdir({});
const at = (...names: string[]): string => join(dir, ...names);

/** The default set in a folder of its own, with its text changed. */
function folder(name: string, change: (text: string) => string): string {
  cpSync(defaults, at(name), { recursive: true });
  const file = at(name, 'default.cedar');
  const text = readFileSync(file, 'utf8');
  const changed = change(text);
  t.not(changed, text, name);
  writeFileSync(file, changed);
  return at(name);
}

/** Without the statement of this id. */
function without(id: string): (text: string) => string {
  return (text) => {
    const begin = text.indexOf(`@id("${id}")`);
    return text.slice(0, begin) + text.slice(text.indexOf(';\n', begin) + 2);
  };
}

const set = readDefaultPolicySet();
const entries: Uint8Array[] = [];
const past = await makePast({
  transactions: 150,
  seed: 3,
  onBlock: ({ leaves }) => void entries.push(...leaves.map(({ bytes }) => bytes)),
});
entries.unshift(past.genesis.leaf);
writeFileSync(at('chain.weft'), past.archive);

/** A node with that past. */
async function serve(): Promise<string> {
  const files = new Map<string, Uint8Array>();
  for (let first = 0; first < entries.length; first += 256) {
    const bundle = entries.slice(first, first + 256);
    files.set(formatBundlePath(first / 256, bundle.length), encodeBundle(bundle));
  }
  const digest = digestPolicySet(set);
  const state = new Map<string, unknown>([
    ['governance/policy/current', { version: 1, digest, minValid: 1, height: 0 }],
    [`governance/policy-set/${digest}`, set],
    ['governance/pause/current', { paused: false, height: 0 }],
  ]);
  const api = fakeNode();
  const node = {
    ...api,
    genesis: () => past.genesis.bytes,
    checkpoint: () => `${past.genesis.origin}\n${entries.length}\n${'A'.repeat(43)}=\n\n— weft AAAAAAA=\n`,
    tile: (path: string) => {
      const bytes = files.get(path);
      return bytes === undefined ? undefined : { bytes, full: false };
    },
    state: (path: string) => ({ ...api.state(path, false), path, value: state.get(path) ?? null }),
  };
  const server = await createRpcServer({ api: node as never, config: rpcConfig({ port: 0, heartbeatMs: 100 }) });
  t.teardown(() => server.close());
  return server.url;
}

const url = await serve();

t.test('simulate: the default set, and the same on a node', async (t) => {
  const [plain, node] = await Promise.all([
    weft(['policy', 'simulate']),
    weft(['policy', 'simulate', '--rpc', url, '--json']),
  ]);
  t.equal(plain.code, 0, plain.err);
  t.match(plain.out, /✓ +sysctl-aslr-off +intents\.sysctl-kernel/);
  t.match(plain.out, /refused as they should be; [0-9]+ of [0-9]+ forbids each stand alone/);
  t.equal(node.code, 0, node.err);
  t.match(JSON.parse(node.out), { ok: true, digest: digestPolicySet(set), passed: [], uncovered: [] });
});

t.test('simulate: what gets through is said, and by which policy it should have been refused', async (t) => {
  const idle = `// Nothing.\n@id("zz.idle")\nforbid (principal, action == Action::"governance.ready", resource) when { context.kind == "x" };\n`;
  const set = folder('weak', (text) => `${without('models.unverified')(text)}\n${idle}`);
  const { code, out, err } = await weft(['policy', 'simulate', '--dir', set]);
  t.equal(code, 1);
  t.match(out, /✗ +model-unverified +nothing: it got through/);
  t.match(out, 'models.unverified should have refused it');
  t.match(out, 'uncovered forbid zz.idle');
  t.match(err, /no policy models\.unverified[\s\S]*1 uncovered forbid: zz\.idle[\s\S]*\[POLICY_UNSAFE\]/);
});

t.test('simulate: dangerous intents of one’s own, and what is wrong with a call', async (t) => {
  const danger = {
    id: 'mine',
    title: 'An operator clears a cache',
    why: 'Here it is dangerous.',
    setting: {
      accounts: [
        { name: 'healer', roles: ['operator'] },
        { name: 'web-3', roles: ['executor'] },
      ],
      before: [],
    },
    requests: [
      {
        account: 'healer',
        type: 'intents.propose',
        body: {
          action: 'cache.clear',
          resource: 'cache/web-3/thumbnails',
          effect: { host: 'web-3', cache: 'thumbnails' },
          ttlMs: 60_000,
          audience: 'web-3',
          maxUses: 1,
          dryRun: false,
        },
      },
    ],
    refusedBy: { nobody: true },
  };
  mkdirSync(at('own'));
  writeFileSync(at('own', 'mine.json'), JSON.stringify(danger));
  const [own, missing, both, broken, only] = await Promise.all([
    weft(['policy', 'simulate', '--only', '--library', at('own'), '--json']),
    weft(['policy', 'simulate', '--library', at('nowhere')]),
    weft(['policy', 'simulate', '--dir', defaults, '--rpc', url]),
    weft(['policy', 'simulate', '--dir', folder('broken', (text) => text.replace('permit (', 'permit ('.repeat(2)))]),
    weft(['policy', 'simulate', '--only']),
  ]);
  t.equal(own.code, 1);
  t.match(JSON.parse(own.out), { passed: ['mine'], dangers: [{ id: 'mine', happened: ['granted'] }] });
  t.strictSame([missing.code, both.code, broken.code, only.code], [1, 2, 1, 2]);
  t.match(missing.err, '[LIBRARY_MISSING]');
  t.match(broken.err, /\[POLICY_[A-Z_]+\]/);
});

t.test('diff: an archive and a node, in kinds, in lines, as JSON', async (t) => {
  const candidate = folder('candidate', without('packets.commit-own'));
  const [kinds, list, json, node, same] = await Promise.all([
    weft(['policy', 'diff', '--candidate', candidate, '--archive', at('chain.weft')]),
    weft(['policy', 'diff', '--candidate', candidate, '--archive', at('chain.weft'), '--list']),
    weft(['policy', 'diff', '--candidate', candidate, '--archive', at('chain.weft'), '--json']),
    weft(['policy', 'diff', '--candidate', candidate, '--rpc', url, '--json']),
    weft(['policy', 'diff', '--candidate', defaults, '--archive', at('chain.weft')]),
  ]);
  for (const { code, err } of [kinds, list, json, node, same]) t.equal(code, 0, err);
  t.match(
    kinds.out,
    /allow → deny {2}packets\.commit {2}[0-9]+ times\n {2}was {2}allow \(packets\.commit-own\)\n {2}then deny \(nobody permits it\)/,
  );
  t.match(kinds.out, /[0-9]+ would have been another one: [0-9]+ allow → deny, 0 deny → allow/);
  const lines = json.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const flips = lines.slice(0, -1);
  t.ok(flips.length > 0);
  t.match(lines.at(-1), { flips: { deny: flips.length, allow: 0, terms: 0 }, transactions: 150 });
  for (const flip of flips)
    t.match(flip, { flip: 'deny', action: 'packets.commit', before: { policies: ['packets.commit-own'] } });
  t.equal(node.out, json.out, 'a node tells the same past');
  for (const { tx } of flips) t.match(list.out, tx);
  t.match(same.out, 'None would have been another one.');
});

t.test('diff: what is wrong with a call, a file, a node', async (t) => {
  const [neither, both, missing, other, empty, candidate] = await Promise.all([
    weft(['policy', 'diff', '--candidate', defaults]),
    weft(['policy', 'diff', '--candidate', defaults, '--archive', 'x', '--rpc', url]),
    weft(['policy', 'diff', '--candidate', defaults, '--archive', at('nothing.weft')]),
    weft(['policy', 'diff', '--candidate', defaults, '--archive', join(root, 'package.json')]),
    weft(['policy', 'diff', '--candidate', dir, '--archive', at('chain.weft')]),
    weft(['policy', 'diff', '--archive', at('chain.weft')]),
  ]);
  t.strictSame([neither.code, both.code, missing.code, other.code, empty.code, candidate.code], [2, 2, 1, 1, 1, 2]);
  t.match(missing.err, '[FILE_UNREADABLE]');
  t.match(other.err, '[ARCHIVE_CORRUPT]');
  t.match(empty.err, '[POLICY_FILE_INVALID]');
});

t.test('what an installed package needs is in it', async (t) => {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files?: string[] };
  t.ok(files?.includes('test/policy/dangerous'), 'the library');
  t.ok(files?.includes('genesis'), 'the default set');
  t.ok(files?.includes('dist'), 'the programs');
});
