import { createServer } from 'node:net';

/** Ports of this machine that nobody listens on at the moment. */

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A base from which all ports of so many nodes are free: peers on base + 10, base + 20, …, RPC one above each. */
export async function freeBase(nodes: number): Promise<number> {
  for (;;) {
    const base = 20_000 + 10 * Math.floor(Math.random() * 3500);
    const ports = Array.from({ length: nodes }, (_, i) => [base + 10 * (i + 1), base + 10 * (i + 1) + 1]).flat();
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
