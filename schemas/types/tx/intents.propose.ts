// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of an `intents.propose` transaction. Asks for permission to act: policy grants, denies or asks for approvals.
 */
export type IntentsProposeBody =
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'cache.clear';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: CacheClearEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'config.restore';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: ConfigRestoreEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'model.deploy';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: ModelDeployEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'model.retire';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: ModelRetireEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'policy.emergency-block';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: PolicyEmergencyBlockEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'process.renice';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: ProcessReniceEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'route.close';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: RouteCloseEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'route.open';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: RouteOpenEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'service.isolate';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: ServiceIsolateEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'service.restart';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: ServiceRestartEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    }
  | {
      /**
       * Entry of the action catalogue.
       */
      action: 'sysctl.set';
      /**
       * What it is about, as the catalogue derives it from the effect.
       */
      resource: string;
      effect: SysctlSetEffect;
      /**
       * How long the grant is to hold, milliseconds; policy may shorten it.
       */
      ttlMs: number;
      /**
       * The one executor instance that may act.
       */
      audience: string;
      /**
       * How often it is to be consumed at most; policy may lower it.
       */
      maxUses: number;
      /**
       * True: nothing is to be changed, only tried.
       */
      dryRun: boolean;
    };

/**
 * Resolved effect of the action `cache.clear`: empties a cache. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface CacheClearEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Which cache.
   */
  cache: string;
}
/**
 * Resolved effect of the action `config.restore`: puts a configuration back to a known content. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ConfigRestoreEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Which configuration; the executor knows its path.
   */
  config: string;
  /**
   * SHA-256 of the content that it is to have.
   */
  sha256: string;
}
/**
 * Resolved effect of the action `model.deploy`: puts a model file into service. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ModelDeployEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Model id.
   */
  model: string;
  /**
   * SHA-256 of the file.
   */
  sha256: string;
}
/**
 * Resolved effect of the action `model.retire`: takes a model file out of service. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ModelRetireEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Model id.
   */
  model: string;
  /**
   * SHA-256 of the file.
   */
  sha256: string;
}
/**
 * Resolved effect of the action `policy.emergency-block`: drops packets of these addresses at a gate, for a while. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface PolicyEmergencyBlockEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Name under which the gate keeps it.
   */
  policy: string;
  /**
   * Whom.
   */
  block: string;
  /**
   * How long, milliseconds.
   */
  durationMs: number;
}
/**
 * Resolved effect of the action `process.renice`: changes the priority of one process. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ProcessReniceEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Process id.
   */
  pid: number;
  /**
   * When it started, clock ticks since boot (field 22 of /proc/<pid>/stat): another process may get its id.
   */
  started: number;
  /**
   * The new value.
   */
  nice: number;
}
/**
 * Resolved effect of the action `route.close`: takes back what a grant of `route.open` let pass. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface RouteCloseEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * The grant: txId of its `intents.propose`.
   */
  grant: string;
}
/**
 * Resolved effect of the action `route.open`: lets packets of these addresses pass. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface RouteOpenEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * From.
   */
  source: string;
  /**
   * To.
   */
  destination: string;
  /**
   * Destination port; 0: any.
   */
  port: number;
  /**
   * Protocol.
   */
  protocol: 'tcp' | 'udp' | 'any';
}
/**
 * Resolved effect of the action `service.isolate`: cuts a service off. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ServiceIsolateEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Which service.
   */
  service: string;
  /**
   * `network`: it runs on without network; `freeze`: it does not run on.
   */
  mode: 'network' | 'freeze';
}
/**
 * Resolved effect of the action `service.restart`: restarts a service. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ServiceRestartEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Which service.
   */
  service: string;
}
/**
 * Resolved effect of the action `sysctl.set`: sets a kernel parameter. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface SysctlSetEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Its name, with dots.
   */
  key: string;
  /**
   * Whole numbers, parted by single spaces.
   */
  value: string;
}
