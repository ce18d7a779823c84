// Makes the frozen archive of test/vectors/archive. Run by hand, once: `node test/audit/makeVectors.ts`. A file that exists is kept.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { auditArchive } from '../../src/audit/audit.ts';
import { archiveOf, sampleChain } from './fixtures.ts';

const folder = join(import.meta.dirname, '..', 'vectors', 'archive');
mkdirSync(folder, { recursive: true });
if (existsSync(join(folder, 'chain.weft'))) process.stdout.write('kept chain.weft\n');
else {
  const archive = archiveOf(await sampleChain());
  const report = await auditArchive(archive);
  if (!report.ok) throw new Error(report.error?.message);
  writeFileSync(join(folder, 'chain.weft'), archive);
  writeFileSync(join(folder, 'chain.json'), `${JSON.stringify(report, null, 1)}\n`);
  process.stdout.write('made chain.weft and chain.json\n');
}
