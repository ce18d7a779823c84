// README.md as somebody reads it who has just cloned this: its commands, in its order, in a shell.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connect } from '../../src/client/index.ts';
import { codeOf } from '../../src/codec/error.ts';
import { readTrust, verifyToken } from '../../src/token/node.ts';
import { freeBase } from '../freePorts.ts';
import { DevRun, processesOf, type Ready, root } from './devRun.ts';

t.setTimeout(240_000);
const skip = existsSync('/proc/self/cmdline') ? false : 'needs /proc to see whether processes are left';
const dev = new DevRun(DevRun.folder(), await freeBase(6));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
let ready: Ready | undefined;
t.teardown(() => dev.remove([...(ready?.pids ?? []), ...processesOf(dev.dir)]));

/** The shell commands under a heading, with this run's ports instead of those that the README names. */
function commandsOf(heading: string, page = readme): string {
  const section = page.split(/^(?=#{2,3} )/m).find((each) => /^#+ (.*)/.exec(each)?.[1] === heading);
  const blocks = [...(section ?? '').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text);
  if (blocks.length === 0) throw new Error(`no commands under '${heading}'`);
  return blocks
    .join('')
    .replaceAll(':7611', `:${dev.basePort + 11}`)
    .replaceAll('8611', String(dev.basePort + 61))
    .replaceAll('8610', String(dev.basePort + 60));
}

/** What every block leans on: the README's own function, and npm told where the clone is. */
const prelude = `set -eu
npm() { command npm --prefix '${root}' "$@"; }
${/^weft\(\) .*$/m.exec(readme)?.[0] ?? ''}
`;

type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

function shell(script: string, env: Record<string, string> = {}): Promise<Ran> {
  const child = spawn('bash', ['-c', prelude + script], { cwd: dev.dir, env: { ...dev.env, ...env } });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

const file = (name: string): string => readFileSync(join(dev.dir, name), 'utf8');
let id = '';

t.test('npm start', { skip }, async (t) => {
  ready = await dev.start();
  t.equal(ready.home, join(dev.dir, '.weft-dev'), 'its home is where it was started');
  const client = connect({ rpc: ready.rpc });
  // The traffic has told everybody who may send to whom.
  for (const until = Date.now() + 60_000; Date.now() < until; await sleep(100)) {
    if ((await client.state('routing/table/current')).value !== null) break;
  }
  t.ok((await client.state('routing/table/current')).value);
  client.close();
});

t.test('submit a transaction', { skip }, async (t) => {
  const { code, out, err } = await shell(commandsOf('Submit a transaction'));
  t.equal(code, 0, err);
  id = (JSON.parse(file('answer.json')) as { result: { id: string } }).result.id;
  t.match(out, id);
  t.match(out, /finalized/);
  t.match(out, /"type":"packets.committed".*"decision":"allow"/);
  t.equal(file('tx.json').trimEnd().split('\n').length, 1, 'an envelope is one line');
  const again = await shell(`weft tx submit --rpc ${ready?.rpc[1]} tx.json`);
  t.equal(again.code, 0, again.err);
  t.match(again.out, id, 'submitted once more by command, to another node: the same transaction');
  const bare = await shell(
    `curl -s ${ready?.rpc[2]} -H 'content-type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"tx.get","params":{"id":"${id}"}}'`,
  );
  t.equal((JSON.parse(bare.out) as { result: { status: string } }).result.status, 'finalized');
});

t.test('verify a token', { skip }, async (t) => {
  const { code, out, err } = await shell(`ID=${id}\n${commandsOf('Verify a token')}`);
  t.equal(code, 0, err);
  t.match(out, /The token holds/);
  t.match(out, /oracle\.weave/);
  const other = await shell(`weft trust --rpc ${ready?.rpc[3]} > other.txt`);
  t.equal(other.code, 0, other.err);
  const keys = (text: string): string => text.replaceAll(/^#.*\n/gm, '');
  t.equal(keys(file('other.txt')), keys(file('trust.txt')), 'another operator gives the same');
  const forged = file('token.txt').replace(/leaf ..../, 'leaf AAAA');
  const refused = await shell(`weft token verify --trust trust.txt - <<'END'\n${forged}END`);
  t.equal(refused.code, 1);
  t.match(refused.err, /\[[A-Z_]+\]/, 'refused with a code');
});

t.test('replay offline, while the network runs', { skip }, async (t) => {
  const { code, out, err } = await shell(commandsOf('Replay offline'));
  t.equal(code, 0, `${out}\n${err}`);
});

t.test('write policy: the README, then the whole way of docs/policy.md up to a rule in force', { skip }, async (t) => {
  symlinkSync(join(root, 'genesis'), join(dev.dir, 'genesis'));
  const first = await shell(commandsOf('Write policy'));
  t.equal(first.code, 0, `${first.out}\n${first.err}`);
  t.match(first.out, /None would have been another one/, 'a copy is the same set');
  const page = readFileSync(join(root, 'docs', 'policy.md'), 'utf8');
  const whole = await shell(`rm -r my-policy\n${commandsOf('From a thought to a rule', page)}`);
  t.equal(whole.code, 0, `${whole.out}\n${whole.err}`);
  t.match(whole.out, '@id("intents.clear-thumbnails-by-agent")', 'it is in force');
});

t.test('with everything stopped the token still holds, and the chain still replays', { skip }, async (t) => {
  await dev.interrupt();
  for (const until = Date.now() + 10_000; processesOf(dev.dir).length > 0 && Date.now() < until; ) await sleep(50);
  t.same(processesOf(dev.dir), []);
  const token = await shell('weft token verify token.txt --trust trust.txt');
  t.equal(token.code, 0, token.err);
  const audit = await shell('weft audit chain.weft --genesis .weft-dev/genesis.json');
  t.equal(audit.code, 0, audit.err);
});

t.test('no byte of the token can be changed, left out or put in', { skip }, async (t) => {
  const trust = readTrust(file('trust.txt'));
  const token = new Uint8Array(readFileSync(join(dev.dir, 'token.txt')));
  t.equal(verifyToken(token, { trust }).kind, 'packets');
  const codes = new Map<string, number>();
  const accepted: string[] = [];
  const holds = (bytes: Uint8Array, what: string): void => {
    try {
      verifyToken(bytes, { trust });
      accepted.push(what);
    } catch (error) {
      const code = codeOf(error);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  };
  for (const [i, byte] of token.entries()) {
    // One bit, and a character that is likely to be as good a character there.
    for (const other of [byte ^ 1, byte === 0x41 ? 0x42 : 0x41]) {
      if (other === byte) continue;
      const changed = Uint8Array.from(token);
      changed[i] = other;
      holds(changed, `byte ${i}: ${byte} as ${other}`);
    }
    if (i % 4 === 0)
      holds(
        token.filter((_, at) => at !== i),
        `byte ${i} left out`,
      );
    if (i % 4 === 1) holds(Uint8Array.from([...token.subarray(0, i), byte, ...token.subarray(i)]), `byte ${i} twice`);
  }
  for (const extra of ['\n', '\r\n', ' ', '\0']) {
    holds(Uint8Array.from([...token, ...Buffer.from(extra)]), `with ${JSON.stringify(extra)} behind`);
    holds(Uint8Array.from([...Buffer.from(extra), ...token]), `with ${JSON.stringify(extra)} before`);
  }
  t.same(accepted, []);
  t.same(
    [...codes.keys()].filter(
      (code) => !/^(TOKEN|NOTE|CHECKPOINT|PROOF|TLOG|UTF8|BASE64|COSIGNATURE|LEAF)_[A-Z_]+$/.test(code),
    ),
    [],
    'each with a code of its own',
  );
});

t.test('run a validator', { skip }, async (t) => {
  const lines = commandsOf('Run a validator').trimEnd();
  t.match(lines, /weft start --home node1$/);
  const child = spawn('bash', ['-c', `${prelude}${lines}`], { cwd: dev.dir, env: dev.env, detached: true });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const client = connect({ rpc: `http://127.0.0.1:${dev.basePort + 61}`, timeoutMs: 1000 });
  const gone = new Promise((resolve) => child.once('close', resolve));
  let chain = '';
  for (const until = Date.now() + 60_000; Date.now() < until && child.exitCode === null; await sleep(100)) {
    const status = await client.status().catch(() => undefined);
    if (status === undefined || status.notVoting !== '') continue;
    ({ chain } = status);
    break;
  }
  t.match(chain, /^weft-prod-[0-9a-f]{12}$/, said);
  client.close();
  process.kill(-(child.pid ?? 0), 'SIGINT');
  await gone;
  t.same(processesOf(dev.dir), []);
});
