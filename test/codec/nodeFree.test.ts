import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { importsOf } from '../../scripts/importRule.ts';

const root = join(import.meta.dirname, '..', '..');

/** Every import that is neither a file of ours nor one of the packages known to run in browsers, in the closure of `file`. */
function foreign(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  return importsOf(readFileSync(file, 'utf8')).flatMap((name) => {
    if (name.startsWith('.')) return foreign(join(dirname(file), name), seen);
    return name.startsWith('@noble/') || name === 'canonicalize' ? [] : [`${relative(root, file)}: ${name}`];
  });
}

t.test('what signers and verifiers in browsers need runs without Node', async (t) => {
  const codec = readdirSync(join(root, 'src/codec')).filter((name) => name.endsWith('.ts'));
  t.ok(codec.length >= 7);
  for (const name of codec) t.same(foreign(join(root, 'src/codec', name)), [], name);
  for (const name of ['reference.ts', 'p256.ts', 'keyId.ts', 'dsse.ts', 'webauthn.ts'])
    t.same(foreign(join(root, 'src/crypto', name)), [], name);
  t.ok(foreign(join(root, 'src/crypto/ed25519.ts')).length > 0, 'the check sees an import of node:crypto');
});
