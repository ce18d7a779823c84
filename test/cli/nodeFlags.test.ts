import { execFileSync } from 'node:child_process';
import t from 'tap';
import { nodeStart, startAnew } from '../../src/cli/nodeFlags.ts';

type Process = Parameters<typeof startAnew>[1] & object;
type Begun = { readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv };

const { flags } = nodeStart('start');

function begins(own: Partial<Process>): Begun | undefined {
  let begun: Begun | undefined;
  startAnew('start', {
    execPath: '/bin/node',
    execArgv: [],
    argv: ['/bin/node', '/weft/main.js', 'start', '--home', 'net'],
    env: {},
    execve: ((_file: string, args: readonly string[], env: NodeJS.ProcessEnv) => {
      begun = { args, env };
    }) as never,
    ...own,
  });
  return begun;
}

t.test('a process begins anew once, as it was, with the flags', async (t) => {
  const begun = begins({ execArgv: ['--import', 'x'], env: { HOME: '/root' } });
  t.same(begun?.args, ['/bin/node', ...flags, '--import', 'x', '/weft/main.js', 'start', '--home', 'net']);
  t.same(begun?.env, { MALLOC_ARENA_MAX: '2', HOME: '/root' });
  t.equal(begins({ execArgv: (begun?.args ?? []).slice(1, 1 + flags.length) }), undefined, 'not for ever');
});

t.test('and not where that is not wanted or cannot be', async (t) => {
  t.equal(begins({ env: { MALLOC_ARENA_MAX: '8' } })?.env['MALLOC_ARENA_MAX'], '8', 'somebody chose');
  t.equal(begins({ execArgv: ['--max-semi-space-size=32'] }), undefined);
  t.equal(begins({ env: { NODE_OPTIONS: '--max-semi-space-size=4' } }), undefined);
  t.equal(begins({ channel: {} }), undefined, 'its parent would lose it');
  t.equal(begins({ execve: undefined as never }), undefined, 'Windows');
});

t.test('this Node knows the flags; another V8 gets only the documented one', async (t) => {
  t.equal(flags.length, 5);
  t.equal(execFileSync(process.execPath, [...flags, '-p', '6 * 7'], { encoding: 'utf8' }), '42\n');
  t.same(nodeStart('start', '13.6.233.10-node.28').flags, ['--max-semi-space-size=8']);
  t.ok(process.allowedNodeEnvironmentFlags.has('--max-semi-space-size'));
});

t.test('weft start is the process that was started', async (t) => {
  const text = `import { startAnew } from ${JSON.stringify(new URL('../../src/cli/nodeFlags.ts', import.meta.url).href)};
    const before = process.env.BEFORE; process.env.BEFORE = String(process.pid); startAnew('start');
    console.log(before === String(process.pid), process.execArgv[0], process.env.MALLOC_ARENA_MAX);`;
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: '' };
  delete env['MALLOC_ARENA_MAX'];
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', text], { env, encoding: 'utf8' });
  t.equal(said, `true ${flags[0]} 2\n`);
});
