import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { importsOf } from '../../scripts/importRule.ts';

/** Every file that `entry` loads, and every package or `node:` module that any of them names. Types load nothing. */
export function browserClosure(root: string, entry: string): { readonly files: string[]; readonly packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const source = readFileSync(join(root, file), 'utf8').replace(/(?:^|\n)\s*(?:import|export)\s+type\s[^;]*;/g, '');
    for (const name of importsOf(source)) {
      if (name.startsWith('.')) visit(join(dirname(file), name));
      else packages.add(name);
    }
  };
  visit(entry);
  return { files: [...files], packages: [...packages] };
}
