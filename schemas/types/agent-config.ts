// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Configuration of the agent of one host: a YAML or JSON file. Paths are relative to the file.
 */
export interface AgentConfigFile {
  /**
   * What effects call this host.
   */
  host: string;
  /**
   * Folder of its own for what a restart must know.
   */
  state?: string;
  /**
   * Where grants come from. Without it nothing is ever granted.
   */
  ledger?: {
    /**
     * The account that grants for this host name as their audience.
     */
    account: string;
    /**
     * Key file of that account.
     */
    keys: string;
    /**
     * Trust file (weft trust), walked forward and written anew when the validators change.
     */
    trust: string;
    /**
     * Nodes, best of several operators. None is believed.
     *
     * @minItems 1
     * @maxItems 16
     *
     * Items: Address of a node.
     */
    rpc: string[];
    /**
     * How old a status may be.
     */
    maxStalenessMs?: number;
    /**
     * How far this clock may be off.
     */
    maxClockSkewMs?: number;
    /**
     * So long the kernel lets a route through without hearing of it again; at most maxStalenessMs.
     */
    leaseMs?: number;
  };
  /**
   * What comes in. Without it nothing is guarded.
   */
  gate?: {
    /**
     * Network interfaces.
     *
     * @minItems 1
     * @maxItems 64
     *
     * Items: Name.
     */
    interfaces: string[];
    /**
     * Ports that need a grant. All others pass unasked.
     *
     * @maxItems 256
     *
     * Items: A port.
     */
    guarded: {
      /**
       * Number.
       */
      port: number;
      /**
       * Transport.
       */
      protocol: 'tcp' | 'udp';
    }[];
    /**
     * Ports that must never be guarded, so that this host cannot cut itself off. ssh is always one of them.
     *
     * @maxItems 256
     *
     * Items: A port.
     */
    never?: {
      /**
       * Number.
       */
      port: number;
      /**
       * Transport.
       */
      protocol: 'tcp' | 'udp';
    }[];
    /**
     * observe: let pass and report; enforce: refuse.
     */
    mode?: 'observe' | 'enforce';
    /**
     * True: the gate goes when the agent does. False: it stays in the kernel, and what it granted ends with its lease.
     */
    failOpen?: boolean;
    /**
     * Folder on a bpf file system for what stays.
     */
    pins?: string;
    /**
     * Refuse later IP fragments, too.
     */
    refuseFragments?: boolean;
  };
  /**
   * What processes of a cgroup send. Without it nothing is guarded.
   */
  outgoing?: {
    /**
     * Folder of the cgroup. Default: all processes.
     */
    cgroup?: string;
    /**
     * Ports that need a grant.
     *
     * @maxItems 256
     *
     * Items: A port.
     */
    guarded: {
      /**
       * Number.
       */
      port: number;
      /**
       * Transport.
       */
      protocol: 'tcp' | 'udp';
    }[];
    /**
     * Ports that must never be guarded: those of the ledger’s nodes above all.
     *
     * @maxItems 256
     *
     * Items: A port.
     */
    never?: {
      /**
       * Number.
       */
      port: number;
      /**
       * Transport.
       */
      protocol: 'tcp' | 'udp';
    }[];
    /**
     * As for gate.
     */
    mode?: 'observe' | 'enforce';
    /**
     * Addresses from which processes of the cgroup call. Routes from elsewhere do not open this gate. Default: all routes do.
     *
     * @minItems 1
     * @maxItems 64
     *
     * Items: Address or CIDR.
     */
    sources?: string[];
    /**
     * As for gate. Where there is a gate, its own counts for both.
     */
    failOpen?: boolean;
    /**
     * As for gate. Where there is a gate, its own count for both.
     */
    pins?: string;
  };
  /**
   * What is watched, besides the gates.
   *
   * @maxItems 8
   *
   * Items: Name, as weft agent probe lists them.
   */
  probes?: ('exec' | 'exit' | 'tcp' | 'bind' | 'drops' | 'bpf-calls' | 'exec-check' | 'udp')[];
  /**
   * Where a probe cannot be had, read /proc every so often instead. It enforces nothing and may miss what is short.
   */
  fallback?: boolean;
  /**
   * Where events go.
   */
  telemetry?: {
    /**
     * One JSON object a line on standard output.
     */
    stdout?: boolean;
    /**
     * The same in a file.
     */
    file?: {
      /**
       * Path.
       */
      path: string;
      /**
       * At this size it becomes <path>.1.
       */
      bytesMax?: number;
    };
    /**
     * OTLP/HTTP with JSON.
     */
    otlp?: {
      /**
       * Of the collector, without /v1/logs.
       */
      url: string;
      /**
       * Sent along, each `Name: value`.
       *
       * @maxItems 16
       *
       * Items: A header.
       */
      headers?: string[];
    };
    /**
     * NATS JetStream.
     */
    nats?: {
      /**
       * host:port.
       *
       * @minItems 1
       * @maxItems 16
       *
       * Items: A server.
       */
      servers: string[];
      /**
       * First part of the subjects.
       */
      subject?: string;
      /**
       * Stream that keeps them.
       */
      stream?: string;
      /**
       * File that holds the token.
       */
      tokenFile?: string;
      /**
       * User.
       */
      user?: string;
      /**
       * File that holds the password.
       */
      passwordFile?: string;
    };
    /**
     * What must not leave this host. Without it: what looks like a secret in arguments.
     *
     * @maxItems 64
     *
     * Items: A rule.
     */
    redact?: {
      /**
       * What.
       */
      member: 'arguments' | 'path' | 'command' | 'uid' | 'source' | 'destination' | 'cgroup';
      /**
       * Only events whose kind begins so.
       *
       * @maxItems 16
       *
       * Items: A prefix.
       */
      kinds?: string[];
      /**
       * Only what this matches.
       */
      pattern?: string;
    }[];
    /**
     * Events a second of one source; 0: no limit.
     */
    perSecond?: number;
    /**
     * At once, after a rest.
     */
    burst?: number;
    /**
     * Events a second that each program hands over, on each CPU; 0: no limit.
     */
    kernelPerSecond?: number;
  };
  /**
   * When the ledger is told of refused packets.
   */
  alerts?: {
    /**
     * So many refused packets within a period; 0: never.
     */
    drops?: number;
    /**
     * Period, and the least time between two alerts.
     */
    everyMs?: number;
  };
  /**
   * Prometheus metrics and state over HTTP.
   */
  metrics?: {
    /**
     * Address to listen on.
     */
    host?: string;
    /**
     * Port; 0: any free one.
     */
    port: number;
  };
}
