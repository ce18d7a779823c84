import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { WeftError } from '../codec/error.ts';
import type { AgentStatus } from './agent.ts';

/** `/metrics` for Prometheus, `/status` as JSON. Read when somebody asks: nothing is counted twice. */
export class AgentMetrics {
  readonly #server: Server;
  readonly url: string;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** @throws WeftError AGENT_METRICS */
  static async listen(host: string, port: number, status: () => AgentStatus): Promise<AgentMetrics> {
    const registry = registryOf(forAMoment(status));
    const server = createServer((request, response) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405).end();
      if (request.url === '/status') return sendStatus(response, status);
      if (request.url !== '/metrics') return void response.writeHead(404).end();
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) =>
        reject(
          new WeftError(
            'AGENT_METRICS',
            `cannot listen on ${host}:${port} (${error.message}): choose another metrics.port`,
          ),
        ),
      );
      server.listen(port, host, resolve);
    });
    return new AgentMetrics(server, `http://${host}:${(server.address() as AddressInfo).port}`);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function sendStatus(response: ServerResponse, status: () => AgentStatus): void {
  let text: string;
  try {
    text = `${JSON.stringify(status())}\n`;
  } catch {
    // The kernel would not say: whoever asks must not end the agent by that.
    return void response.writeHead(500).end();
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(text);
}

/** One look at the kernel serves all metrics of one answer. */
function forAMoment(status: () => AgentStatus): () => AgentStatus {
  let seen: { readonly atMs: number; readonly status: AgentStatus } | undefined;
  return () => {
    const atMs = performance.now();
    if (seen === undefined || atMs - seen.atMs > 50) seen = { atMs, status: status() };
    return seen.status;
  };
}

type Row = readonly [labels: Readonly<Record<string, string>>, value: number];

function registryOf(status: () => AgentStatus): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (
    name: string,
    help: string,
    labelNames: readonly string[],
    rows: (status: AgentStatus) => readonly Row[],
  ) =>
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of rows(status())) this.set(labels, value);
      },
    });
  gauge('weft_agent_events_total', 'Events that went to the sinks, by kind.', ['kind'], ({ events }) =>
    Object.entries(events).map(([kind, count]) => [{ kind }, count]),
  );
  gauge('weft_agent_events_limited_total', 'Events held back by the limit of their source.', [], ({ limited }) => [
    [{}, limited],
  ]);
  gauge(
    'weft_agent_program_events_total',
    'Events of programs in the kernel: seen, lost (full ring), limited (kernel’s limit).',
    ['program', 'fate'],
    ({ programs }) =>
      programs.flatMap(({ name, seen, lost, limited }): Row[] => [
        [{ program: name, fate: 'seen' }, seen],
        [{ program: name, fate: 'lost' }, lost],
        [{ program: name, fate: 'limited' }, limited],
      ]),
  );
  gauge(
    'weft_agent_gate_packets_total',
    'Packets (in) or calls (out), by what became of them.',
    ['gate', 'fate'],
    ({ gates }) =>
      gates.flatMap(({ name, counters }) =>
        Object.entries(counters).map(([fate, count]): Row => [{ gate: name, fate }, count]),
      ),
  );
  gauge(
    'weft_agent_gate_enforces',
    '1: refuses; 0: observes, is off, is not everywhere where it should be, or cannot be had.',
    ['gate'],
    ({ gates, configured }) =>
      configured.map((gate): Row => {
        const there = gates.find(({ name }) => name === gate);
        return [{ gate }, there?.mode === 'enforce' && there.missing.length === 0 ? 1 : 0];
      }),
  );
  gauge('weft_agent_routes', 'Routes that are open: their leases run.', [], ({ routes }) => [[{}, routes.open]]);
  gauge(
    'weft_agent_routes_lapsed',
    'Routes whose leases ran out, because nobody proved that they stand.',
    [],
    ({ routes }) => [[{}, routes.lapsed]],
  );
  gauge('weft_agent_routes_total', 'Routes opened, closed and refused since the start.', ['fate'], ({ routes }) => [
    [{ fate: 'opened' }, routes.opened],
    [{ fate: 'closed' }, routes.closed],
    [{ fate: 'refused' }, routes.refused],
  ]);
  gauge('weft_agent_sink_lines_total', 'Lines by sink: written, lost, waiting.', ['sink', 'fate'], ({ sinks }) =>
    sinks.flatMap(({ name, written, lost, waiting }): Row[] => [
      [{ sink: name, fate: 'written' }, written],
      [{ sink: name, fate: 'lost' }, lost],
      [{ sink: name, fate: 'waiting' }, waiting],
    ]),
  );
  gauge('weft_agent_alerts_total', 'Alerts raised on the ledger.', [], ({ alerts }) => [[{}, alerts]]);
  gauge('weft_agent_hints_dropped_total', 'Hints of nodes that found no room.', [], ({ hintsDropped }) => [
    [{}, hintsDropped],
  ]);
  gauge(
    'weft_agent_program_seconds_total',
    'Time that programs ran, where the kernel counts it (kernel.bpf_stats_enabled).',
    ['program'],
    ({ programs }) =>
      programs.flatMap(({ name, runSeconds }): Row[] =>
        runSeconds === undefined ? [] : [[{ program: name }, runSeconds]],
      ),
  );
  gauge('weft_agent_map_bytes', 'Memory of maps in the kernel, where it says so.', ['program'], ({ programs }) =>
    programs.flatMap(({ name, mapBytes }): Row[] => (mapBytes === undefined ? [] : [[{ program: name }, mapBytes]])),
  );
  return registry;
}
