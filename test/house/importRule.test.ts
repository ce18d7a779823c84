import { join } from 'node:path';
import t from 'tap';
import { checkImports, importsOf, readSources } from '../../scripts/importRule.ts';

const root = join(import.meta.dirname, '..', '..');

t.test('the tree obeys the floors', async (t) => {
  const sources = readSources(root);
  t.ok(sources.size > 5, 'the sources were found');
  t.same(checkImports(sources), []);
});

t.test('each kind of breach is caught', async (t) => {
  const breach = (file: string, line: string) => checkImports(new Map([[file, line]])).length;
  t.equal(breach('src/log/tree.ts', "import { x } from '../ledger/store.ts';"), 1, 'upwards');
  t.equal(breach('src/log/tree.ts', "import { x } from '../crypto/hash.ts';"), 1, 'a neighbour that is not allowed');
  t.equal(breach('src/log/tree.ts', "import { x } from '../codec/hex.ts';"), 0, 'a neighbour that is');
  t.equal(breach('consensus/engine.ts', "import { x } from '../src/codec/hex.ts';"), 1, 'consensus looks out');
  t.equal(breach('consensus/engine.ts', "import x from 'cborg';"), 1, 'consensus takes a package');
  t.equal(breach('contracts/a/b.ts', "import { now } from 'node:perf_hooks';"), 1, 'a contract takes a clock');
  t.equal(breach('src/client/a.ts', "import { x } from '../node/node.ts';"), 1, 'the node is open to rpc only');
  t.equal(
    breach('src/net/a.ts', "import { x } from '../ledger/store.ts';"),
    1,
    'net and ledger do not know each other',
  );
  t.equal(breach('src/odd/a.ts', "import { x } from '../log/tree.ts';"), 0, 'a folder without a floor is no floor');
  t.equal(
    checkImports(
      new Map([
        ['src/token/verify.ts', "import { x } from '../log/tree.ts';"],
        ['src/log/tree.ts', "import { hash } from 'node:crypto';"],
      ]),
    ).length,
    1,
    'a node: module in the closure of the token verifier',
  );
});

t.test('imports are found in each spelling', async (t) => {
  t.same(
    importsOf(
      "import a from 'a';\nexport { b } from './b.ts';\nimport type { C } from './c.ts';\nawait import('./d.ts')",
    ),
    ['a', './b.ts', './c.ts', './d.ts'],
  );
});
