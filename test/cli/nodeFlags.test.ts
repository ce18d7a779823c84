import t from 'tap';
import { nodeFlags, takeNodeFlags } from '../../src/cli/nodeFlags.ts';

type Process = Parameters<typeof takeNodeFlags>[0] & object;

function begins(own: Partial<Process>): readonly string[] | undefined {
  let begun: readonly string[] | undefined;
  takeNodeFlags({
    execPath: '/bin/node',
    execArgv: [],
    argv: ['/bin/node', '/weft/main.js', 'start', '--home', 'net'],
    env: {},
    execve: ((_file: string, args: readonly string[]) => {
      begun = args;
    }) as never,
    ...own,
  });
  return begun;
}

t.test('a process begins anew once, as it was, with the flags', async (t) => {
  const begun = begins({ execArgv: ['--import', 'x'] });
  t.same(begun, ['/bin/node', ...nodeFlags, '--import', 'x', '/weft/main.js', 'start', '--home', 'net']);
  t.equal(begins({ execArgv: (begun ?? []).slice(1, 1 + nodeFlags.length) }), undefined, 'not for ever');
});

t.test('and not where that is not wanted or cannot be', async (t) => {
  t.equal(begins({ execArgv: ['--max-semi-space-size=32'] }), undefined, 'somebody chose');
  t.equal(begins({ env: { NODE_OPTIONS: '--max-semi-space-size=4' } }), undefined);
  t.equal(begins({ channel: {} }), undefined, 'its parent would lose it');
  t.equal(begins({ execve: undefined as never }), undefined, 'Windows');
});

t.test('this Node knows the flags', async (t) => {
  for (const flag of nodeFlags) t.ok(process.allowedNodeEnvironmentFlags.has(flag.split('=', 1)[0] ?? ''), flag);
});
