// Serves TypeScript of this repository to a browser as it stands: types are taken off, packages are found by an import map.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { browserClosure } from '../token/closure.ts';

const root = resolve(import.meta.dirname, '..', '..');
const javaScript = 'text/javascript; charset=utf-8';

/** Packages that browsers may load; whatever else is imported does not load. */
const imports = {
  '@noble/hashes/': '/node_modules/@noble/hashes/',
  '@noble/curves/': '/node_modules/@noble/curves/',
  canonicalize: '/node_modules/canonicalize/lib/canonicalize.js',
};

export type ModulePage = { readonly url: string; readonly close: () => void };

/**
 * A page that imports `entry` (a path from the root, without `node:` modules below it) and has it as `window.loaded`. Of this
 * repository only the files of its import closure are served.
 */
export async function serveModules(entry: string): Promise<ModulePage> {
  const known = new Set(browserClosure(root, entry).files.map((file) => `/${file}`));
  const html = `<!doctype html><title>modules</title><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">import * as loaded from '/${entry}'; window.loaded = loaded;</script>`;
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const isPackage = /^\/node_modules\/(@noble\/|canonicalize\/)[A-Za-z0-9_./-]+\.js$/.test(path);
    if (path === '/') return response.setHeader('content-type', 'text/html; charset=utf-8').end(html);
    if (known.has(path) || isPackage) {
      const source = readFileSync(join(root, path), 'utf8');
      return response.setHeader('content-type', javaScript).end(isPackage ? source : stripTypeScriptTypes(source));
    }
    response.statusCode = path === '/favicon.ico' ? 204 : 404;
    return response.end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://localhost:${(server.address() as AddressInfo).port}/`, close: () => server.close() };
}
