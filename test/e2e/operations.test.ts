// docs/operations.md as an operator reads it: its commands, in its order, in one shell, against real processes.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { connect, type GovernanceStatus } from '../../src/client/index.ts';
import { freeBase } from '../freePorts.ts';
import { root } from './devRun.ts';

t.setTimeout(600_000);
const skip = existsSync('/usr/bin/setsid') ? false : 'needs setsid';
const text = readFileSync(join(root, 'docs', 'operations.md'), 'utf8');
const base = await freeBase(7);
const dir = mkdtempSync(join(tmpdir(), 'weft-ops-'));
const client = connect({ rpc: [1, 2, 3].map((i) => `http://127.0.0.1:${base + 10 * i + 1}`), timeoutMs: 3000 });

/** The commands under a heading, with this run's ports, and without npm, which only finds the program. */
function commandsOf(heading: string): string {
  const section = text.split(/^(?=#{1,2} )/m).find((each) => each.startsWith(`${heading}\n`));
  const blocks = [...(section ?? '').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  if (blocks.length === 0) throw new Error(`docs/operations.md has no commands under '${heading}'`);
  return blocks
    .join('')
    .replaceAll(/(?<=127\.0\.0\.1[:/](?:tcp\/)?)76(\d\d)/g, (_, last: string) => String(base + Number(last)))
    .replace('testnet --home net', `testnet --base-port ${base} --home net`)
    .replaceAll(
      'npm run -s weft --',
      `node --disable-warning=ExperimentalWarning ${join(root, 'src', 'cli', 'main.ts')}`,
    );
}

/** One shell for the whole page: what a section sets, the next one uses. */
class Shell {
  readonly #child: ChildProcess;
  #said = '';

  constructor() {
    const env = {
      ...process.env,
      NODE_OPTIONS: '',
      NODE_COMPILE_CACHE: join(tmpdir(), 'weft-cli-compiled'),
      PATH: `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`,
    };
    this.#child = spawn('bash', ['-s'], { cwd: dir, env, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (piece: string) => {
        this.#said += piece;
      });
  }

  /** Resolves with what was said when all commands are done; the first that fails ends the shell. */
  async run(commands: string, withinMs = 180_000): Promise<string> {
    this.#said = '';
    const end = `@@${Math.random()}@@`;
    // Commands do not read what the shell reads.
    this.#child.stdin?.write(`set -e\n{\n${commands}\n} < /dev/null\necho '${end}'\n`);
    for (const until = Date.now() + withinMs; Date.now() < until; await sleep(50)) {
      if (this.#said.includes(end)) return this.#said.replace(end, '').trim();
      if (this.#child.exitCode !== null) break;
    }
    throw new Error(`${this.#child.exitCode === null ? 'not done in time' : 'a command failed'}: ${this.#said}`);
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}

const shell = new Shell();

t.teardown(() => {
  shell.close();
  client.close();
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.pid'))) {
    try {
      process.kill(-Number(readFileSync(join(dir, file), 'utf8')), 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
  if (process.env['WEFT_TEST_KEEP'] === undefined) rmSync(dir, { recursive: true, force: true });
});

async function runs(t: Test, heading: string): Promise<string> {
  try {
    const said = await shell.run(commandsOf(heading));
    t.pass(`${heading}: each command ended well`);
    return said;
  } catch (error) {
    const logs = readdirSync(dir).filter((name) => name.endsWith('.log'));
    const tails = logs.map((name) => `${name}: ${readFileSync(join(dir, name), 'utf8').slice(-800)}`);
    t.fail(`${heading}: ${String(error)}\n${tails.join('\n')}`);
    t.bailout('the page goes on from here');
    throw error;
  }
}

const names = ({ validators }: GovernanceStatus): string => validators.map(({ name }) => name).join(' ');

/** `name` votes in the present epoch. */
async function votes(t: Test, name: string, port: number): Promise<void> {
  const own = connect({ rpc: `http://127.0.0.1:${base + port}`, timeoutMs: 2000 });
  let said = '';
  for (const until = Date.now() + 60_000; Date.now() < until; await sleep(200)) {
    const status = await own.status().catch(() => undefined);
    said = JSON.stringify(status);
    if (status?.role === 'validator' && status.notVoting === '' && !status.catchingUp) break;
  }
  own.close();
  t.match(said, /"role":"validator".*"notVoting":""/, `${name} votes`);
}

t.test('a network', { skip }, async (t) => {
  await shell.run(commandsOf('# Operations: changing a network that runs'));
  await runs(t, '## A network to try it on');
  t.equal(names(await client.governance()), 'v1 v2 v3 v4');
});

t.test('one more validator', { skip }, async (t) => {
  const said = await runs(t, '## Grow: one more validator');
  t.match(said, /effective since block \d+; epoch 2/);
  t.equal(names(await client.governance()), 'v1 v2 v3 v4 v5');
  await votes(t, 'v5', 51);
});

t.test('a validator that is lost', { skip }, async (t) => {
  const said = await runs(t, '## Replace a validator that is lost');
  t.match(said, /epoch 3/);
  await votes(t, 'v2', 21);
});

t.test('a new vote key', { skip }, async (t) => {
  const before = JSON.stringify((await client.state('governance/validators/current')).value);
  t.match(await runs(t, '## Rotate a vote key'), /epoch 4/);
  t.not(JSON.stringify((await client.state('governance/validators/current')).value), before);
  await votes(t, 'v3', 31);
  await shell.run('stop v3 && start net v3');
  await votes(t, 'v3, started again with one key file,', 31);
});

t.test('one less', { skip }, async (t) => {
  const said = await runs(t, '## Remove a validator');
  t.match(said, /epoch 5/);
  t.match(said, /No validator was seen to sign/);
  t.equal(names(await client.governance()), 'v1 v2 v3 v5');
});

t.test('an observer, a parameter, the policy, a pause, a council, an upgrade', { skip }, async (t) => {
  await runs(t, '## Observers');
  t.same((await client.governance()).observers, [{ name: 'o1' }]);
  await runs(t, '## Change a parameter');
  const { parameters } = await client.governance();
  t.same([parameters['maxBlockTxs'], parameters['recosignMs']], [2048, 1500]);
  t.match(await runs(t, '## Change the policy'), /\+ identity\.enrolment-rests[\s\S]*effective/);
  t.match((await client.state('governance/policy/current')).value, { version: 2, minValid: 1 });
  t.match(await runs(t, '## Pause: the kill switch'), /paused +yes[\s\S]*effective/);
  t.match((await client.state('governance/pause/current')).value, { paused: false });
  t.match(await runs(t, '## Another council'), /approved: 1 of 2[\s\S]*effective/);
  t.match(await runs(t, '## Upgrade'), /missing +v1 v2 v3 v5[\s\S]*withdrawn/);
  const status = await client.governance();
  t.same([status.council.threshold, status.council.members, status.proposals], [2, ['council', 'operator', 'v1'], []]);
});

t.test('everybody has the same chain, and none complained', { skip }, async (t) => {
  const { height } = await client.governance();
  const ports = { v1: 11, v2: 21, v3: 31, v5: 51, o1: 71 };
  const ids = await Promise.all(
    Object.entries(ports).map(async ([name, port]) => {
      const own = connect({ rpc: `http://127.0.0.1:${base + port}`, timeoutMs: 3000 });
      for (const until = Date.now() + 60_000; Date.now() < until; await sleep(200)) {
        const status = await own.status().catch(() => undefined);
        if (status !== undefined && status.finalized.height >= height) break;
      }
      const block = await own.block(height);
      own.close();
      return `${name} ${block.blockId} ${block.stateRoot}`;
    }),
  );
  t.equal(new Set(ids.map((each) => each.slice(3))).size, 1, ids.join('\n'));
  for (const name of readdirSync(dir).filter((each) => each.endsWith('.log'))) {
    const lines = readFileSync(join(dir, name), 'utf8').split('\n');
    t.same(
      // Who is not listed yet, or no more, says so loudly.
      lines.filter(
        (line) => /"level":[56]0|INTERNAL|unhandled/.test(line) && !/"NODE_UNKNOWN"|"KEYS_FOREIGN"/.test(line),
      ),
      [],
      name,
    );
  }
});
